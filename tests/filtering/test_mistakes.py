"""Texts that are no filter: what is told, and the character that it is told of."""

import pytest

from app import filtering
from app.filtering import FilterError
from tests.filtering.selection import compiled

TIME = "a date or time after {}, such as today, 2026-10-07 or +7d"
CONDITION = "such as due < today or completed"
END = '"and", "or" or the end of the filter'


def mistake(query: str) -> tuple[str, int]:
    """Message and position of the error that parsing must raise."""
    with pytest.raises(FilterError) as caught:
        filtering.parse(query)
    error = caught.value
    assert 1 <= error.position <= len(query) + 1
    assert str(error) == f"{error.message} (at character {error.position})"
    assert len(error.message) < 150
    return error.message, error.position


@pytest.mark.parametrize(
    ("query", "message", "position"),
    [
        ("", "The filter is empty.", 1),
        (" \t\n\u00a0\u3000", "The filter is empty.", 1),
        # words that are no field, or none here
        ("duedate < 3", f"Expected a condition, {CONDITION}.", 1),
        ("done = false && due < today", f"Expected a condition, {CONDITION}.", 1),
        ('description = "x"', f"Expected a condition, {CONDITION}.", 1),
        ("due_date < today", f"Expected a condition, {CONDITION}.", 1),
        ("due.date < today", "Expected a comparison after due, such as < or =.", 4),
        ("$.due < today", f"Expected a condition, {CONDITION}.", 1),
        ("tomorrow", f"Expected a condition, {CONDITION}.", 1),
        ("true", f"Expected a condition, {CONDITION}.", 1),
        ("“x”", f"Expected a condition, {CONDITION}.", 1),
        ("\u200btoday", f"Expected a condition, {CONDITION}.", 1),
        ("\ufefftoday", f"Expected a condition, {CONDITION}.", 1),
        ("#Work", f"Expected a condition, {CONDITION}.", 1),
        ("@home", f"Expected a condition, {CONDITION}.", 1),
        ("!completed", f"Expected a condition, {CONDITION}.", 1),
        # fields without a comparison
        ("due", "Expected a comparison after due, such as < or =.", 4),
        ("due ", "Expected a comparison after due, such as < or =.", 5),
        ("due today", "Expected a comparison after due, such as < or =.", 5),
        ("DUE is today", "Expected a comparison after DUE, such as < or =.", 5),
        ('title "x"', "Expected a comparison after title, such as < or =.", 7),
        ("priority 1", "Expected a comparison after priority, such as < or =.", 10),
        ('label "x"', "Expected a comparison after label: =, != or in.", 7),
        ('label < "x"', "Expected a comparison after label: =, != or in.", 7),
        ("list", "Expected a comparison after list: =, != or in.", 5),
        ('list > "x"', "Expected a comparison after list: =, != or in.", 6),
        ("today = today", f"Expected {END} after today.", 7),
        # comparisons without their value
        ("due <", f"Expected {TIME.format('<')}.", 6),
        ("due < < today", f"Expected {TIME.format('<')}.", 7),
        ("due == today", f"Expected {TIME.format('=')}.", 6),
        ("due <> today", f"Expected {TIME.format('<')}.", 6),
        ("due =< today", f"Expected {TIME.format('=')}.", 6),
        ("due < (today)", f"Expected {TIME.format('<')}.", 7),
        ("due < created", f"Expected {TIME.format('<')}.", 7),
        ("due < 3", f"Expected {TIME.format('<')}.", 7),
        ("due <  7d", "Write +7d or -7d; in a URL, + is %2B.", 8),
        ("due < x or due < 7d", f"Expected {TIME.format('<')}.", 7),
        ("due <  12H", f"Expected {TIME.format('<')}.", 8),
        ("priority < today", "Expected a number from 0 to 9 after <.", 12),
        ("priority = none", "Expected a number from 0 to 9 after =.", 12),
        ('priority = "1"', "Expected a number from 0 to 9 after =.", 12),
        ("priority < 4.5", "Expected a number from 0 to 9 after <.", 12),
        ("priority < 1e3", "Expected a number from 0 to 9 after <.", 12),
        ("priority < ٣", "Expected a number from 0 to 9 after <.", 12),
        ("priority < 10", "A priority is a whole number from 0 to 9.", 12),
        ("priority < -1", "A priority is a whole number from 0 to 9.", 12),
        ("priority in (1, 10)", "A priority is a whole number from 0 to 9.", 17),
        ("priority = 01", "A priority is a whole number from 0 to 9.", 12),
        (f"priority = {'9' * 900}", "A priority is a whole number from 0 to 9.", 12),
        ("completed = 1", "Expected true or false after =.", 13),
        ("completed =", "Expected true or false after =.", 12),
        ("title = x", "Expected a string in double quotes after =.", 9),
        ("title = 'x'", "Expected a string in double quotes after =.", 9),
        ("title = “x”", "Expected a string in double quotes after =.", 9),
        ("label = home", "Expected a string in double quotes after =.", 9),
        ("has label", "Expected a string in double quotes after label.", 10),
        ('has label ("a")', "Expected a string in double quotes after label.", 11),
        ('has label "a",', "Expected a string in double quotes after ,.", 15),
        ("has", "Expected label after has.", 4),
        ("has due", "Expected label after has.", 5),
        ("no", "Expected due, label, list or priority after no.", 3),
        ("no start", "Expected due, label, list or priority after no.", 4),
        # lists of values
        ("priority in", "Expected a bracket after in, such as in (1, 2).", 12),
        ("priority in 1, 2", "Expected a bracket after in, such as in (1, 2).", 13),
        ("priority in ()", "Expected a number from 0 to 9 after (.", 14),
        ("priority in (1", "Expected a comma or a closing bracket after 1.", 15),
        ("priority in (1,)", "Expected a number from 0 to 9 after ,.", 16),
        ("priority in (1 2)", "Expected a comma or a closing bracket after 1.", 16),
        ("priority in (1; 2)", "Expected a comma or a closing bracket after 1.", 15),
        (f"priority in ({'9' * 900}", "Expected a comma or a closing bracket.", 914),
        ('label in ("a"', "Expected a comma or a closing bracket after the string.", 14),
        ("completed in (true)", f"Expected {END} after completed.", 11),
        ("priority not in (1)", "Expected a comparison after priority, such as < or =.", 10),
        # strings
        ('title = "x', "This quote has no closing one.", 9),
        ('title = "x\\"', "This quote has no closing one.", 9),
        ('title = "a" or title = "', "This quote has no closing one.", 24),
        ('label in ("a, "b")', "Expected a comma or a closing bracket after the string.", 16),
        ('list "', "This quote has no closing one.", 6),
        ('has label "a", "', "This quote has no closing one.", 16),
        ('title = "\\n"', 'A backslash in a string stands before " or \\ only.', 10),
        ('title = "a\\u0022"', 'A backslash in a string stands before " or \\ only.', 11),
        ('title = "\\\\\\x"', 'A backslash in a string stands before " or \\ only.', 12),
        ('title = "a\x00"', "A string must not contain NUL or lone surrogates.", 11),
        ('label = "\ud800"', "A string must not contain NUL or lone surrogates.", 10),
        # after a condition
        ("today today", f"Expected {END} after today.", 7),
        ("today, overdue", f"Expected {END} after today.", 6),
        ("today;", f"Expected {END} after today.", 6),
        ("today && overdue", f"Expected {END} after today.", 7),
        ("today -- x", f"Expected {END} after today.", 7),
        ("today /* x */", f"Expected {END} after today.", 7),
        ('title = "🙂👍🏽" x', f"Expected {END} after the string.", 15),
        ('title = "e\u0301" x', f"Expected {END} after the string.", 14),
        ("completed = true = true", f"Expected {END} after true.", 18),
        (
            'has label "a" "b"',
            'Expected "and", "or", a comma or the end of the filter after the string.',
            15,
        ),
        ("due < 2026-10-07 09:00", f"Expected {END} after 2026-10-07.", 18),
        # and, or, not, brackets
        ("and", f"Expected a condition, {CONDITION}.", 1),
        ("today and", f"Expected a condition after and, {CONDITION}.", 10),
        ("today AND or today", f"Expected a condition after AND, {CONDITION}.", 11),
        ("or today", f"Expected a condition, {CONDITION}.", 1),
        ("not", f"Expected a condition after not, {CONDITION}.", 4),
        ("today not overdue", f"Expected {END} after today.", 7),
        ("()", f"Expected a condition after (, {CONDITION}.", 2),
        ("(", f"Expected a condition after (, {CONDITION}.", 2),
        ("(today", 'Expected "and", "or" or a closing bracket.', 7),
        ("((today)", 'Expected "and", "or" or a closing bracket.', 9),
        ("(today or overdue", "Expected a closing bracket.", 18),
        ("(today]", 'Expected "and", "or" or a closing bracket after today.', 7),
        (")", f"Expected a condition, {CONDITION}.", 1),
        ("today)", "No bracket is open that this one could close.", 6),
        ("(today))", "No bracket is open that this one could close.", 8),
        ("due in (today)) or today", "No bracket is open that this one could close.", 15),
        ("(today) (today)", f"Expected {END} after ).", 9),
        ("not(today)today", f"Expected {END} after ).", 11),
    ],
)
def test_a_mistake_is_told_with_its_position(query: str, message: str, position: int) -> None:
    assert mistake(query) == (message, position)


@pytest.mark.parametrize(
    "word", ["due", "title", "priority", "label", "list", "completed", "today"]
)
def test_words_match_by_ascii_alone(word: str) -> None:
    for letter, other in {"s": "ſ", "k": "\u212a", "i": "ı", "d": "ԁ", "l": "ⅼ", "t": "ｔ"}.items():
        if letter in word:
            assert mistake(f"{word.replace(letter, other, 1)} = 1")[1] == 1
    assert mistake(f"{word}é = 1")[1] <= len(word) + 1
    assert mistake(f"{word}s")[1] == 1
    assert mistake(f"{word}_ < 1")[1] == 1


@pytest.mark.parametrize(
    "query",
    [
        "today and\nnot\toverdue",
        "due<today and due>=yesterday",
        "  today  ",
        "(today)or(overdue)",
        'has label"home"and not list"Work"',
        "due in(today,tomorrow)",
        "due in ( today , tomorrow )",
        "not(today)",
        "today\u00a0and\u3000overdue",
        "TODAY AND Overdue OR nOt cOmPlEtEd = TRUE",
        'HAS LABEL "home" AND LIST "Work" AND NO DUE AND NO Priority',
        "DUE < MONDAY and START >= Now and Priority IN (1)",
        'title = "a\nb"',
        'title = ""',
    ],
)
def test_blanks_and_case_of_words_are_free(query: str) -> None:
    compiled(query)


def test_a_filter_has_at_most_1000_characters() -> None:
    def query(length: int) -> str:
        return 'title = "' + "😀" * (length - 10) + '"'

    assert len(query(1000)) == 1000
    filtering.parse(query(1000))
    filtering.parse("today".ljust(1000))
    for text in (query(1001), "today".ljust(1001), "x" * 100_000, "(" * 100_000):
        assert mistake(text) == ("A filter has at most 1,000 characters.", 1001)


@pytest.mark.parametrize(
    ("unit", "joint", "start", "end"),
    [
        ("today", " or ", "", ""),
        ("completed", " and ", "", ""),
        ("completed=true", " and ", "", ""),
        ("no due", " or ", "", ""),
        ("overdue", " or ", "", ""),
        ('list "x"', " or ", "", ""),
        ("priority=1", " or ", "", ""),
        ("due<now", " or ", "", ""),
        ("1", ",", "priority in (", ")"),
        ('"x"', ",", "has label ", ""),
        ("(today)", " or ", "", ""),
    ],
)
def test_a_filter_has_at_most_50_terms(unit: str, joint: str, start: str, end: str) -> None:
    def query(number: int) -> str:
        return start + joint.join([unit] * number) + end

    filtering.parse(query(50))
    message, position = mistake(query(51))
    assert message == "A filter has at most 50 terms."
    last = len(query(50)) - len(end) + len(joint)
    assert last < position <= len(query(51)) - len(end)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("(", ")"),
        ("not ", ""),
        ("not(", ")"),
        ("(not ", ")"),
        ("(today or ", ")"),
        ("(today and(", "))"),
        ("not not ( ", ")"),
        ("(priority in (1) or ", ")"),
    ],
)
def test_a_filter_is_at_most_20_levels_deep(start: str, end: str) -> None:
    levels = start.count("not") + start.replace("in (", "").count("(")

    def query(number: int) -> str:
        whole = number // levels
        rest = number - whole * levels
        return "(" * rest + start * whole + "completed" + end * whole + ")" * rest

    filtering.parse(query(20))
    assert mistake(query(21))[0] == "Brackets and not can be nested 20 levels deep."
    beside = " or ".join([query(20)] * 2)
    if len(beside) <= 1000 and beside.count("today") + beside.count("completed") <= 50:
        filtering.parse(beside)


def test_the_position_is_that_of_the_level_too_deep() -> None:
    assert mistake("(" * 21)[1] == 21
    assert mistake("not " * 21 + "today")[1] == 81
    assert mistake("(" * 20 + "not today")[1] == 21
    assert mistake(f"{'(' * 20}today{')' * 20} or {'(' * 21}")[1] == 70
    assert mistake(f"{'(' * 10}not today or {'(' * 11}")[1] == 34


def test_values_in_brackets_are_no_level() -> None:
    filtering.parse("(" * 20 + "priority in (1, 2)" + ")" * 20)
    filtering.parse("not " * 20 + "priority in (1, 2)")


def test_a_negation_ends_with_its_condition() -> None:
    filtering.parse(" and ".join(["not not not completed"] * 38))
    filtering.parse(" or ".join(["not(not(not due in(now)))"] * 30))
