"""VTIMEZONE components: the offsets of a zone from 1970 on, as RFC 5545, section 3.6.5, has them.

icalendar can make one as well, but with the onsets of daylight saving time an hour late.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from app import zones
from app.feeds.content_lines import content_line
from app.recurrence.rule import WEEKDAYS

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2117, 1, 1, tzinfo=UTC)
# tzdata lists onsets until 2087 at most, and has rules for those behind. In the years from then to
# LAST each rule meets every day that it can.
RULED_FROM = 2088
STEP = timedelta(days=5)  # every offset lasts longer; in Gaza, one of 2040 for seven days
SECOND = timedelta(seconds=1)
MOST_ZONES = 600  # kept; tzdata has fewer


class Offset(NamedTuple):
    """What a zone's clocks show, and what they are called then."""

    offset: timedelta
    name: str
    is_daylight: bool


class Change(NamedTuple):
    """From which offset to which the clocks go."""

    before: timedelta
    after: Offset


class YearlyRule(NamedTuple):
    """The day of an onset in each year, and its local time before the change."""

    month: int
    weekday: int
    first_day: int  # of the seven days of the month that it may be
    time: str

    def __str__(self) -> str:
        """The rule of RFC 5545."""
        days = range(self.first_day, self.first_day + 7)
        nth = {1: "1", 8: "2", 15: "3", 25: "-1"}.get(self.first_day)
        day = WEEKDAYS[self.weekday]
        if nth is not None and (nth != "-1" or _length(self.month) == days[-1]):
            return f"FREQ=YEARLY;BYMONTH={self.month};BYDAY={nth}{day}"
        listed = ",".join(map(str, days))
        return f"FREQ=YEARLY;BYMONTH={self.month};BYMONTHDAY={listed};BYDAY={day}"

    def has(self, onset: datetime) -> bool:
        """Whether the onset is on its day of the year."""
        return (
            onset.month == self.month
            and onset.weekday() == self.weekday
            and onset.day in range(self.first_day, self.first_day + 7)
            and f"{onset:%H%M%S}" == self.time
        )


def _length(month: int) -> int:
    return 28 if month == 2 else 30 if month in (4, 6, 9, 11) else 31


@lru_cache(MOST_ZONES)
def vtimezone(name: str) -> bytes:
    """The component of a zone in tzdata; raises KeyError for any other name."""
    parts = [content_line("BEGIN", "VTIMEZONE"), content_line("TZID", name)]
    for change, onsets in _changes(zones.zone(name)).items():
        parts += _observances(change, onsets)
    return b"".join([*parts, content_line("END", "VTIMEZONE")])


def _changes(zone: ZoneInfo) -> dict[Change, list[datetime]]:
    """The local times, before each change, at which it happens; the first offset is one."""
    offset = _offset(zone, FIRST)
    found = {Change(offset.offset, offset): [FIRST.replace(tzinfo=None)]}
    at = FIRST
    while at < LAST:
        following = _offset(zone, at + STEP)
        if following != offset:
            onset = _onset(zone, at, at + STEP, offset)
            change = Change(offset.offset, _offset(zone, onset))
            found.setdefault(change, []).append((onset + offset.offset).replace(tzinfo=None))
            offset, at = change.after, onset
        else:
            at += STEP
    return found


def _offset(zone: ZoneInfo, at: datetime) -> Offset:
    local = at.astimezone(zone)
    offset, daylight = local.utcoffset(), local.dst()
    is_daylight = bool(daylight and daylight > timedelta(0))
    return Offset(offset or timedelta(0), local.tzname() or zone.key, is_daylight)


def _onset(zone: ZoneInfo, before: datetime, after: datetime, offset: Offset) -> datetime:
    """The first second between two instants at which the zone no longer has the offset."""
    while after - before > SECOND:
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if _offset(zone, middle) == offset:
            before = max(middle, before + SECOND)
        else:
            after = middle
    return after


def _observances(change: Change, onsets: Sequence[datetime]) -> Iterator[bytes]:
    """A part of the component with all onsets, or one with those by a rule and one with others."""
    rule = _rule([each for each in onsets if each.year >= RULED_FROM])
    ruled = _ruled(rule, onsets) if rule else []
    if rule and ruled:
        yield _observance(change, ruled[0], "RRULE", str(rule))
    others = onsets[: len(onsets) - len(ruled)]
    if others:
        dates = ",".join(f"{each:%Y%m%dT%H%M%S}" for each in others[1:])
        yield _observance(change, others[0], "RDATE", dates)


def _rule(onsets: Sequence[datetime]) -> YearlyRule | None:
    """The rule that all of these onsets follow; None where there are none."""
    if not onsets:
        return None
    first_day = min(each.day for each in onsets)
    return YearlyRule(onsets[0].month, onsets[0].weekday(), first_day, onsets[0].strftime("%H%M%S"))


def _ruled(rule: YearlyRule, onsets: Sequence[datetime]) -> list[datetime]:
    """The last onsets that follow the rule year by year."""
    found: list[datetime] = []
    for onset in reversed(onsets):
        if not rule.has(onset) or (found and found[0].year != onset.year + 1):
            break
        found.insert(0, onset)
    return found


def _observance(change: Change, start: datetime, name: str, value: str) -> bytes:
    kind = "DAYLIGHT" if change.after.is_daylight else "STANDARD"
    lines = [
        content_line("BEGIN", kind),
        content_line("DTSTART", f"{start:%Y%m%dT%H%M%S}"),
        content_line("TZOFFSETFROM", _utc_offset(change.before)),
        content_line("TZOFFSETTO", _utc_offset(change.after.offset)),
        content_line("TZNAME", change.after.name),
    ]
    if value:
        lines.append(content_line(name, value))
    return b"".join([*lines, content_line("END", kind)])


def _utc_offset(offset: timedelta) -> str:
    seconds = int(abs(offset).total_seconds())
    sign = "-" if offset < timedelta(0) else "+"
    text = f"{sign}{seconds // 3600:02}{seconds // 60 % 60:02}"
    return f"{text}{seconds % 60:02}" if seconds % 60 else text
