"""Request bodies of the label endpoints."""

from typing import Any

from app.http.fields import StrictSchema, Text
from app.ledger.schemas import Changes, Color, Target

MOST_LABELS = 50  # of one task


def name(**options: Any) -> Text:
    """A label's name: 1 to 100 characters, trimmed."""
    return Text(1, 100, trim=True, **options)


class NewLabel(StrictSchema):
    """POST /labels, and the operation create."""

    name = name(required=True)
    color = Color(allow_none=True, load_default=None)


class LabelChanges(Changes):
    """PUT and PATCH /labels/{id}: null clears the colour."""

    name = name()
    color = Color(allow_none=True)


class Update(Target, LabelChanges):
    """The operation update."""


NEW_LABEL = NewLabel()
LABEL_CHANGES = LabelChanges()
UPDATE = Update()
