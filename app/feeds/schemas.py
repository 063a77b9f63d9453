"""Bodies and query parameters of the feed endpoints."""

from app.feeds.calendars import COMPONENTS, DEFAULT_COMPONENT
from app.http.fields import Choice, StrictSchema
from app.ledger.schemas import Reference

# `as` is a word of Python's, so that no class can have it as a field.
NEW_FEED = StrictSchema.from_dict(
    {
        "list_id": Reference(allow_none=True, load_default=None),
        "as": Choice(*COMPONENTS, load_default=DEFAULT_COMPONENT),
    },
    name="NewFeed",
)()
CALENDAR = StrictSchema.from_dict({"as": Choice(*COMPONENTS, load_default=None)}, name="Calendar")()
