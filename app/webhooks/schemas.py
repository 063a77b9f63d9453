"""Request bodies of the webhook endpoints."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields

from app.http.fields import Flag, Integer, StrictSchema, Text
from app.ledger.schemas import LARGEST_VERSION, Changes, Reference
from app.webhooks.addresses import LONGEST_URL

LOST = "changes.lost"  # entries were pruned before they were delivered
COMMON = ("created", "updated", "moved", "deleted", "restored")
EVENTS: Mapping[str, tuple[str, ...]] = {
    "task": (*COMMON, "completed", "reopened", "skipped"),
    "list": (*COMMON, "archived", "unarchived"),
    "label": COMMON,
    "filter": COMMON,
    "reminder": ("fired", "missed"),
}
TYPES = (*(f"{kind}.{event}" for kind, events in EVENTS.items() for event in events), LOST)


class Types(fields.Field[list[str]]):
    """Types of events: at least one, each once, in the order of TYPES."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> list[str]:
        if not isinstance(value, list):
            raise ValidationError("Must be an array.")
        known = [each for each in TYPES if each in value]
        if not known or len(value) > len(known):
            raise ValidationError(f"Must be one or more of {', '.join(TYPES)}, each once.")
        return known


class NewWebhook(StrictSchema):
    """POST /webhooks."""

    url = Text(1, LONGEST_URL, required=True)
    types = Types(allow_none=True, load_default=None)
    list_id = Reference(allow_none=True, load_default=None)


class WebhookChanges(Changes):
    """PATCH /webhooks/{id}: null lets all types, or the items of all lists, pass."""

    url = Text(1, LONGEST_URL)
    types = Types(allow_none=True)
    list_id = Reference(allow_none=True)
    enabled = Flag()


class Replay(StrictSchema):
    """POST /webhooks/{id}/replay."""

    since = Integer(0, LARGEST_VERSION, required=True)


NEW_WEBHOOK = NewWebhook()
WEBHOOK_CHANGES = WebhookChanges()
REPLAY = Replay()
