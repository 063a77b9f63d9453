"""Query parameters of the import endpoints."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from app.http.fields import Choice, QueryFlag, QueryInteger, Repeated, StrictSchema, Zone
from app.imports.sources import SOURCES
from app.imports.sources.spreadsheet import FIELDS
from app.ledger.schemas import Token, title

DATE_ORDERS = ("dmy", "mdy", "ymd")


class Column(fields.Field[list[str]]):
    """A field and the column of a CSV that has it: title:Task name."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> list[str]:
        name, _, column = str(value).partition(":")
        if name not in FIELDS or not column.strip():
            raise ValidationError(
                f"Must be a field and a column, as in title:Task name; fields are "
                f"{', '.join(FIELDS)}."
            )
        return [name, column.strip()]


class NewImport(StrictSchema):
    """Parameters of POST /imports."""

    source = Choice(*SOURCES, required=True)
    dry_run = QueryFlag(load_default=False)
    time_zone = Zone(load_default=None)
    date_order = Choice(*DATE_ORDERS, load_default=None)
    list_title = title(load_default=None)
    column = Repeated(Column(), load_default=())

    @validates_schema
    def maps_csv_only(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Requires a CSV for columns, each field once."""
        names = [name for name, _ in data["column"]]
        if names and data["source"] != "csv":
            raise ValidationError({"column": ["Is for source=csv only."]})
        if len(set(names)) < len(names):
            raise ValidationError({"column": ["Name each field once."]})


class RowsQuery(StrictSchema):
    """Parameters of GET /imports/{id}/rows."""

    limit = QueryInteger(1, 200, load_default=50)
    cursor = Token(load_default=None)


NEW_IMPORT = NewImport()
ROWS_QUERY = RowsQuery()
