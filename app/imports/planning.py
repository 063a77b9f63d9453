"""In which order the entries of a file are made: things, then what is in or below them.

Pure, and the same at every reading of a file: a worker goes on at a number of steps.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from app.imports.entries import Contents, Entry, Note
from app.imports.fitting import fit
from app.labels.repository import by_key, name_key
from app.labels.schemas import NEW_LABEL as LABEL
from app.tasks.tree import DEEPEST, MOST_CHILDREN

BATCH = 500  # entries in one transaction
ORDER = ("label", "list", "task", "filter")


@dataclass(frozen=True)
class Plan:
    """The entries in their order, and those of them that are made together."""

    notes: Sequence[Note]
    batches: Sequence[Sequence[Entry]]
    steps: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", sum(len(batch) for batch in self.batches))

    def after(self, position: int) -> Iterator[Sequence[Entry]]:
        """The batches behind a number of steps."""
        done = 0
        for batch in self.batches:
            if done + len(batch) > position:
                yield batch[max(0, position - done) :]
            done += len(batch)


def plan(contents: Contents) -> Plan:
    """The plan for what has been read of a file."""
    entries = _once(contents.entries)
    for entry in entries:
        if not entry.skipped and not entry.has_failed:
            fit(entry)
    entries += _named_labels(entries)
    levels = _with_parents([entry for entry in entries if entry.kind == "task"])
    groups: list[list[Entry]] = []
    for kind in ORDER:
        if kind == "task":
            groups += levels
        else:
            groups.append([entry for entry in entries if entry.kind == kind])
    for group in groups:
        _sort(group)
    batches = [
        group[first : first + BATCH] for group in groups for first in range(0, len(group), BATCH)
    ]
    return Plan(contents.notes, batches)


def _named_labels(entries: Iterable[Entry]) -> list[Entry]:
    """The labels that tasks name, and that are no things of the file themselves."""
    known = {name_key(str(each.fields.get("name"))) for each in entries if each.kind == "label"}
    names = by_key(name for each in entries if not each.skipped for name in each.labels)
    return [
        Entry("label", key.hex(), LABEL.load({"name": name}))
        for key, name in names.items()
        if key not in known
    ]


def _once(entries: Iterable[Entry]) -> list[Entry]:
    """The entries, of which later ones with a key that was there before are skipped."""
    known: dict[bytes, Entry] = {}
    for entry in entries:
        if not entry.skipped:
            first = known.setdefault(entry.ref, entry)
            if first is not entry:
                entry.skipped = True
                entry.warn("id", f"Is the same as in line {first.line}.")
    return list(entries)


def _sort(group: list[Entry]) -> None:
    """Sorts entries by their order in the source; those without one stay where they are."""
    if all(entry.order is not None for entry in group):
        group.sort(key=lambda entry: entry.order)


def _with_parents(tasks: list[Entry]) -> list[list[Entry]]:
    """The tasks by their levels, the roots first, with parents that the API would allow."""
    known = {entry.key: entry for entry in tasks if not entry.skipped}
    for entry in tasks:
        _drop_strange_parent(entry, known)
    _cut_cycles(tasks, known)
    _limit_children(tasks, _levels(tasks, known))
    levels = _levels(tasks, known)
    _reopen(tasks, known, levels)
    by_level = sorted(tasks, key=lambda entry: levels[_name(entry)])
    return [list(group) for _, group in groupby(by_level, lambda entry: levels[_name(entry)])]


def _name(entry: Entry) -> str:
    """A key for an entry that others with the same key do not share."""
    return f"{id(entry)}" if entry.skipped else entry.key


def _drop_strange_parent(entry: Entry, known: dict[str, Entry]) -> None:
    """Makes a task a root where its parent is not there, or in another list."""
    if entry.parent_key is None:
        return
    parent = known.get(entry.parent_key)
    if parent is None or parent.has_failed:
        entry.warn("parent", "Its parent is not imported: it becomes a task of its own.")
        entry.parent_key = None
    elif parent.list_key != entry.list_key:
        entry.warn("parent", "Its parent is in another list: it becomes a task of its own.")
        entry.parent_key = None


def _cut_cycles(tasks: Iterable[Entry], known: dict[str, Entry]) -> None:
    """Makes a root of one task of each circle."""
    ended: set[str] = set()
    for entry in tasks:
        path: dict[str, None] = {}
        each: Entry | None = None if entry.skipped else entry
        while each is not None and each.key not in ended:
            path[each.key] = None
            if each.parent_key in path:
                each.warn("parent", "Is below itself: the circle of parents is cut here.")
                each.parent_key = None
            each = None if each.parent_key is None else known[each.parent_key]
        ended.update(path)


def _levels(tasks: Iterable[Entry], known: dict[str, Entry]) -> dict[str, int]:
    """The level of each task, 1 for roots; those that are too deep are moved up."""
    levels: dict[str, int] = {}
    for entry in tasks:
        _place(entry, known, levels)
    return levels


def _place(entry: Entry, known: dict[str, Entry], levels: dict[str, int]) -> None:
    """Notes the level of a task and those above it, from 1; one too deep is moved up."""
    path: list[Entry] = []
    each: Entry | None = entry
    while each is not None and _name(each) not in levels:
        path.append(each)
        each = None if each.parent_key is None else known[each.parent_key]
    for each in reversed(path):
        parent = None if each.parent_key is None else known[each.parent_key]
        level = 1 if parent is None else levels[parent.key] + 1
        if parent is not None and level > DEEPEST:
            each.warn("parent", f"Is below level {DEEPEST}: it is put beside its parent.")
            each.parent_key, level = parent.parent_key, DEEPEST
        levels[_name(each)] = level


def _limit_children(tasks: Iterable[Entry], levels: dict[str, int]) -> None:
    """Makes roots of subtasks beyond the number that a task may have."""
    counts: dict[str, int] = {}
    for entry in sorted(tasks, key=lambda entry: levels[_name(entry)]):
        if entry.parent_key is None or entry.skipped:
            continue
        counts[entry.parent_key] = counts.get(entry.parent_key, 0) + 1
        if counts[entry.parent_key] > MOST_CHILDREN:
            entry.warn(
                "parent", f"Has {MOST_CHILDREN} subtasks already: this is a task of its own."
            )
            entry.parent_key = None


def _reopen(tasks: Iterable[Entry], known: dict[str, Entry], levels: dict[str, int]) -> None:
    """Leaves completed tasks open that have open ones below them, which nothing must hide."""
    for entry in sorted(tasks, key=lambda entry: -levels[_name(entry)]):
        parent = None if entry.parent_key is None else known[entry.parent_key]
        is_open = not entry.is_completed and not entry.skipped and not entry.has_failed
        if parent is not None and is_open and parent.is_completed:
            parent.is_completed = False
            parent.warn("is_completed", "Stays open, as a subtask of it is open.")
