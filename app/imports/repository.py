"""Imports: what their owner sees, and what a worker needs to make the things of a file.

A worker holds an import by a lease, `leased_until`. What it makes of a batch is one transaction
with the lease, the report and the references: it is there once, or not at all.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson

from app import db
from app.auth.repository import get_clock
from app.errors import Detail, NotFound, ValidationFailed
from app.filters import repository as filters
from app.imports.entries import Entry, Note, ref_of
from app.labels import repository as labels
from app.ledger.repository import Change, Item, Terms, change, lock
from app.lists import repository as lists
from app.search.repository import find_names
from app.tasks.repository import WholeTask, add_whole, check_whole
from app.values import Origin, Uuid


class Import(NamedTuple):
    """An import as its owner sees it; times are RFC 3339 in UTC."""

    id: Uuid
    source: str
    is_dry_run: bool
    state: str
    failure: str | None
    steps_done: int
    steps: int | None
    created: int
    skipped: int
    failed: int
    lists: int
    labels: int
    filters: int
    errors: int
    warnings: int
    created_at: str
    finished_at: str | None

    @property
    def percent(self) -> int:
        """How much of it is done; 0 until its file has been read."""
        if self.state == "done":
            return 100
        return 100 * self.steps_done // self.steps if self.steps else 0


class DueImport(NamedTuple):
    """An import, of any owner, that a worker may go on with."""

    owner_id: Uuid
    id: Uuid
    lag: timedelta


class ClaimedImport(NamedTuple):
    """An import that this worker alone goes on with until its lease ends."""

    leased_until: datetime
    source: str
    is_dry_run: bool
    options: bytes
    request_id: str
    session_id: Uuid | None
    steps_done: int
    attempts: int
    created_at: datetime


class Lease(NamedTuple):
    """Until when this worker alone goes on with an import."""

    leased_until: datetime


class File(NamedTuple):
    """The file of an import."""

    file: bytes


class Row(NamedTuple):
    """What came of a row; `notes` are errors and warnings as JSON."""

    number: int
    file: str | None
    line: int | None
    kind: str
    outcome: str
    item_id: Uuid | None
    notes: bytes | None


class NotedRow(NamedTuple):
    """A row with errors or warnings."""

    file: str | None
    line: int | None
    notes: bytes

    @property
    def told(self) -> list[dict[str, Any]]:
        """The notes: whether an error, field and message."""
        found: list[dict[str, Any]] = orjson.loads(self.notes)
        return found


class FoundRef(NamedTuple):
    """The item that a thing of a source has become."""

    key: bytes
    item_id: Uuid
    is_deleted: bool


CREATE = db.load("imports/create", Import)
DELETE = db.load("imports/delete")
GET = db.load("imports/get", Import)
LIST = db.load("imports/list", Import)
LIST_ROWS = db.load("imports/list_rows", Row)
LIST_NOTED = db.load("imports/list_noted", NotedRow)
LIST_DUE = db.load("imports/list_due", DueImport)
CLAIM = db.load("imports/claim", ClaimedImport)
GET_FILE = db.load("imports/get_file", File)
SET_LEASE = db.load("imports/set_lease", Lease)
ADVANCE = db.load("imports/advance", Lease)
FINISH = db.load("imports/finish")
RECORD_ROWS = db.load("imports/record_rows")
FIND_REFS = db.load("imports/find_refs", FoundRef)
STORE_REFS = db.load("imports/store_refs")

NOW = timedelta(0)
MOST_UNFINISHED = 5  # imports of an account
MOST_KEPT = 20  # with their reports
TOO_MANY: Detail = {
    "field": "",
    "message": f"There are {MOST_UNFINISHED} imports already that have not ended; wait for them.",
}
MOST_NOTED = 1000  # rows whose errors and warnings are shown with the import
LONGEST_MESSAGE = 500  # characters
STATEMENT_TIMEOUT = 30.0  # seconds: a batch goes out in few round trips
IN_TRASH = "Was imported before, and is in the trash now: restore it there."


# --- for their owner ----------------------------------------------------------------------------


def create(
    owner_id: Uuid,
    import_id: Uuid,
    origin: Origin,
    *,
    source: str,
    is_dry_run: bool,
    options: Mapping[str, Any],
    file: bytes,
) -> Import:
    """Stores a file for a worker; raises ValidationFailed where too many others wait.

    Without a time zone in the options it is the owner's. The oldest imports that have ended are
    deleted beyond MOST_KEPT.
    """
    zone_name = options.get("time_zone") or get_clock(owner_id).time_zone
    params = {
        "owner_id": owner_id,
        "id": import_id,
        "source": source,
        "options": orjson.dumps({**options, "time_zone": zone_name}).decode(),
        "is_dry_run": is_dry_run,
        "file": file,
        **origin._asdict(),
    }
    with db.transaction():
        lock(owner_id)
        others = db.fetch_all(LIST, {"owner_id": owner_id})
        ended = [each.id for each in others if each.finished_at is not None]
        if len(others) - len(ended) >= MOST_UNFINISHED:
            raise ValidationFailed(details=[TOO_MANY])
        for old_id in ended[max(0, MOST_KEPT - 1 - len(others) + len(ended)) :]:
            db.execute(DELETE, {"owner_id": owner_id, "id": old_id})
        return _found(db.fetch_one(CREATE, params))


def get(owner_id: Uuid, import_id: Uuid | None) -> Import:
    """The import; raises NotFound."""
    return _found(db.fetch_one(GET, {"owner_id": owner_id, "id": import_id}))


def list_imports(owner_id: Uuid) -> list[Import]:
    """The owner's imports, the newest first."""
    return db.fetch_all(LIST, {"owner_id": owner_id})


def delete(owner_id: Uuid, import_id: Uuid | None) -> None:
    """Deletes an import with its file and report; raises NotFound."""
    if not db.execute(DELETE, {"owner_id": owner_id, "id": import_id}):
        raise NotFound


def list_rows(owner_id: Uuid, import_id: Uuid | None, after_number: int, limit: int) -> list[Row]:
    """What came of the rows behind a number, up to `limit`; raises NotFound."""
    get(owner_id, import_id)
    wanted = {"import_id": import_id, "after_number": after_number, "limit": limit}
    return db.fetch_all(LIST_ROWS, {"owner_id": owner_id, **wanted})


def list_noted(owner_id: Uuid, import_id: Uuid) -> list[NotedRow]:
    """The first rows of an import with errors or warnings."""
    wanted = {"import_id": import_id, "limit": MOST_NOTED}
    return db.fetch_all(LIST_NOTED, {"owner_id": owner_id, **wanted})


def _found(row: Import | None) -> Import:
    if row is None:
        raise NotFound
    return row


# --- for the worker -----------------------------------------------------------------------------


@dataclass
class Held:
    """An import that is held by a lease, and how far it is."""

    owner_id: Uuid
    id: Uuid
    claimed: ClaimedImport
    leased_until: datetime
    steps_done: int

    @property
    def terms(self) -> Terms:
        """Whose items are made, on which request."""
        origin = Origin(self.claimed.request_id, self.claimed.session_id)
        return Terms(self.owner_id, None, origin)

    @property
    def leased(self) -> dict[str, Any]:
        """The parameters that name the import under its lease."""
        return {"owner_id": self.owner_id, "id": self.id, "leased_until": self.leased_until}


class LeaseLostError(Exception):
    """Another worker has the import, or it is gone: what was done is rolled back."""


def list_due(limit: int) -> list[DueImport]:
    """Up to `limit` imports of all owners that a worker may go on with."""
    return db.fetch_all(LIST_DUE, {"limit": limit})


def claim(owner_id: Uuid, import_id: Uuid, lease: timedelta) -> Held | None:
    """Takes the import for the lease; None where another worker has it, or it has ended."""
    params = {"owner_id": owner_id, "id": import_id, "lease": lease}
    claimed = db.fetch_one(CLAIM, params)
    if claimed is None:
        return None
    return Held(owner_id, import_id, claimed, claimed.leased_until, claimed.steps_done)


def get_file(held: Held) -> bytes:
    """The file; raises LeaseLostError where the import is gone."""
    row = db.fetch_one(GET_FILE, {"owner_id": held.owner_id, "id": held.id})
    if row is None:
        raise LeaseLostError
    return row.file


def set_lease(held: Held, lease: timedelta) -> None:
    """Has the lease end after that time; raises LeaseLostError."""
    found = db.fetch_one(SET_LEASE, {**held.leased, "lease": lease})
    if found is None:
        raise LeaseLostError
    held.leased_until = found.leased_until


def finish(held: Held, failure: str | None = None) -> None:
    """Ends the import, and removes its file; raises LeaseLostError."""
    short = None if failure is None else failure[:LONGEST_MESSAGE]
    if not db.execute(FINISH, {**held.leased, "failure": short}):
        raise LeaseLostError


@dataclass
class _Report:
    """What a batch adds to the report."""

    places: Mapping[int, int]  # of entries in the batch, by their identity
    rows: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, entry: Entry, outcome: str, item_id: Uuid | None = None) -> None:
        """Adds a row, and counts it."""
        place = {"file": entry.file and entry.file[:255], "line": entry.line}
        row = {**place, "kind": entry.kind, "outcome": outcome, "item_id": item_id}
        self._add(self.places[id(entry)], entry.notes, row)
        if entry.kind == "task":
            self.counts[outcome] += 1
        elif outcome == "created":
            self.counts[f"{entry.kind}s"] += 1

    def note(self, notes: Sequence[Note]) -> None:
        """Adds what is said about the file as a whole."""
        if notes:
            row = {"file": None, "line": None, "kind": "file", "outcome": "noted", "item_id": None}
            self._add(-1, notes, row)

    def columns(self) -> dict[str, list[Any]]:
        """The rows in the order of the batch, by their columns; empty without rows."""
        rows = [row for _, row in sorted(self.rows, key=lambda each: each[0])]
        return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}

    def _add(self, place: int, notes: Sequence[Note], row: Mapping[str, Any]) -> None:
        errors = sum(note.is_error for note in notes)
        self.counts["errors"] += errors
        self.counts["warnings"] += len(notes) - errors
        shown = [
            {
                "error": note.is_error,
                "field": note.field,
                "message": note.message.replace("\0", "")[:LONGEST_MESSAGE],
            }
            for note in notes
        ]
        told = orjson.dumps(shown).decode() if shown else None
        self.rows.append((place, {**row, "notes": told}))


def write(
    held: Held,
    batch: Sequence[Entry],
    *,
    steps: int,
    lease: timedelta,
    notes: Sequence[Note] = (),
) -> None:
    """Makes the things of a batch that have not been imported before; all of one kind.

    The `notes` are about the file. In a dry run, only the report is written. Raises LeaseLostError,
    and nothing is written.
    """
    report = _Report({id(entry): place for place, entry in enumerate(batch)})
    report.note(notes)
    with db.allowing(STATEMENT_TIMEOUT), db.transaction():
        terms = held.terms
        if not held.claimed.is_dry_run:
            lock(held.owner_id)
        known = _known(held, batch)
        new = [entry for entry in batch if _is_new(entry, known, report)]
        if new and held.claimed.is_dry_run:
            _check(held, new, report)
        elif new:
            made = MAKERS[new[0].kind](terms, new, known)
            _record_made(held, new, made, report)
        _record(held, report, steps_done=held.steps_done + len(batch), steps=steps, lease=lease)
    held.steps_done += len(batch)


def _known(held: Held, batch: Sequence[Entry]) -> dict[bytes, FoundRef]:
    """What has been imported already of a batch, and of what it refers to."""
    wanted = {entry.ref for entry in batch}
    wanted |= {ref_of("list", each.list_key) for each in batch if each.list_key is not None}
    wanted |= {ref_of("task", each.parent_key) for each in batch if each.parent_key is not None}
    params = {"owner_id": held.owner_id, "source": held.claimed.source, "keys": list(wanted)}
    return {row.key: row for row in db.fetch_all(FIND_REFS, params)}


def _is_new(entry: Entry, known: Mapping[bytes, FoundRef], report: _Report) -> bool:
    """Whether an entry is to be made; otherwise the report says why not."""
    found = known.get(entry.ref)
    if entry.has_failed:
        report.add(entry, "failed")
    elif entry.skipped:
        report.add(entry, "skipped")
    elif found is not None:
        if found.is_deleted:
            entry.warn("id", IN_TRASH)
        report.add(entry, "skipped", found.item_id)
    else:
        return True
    return False


def _check(held: Held, entries: Sequence[Entry], report: _Report) -> None:
    """Reports what would be made."""
    refused: Sequence[Sequence[Detail]] = [()] * len(entries)
    if entries[0].kind == "task":
        refused = check_whole(held.owner_id, [_whole(entry, {}) for entry in entries])
    there = _names_in_use(held.owner_id, entries)
    for entry, details in zip(entries, refused, strict=True):
        for detail in details:
            entry.fail(detail["field"], detail["message"])
        name = _name_of(entry)
        is_there = name in there
        if name is not None:
            there.setdefault(name, None)
        report.add(entry, "failed" if details else "skipped" if is_there else "created")


def _record_made(
    held: Held, entries: Sequence[Entry], made: Sequence[Uuid | None], report: _Report
) -> None:
    """Reports what was made, and stores the references."""
    refs: list[tuple[bytes, str, Uuid]] = []
    for entry, item_id in zip(entries, made, strict=True):
        outcome = "failed" if item_id is None else "skipped" if entry.skipped else "created"
        report.add(entry, outcome, item_id)
        if item_id is not None:
            refs.append((entry.ref, entry.kind, item_id))
    if refs:
        keys, kinds, ids = (list(each) for each in zip(*refs, strict=True))
        params = {"owner_id": held.owner_id, "source": held.claimed.source}
        db.execute(STORE_REFS, {**params, "key": keys, "kind": kinds, "item_id": ids})


def _record(held: Held, report: _Report, *, steps_done: int, steps: int, lease: timedelta) -> None:
    """Writes the report and the progress; raises LeaseLostError."""
    names = ("created", "skipped", "failed", "lists", "labels", "filters", "errors", "warnings")
    counts = {name: report.counts[name] for name in names}
    progress = {"steps_done": steps_done, "steps": steps, "lease": lease}
    found = db.fetch_one(ADVANCE, {**held.leased, **counts, **progress})
    if found is None:
        raise LeaseLostError
    held.leased_until = found.leased_until
    if report.rows:
        first = (
            held.steps_done + bool(held.steps_done) + 1
        )  # the row about the file is the first one
        numbers = list(range(first, first + len(report.rows)))
        own = {"owner_id": held.owner_id, "import_id": held.id, "number": numbers}
        db.execute(RECORD_ROWS, {**own, **report.columns()})


# --- things -------------------------------------------------------------------------------------

Known = Mapping[bytes, FoundRef]


def _name_of(entry: Entry) -> bytes | None:
    """What stands for a thing that is known by its name alone; None for any other."""
    if entry.kind == "label":
        return labels.name_key(entry.fields["name"])
    return str(entry.fields["title"]).encode() if entry.is_named else None


def _names_in_use(owner_id: Uuid, entries: Sequence[Entry]) -> dict[bytes, Uuid | None]:
    """The owner's labels, or lists, by what stands for those of the entries."""
    if entries[0].kind == "label":
        named = labels.by_key(entry.fields["name"] for entry in entries)
        return {each.name_key: each.id for each in labels.find(owner_id, names=named)}
    if any(entry.is_named for entry in entries):
        found = find_names(owner_id)
        return {each.name.encode(): each.id for each in found if each.kind == "list"}
    return {}


def _make_labels(terms: Terms, entries: Sequence[Entry], _known: Known) -> list[Uuid | None]:
    """Makes labels; one of that name, whatever its case, stands for it."""
    return _make_named(terms, entries, labels.CREATE)


def _make_lists(terms: Terms, entries: Sequence[Entry], _known: Known) -> list[Uuid | None]:
    """Makes lists; of those that have no id in the source, one of that title stands for it."""
    made = _make_named(terms, entries, lists.CREATE)
    for entry, item_id in zip(entries, made, strict=True):
        if entry.is_archived and not entry.skipped:
            change(lists.ARCHIVE.prepare({"id": item_id}), terms)
    return made


def _make_named(terms: Terms, entries: Sequence[Entry], creation: Change) -> list[Uuid | None]:
    there = _names_in_use(terms.owner_id, entries)
    made: list[Uuid | None] = []
    for entry in entries:
        name = _name_of(entry)
        found = None if name is None else there.get(name)
        entry.skipped = found is not None
        if found is None:
            found = change(creation.prepare(entry.fields), terms).id
        if name is not None:
            there[name] = found
        made.append(found)
    return made


def _make_filters(terms: Terms, entries: Sequence[Entry], _known: Known) -> list[Uuid | None]:
    return [change(filters.CREATE.prepare(entry.fields), terms).id for entry in entries]


def _make_tasks(terms: Terms, entries: Sequence[Entry], known: Known) -> list[Uuid | None]:
    """Makes tasks in their lists, below their parents, with their labels and their past."""
    named = {key: name for each in entries for key, name in labels.by_key(each.labels).items()}
    label_ids = labels.make(terms, named)
    wholes = [_placed(entry, _whole(entry, label_ids), known) for entry in entries]
    results = add_whole(terms, wholes)
    again = [place for place, each in enumerate(results) if _is_misplaced(each)]
    if again:
        for place in again:
            entries[place].warn("parent", "Can't go below its parent: it is a task of its own.")
        alone = [_without_parent(entries[place], wholes[place], known) for place in again]
        for place, result in zip(again, add_whole(terms, alone), strict=True):
            results[place] = result
    return [_made(entry, result) for entry, result in zip(entries, results, strict=True)]


def _whole(entry: Entry, label_ids: Mapping[bytes, Uuid]) -> WholeTask:
    ids = {label_ids[key] for key in labels.by_key(entry.labels) if key in label_ids}
    fields = {**entry.fields, "label_ids": sorted(ids)}
    return WholeTask(fields, entry.is_completed, entry.completions, entry.series)


def _placed(entry: Entry, whole: WholeTask, known: Known) -> WholeTask:
    """The task with the ids of its list and its parent, which have been made before."""
    parent = None if entry.parent_key is None else known.get(ref_of("task", entry.parent_key))
    if parent is None or parent.is_deleted:
        if entry.parent_key is not None:
            entry.warn("parent", "Its parent is not there: it is a task of its own.")
        return _without_parent(entry, whole, known)
    return whole._replace(fields={**whole.fields, "parent_id": parent.item_id})


def _without_parent(entry: Entry, whole: WholeTask, known: Known) -> WholeTask:
    found = None if entry.list_key is None else known.get(ref_of("list", entry.list_key))
    fields = {name: value for name, value in whole.fields.items() if name != "parent_id"}
    if entry.list_key is not None and (found is None or found.is_deleted):
        entry.warn("list", "Its list is not there: it is in the inbox.")
        return whole._replace(fields=fields)
    return whole._replace(fields={**fields, "list_id": found.item_id if found else None})


def _is_misplaced(result: Item | Sequence[Detail]) -> bool:
    if isinstance(result, Item):
        return False
    return any(detail["field"] == "parent_id" for detail in result)


def _made(entry: Entry, result: Item | Sequence[Detail]) -> Uuid | None:
    if isinstance(result, Item):
        return result.id
    for detail in result:
        entry.fail(detail["field"], detail["message"])
    return None


MAKERS = {
    "label": _make_labels,
    "list": _make_lists,
    "task": _make_tasks,
    "filter": _make_filters,
}
