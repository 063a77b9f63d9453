"""Phrases of dates and repetitions, as Todoist's exports have them: every! 2 weeks at 9am.

The grammar works on tokens, which are the same for all languages of words.py. What it does not
understand as a whole it does not understand at all.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from app.imports.words import (
    AND,
    AT,
    CLOCK,
    EVERY,
    FOR,
    FROM,
    IN,
    LANGUAGES,
    LAST,
    MOST_WORDS,
    NEXT,
    OF,
    OTHER,
    QUARTER,
    TODAY,
    TOMORROW,
    UNTIL,
    WEEKEND,
    WORKDAY,
    Token,
    phrase_words,
    plain,
)
from app.recurrence import RuleError, first_date, normalise
from app.recurrence.rule import WEEKDAYS

LONGEST = 200  # characters
FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
ISO_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})?")
SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
NUMBER = re.compile(r"\d{1,4}")
ORDINAL = re.compile(r"(\d{1,2})(?:st|nd|rd|th|\.|er|e|eme|º|o|a)")
TIME = re.compile(r"(\d{1,2})(?::(\d{2})|h(\d{2})?)?(?::\d{2})?\s*(am|pm|a\.m\.|p\.m\.|uhr|h)?")
INTERVAL = re.compile(r";INTERVAL=\d+")
ISO_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})[t ](\d{2}:\d{2})(?::\d{2})?")


class Phrase(NamedTuple):
    """What a phrase says: a due, and a rule with its basis where it repeats."""

    due: str
    rule: str | None = None
    basis: str = "due"


class _NotUnderstoodError(Exception):
    """The tokens are no phrase."""


def read(text: str, language: str, today: date, *, date_order: str = "dmy") -> Phrase | None:
    """What a phrase of that language means on that day; None where it is not understood.

    A repetition without a start begins at its first date from `today` on.
    """
    words = LANGUAGES.get(language[:2].lower())
    if words is None or len(text) > LONGEST:
        return None
    from_completion = re.search(r"!", text) is not None
    try:
        tokens = _tokens(plain(text.replace("!", " ")), words, date_order)
        phrase = _Parser(tokens, today).phrase()
    except (_NotUnderstoodError, RuleError, ValueError, OverflowError):
        return None
    if phrase.rule and from_completion:
        return phrase._replace(basis="completion")
    return None if from_completion else phrase


def _tokens(text: str, table: Mapping[str, Token], date_order: str) -> list[Token]:
    """The tokens of a plain text; raises _NotUnderstoodError."""
    text = ISO_TIME.sub(r"\1 @ \2", text)
    text = re.sub(r"(\d)\s*(am|pm|a\.m\.|p\.m\.)(?=\W|$)", r"\1\2", text)
    words, found, place = phrase_words(text), list[Token](), 0
    while place < len(words):
        for length in range(MOST_WORDS, 0, -1):
            token = table.get(" ".join(words[place : place + length]).rstrip("."))
            if token is not None and place + length <= len(words):
                found.append(token)
                place += length
                break
        else:
            found.append(_numeric(words[place], date_order))
            place += 1
    return found


def _numeric(word: str, date_order: str) -> Token:
    for form, read_form in FORMS:
        if found := form.fullmatch(word):
            return read_form(found, date_order)
    raise _NotUnderstoodError(word)


def _iso_day(found: re.Match[str], _date_order: str) -> Token:
    return Token("DATE", date(*map(int, found.groups())).toordinal())


def _dotted(found: re.Match[str], _date_order: str) -> Token:
    if found[3]:
        return Token("DATE", date(int(found[3]), int(found[2]), int(found[1])).toordinal())
    return Token("MONTH_DAY", int(found[2]) * 100 + int(found[1]))


def _slashed(found: re.Match[str], date_order: str) -> Token:
    first, second, year = map(int, found.groups())
    is_month_first = second > 12 or (date_order == "mdy" and first <= 12)
    month, day = (first, second) if is_month_first else (second, first)
    return Token("DATE", date(year, month, day).toordinal())


def _minutes(time: re.Match[str]) -> int:
    """Minutes since midnight."""
    hours, minutes, half = int(time[1]), int(time[2] or time[3] or 0), time[4] or ""
    if half.startswith(("a", "p")):
        if not 1 <= hours <= 12:
            raise _NotUnderstoodError(time[0])
        hours = hours % 12 + (12 if half.startswith("p") else 0)
    if hours > 23 or minutes > 59:
        raise _NotUnderstoodError(time[0])
    return 60 * hours + minutes


FORMS: Sequence[tuple[re.Pattern[str], Callable[[re.Match[str], str], Token]]] = (
    (ISO_DAY, _iso_day),
    (DOTTED, _dotted),
    (SLASHED, _slashed),
    (NUMBER, lambda found, _: Token("NUMBER", int(found[0]))),
    (ORDINAL, lambda found, _: Token("ORDINAL", int(found[1]))),
    (TIME, lambda found, _: Token("TIME", _minutes(found))),
)
FIXED = {
    QUARTER: "FREQ=MONTHLY;INTERVAL=3",
    WORKDAY: "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
    WEEKEND: "FREQ=WEEKLY;BYDAY=SA,SU",
}


class _Parser:
    """A recursive descent over the tokens of one phrase."""

    def __init__(self, tokens: Sequence[Token], today: date) -> None:
        self._tokens, self._place, self._today = tokens, 0, today
        self._time: int | None = None
        self._start: date | None = None
        self._end: date | None = None
        self._for: tuple[int, int] | None = None  # a number of units

    def phrase(self) -> Phrase:
        """The phrase; raises _NotUnderstoodError."""
        if self._at(EVERY) or self._peek().name in ("ADVERB", "QUARTER", "WORKDAY"):
            return self._repetition()
        day = self._date()
        self._clauses()
        if not self._is_over() or self._start or self._end or self._for:
            raise _NotUnderstoodError
        return Phrase(self._local(day))

    # Tokens

    def _peek(self, ahead: int = 0) -> Token:
        place = self._place + ahead
        return self._tokens[place] if place < len(self._tokens) else Token("END")

    def _is_over(self) -> bool:
        return self._place >= len(self._tokens)

    def _at(self, *tokens: Token) -> bool:
        """Passes one of these tokens, if it is next."""
        if self._peek() in tokens:
            self._place += 1
            return True
        return False

    def _number_of(self, *names: str) -> int | None:
        """Passes a token of one of these names; its number."""
        token = self._peek()
        if token.name in names:
            self._place += 1
            return token.number
        return None

    def _skip(self, *tokens: Token) -> None:
        while self._at(*tokens):
            pass

    # Dates

    def _date(self) -> date:
        self._skip(OF)
        token = self._peek()
        if self._at(TODAY, TOMORROW):
            return self._today + timedelta(token == TOMORROW)
        if token.name == "DATE":
            return date.fromordinal(self._required("DATE"))
        if token.name == "MONTH_DAY":
            return self._coming(*divmod(self._required("MONTH_DAY"), 100))
        if self._at(IN):
            return self._after(self._required("NUMBER"), self._required("UNIT"))
        return self._next() if token == NEXT or token.name == "WEEKDAY" else self._named_day()

    def _next(self) -> date:
        """The next weekday, today excluded, or the same day of the next week, month or year."""
        self._at(NEXT)
        if self._peek().name == "WEEKDAY":
            weekday = self._required("WEEKDAY")
            return self._today + timedelta((weekday - self._today.weekday() - 1) % 7 + 1)
        return self._after(1, self._required("UNIT"))

    def _named_day(self) -> date:
        """7 October 2026, October 7, 7. Oktober, 7 de octubre de 2026."""
        day = self._number_of("NUMBER", "ORDINAL")
        self._skip(OF)
        month = self._required("NAMED_MONTH")
        if day is None:
            day = self._required("NUMBER", "ORDINAL")
        if self._peek() in (OF, AND) and self._peek(1).number >= 1970:
            self._place += 1
        if self._peek().name == "NUMBER" and self._peek().number >= 1970:
            return date(self._required("NUMBER"), month, day)
        return self._coming(month, day)

    def _coming(self, month: int, day: int) -> date:
        """The next such day, today included."""
        for year in range(self._today.year, self._today.year + 9):
            if 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]:
                found = date(year, month, day)
                if found >= self._today:
                    return found
        raise _NotUnderstoodError

    def _after(self, number: int, unit: int, day: date | None = None) -> date:
        day = day or self._today
        if unit < 2:
            return day + timedelta(number * (7 if unit else 1))
        months = day.year * 12 + day.month - 1 + number * (1 if unit == 2 else 12)
        year, month = divmod(months, 12)
        return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))

    def _required(self, *names: str) -> int:
        found = self._number_of(*names)
        if found is None:
            raise _NotUnderstoodError
        return found

    def _local(self, day: date) -> str:
        if self._time is None:
            return day.isoformat()
        return f"{day}T{self._time // 60:02}:{self._time % 60:02}:00"

    # What follows a date or a repetition

    def _clauses(self) -> None:
        while not self._is_over():
            self._skip(AND, OF)
            if self._at(AT):
                self._clock()
            elif self._at(FROM):
                self._start = self._date()
            elif self._at(UNTIL):
                self._end = self._date()
            elif self._at(FOR):
                self._for = self._required("NUMBER"), self._required("UNIT")
            elif self._peek().name == "TIME" or self._peek(1) == CLOCK:
                self._clock()
            else:
                return

    def _clock(self) -> None:
        hours = self._number_of("NUMBER")
        if hours is not None:
            if hours > 23:
                raise _NotUnderstoodError
            self._time = 60 * hours
        else:
            self._time = self._required("TIME")
        self._skip(CLOCK)

    # Repetitions

    def _repetition(self) -> Phrase:
        parts = self._rule()
        self._clauses()
        if not self._is_over():
            raise _NotUnderstoodError
        earliest = self._start or self._today
        each = INTERVAL.sub("", parts)  # the first date may be in any week, month or year
        found = first_date(normalise(each, "due", earliest.isoformat()), earliest)
        if found is None:
            raise _NotUnderstoodError
        end = self._end
        if self._for is not None:
            end = self._after(*self._for, earliest) - timedelta(1)
        if end is not None:
            parts += f";UNTIL={end:%Y%m%d}"
        return Phrase(self._local(found), parts)

    def _rule(self) -> str:
        """The rule of what stands after `every`."""
        self._skip(OF)
        token = self._peek()
        if self._at(*FIXED):
            return FIXED[token]
        if self._at(LAST):
            return self._last()
        if self._at(OTHER):
            return self._interval(2)
        rules = {
            "ADVERB": self._adverb,
            "NAMED_MONTH": self._yearly,
            "UNIT": lambda: self._unit(1),
            "WEEKDAY": lambda: f"FREQ=WEEKLY;BYDAY={self._weekdays()}",
            "NUMBER": self._numbered,
            "ORDINAL": self._numbered,
        }
        if token.name not in rules:
            raise _NotUnderstoodError
        return rules[token.name]()

    def _adverb(self) -> str:
        return f"FREQ={FREQUENCIES[self._required('ADVERB')]}"

    def _interval(self, number: int) -> str:
        """A rule of every `number` units, or of a weekday every `number` weeks."""
        if self._peek().name == "WEEKDAY":
            return f"FREQ=WEEKLY;INTERVAL={number};BYDAY={self._weekdays()}"
        if self._at(QUARTER):
            return f"FREQ=MONTHLY;INTERVAL={3 * number}"
        return self._unit(number)

    def _unit(self, number: int) -> str:
        frequency = FREQUENCIES[self._required("UNIT")]
        rule = f"FREQ={frequency}" + (f";INTERVAL={number}" if number != 1 else "")
        if frequency == "WEEKLY":
            self._skip(OF)
            if self._peek().name == "WEEKDAY":
                return f"{rule};BYDAY={self._weekdays()}"
        began = self._place
        self._skip(OF)
        day = self._number_of("ORDINAL") if frequency == "MONTHLY" else None
        if day is not None:
            return f"{rule};BYMONTHDAY={day}"
        self._place = began
        return rule

    def _weekdays(self) -> str:
        """MO,FR of monday and friday, as far as weekdays follow."""
        found = [WEEKDAYS[self._required("WEEKDAY")]]
        while True:
            began = self._place
            self._skip(AND)
            self._skip(EVERY, OF)
            if self._peek().name != "WEEKDAY":
                self._place = began
                return ",".join(dict.fromkeys(found))
            found.append(WEEKDAYS[self._required("WEEKDAY")])

    def _last(self) -> str:
        if self._at(WORKDAY):
            rule = "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"
        elif (weekday := self._number_of("WEEKDAY")) is not None:
            rule = f"FREQ=MONTHLY;BYDAY=-1{WEEKDAYS[weekday]}"
        elif self._required("UNIT") == 0:
            rule = "FREQ=MONTHLY;BYMONTHDAY=-1"
        else:
            raise _NotUnderstoodError
        self._of_month()
        return rule

    def _of_month(self) -> None:
        """Passes `of the month`."""
        self._skip(OF, EVERY)
        if self._peek() == Token("UNIT", 2):
            self._place += 1

    def _numbered(self) -> str:
        """Every 2 weeks, 2nd week, 15th, 1st and 15th, first monday, 3rd of october."""
        token = self._peek()
        following = self._peek(1)
        number = self._required("NUMBER", "ORDINAL")
        if following.name == "WEEKDAY" and token.name == "ORDINAL" and number <= 5:
            return self._nth_weekday(number)
        if following.name in ("WEEKDAY", "QUARTER"):
            return self._interval(number)
        if following.name == "UNIT" and (following.number or not self._is_month_next()):
            return self._interval(number)
        if following == WORKDAY and token.name == "ORDINAL":
            self._place += 1
            self._of_month()
            return f"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS={number}"
        if following.name == "UNIT":  # first day of the month
            self._place += 1
        return self._month_days(number)

    def _is_month_next(self) -> bool:
        """Whether `of the month` follows a `day`."""
        return self._peek(1) == OF and Token("UNIT", 2) in (self._peek(2), self._peek(3))

    def _nth_weekday(self, number: int) -> str:
        weekday = WEEKDAYS[self._required("WEEKDAY")]
        self._of_month()
        return f"FREQ=MONTHLY;BYDAY={number}{weekday}"

    def _month_days(self, first: int) -> str:
        days = [first]
        while self._peek() == AND and self._peek(1).name in ("ORDINAL", "NUMBER"):
            self._place += 1
            days.append(self._required("ORDINAL", "NUMBER"))
        began = self._place
        self._skip(OF)
        month = self._number_of("NAMED_MONTH")
        if month is not None:
            return f"FREQ=YEARLY;BYMONTH={month};BYMONTHDAY={','.join(map(str, days))}"
        self._place = began
        self._of_month()
        return f"FREQ=MONTHLY;BYMONTHDAY={','.join(map(str, days))}"

    def _yearly(self) -> str:
        month = self._required("NAMED_MONTH")
        self._skip(OF)
        day = self._required("NUMBER", "ORDINAL")
        return f"FREQ=YEARLY;BYMONTH={month};BYMONTHDAY={day}"
