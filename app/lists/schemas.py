"""Request bodies and query parameters of the list endpoints."""

from app.http.fields import QueryFlag, StrictSchema
from app.ledger.schemas import Changes, Color, PageQuery, Target, description, title


class NewList(StrictSchema):
    """POST /lists, and the operation create."""

    title = title(required=True)
    description = description(load_default=None)
    color = Color(allow_none=True, load_default=None)


class ListChanges(Changes):
    """PUT and PATCH /lists/{id}: null clears description and colour."""

    title = title()
    description = description()
    color = Color(allow_none=True)


class ListQuery(PageQuery):
    """Parameters of GET /lists."""

    archived = QueryFlag(load_default=None)


class Update(Target, ListChanges):
    """The operation update."""


NEW_LIST = NewList()
LIST_CHANGES = ListChanges()
LIST_QUERY = ListQuery()
UPDATE = Update()
