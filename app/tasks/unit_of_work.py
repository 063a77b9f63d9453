"""Unit of work: what a transaction reads of tasks under the ledger's lock, and what it writes.

A part of the repository: repository.py begins and ends the transaction.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from app import db
from app.auth.repository import Clock, get_clock
from app.errors import NO_SUCH_ITEM, Detail, NotFound, ValidationFailed
from app.labels import repository as labels
from app.ledger import positions
from app.ledger.repository import Fields, Item, Terms, Written, expect, lock, unchanged, write_each
from app.lists import repository as lists
from app.tasks import reminders, series
from app.tasks.dates import Dates, instants, problems
from app.tasks.state import State
from app.tasks.tree import Tree
from app.values import Uuid
from app.zones import has_time


class CountedChildren(NamedTuple):
    """The number of a task's subtasks outside the trash, the next level only."""

    children: int


class Completion(NamedTuple):
    """A completion of a recurring task, with what an undo of it restores."""

    version: int
    occurrence: str
    recurrence: str
    recurrence_from: str
    recurrence_left: int | None


FIND_TREES = db.load("tasks/find_trees", State)
FIND = db.load("tasks/find", State)
COUNT_CHILDREN = db.load("tasks/count_children", CountedChildren)
STORE = db.load("tasks/store", Written)
SET_ROOT = db.load("tasks/set_root")
MARK_PARENT = db.load("tasks/mark_parent")
FIND_COMPLETION = db.load("tasks/find_completion", Completion)
RECORD_COMPLETION = db.load("tasks/record_completion")
UNDO_COMPLETION = db.load("tasks/undo_completion")


def _from_task_to_root(owner_id: Uuid, task_id: Uuid | None) -> Iterator[State]:
    """A task and those above it; each is a statement, and there are five at most."""
    while task_id is not None:
        state = db.fetch_one(FIND, {"owner_id": owner_id, "id": task_id})
        if state is None:
            return
        yield state
        task_id = state.parent_id


@dataclass
class UnitOfWork:
    """What a transaction has read under the lock, and the changes it will write."""

    terms: Terms
    version: int  # the owner's next one
    at: datetime  # of a change that is made now
    tree: Tree
    writes: dict[Uuid, tuple[State, str]] = field(default_factory=dict)
    rooted: list[tuple[Uuid, list[Uuid]]] = field(default_factory=list)  # roots, and tasks below
    parents: set[Uuid] = field(default_factory=set)
    completed: list[State] = field(default_factory=list)  # recurring ones, as they were before
    undone: list[tuple[Uuid, int]] = field(default_factory=list)  # tasks, versions of completions

    @classmethod
    def read(cls, terms: Terms, *task_ids: Uuid | None) -> "UnitOfWork":
        """Locks the ledger, then reads the trees of tasks."""
        ledger = lock(terms.owner_id)
        ids = [each for each in task_ids if each is not None]
        wanted = {"owner_id": terms.owner_id, "ids": ids}
        states = db.fetch_all(FIND_TREES, wanted) if ids else ()
        return cls(terms, ledger.version + 1, ledger.at, Tree(states))

    @classmethod
    def read_above(cls, terms: Terms, *parent_ids: Uuid | None) -> "UnitOfWork":
        """Locks the ledger, then reads what new subtasks need to know of their trees.

        These may be large: it is the tasks above them, and how many there are beside them.
        """
        ledger = lock(terms.owner_id)
        above: dict[Uuid, State] = {}
        counted: dict[Uuid, int] = {}
        for parent_id in parent_ids:
            if parent_id is not None:
                siblings = {"owner_id": terms.owner_id, "parent_id": parent_id}
                (found,) = db.fetch_all(COUNT_CHILDREN, siblings)
                counted[parent_id] = found.children
                above |= {each.id: each for each in _from_task_to_root(terms.owner_id, parent_id)}
        return cls(terms, ledger.version + 1, ledger.at, Tree(above.values(), counted))

    @cached_property
    def clock(self) -> Clock:
        """The owner's local time."""
        return get_clock(self.terms.owner_id)

    def zone_of(self, state: State) -> str:
        """The zone that the task's local times are in."""
        return state.time_zone or self.clock.time_zone

    def target(self, task_id: Uuid | None) -> State:
        """The task to be changed; raises NotFound or PreconditionFailed."""
        state = self.tree.living(task_id)
        if state is None:
            raise NotFound
        expect(state, self.terms.if_versions)
        return state

    def write(self, action: str, task: State, **changes: Any) -> None:
        """Has a task change, on top of what it changes already; later writes come later."""
        state = self.writes.get(task.id, (task, ""))[0]._replace(**changes)
        if state != self.tree.get(task.id):
            self.writes[task.id] = state, action

    def commit(self) -> list[Item]:
        """Writes all states in their order, each with a version of its own."""
        own = {"owner_id": self.terms.owner_id, **self.terms.origin._asdict()}
        calls = [
            (STORE, {**self.reminded(state)._asdict(), **own, "action": action})
            for state, action in self.writes.values()
        ]
        items = write_each(calls)
        for root_id, ids in self.rooted:
            below = {"owner_id": self.terms.owner_id, "root_id": root_id, "ids": ids}
            db.execute(SET_ROOT, below)
        for parent_id in self.parents:
            db.execute(MARK_PARENT, {"owner_id": self.terms.owner_id, "id": parent_id})
        for state in self.completed:
            done = {"owner_id": self.terms.owner_id, "occurrence": state.due}
            db.execute(RECORD_COMPLETION, {**state._asdict(), **done})
        for task_id, version in self.undone:
            completion = {"id": task_id, "completed_version": version}
            db.execute(UNDO_COMPLETION, {"owner_id": self.terms.owner_id, **completion})
        return items

    def result(self, state: State) -> Item:
        """Commits; the item that the change was about, which may be as it was."""
        items = {item.id: item for item in self.commit()}
        return items.get(state.id) or unchanged(state)

    # Neighbours

    def resolve(self, fields: Fields) -> dict[str, Any]:
        """The fields with labels as ids; raises ValidationFailed for what does not exist."""
        wanted = {name: value for name, value in fields.items() if name != "labels"}
        broken = [*self._missing_list(wanted), *self._missing_labels(wanted)]
        if wanted.get("parent_id") and self.tree.living(wanted["parent_id"]) is None:
            broken.append({"field": "parent_id", "message": NO_SUCH_ITEM})
        if broken:
            raise ValidationFailed(details=broken)
        if "labels" in fields:
            wanted["label_ids"] = list(labels.make(self.terms, fields["labels"]).values())
        if "label_ids" in wanted:
            wanted["label_ids"] = sorted(wanted["label_ids"])
        return wanted

    def _missing_list(self, wanted: Fields) -> Iterable[Detail]:
        list_id = wanted.get("list_id")
        if list_id is not None and not lists.exists(self.terms.owner_id, list_id):
            yield {"field": "list_id", "message": NO_SUCH_ITEM}

    def _missing_labels(self, wanted: Fields) -> Iterable[Detail]:
        given = wanted.get("label_ids") or []
        if given and len(labels.find(self.terms.owner_id, given)) < len(given):
            yield {"field": "label_ids", "message": "Has an id that is no label's."}

    def dated(self, state: State) -> State:
        """The state with the instants that follow from its dates; raises ValidationFailed."""
        dates = Dates(state.due, state.start, state.time_zone)
        if broken := problems(dates):
            raise ValidationFailed(details=broken)
        zone_name = "" if dates == (None, None, None) else self.zone_of(state)
        return state._replace(**instants(dates, zone_name)._asdict())

    def reminded(self, state: State) -> State:
        """The state with the reminders that it keeps, and when the next one of them fires."""
        if not state.reminders:
            return state._replace(next_reminder_at=None, computed_reminder_time=None)
        before = self.tree.get(state.id)
        planned = reminders.plan(before, state, self.clock.reminder_time, self.at)
        return state._replace(**planned._asdict())

    def check_reminders(self, wanted: Fields, known: Sequence[str] = ()) -> None:
        """Raises ValidationFailed for new reminders, besides the `known` ones, in the past."""
        if broken := reminders.passed(wanted.get("reminders", ()), known, self.at):
            raise ValidationFailed(details=broken)

    def placed(self, state: State, wanted: Fields) -> State:
        """The state in the list and below the parent that the fields name, last in order there."""
        if not wanted.keys() & {"list_id", "parent_id"}:
            return state
        parent_id, list_id = self._container(state, wanted)
        if (parent_id, list_id) == (state.parent_id, state.list_id):
            return state
        parent = self.tree.get(parent_id)
        root_id = None if parent is None else parent.root_id or parent.id
        if parent is not None and not self.tree.count_children(parent.id):
            self.parents.add(parent.id)
        return state._replace(
            parent_id=parent_id,
            list_id=list_id,
            root_id=root_id,
            position=positions.last(self.version),
        )

    def _container(self, state: State, wanted: Fields) -> tuple[Uuid | None, Uuid | None]:
        """The parent and the list; raises ValidationFailed where they don't go together."""
        parent_id = wanted.get("parent_id", state.parent_id)
        list_id = wanted.get("list_id", state.list_id)
        parent = self.tree.get(parent_id)
        if parent is None:
            return None, list_id
        if "parent_id" not in wanted:  # alone to another list
            return (parent_id if list_id == state.list_id else None), list_id
        if "list_id" in wanted and list_id != parent.list_id:
            message = "Is not the list of the parent; leave it out."
            raise ValidationFailed(details=[{"field": "list_id", "message": message}])
        objection = self.tree.objection(state.id or None, parent)
        if objection:
            raise ValidationFailed(details=[{"field": "parent_id", "message": objection}])
        return parent_id, parent.list_id

    def respace(self, places: Sequence[tuple[Uuid, str]]) -> None:
        """Gives other tasks new positions."""
        wanted = {"owner_id": self.terms.owner_id, "ids": [task_id for task_id, _ in places]}
        states = {each.id: each for each in db.fetch_all(FIND_TREES, wanted)} if places else {}
        for task_id, position in places:
            self.write("move", states[task_id], position=position)

    # What a change of one task means for others

    def follow(self, before: State, state: State) -> None:
        """Takes the subtasks along to the task's list and tree."""
        root_id = state.root_id or state.id
        if state.list_id != before.list_id:
            for each in self.tree.living_descendants(state.id):
                self.write("update", each, list_id=state.list_id, root_id=root_id)
        below = [each.id for each in self.tree.descendants(state.id)]
        if below and state.root_id != before.root_id:
            self.rooted.append((root_id, below))

    def complete_below(self, task_id: Uuid) -> None:
        """Completes the open subtasks of a task."""
        for each in self.tree.living_descendants(task_id):
            if each.recurrence and not each.is_completed:
                self.completed.append(each)
            self.write("complete", each, is_completed=True)

    def reopen_above(self, parent_id: Uuid | None) -> None:
        """Reopens the completed ancestors of an open task."""
        for each in self.tree.ancestors(parent_id):
            self.write("reopen", each, is_completed=False)

    def settle(self, before: State, state: State, action: str) -> None:
        """Notes a task's new state, and what it means for its ancestors and subtasks."""
        if state.is_completed and not before.is_completed:
            self.complete_below(state.id)
        self.follow(before, state)
        self.write(action, state)
        if not state.is_completed and state != before:
            self.reopen_above(state.parent_id)

    # Recurring tasks

    def ruled(self, before: State | None, state: State) -> State:
        """The state with its rule in normal form, and its grid; raises ValidationFailed."""
        return series.ruled(before, state, self.zone_of(state) if state.recurrence else "")

    def advance(self, task: State, action: str) -> None:
        """Completes or skips the task's occurrence; its subtasks go along to the next date.

        At the end of the series it stays completed, as any other task.
        """
        if action == "complete":
            self.completed.append(task)
        moved = series.advanced(task, self.zone_of(task), self._time_of(task, action))
        if moved is None:
            self.settle(task, task._replace(is_completed=True), action)
        else:
            self._take_along(task, series.days_between(str(task.due), str(moved.due)), action)
            self.write(action, self.dated(moved))

    def _time_of(self, task: State, action: str) -> datetime:
        """When an occurrence counts as done: one that is skipped early, when it is due."""
        if action == "skip" and task.due_begins_at is not None:
            return max(self.at, task.due_begins_at)
        return self.at

    def _take_along(self, parent: State, days: int, action: str) -> None:
        """Opens the subtasks of a recurring task again, at dates that are as many days later.

        Those that recur by themselves are done with it, unless they are past its date.
        """
        self._shift_below(parent.id, days, reopen=True)
        for each in self.tree.living_descendants(parent.id):
            is_ahead = each.is_completed or series.is_past(each, str(parent.due))
            if each.recurrence and not is_ahead and self._is_led_by(each, parent):
                self.advance(each, action)

    def _is_led_by(self, task: State, parent: State) -> bool:
        """Whether no other recurring task is between a task and the one above it."""
        above = self.tree.ancestors(task.parent_id)
        return next(each for each in above if each.recurrence) == parent

    def _shift_below(self, task_id: Uuid, days: int, *, reopen: bool) -> None:
        """Moves the dates of subtasks, but of none that recurs by itself, nor of those below it."""
        for each in self.tree.children(task_id):
            if each.is_deleted or each.recurrence:
                continue
            self._shift_below(each.id, days, reopen=reopen)
            is_reopened = reopen and each.is_completed
            moved = series.shifted(each, days, self.zone_of(each)) if days and each.due else each
            moved = moved._replace(is_completed=each.is_completed and not is_reopened)
            if moved != each:
                self.write("reopen" if is_reopened else "update", self.dated(moved))

    def undo(self, task: State, completion: Completion) -> None:
        """Takes the last completion of a recurring task back: it is due as it was before."""
        days = series.days_between(str(task.due), completion.occurrence)
        left = completion.recurrence_left
        if completion.recurrence != task.recurrence:  # the rule was edited since
            left = task.recurrence_left
        state = series.shifted(task, days, self.zone_of(task))._replace(
            is_completed=False,
            due=completion.occurrence,
            time_zone=task.time_zone if has_time(completion.occurrence) else None,
            recurrence_from=completion.recurrence_from,
            recurrence_left=left,
        )
        self._shift_below(task.id, days, reopen=False)
        self.undone.append((task.id, completion.version))
        self.settle(task, self.dated(state), "reopen")

    def replay(
        self, task: State, completions: Sequence[tuple[str, bool]], *, counts: bool
    ) -> State:
        """Records completions of a new recurring task, each at a version of its own.

        They are occurrences, and whether the completion was undone. Returns the task with what is
        left of its rule; without `counts` that is as it was.
        """
        own = {"owner_id": self.terms.owner_id, **self.terms.origin._asdict()}
        state = self.reminded(task)
        for occurrence, is_undone in completions:
            before = state._replace(recurrence_from=occurrence)
            if counts and state.recurrence_left is not None and not is_undone:
                state = state._replace(recurrence_left=max(1, state.recurrence_left - 1))
            write_each([(STORE, {**state._asdict(), **own, "action": "complete"})])
            done = {"owner_id": self.terms.owner_id, "occurrence": occurrence}
            db.execute(RECORD_COMPLETION, {**before._asdict(), **done})
            last = self.last_completion(state.id) if is_undone else None
            if last is not None:
                write_each([(STORE, {**state._asdict(), **own, "action": "reopen"})])
                undone = {"id": state.id, "completed_version": last.version}
                db.execute(UNDO_COMPLETION, {"owner_id": self.terms.owner_id, **undone})
        return state

    def last_completion(self, task_id: Uuid) -> Completion | None:
        """The last completion that was not undone."""
        owned = {"owner_id": self.terms.owner_id, "id": task_id}
        return db.fetch_one(FIND_COMPLETION, owned)
