"""Lists of tasks: sort orders, filters and the search for words, page by page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from app import db
from app.errors import NotFound
from app.filtering import Compiled
from app.ledger.repository import BEYOND_VERSIONS, FIRST_ID, LAST_ID
from app.search.page_cache import CachedPage, PageCache
from app.values import Page, Uuid, fold


class ListedTasks(NamedTuple):
    """A page of tasks as JSON, its last task where there are more, and the ledger's state."""

    version: int
    hash: bytes
    tag: str
    documents: bytes
    last: bytes | None


class NamedItem(NamedTuple):
    """A label or a list by its id, and what it is called."""

    kind: str
    id: Uuid
    name: str


@dataclass(frozen=True)
class Sort:
    """A sort order: its statement, the fields that it sorts by, and the first page's position.

    The statement's parameter for a field is the field's name after `after_`.
    """

    statement: db.Statement[ListedTasks]
    fields: tuple[str, ...]
    beginning: tuple[Any, ...]

    def params(self, position: Sequence[Any] | None) -> dict[str, Any]:
        """The parameters of a position."""
        place = zip(self.fields, position or self.beginning, strict=True)
        return {f"after_{field}": value for field, value in place}

    def position(self, last: bytes) -> bytes:
        """The position behind a task, as a JSON array."""
        task = orjson.loads(last)
        return orjson.dumps([task[field] for field in self.fields])


@dataclass(frozen=True)
class SortWithRest(Sort):
    """A sort order in which tasks without a value in its first field come last, by their ids."""

    nothing: Any = None  # what the field has without a value

    def params(self, position: Sequence[Any] | None) -> dict[str, Any]:
        """The parameters of a position among the tasks with a value, or among the rest."""
        first_rest_id = self.beginning[-1]
        value, task_id = position or self.beginning
        if value == self.nothing:
            return {**super().params([None, task_id]), "after_other_id": task_id}
        return {**super().params([value, task_id]), "after_other_id": first_rest_id}


BEFORE_VERSIONS = 0
BEYOND_TITLES = "\U0010ffff" * 256  # sorts behind every title, which has at most 255 characters
BEYOND_POSITIONS = "~"
PAGES = PageCache()
FIND_NAMES = db.load("search/find_names", NamedItem)

# The names of SORTS, for those who need no statement.
ORDERS = tuple(
    f"{sign}{name}"
    for name in ("created_at", "updated_at", "title", "due", "priority", "position")
    for sign in ("", "-")
)
SORTS: Mapping[str, Sort] = {
    "-created_at": Sort(db.load("search/list_by_created_desc", ListedTasks), ("id",), (LAST_ID,)),
    "created_at": Sort(db.load("search/list_by_created_asc", ListedTasks), ("id",), (FIRST_ID,)),
    "-updated_at": Sort(
        db.load("search/list_by_updated_desc", ListedTasks), ("version",), (BEYOND_VERSIONS,)
    ),
    "updated_at": Sort(
        db.load("search/list_by_updated_asc", ListedTasks), ("version",), (BEFORE_VERSIONS,)
    ),
    "title": Sort(
        db.load("search/list_by_title_asc", ListedTasks), ("title", "id"), ("", FIRST_ID)
    ),
    "-title": Sort(
        db.load("search/list_by_title_desc", ListedTasks), ("title", "id"), (BEYOND_TITLES, LAST_ID)
    ),
    "position": Sort(
        db.load("search/list_by_position_asc", ListedTasks), ("position", "id"), ("", FIRST_ID)
    ),
    "-position": Sort(
        db.load("search/list_by_position_desc", ListedTasks),
        ("position", "id"),
        (BEYOND_POSITIONS, LAST_ID),
    ),
    "due": SortWithRest(
        db.load("search/list_by_due_asc", ListedTasks), ("due_at", "id"), ("-infinity", FIRST_ID)
    ),
    "-due": SortWithRest(
        db.load("search/list_by_due_desc", ListedTasks), ("due_at", "id"), ("infinity", LAST_ID)
    ),
    "priority": SortWithRest(
        db.load("search/list_by_priority_asc", ListedTasks),
        ("priority", "id"),
        (-1, FIRST_ID),
        nothing=0,
    ),
    "-priority": SortWithRest(
        db.load("search/list_by_priority_desc", ListedTasks),
        ("priority", "id"),
        (10, LAST_ID),
        nothing=0,
    ),
}


@dataclass(frozen=True)
class Wanted:
    """Which tasks a list is of: a filter, words in the text, and a list whose tasks are shown.

    A `filter` that depends on the time gives pages that no tag stands for. To look for words, to
    evaluate an expression of the filter language and to compare many labels take long for a task.
    """

    filter: Compiled | None = None
    words: str | None = None
    list_id: Uuid | None = None
    is_timeless: bool = True
    takes_long: bool = False

    @property
    def reads_few(self) -> bool:
        """Whether a page of it reads few rows more than it has; else it may read all tasks."""
        return self.filter is None and self.words is None


def search(
    owner_id: Uuid,
    wanted: Wanted,
    *,
    sort: str,
    position: Sequence[Any] | None,
    limit: int,
    known_tags: Sequence[str],
) -> Page:
    """A page of the tasks outside the trash, beyond `position`.

    Tasks whose list is archived are left out, unless it is `wanted.list_id`; so are those whose
    list is in the trash.
    """
    order = SORTS[sort]
    path, values = (wanted.filter.path, wanted.filter.values) if wanted.filter else (None, None)
    key = orjson.dumps(
        [owner_id, sort, position, limit, wanted.list_id, path, values, wanted.words]
    )
    cached = PAGES.get(key) if wanted.is_timeless else None
    row = db.fetch_one(
        order.statement,
        {
            "owner_id": owner_id,
            "limit": limit,
            "list_id": wanted.list_id,
            "words": None if wanted.words is None else _folded(wanted.words),
            "filter": path,
            "filter_values": None if values is None else orjson.dumps(values).decode(),
            "known_tags": list(known_tags) if wanted.is_timeless else [],
            "known_tag": None if cached is None else cached.page.tag,
            "known_hash": None if cached is None else cached.hash,
            **order.params(position),
        },
        grouped=wanted.reads_few,
        slow=wanted.takes_long,
    )
    if row is None:
        raise NotFound
    if cached is not None and (cached.hash, cached.page.tag) == (row.hash, row.tag):
        return cached.page
    beyond = None if row.last is None else order.position(row.last)
    page = Page(row.tag if wanted.is_timeless else None, row.version, row.documents, beyond)
    if wanted.is_timeless and row.tag not in known_tags:
        PAGES.store(key, CachedPage(row.hash, page))
    return page


def find_names(owner_id: Uuid) -> list[NamedItem]:
    """What the owner's labels and lists outside the trash are called."""
    return db.fetch_all(FIND_NAMES, {"owner_id": owner_id})


def _folded(words: str) -> list[bytes] | None:
    """Each word once, the longest first, as it is the rarest; None where there is none."""
    return sorted({fold(word).encode() for word in words.split()}, key=len, reverse=True) or None
