"""Tasks: their changes, reading and searching. The first argument of a function owns all rows.

A change that needs nothing but the task is one statement. The others lock the ledger, read the
task's tree and neighbours, decide in Python, and write each changed task by the same statement.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from app import db
from app.auth.repository import get_clock
from app.errors import NO_SUCH_ITEM, Detail, NotFound, PreconditionFailed, ValidationFailed
from app.labels import repository as labels
from app.ledger import positions
from app.ledger.repository import (
    FIRST_ID,
    Call,
    Change,
    Document,
    Fields,
    FoundItem,
    Item,
    Place,
    PreparedChange,
    Terms,
    Written,
    changed,
    count_recompute,
    expect,
    find_place,
    lock,
    read_item,
    unchanged,
    write_each,
)
from app.lists import repository as lists
from app.tasks.dates import Dates, Instants, instants, problems
from app.tasks.state import State
from app.tasks.tree import Tree
from app.values import Uuid, fold

KIND = "task"
TEXTS = {"title", "title_folded", "description", "description_folded", "priority"}
DATES = Dates._fields
RECOMPUTED = 500  # tasks in one transaction
NEIGHBOURS = ("list_id", "parent_id", "label_ids", "labels", *DATES)  # what needs other rows


class FloatingTask(NamedTuple):
    """A task whose instants depend on its owner's zone."""

    id: Uuid
    due: str | None
    start: str | None


CREATE_TASK = db.load("tasks/create", Written)
UPDATE_TEXTS = db.load("tasks/update", Written)
COMPLETE_ALONE = db.load("tasks/complete", Written)
STORE = db.load("tasks/store", Written)
SET_ROOT = db.load("tasks/set_root")
MARK_PARENT = db.load("tasks/mark_parent")
LIST_FLOATING = db.load("tasks/list_floating", FloatingTask)
MOVE_INSTANTS = db.load("tasks/move_instants")
FIND_TREES = db.load("tasks/find_trees", State)
GET = db.load("tasks/get", FoundItem)
EXPORT = db.load("tasks/export", Document)
EMPTY_TRASH = db.load("tasks/empty_trash")


def get(owner_id: Uuid, task_id: Uuid | None) -> Item:
    """The task; raises NotFound where the owner has no such task, or its list is in the trash."""
    return read_item(GET, owner_id, task_id)


def follow_clock(owner_id: Uuid) -> None:
    """Recomputes the instants of floating tasks, which takes no version.

    In short transactions, so that other writers go on; one that is interrupted goes on when the
    zone is set again.
    """
    after_id: str | None = FIRST_ID
    while after_id is not None:
        after_id = _follow_clock(owner_id, after_id)


def _follow_clock(owner_id: Uuid, after_id: str) -> str | None:
    """Recomputes up to RECOMPUTED tasks behind `after_id`; the last one's id, or None."""
    with db.transaction():
        lock(owner_id)
        zone = get_clock(owner_id).time_zone
        position = {"after_id": after_id, "limit": RECOMPUTED}
        tasks = db.fetch_all(LIST_FLOATING, {"owner_id": owner_id, "time_zone": zone, **position})
        count_recompute(owner_id)  # also without tasks: days begin at other times
        if not tasks:
            return None
        computed = [instants(Dates(task.due, task.start, None), zone) for task in tasks]
        moved = {
            "due_at": [each.due_at for each in computed],
            "due_begins_at": [each.due_begins_at for each in computed],
            "start_at": [each.start_at for each in computed],
        }
        ids = {"owner_id": owner_id, "time_zone": zone, "ids": [task.id for task in tasks]}
        db.execute(MOVE_INSTANTS, {**ids, **moved})
        return tasks[-1].id


# --- one task alone -------------------------------------------------------------------------------


def _with_folded(fields: Fields) -> Fields:
    """The fields, with folded texts and the keys of labels."""
    folded: dict[str, Any] = {}
    for name in {"title", "description"} & fields.keys():
        folded[f"{name}_folded"] = fold(fields[name] or "")
    if "labels" in fields:
        folded["labels"] = labels.by_key(fields["labels"])
    return {**fields, **folded}


NEW = {
    "description": None,
    "description_folded": "",
    "list_id": None,
    "parent_id": None,
    "root_id": None,
    "priority": 0,
    "label_ids": [],
    **Dates(None, None, None)._asdict(),
    **Instants(None, None, None, None)._asdict(),
    "recurrence": None,
    "recurrence_basis": "due",
    "recurrence_from": None,
    "recurrence_left": None,
    "reminders": [],
    "next_reminder_at": None,
    "computed_reminder_time": None,
}


NO_TEXTS = {
    "title": None,
    "title_folded": None,
    "description": None,
    "description_folded": None,
    "priority": None,
}


def _create(fields: Fields) -> PreparedChange:
    params = {**NEW, **fields}
    if any(params.get(name) for name in NEIGHBOURS):
        named = {name: fields[name] for name in ("list_id", "parent_id") if name in fields}
        return PreparedChange(run=lambda terms: _create_among(terms, params, named))
    return PreparedChange(call=Call(CREATE_TASK, params))


def _update(fields: Fields) -> PreparedChange:
    wanted = {name: fields[name] for name in fields if name != "id"}
    call = None
    if wanted.keys() <= TEXTS:
        call = Call(UPDATE_TEXTS, {**NO_TEXTS, **fields, "fields": list(wanted)})
    return PreparedChange(call, lambda terms: _update_among(terms, fields["id"], wanted))


def _complete(fields: Fields) -> PreparedChange:
    params = {"id": fields["id"], "is_completed": fields.get("is_completed")}
    return PreparedChange(
        call=Call(COMPLETE_ALONE, params), run=lambda terms: _complete_among(terms, params)
    )


# --- tasks among others ---------------------------------------------------------------------------


@dataclass
class _UnitOfWork:
    """Unit of work: what a transaction has read under the lock, and the changes it will write."""

    terms: Terms
    version: int  # the owner's next one
    tree: Tree
    writes: dict[Uuid, tuple[State, str]] = field(default_factory=dict)
    rooted: list[tuple[Uuid, list[Uuid]]] = field(default_factory=list)  # roots, and tasks below
    parents: set[Uuid] = field(default_factory=set)

    @classmethod
    def read(cls, terms: Terms, *task_ids: Uuid | None) -> "_UnitOfWork":
        """Locks the ledger, then reads the trees of tasks."""
        version = lock(terms.owner_id).version + 1
        ids = [each for each in task_ids if each is not None]
        wanted = {"owner_id": terms.owner_id, "ids": ids}
        return cls(terms, version, Tree(db.fetch_all(FIND_TREES, wanted) if ids else ()))

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
            (STORE, {**state._asdict(), **own, "action": action})
            for state, action in self.writes.values()
        ]
        items = write_each(calls)
        for root_id, ids in self.rooted:
            below = {"owner_id": self.terms.owner_id, "root_id": root_id, "ids": ids}
            db.execute(SET_ROOT, below)
        for parent_id in self.parents:
            db.execute(MARK_PARENT, {"owner_id": self.terms.owner_id, "id": parent_id})
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
            wanted["label_ids"] = labels.make(self.terms, fields["labels"])
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
        zone = "" if dates == (None, None, None) else get_clock(self.terms.owner_id).time_zone
        return state._replace(**instants(dates, zone)._asdict())

    def placed(self, state: State, wanted: Fields) -> State:
        """The state in the list and below the parent that the fields name, last in order there."""
        if not wanted.keys() & {"list_id", "parent_id"}:
            return state
        parent_id, list_id = self._container(state, wanted)
        if (parent_id, list_id) == (state.parent_id, state.list_id):
            return state
        parent = self.tree.get(parent_id)
        root_id = None if parent is None else parent.root_id or parent.id
        self.parents |= {parent.id} if parent else set()
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


def _create_among(terms: Terms, fields: Fields, named: Fields) -> Item:
    """Adds a task to a list, below a parent, with labels or dates; `named` is where it is to go."""
    with db.transaction():
        work = _UnitOfWork.read(terms, fields["parent_id"])
        if terms.if_versions is not None and work.version - 1 not in terms.if_versions:
            raise PreconditionFailed
        state = _new_state(work.resolve(fields))
        state = work.dated(work.placed(state, named))
        create = Call(CREATE_TASK, state._asdict())
        item = changed(db.fetch_one(*create.on(terms._replace(if_versions=None))))
        work.reopen_above(state.parent_id)
        work.commit()
        return item


def _new_state(fields: Fields) -> State:
    """A task that is not stored yet; id, position and the like are made by the statement."""
    blank = dict.fromkeys(State._fields)
    known = {name: value for name, value in fields.items() if name in blank}
    return State(**{**blank, **known, "is_completed": False, "list_id": None, "parent_id": None})


def _update_among(terms: Terms, task_id: Uuid | None, fields: Fields) -> Item:
    """Changes fields of a task that concern other rows, or its completion."""
    with db.transaction():
        work = _UnitOfWork.read(terms, task_id, fields.get("parent_id"))
        wanted = work.resolve(fields)
        before = work.target(task_id)
        own = {name: wanted[name] for name in wanted if name not in ("list_id", "parent_id")}
        state = work.placed(before._replace(**own), wanted)
        if wanted.keys() & set(DATES):
            state = work.dated(state)
        work.settle(before, state, "update")
        return work.result(before)


def _complete_among(terms: Terms, params: Fields) -> Item:
    """Completes a task with its subtasks, or reopens it with its ancestors."""
    with db.transaction():
        work = _UnitOfWork.read(terms, params["id"])
        before = work.target(params["id"])
        wanted = params["is_completed"]
        is_completed = not before.is_completed if wanted is None else wanted
        action = "complete" if is_completed else "reopen"
        work.settle(before, before._replace(is_completed=is_completed), action)
        return work.result(before)


def _move(fields: Fields) -> PreparedChange:
    return PreparedChange(run=lambda terms: _move_among(terms, fields))


def _move_among(terms: Terms, fields: Fields) -> Item:
    """Gives a task another place in the order, and in another list or below another parent."""
    with db.transaction():
        work = _UnitOfWork.read(terms, fields["id"], fields.get("parent_id"))
        wanted = work.resolve(fields)
        before = work.target(fields["id"])
        state = work.placed(before, wanted)
        place = replace(Place.of(fields), list_id=state.list_id, parent_id=state.parent_id)
        placed = find_place(terms.owner_id, KIND, state, place, work.version)
        work.respace(placed.others)
        work.settle(before, state._replace(position=placed.position), "move")
        return work.result(before)


def _delete(fields: Fields) -> PreparedChange:
    return PreparedChange(run=lambda terms: _delete_among(terms, fields["id"]))


def _delete_among(terms: Terms, task_id: Uuid | None) -> Item:
    """Moves a task to the trash with its subtasks, which come first."""
    with db.transaction():
        work = _UnitOfWork.read(terms, task_id)
        state = work.target(task_id)
        tasks = [*work.tree.living_descendants(state.id), state]
        for version, each in enumerate(tasks, work.version):
            below = len(work.tree.living_descendants(each.id))
            work.write("delete", each, is_deleted=True, deleted_from=version - below)
        return work.result(state)


def _restore(fields: Fields) -> PreparedChange:
    return PreparedChange(run=lambda terms: _restore_among(terms, fields["id"]))


def _restore_among(terms: Terms, task_id: Uuid | None) -> Item:
    """Takes a task out of the trash, with the subtasks that were deleted along with it."""
    with db.transaction():
        work = _UnitOfWork.read(terms, task_id)
        before = work.tree.get(task_id)
        if before is None or not before.is_deleted:
            raise NotFound
        along = work.tree.deleted_along(before)
        parent = _parent_with_room(work, before, along)
        if parent is None and before.is_list_deleted:
            raise NotFound
        expect(before, terms.if_versions)
        known = _known_labels(terms.owner_id, [before, *along])
        state = _back(work, _alive(before, known), parent)
        work.follow(before, state)
        for each in along:
            here = {"list_id": state.list_id, "root_id": state.root_id or state.id}
            work.write("restore", _alive(each, known), **here)
        work.write("restore", state)
        if not all(each.is_completed for each in (state, *along)):
            work.reopen_above(state.parent_id)
        return work.result(before)


def _known_labels(owner_id: Uuid, states: Sequence[State]) -> set[Uuid]:
    """The labels of tasks that are not in the trash themselves."""
    given = {each for state in states for each in state.label_ids}
    return {label.id for label in labels.find(owner_id, list(given))} if given else set()


def _alive(state: State, known: set[Uuid]) -> State:
    kept = [each for each in state.label_ids if each in known]
    return state._replace(is_deleted=False, deleted_from=None, label_ids=kept)


def _parent_with_room(work: _UnitOfWork, before: State, along: Sequence[State]) -> State | None:
    """The parent that a task from the trash goes back to; it may be in another list meanwhile."""
    parent, with_it = work.tree.living(before.parent_id), {each.id for each in along}
    if parent is None or work.tree.objection(before.id, parent, with_it):
        return None
    return parent


def _back(work: _UnitOfWork, state: State, parent: State | None) -> State:
    """The task below its parent; a root, and last in order, where that is no longer possible."""
    if parent is not None:
        return state._replace(list_id=parent.list_id, root_id=parent.root_id or parent.id)
    if state.parent_id is None:
        return state
    last = positions.last(work.version)
    return state._replace(parent_id=None, root_id=None, position=last)


CREATE = Change(_create, _with_folded)
UPDATE = Change(_update, _with_folded)
COMPLETE = Change(_complete)
MOVE = Change(_move)
DELETE = Change(_delete)
RESTORE = Change(_restore)
