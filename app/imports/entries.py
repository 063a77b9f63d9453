"""What the sources of imports make of a file: things with the fields of the API, and notes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from app import zones
from app.errors import Detail, PayloadTooLarge, ValidationFailed

MOST_ROWS = 50_000  # things of one file
INBOXES = {"inbox", "posteingang", "boîte de réception", "bandeja de entrada"}
FILE = "file"  # the field of an error that is about the file as a whole


class Unreadable(ValidationFailed):
    """A file that can't be imported at all; the message says what to do."""

    def __init__(self, text: str, field_name: str = FILE) -> None:
        detail: Detail = {"field": field_name, "message": text}
        super().__init__(details=[detail])
        self.text = text


class TooLarge(PayloadTooLarge):
    """A file that is longer than what is imported at a time, or unpacks to more."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Note(NamedTuple):
    """An error, for which a thing is not imported, or a warning about what is not kept of it."""

    is_error: bool
    field: str
    message: str


@dataclass
class Entry:
    """A thing to be imported.

    `key` is its id in the source, or what stands for one; `fields` are those of the API without
    what names other things. `line` is where it begins, from 1. A `skipped` one is only reported.
    """

    kind: str
    key: str
    fields: dict[str, Any] = field(default_factory=dict)
    file: str | None = None
    line: int | None = None
    list_key: str | None = None
    parent_key: str | None = None
    labels: list[str] = field(default_factory=list)
    is_completed: bool = False
    is_archived: bool = False
    is_named: bool = False  # a list that the source knows by its title alone
    completions: list[tuple[str, bool]] = field(default_factory=list)  # occurrence, undone
    series: dict[str, Any] = field(default_factory=dict)  # recurrence_from, recurrence_left
    order: Any = None  # among its siblings; None: as in the file
    skipped: bool = False
    notes: list[Note] = field(default_factory=list)

    def warn(self, field_name: str, message: str) -> None:
        """Notes what is not kept, or kept in another way."""
        self.notes.append(Note(False, field_name, message))

    def fail(self, field_name: str, message: str) -> None:
        """Notes why it can't be imported."""
        self.notes.append(Note(True, field_name, message))

    @property
    def has_failed(self) -> bool:
        """Whether it can't be imported."""
        return any(note.is_error for note in self.notes)

    @property
    def ref(self) -> bytes:
        """What tells it from every other thing of its source."""
        return ref_of(self.kind, self.key)


def ref_of(kind: str, key: str) -> bytes:
    """The key of import_refs for a thing of a source."""
    return hashlib.sha256(f"{kind}\0{key}".encode(errors="replace")).digest()


@dataclass
class Contents:
    """What has been read of a file. `notes` are about it as a whole."""

    entries: list[Entry] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def add(self, entry: Entry) -> Entry:
        """Adds a thing; raises TooLarge where there are more than are imported at a time."""
        self.entries.append(entry)
        self.check()
        return entry

    def check(self) -> None:
        """Raises TooLarge where there are more things than are imported at a time."""
        if len(self.entries) > MOST_ROWS:
            raise TooLarge(f"The file has more than {MOST_ROWS} things; split it")

    def warn(self, field_name: str, message: str) -> None:
        """Notes something about the file, each message once."""
        note = Note(False, field_name, message)
        if note not in self.notes:
            self.notes.append(note)


class Lists:
    """Lists by their titles, which stand for their ids; those without one are in the inbox."""

    def __init__(self, contents: Contents, default: str | None = None) -> None:
        self._contents, self._default = contents, default
        self._known: set[str] = set()

    def key(self, title: str = "") -> str | None:
        """The key of the list of that title, which is added; None for the inbox."""
        title = title.strip() or self._default or ""
        if not title or title.casefold() in INBOXES:
            return None
        if title not in self._known:
            self._known.add(title)
            self._contents.add(Entry("list", title, {"title": title}, is_named=True))
        return title


@dataclass(frozen=True)
class Options:
    """How a file is to be read.

    `time_zone` is where its owner lives, `now` when it was sent: what dates such as tomorrow mean
    follows from them. `columns` names the column of a CSV for a field.
    """

    time_zone: str
    now: datetime
    date_order: str | None = None
    list_title: str | None = None
    columns: Sequence[tuple[str, str]] = ()

    @property
    def today(self) -> date:
        """The local day on which the file was sent."""
        return zones.local_date(self.now, self.time_zone)
