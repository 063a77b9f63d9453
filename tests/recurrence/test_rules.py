"""Which rules tasks have, and their normal form."""

import pytest

from app.recurrence import BASES, RuleError, normalise, occurrences_left

WEDNESDAY = "2026-10-07"
LAST_OF_JANUARY = "2026-01-31"


def refusal(text: str, due: str = WEDNESDAY, basis: str = "due") -> str:
    with pytest.raises(RuleError) as caught:
        normalise(text, basis, due)
    return str(caught.value)


@pytest.mark.proves("TASK-210", "TASK-213")
@pytest.mark.parametrize(
    ("text", "normal_form"),
    [
        ("FREQ=DAILY", "FREQ=DAILY"),
        ("freq=daily;interval=1", "FREQ=DAILY"),
        ("INTERVAL=999;FREQ=DAILY", "FREQ=DAILY;INTERVAL=999"),
        ("FREQ=DAILY;INTERVAL=002;COUNT=9999;WKST=SU", "FREQ=DAILY;INTERVAL=2;COUNT=9999"),
        ("FREQ=DAILY;UNTIL=20261007", "FREQ=DAILY;UNTIL=20261007"),
        ("FREQ=DAILY;UNTIL=20261007t090000", "FREQ=DAILY;UNTIL=20261007T090000"),
        ("FREQ=DAILY;UNTIL=20261007T090000z", "FREQ=DAILY;UNTIL=20261007T090000Z"),
        ("FREQ=DAILY;BYDAY=TU,MO", "FREQ=WEEKLY;BYDAY=MO,TU"),
        ("FREQ=DAILY;SKIP=OMIT", "FREQ=DAILY"),
        ("FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=WE"),
        ("FREQ=WEEKLY;BYDAY=su,MO,SU", "FREQ=WEEKLY;BYDAY=MO,SU"),
        ("FREQ=WEEKLY;WKST=SU", "FREQ=WEEKLY;BYDAY=WE"),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=MO", "FREQ=WEEKLY;INTERVAL=2;BYDAY=WE"),
        ("FREQ=WEEKLY;WKST=SU;INTERVAL=2", "FREQ=WEEKLY;INTERVAL=2;BYDAY=WE;WKST=SU"),
        ("FREQ=MONTHLY", "FREQ=MONTHLY;BYMONTHDAY=7"),
        ("FREQ=MONTHLY;BYMONTH=4", "FREQ=MONTHLY;BYMONTH=4;BYMONTHDAY=7"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1,+15,1", "FREQ=MONTHLY;BYMONTHDAY=1,15,-1"),
        ("FREQ=MONTHLY;BYDAY=-1FR,+1MO", "FREQ=MONTHLY;BYDAY=1MO,-1FR"),
        ("FREQ=MONTHLY;BYDAY=5FR;SKIP=BACKWARD", "FREQ=MONTHLY;BYDAY=5FR"),
        ("FREQ=MONTHLY;BYDAY=FR;BYSETPOS=-1,1", "FREQ=MONTHLY;BYDAY=FR;BYSETPOS=1,-1"),
        ("FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=10;BYMONTHDAY=7"),
        ("FREQ=YEARLY;BYMONTH=5", "FREQ=YEARLY;BYMONTH=5;BYMONTHDAY=7"),
        ("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"),
    ],
)
def test_a_rule_has_one_normal_form(text: str, normal_form: str) -> None:
    assert normalise(text, "due", WEDNESDAY) == normal_form
    assert normalise(normal_form, "due", WEDNESDAY) == normal_form


@pytest.mark.proves("TASK-214")
@pytest.mark.parametrize(
    ("text", "due", "normal_form"),
    [
        ("FREQ=MONTHLY", LAST_OF_JANUARY, "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1"),
        ("FREQ=MONTHLY", "2026-01-29", "FREQ=MONTHLY;BYMONTHDAY=28,29;BYSETPOS=-1"),
        ("FREQ=MONTHLY", "2026-01-28", "FREQ=MONTHLY;BYMONTHDAY=28"),
        (
            "FREQ=MONTHLY;BYMONTHDAY=15,31",
            WEDNESDAY,
            "FREQ=MONTHLY;BYMONTHDAY=15,28,29,30,31;BYSETPOS=1,-1",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=29,31",
            WEDNESDAY,
            "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=2,-1",
        ),
        (
            "FREQ=MONTHLY;BYMONTH=2",
            LAST_OF_JANUARY,
            "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=28,29,30,31;BYSETPOS=-1",
        ),
        ("FREQ=MONTHLY;BYMONTHDAY=29,-1", WEDNESDAY, "FREQ=MONTHLY;BYMONTHDAY=29,-1"),
        ("FREQ=MONTHLY;BYMONTHDAY=31;BYDAY=FR", WEDNESDAY, "FREQ=MONTHLY;BYMONTHDAY=31;BYDAY=FR"),
        ("FREQ=MONTHLY;BYMONTH=1;BYMONTHDAY=31", WEDNESDAY, "FREQ=MONTHLY;BYMONTH=1;BYMONTHDAY=31"),
        ("FREQ=YEARLY", "2024-02-29", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1"),
        ("FREQ=YEARLY", LAST_OF_JANUARY, "FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=31"),
        (
            "FREQ=YEARLY;BYMONTH=2,8",
            "2026-08-31",
            "FREQ=MONTHLY;BYMONTH=2,8;BYMONTHDAY=28,29,30,31;BYSETPOS=-1",
        ),
        (
            "FREQ=YEARLY;INTERVAL=2;BYMONTH=1,2,8",
            "2026-08-31",
            "FREQ=YEARLY;INTERVAL=2;BYMONTH=1,2,8;BYMONTHDAY=28,29,30,31;BYSETPOS=4,-5,-1",
        ),
    ],
)
def test_the_last_day_stands_for_days_that_a_month_lacks(
    text: str, due: str, normal_form: str
) -> None:
    assert normalise(text, "due", due) == normal_form
    assert normalise(normal_form, "due", due) == normal_form


@pytest.mark.proves("TASK-214")
@pytest.mark.parametrize(
    ("text", "due", "normal_form"),
    [
        ("FREQ=MONTHLY", LAST_OF_JANUARY, "FREQ=MONTHLY;BYMONTHDAY=31;BYSETPOS=1"),
        ("FREQ=MONTHLY", WEDNESDAY, "FREQ=MONTHLY;BYMONTHDAY=7"),
        ("FREQ=MONTHLY;BYMONTHDAY=15,31", WEDNESDAY, "FREQ=MONTHLY;BYMONTHDAY=15,31;BYSETPOS=1,2"),
        ("FREQ=MONTHLY;BYMONTHDAY=30,-2", WEDNESDAY, "FREQ=MONTHLY;BYMONTHDAY=30,-2;BYSETPOS=1,2"),
        ("FREQ=YEARLY", "2024-02-29", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYSETPOS=1"),
        (
            "FREQ=YEARLY;INTERVAL=2;BYMONTH=1,4",
            LAST_OF_JANUARY,
            "FREQ=YEARLY;INTERVAL=2;BYMONTH=1,4;BYMONTHDAY=31;BYSETPOS=1,2",
        ),
    ],
)
def test_skip_omit_is_kept_as_bysetpos(text: str, due: str, normal_form: str) -> None:
    assert normalise(f"{text};SKIP=OMIT", "due", due) == normal_form
    assert normalise(normal_form, "due", due) == normal_form


@pytest.mark.proves("TASK-213")
@pytest.mark.parametrize(
    ("text", "normal_form"),
    [
        ("FREQ=WEEKLY;INTERVAL=1", "FREQ=WEEKLY"),
        ("FREQ=MONTHLY;INTERVAL=3", "FREQ=MONTHLY;INTERVAL=3"),
        ("FREQ=YEARLY;COUNT=3", "FREQ=YEARLY;COUNT=3"),
        ("FREQ=WEEKLY;BYDAY=SU", "FREQ=WEEKLY;BYDAY=SU"),
        ("FREQ=MONTHLY;BYMONTH=4", "FREQ=MONTHLY;BYMONTH=4;BYMONTHDAY=7"),
    ],
)
def test_a_rule_that_counts_from_completion_is_not_given_days(text: str, normal_form: str) -> None:
    assert normalise(text, "completion", WEDNESDAY) == normal_form


@pytest.mark.proves("TASK-210")
@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "Write parts like"),
        ("tomorrow", "Write parts like"),
        ("FREQ=DAILY;", "Write parts like"),
        ("FREQ=DAILY; INTERVAL=2", "Write parts like"),
        (" FREQ=DAILY", "Write parts like"),
        ("FREQ=", "Write parts like"),
        ("FREQ=DAILY\n", "Write parts like"),
        ("FREQ=DAILY\x00", "Write parts like"),
        ("FREQ=DAıLY", "ASCII"),
        ("FREQ=DAILY;INTERVAL=٣", "ASCII"),
        ("FREQ=DAILY;INTERVAL=" + "1" * 255, "at most 255"),
        ("RRULE:FREQ=DAILY", "Leave out RRULE:"),
        ("rrule:FREQ=DAILY", "Leave out RRULE:"),
        ("INTERVAL=2", "Give FREQ"),
        ("FREQ=SECONDLY", "FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY"),
        ("FREQ=DAILY;FREQ=WEEKLY", "Give FREQ once"),
        ("FREQ=DAILY;INTERVAL=1;interval=1", "Give INTERVAL once"),
        ("FREQ=DAILY;BYEASTER=0", "Leave out BYEASTER"),
        ("FREQ=DAILY;BYHOUR=9", "Leave out BYHOUR"),
        ("FREQ=YEARLY;BYWEEKNO=20", "Leave out BYWEEKNO"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL must be a number from 1 to 999"),
        ("FREQ=DAILY;INTERVAL=1000", "INTERVAL must be"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL must be"),
        ("FREQ=DAILY;INTERVAL=+1", "INTERVAL must be"),
        ("FREQ=DAILY;INTERVAL=1,2", "INTERVAL must be"),
        ("FREQ=DAILY;COUNT=0", "COUNT must be a number from 1 to 9999"),
        ("FREQ=DAILY;COUNT=10000", "COUNT must be"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20261231", "COUNT or UNTIL, not both"),
        ("FREQ=DAILY;UNTIL=2026-12-31", "UNTIL must be like"),
        ("FREQ=DAILY;UNTIL=20260230", "UNTIL must be like"),
        ("FREQ=DAILY;UNTIL=20261231T240000Z", "UNTIL must be like"),
        ("FREQ=DAILY;UNTIL=20261231T0900Z", "UNTIL must be like"),
        ("FREQ=WEEKLY;WKST=XX", "WKST must be"),
        ("FREQ=WEEKLY;SKIP=FORWARD", "SKIP must be BACKWARD or OMIT"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "With FREQ=DAILY, give BYDAY only, not BYMONTH"),
        ("FREQ=DAILY;BYDAY=MO;INTERVAL=2", "BYDAY or INTERVAL"),
        ("FREQ=DAILY;BYDAY=1MO", "BYDAY without numbers"),
        ("FREQ=WEEKLY;BYDAY=1MO", "BYDAY without numbers"),
        ("FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2", "With FREQ=WEEKLY, give BYDAY only, not BYSETPOS"),
        ("FREQ=WEEKLY;BYMONTH=1", "With FREQ=WEEKLY, give BYDAY only, not BYMONTH"),
        ("FREQ=MONTHLY;BYDAY=6MO", "BYDAY must be"),
        ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY must be"),
        ("FREQ=MONTHLY;BYDAY=MO,XX", "BYDAY must be"),
        ("FREQ=MONTHLY;BYDAY=MO,,TU", "BYDAY must be"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY must be"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY must be"),
        ("FREQ=MONTHLY;BYMONTH=13", "BYMONTH must be"),
        ("FREQ=MONTHLY;BYMONTH=-1", "BYMONTH must be"),
        ("FREQ=MONTHLY;BYSETPOS=1", "give BYMONTHDAY or BYDAY as well"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0", "BYSETPOS must be"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=367", "BYSETPOS must be"),
        ("FREQ=MONTHLY;BYMONTHDAY=30,-2", "add -1 or SKIP=OMIT"),
        ("FREQ=MONTHLY;BYMONTHDAY=31;BYSETPOS=1;SKIP=BACKWARD", "without BYDAY and BYSETPOS"),
        ("FREQ=MONTHLY;BYMONTHDAY=31;BYDAY=FR;SKIP=BACKWARD", "without BYDAY and BYSETPOS"),
        ("FREQ=YEARLY;BYDAY=MO", "give BYMONTH beside"),
        ("FREQ=YEARLY;BYMONTHDAY=15", "give BYMONTH beside"),
    ],
)
def test_anything_else_is_refused_with_what_to_write(text: str, advice: str) -> None:
    for basis in BASES:
        assert advice in refusal(text, basis=basis)


@pytest.mark.proves("TASK-210")
def test_a_normal_form_is_as_short_as_what_is_taken() -> None:
    months = ",".join(map(str, range(1, 13)))
    days = ",".join(map(str, range(1, 32)))
    text = f"FREQ=YEARLY;INTERVAL=2;BYMONTH={months};BYMONTHDAY={days};SKIP=OMIT"
    assert len(text) < 255
    assert "Give fewer days" in refusal(text)


@pytest.mark.proves("TASK-211")
@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", WEDNESDAY),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;SKIP=OMIT", WEDNESDAY),
        ("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30;BYSETPOS=1", WEDNESDAY),
        ("FREQ=MONTHLY;BYMONTH=4,6;BYMONTHDAY=31", WEDNESDAY),
        ("FREQ=YEARLY;BYMONTH=2;SKIP=OMIT", LAST_OF_JANUARY),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6", WEDNESDAY),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=-6", WEDNESDAY),
        ("FREQ=YEARLY;BYMONTH=2;BYDAY=MO;BYSETPOS=6", WEDNESDAY),
        ("FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=28", WEDNESDAY),
        ("FREQ=MONTHLY;BYMONTH=2;BYDAY=5MO;BYMONTHDAY=-2", WEDNESDAY),
    ],
)
def test_a_rule_without_dates_is_refused(text: str, due: str) -> None:
    for basis in BASES:
        assert "No date satisfies this rule" in refusal(text, due, basis)


@pytest.mark.proves("TASK-211")
@pytest.mark.parametrize(
    ("text", "due_without", "due_with"),
    [
        ("FREQ=MONTHLY;INTERVAL=12;BYMONTH=3;BYMONTHDAY=1", "2026-04-01", "2026-03-15"),
        ("FREQ=MONTHLY;INTERVAL=6;BYMONTH=3", "2026-04-01", "2026-09-01"),
        ("FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31;SKIP=OMIT", "2026-04-30", "2026-05-30"),
        ("FREQ=MONTHLY;INTERVAL=24;BYMONTHDAY=29;SKIP=OMIT", "2025-02-28", "2026-02-28"),
        ("FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29;SKIP=OMIT", "2025-02-28", "2024-02-29"),
        ("FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29;SKIP=OMIT", "2025-02-28", "2026-02-28"),
        # Of the years that 400 divides, 29 February is a Tuesday.
        ("FREQ=YEARLY;INTERVAL=400;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO", "2000-01-01", "2016-01-01"),
    ],
)
def test_a_rule_without_dates_from_its_due_on_is_refused(
    text: str, due_without: str, due_with: str
) -> None:
    assert "No date satisfies this rule" in refusal(text, due_without)
    assert normalise(text, "due", due_with)
    assert normalise(text, "completion", due_without)  # which may be in any year


@pytest.mark.proves("TASK-211")
@pytest.mark.parametrize(
    ("until", "due", "zone_name"),
    [
        ("20261006", WEDNESDAY, "UTC"),
        ("20261006", "2026-10-07T00:00:00", "UTC"),
        ("20261006T235959", WEDNESDAY, "UTC"),
        ("20261007T085959", "2026-10-07T09:00:00", "UTC"),
        ("20261007T085959Z", "2026-10-07T09:00:00", "UTC"),
        ("20261007T065959Z", "2026-10-07T09:00:00", "Europe/Berlin"),
        ("20261006T215959Z", WEDNESDAY, "Europe/Berlin"),
        ("00010101T000000Z", WEDNESDAY, "America/New_York"),
    ],
)
def test_an_end_before_the_due_is_refused(until: str, due: str, zone_name: str) -> None:
    with pytest.raises(RuleError, match="UNTIL must not be before due"):
        normalise(f"FREQ=DAILY;UNTIL={until}", "due", due, zone_name)


@pytest.mark.proves("TASK-211")
@pytest.mark.parametrize(
    ("until", "due", "zone_name"),
    [
        ("20261007", "2026-10-07T23:59:59", "UTC"),
        ("20261007T090000", "2026-10-07T09:00:00", "UTC"),
        ("20261007T070000Z", "2026-10-07T09:00:00", "Europe/Berlin"),
        ("20261006T220000Z", WEDNESDAY, "Europe/Berlin"),
        ("99991231T235959Z", WEDNESDAY, "Pacific/Kiritimati"),
    ],
)
def test_an_end_at_the_due_is_taken(until: str, due: str, zone_name: str) -> None:
    text = f"FREQ=DAILY;UNTIL={until}"
    assert normalise(text, "due", due, zone_name) == text


@pytest.mark.proves("TASK-211")
def test_without_a_zone_an_end_is_refused_if_it_is_before_the_due_everywhere() -> None:
    due = "2026-10-07T09:00:00"
    assert normalise("FREQ=DAILY;UNTIL=20261006T190000Z", "due", due)
    assert "UNTIL" in refusal("FREQ=DAILY;UNTIL=20261006T185959Z", due)


@pytest.mark.proves("TASK-219")
def test_count_says_how_many_occurrences_are_left() -> None:
    assert occurrences_left("FREQ=DAILY;COUNT=12") == 12
    assert occurrences_left("FREQ=DAILY;UNTIL=20261231") is None
