"""Request bodies of the endpoints of saved filters."""

from app.http.fields import Choice, StrictSchema
from app.ledger.schemas import Changes, Target, title
from app.search.repository import ORDERS
from app.search.schemas import FilterText


class NewFilter(StrictSchema):
    """POST /filters, and the operation create."""

    title = title(required=True)
    query = FilterText(required=True)
    sort = Choice(*ORDERS, load_default="-created_at")


class FilterChanges(Changes):
    """PUT and PATCH /filters/{id}: fields that are left out stay."""

    title = title()
    query = FilterText()
    sort = Choice(*ORDERS)


class Update(Target, FilterChanges):
    """The operation update."""


NEW_FILTER = NewFilter()
FILTER_CHANGES = FilterChanges()
UPDATE = Update()
