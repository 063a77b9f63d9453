"""Random rules, for properties that hold for all of them."""

from datetime import date
from typing import Any

from hypothesis import strategies as st

from app.recurrence.rule import WEEKDAYS

days = st.dates(date(1970, 1, 1), date(2100, 12, 31)).map(date.isoformat)
times = st.sampled_from(["T00:00:00", "T02:30:00", "T09:00:00", "T23:59:59"])
dues = days | st.builds(str.__add__, days, times)
intervals = st.sampled_from([1, 1, 1, 2, 3, 4, 5, 7, 12, 18]) | st.integers(1, 60)
months = st.lists(st.integers(1, 12) | st.just(2), min_size=1, max_size=4)
positive_days = st.lists(st.sampled_from([1, 15, 27, *range(28, 32)]), min_size=1, max_size=4)
month_days = positive_days | st.lists(st.integers(-31, -1), min_size=1, max_size=3)
plain_weekdays = st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7)
nth = st.sampled_from([1, 2, 3, 4, 5, -1, -2, -5])
nth_weekdays = st.lists(
    st.builds("{}{}".format, nth, st.sampled_from(WEEKDAYS)), min_size=1, max_size=3
)
positions = st.lists(st.sampled_from([1, 2, 3, 4, -1, -2]), min_size=1, max_size=3)


@st.composite
def rules(draw: st.DrawFn) -> str:
    """A rule without an end, as RFC 5545 has it; many have no date, or none from some due on."""
    freq = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "MONTHLY", "YEARLY", "YEARLY"]))
    parts = {"FREQ": freq, "INTERVAL": str(draw(intervals))}
    if freq == "WEEKLY":
        parts |= draw(optional("BYDAY", plain_weekdays))
        parts |= draw(optional("WKST", st.sampled_from(WEEKDAYS).map(lambda day: [day])))
    if freq in ("MONTHLY", "YEARLY"):
        parts |= draw(optional("BYMONTH", months))
        if freq == "MONTHLY" or "BYMONTH" in parts:
            parts |= draw(optional("BYMONTHDAY", month_days))
            parts |= draw(optional("BYDAY", plain_weekdays | nth_weekdays))
        if "BYMONTHDAY" in parts or "BYDAY" in parts:
            parts |= draw(optional("BYSETPOS", positions))
    return ";".join(f"{name}={value}" for name, value in parts.items())


def optional(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, str]]:
    """A part of a rule, or none."""
    parts = values.map(lambda each: {name: ",".join(map(str, each))})
    return st.just({}) | parts
