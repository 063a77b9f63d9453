"""Whether an occurrence is before the end that UNTIL sets."""

from datetime import UTC, datetime

from app import zones
from app.zones import DATE_LENGTH, has_time

# Before and after every due; these have a local day in each zone, years 1 and 9999 do not.
EARLIEST = datetime(1969, 12, 30, tzinfo=UTC)
LATEST = datetime(2200, 1, 2, tzinfo=UTC)


def is_within(local: str, until: str, zone_name: str) -> bool:
    """Whether a local day or time is not after UNTIL.

    A date as UNTIL includes that whole day; a whole day is compared with the day of UNTIL.
    """
    end = datetime.fromisoformat(until)
    if end.tzinfo is not None:
        if has_time(local):
            return zones.instant(datetime.fromisoformat(local), zone_name) <= end
        end = min(max(end, EARLIEST), LATEST)
        return local <= zones.local_date(end, zone_name).isoformat()
    if has_time(local) and "T" in until:
        return local <= end.isoformat()
    return local[:DATE_LENGTH] <= end.date().isoformat()
