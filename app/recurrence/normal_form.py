"""The normal form of a rule: one spelling, with its days written out.

A rule whose days are explicit means the same from each of its dates on, so that a series can be
counted from its present date instead of its first one.
"""

from calendar import monthrange
from collections.abc import Sequence
from datetime import date

from app.recurrence.grid import has_dates
from app.recurrence.rule import MAX_LENGTH, Rule, RuleError, Weekday, from_start, parse, written
from app.recurrence.until import is_within
from app.zones import day_of

EARLIEST_ZONE = "Etc/GMT-14"  # where each local time comes first
LEAP_YEAR = 2024
LAST_OF_FEBRUARY = (2, 29)


def normalise(text: str, basis: str, due: str, zone_name: str = EARLIEST_ZONE) -> str:
    """A rule in the form that is stored, for a task that is due then.

    Raises RuleError for what is no rule, ends before the due, or has no date from then on. Without
    the zone of the due, an UNTIL in UTC is refused only if it is before the due in every zone.
    """
    rule, day = parse(text), day_of(due)
    if rule.until is not None and not is_within(due, rule.until, zone_name):
        raise RuleError("UNTIL must not be before due.")
    if rule.freq == "DAILY" and rule.weekdays:
        rule = rule._replace(freq="WEEKLY")
    if not (rule.is_free and basis == "completion"):
        rule = _explicit(rule, day, basis)
    if len(normal_form := written(rule)) > MAX_LENGTH:
        raise RuleError(f"Give fewer days: written out, the rule exceeds {MAX_LENGTH} characters.")
    return normal_form


def _explicit(rule: Rule, due: date, basis: str) -> Rule:
    """The rule with its days written out."""
    if not rule.is_free:  # 30 February is no date, and does not become the last day
        _require_dates(rule._replace(interval=1), due)
    rule = _with_last_days(_with_days_of(rule, due))
    # A date counted from a completion may be in any period.
    _require_dates(rule._replace(interval=1) if basis == "completion" else rule, due)
    return rule


def _require_dates(rule: Rule, day: date) -> None:
    if not has_dates(rule, day):
        raise RuleError(
            "No date satisfies this rule from due on; change its days, months or INTERVAL."
        )


def _with_days_of(rule: Rule, due: date) -> Rule:
    """The rule with the days that it leaves to the due."""
    if rule.weekdays or rule.month_days:
        return rule
    match rule.freq:
        case "WEEKLY":
            return rule._replace(weekdays=(Weekday(due.weekday()),))
        case "MONTHLY":
            return rule._replace(month_days=(due.day,))
        case "YEARLY":
            return rule._replace(months=rule.months or (due.month,), month_days=(due.day,))
        case _:
            return rule


def _with_last_days(rule: Rule) -> Rule:
    """The rule with BYSETPOS, if it has days of the month that a month lacks.

    The last day stands for these, or nothing with SKIP=OMIT. Where BYSETPOS or BYDAY is given, the
    rule says itself which days are left.
    """
    if not _lacks_days(rule):
        return rule
    if rule.weekdays or rule.positions:
        if rule.skip == "BACKWARD":
            raise RuleError("Give SKIP=BACKWARD without BYDAY and BYSETPOS.")
        return rule
    if rule.freq == "YEARLY" and rule.interval == 1 and len(rule.months) > 1:
        rule = rule._replace(freq="MONTHLY")
    return _without_lacking_days(rule) if rule.skip == "OMIT" else _with_last_day(rule)


def _lacks_days(rule: Rule) -> bool:
    """Whether a month lacks one of the days; not if the last day is among these anyway."""
    shortest = min(_length(month) - (month == 2) for month in rule.months or range(1, 13))
    return max(rule.month_days, default=0) > shortest and -1 not in rule.month_days


def _without_lacking_days(rule: Rule) -> Rule:
    most = len(rule.month_days) * (len(rule.months) if rule.freq == "YEARLY" else 1)
    return rule._replace(positions=tuple(range(1, most + 1)))


def _with_last_day(rule: Rule) -> Rule:
    days = rule.month_days
    if min(days) < 0:
        raise RuleError("Beside BYMONTHDAY from the end of the month, add -1 or SKIP=OMIT.")
    widened = tuple(sorted({*days, *range(28, max(days) + 1)}))
    choose = _positions_in_year if rule.freq == "YEARLY" else _positions_in_month
    return rule._replace(month_days=widened, positions=from_start(choose(rule, widened)))


def _positions_in_month(rule: Rule, widened: Sequence[int]) -> Sequence[int]:
    """The places of the rule's days; of the last one from the end, whatever day that is."""
    return [*(widened.index(day) + 1 for day in rule.month_days[:-1]), -1]


def _positions_in_year(rule: Rule, widened: Sequence[int]) -> Sequence[int]:
    """The places of the rule's days among the dates of all its months.

    Only February has two lengths: what is before its last day is counted from the start of the
    year, all else from the end.
    """
    days = [(month, day) for month in rule.months for day in widened if day <= _length(month)]
    wanted = {(month, min(day, _length(month))) for month in rule.months for day in rule.month_days}
    return [
        place + 1 if days[place] < LAST_OF_FEBRUARY else place - len(days)
        for place in range(len(days))
        if days[place] in wanted
    ]


def _length(month: int) -> int:
    return monthrange(LEAP_YEAR, month)[1]
