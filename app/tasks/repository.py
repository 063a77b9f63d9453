"""Tasks: their changes, reading and searching. The first argument of a function owns all rows.

A change that needs nothing but the task is one statement. The others lock the ledger, read the
task's tree and neighbours, decide in Python, and write each changed task by the same statement.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from app import db
from app.auth.repository import Clock, get_clock
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
    ListedItems,
    Place,
    PreparedChange,
    Terms,
    Written,
    changed,
    count_recompute,
    expect,
    find_place,
    lock,
    page_by_version,
    read_item,
    unchanged,
    write_each,
)
from app.lists import repository as lists
from app.tasks import reminders
from app.tasks.dates import Dates, Instants, instants
from app.tasks.state import State
from app.tasks.tree import Tree
from app.tasks.unit_of_work import UnitOfWork
from app.values import Origin, Page, Uuid, fold

KIND = "task"
TEXTS = {"title", "title_folded", "description", "description_folded", "priority"}
DATES = Dates._fields
RECOMPUTED = 500  # tasks in one transaction
# What needs other rows, or more than a check of its own.
NEIGHBOURS = ("list_id", "parent_id", "label_ids", "labels", *DATES, "recurrence", "reminders")
USE_COMPLETE = "The task recurs: complete it by PATCH …/complete, with the occurrence."
NAME_OCCURRENCE = (
    "The task recurs: say by is_completed and occurrence which due was done or is undone."
)


class MovedTask(NamedTuple):
    """A task whose instants depend on its owner's zone or reminder time."""

    id: Uuid
    due: str | None
    start: str | None
    time_zone: str | None
    computed_zone: str | None
    reminders: list[str]
    next_reminder_at: datetime | None
    computed_reminder_time: str | None


CREATE_TASK = db.load("tasks/create", Written)
UPDATE_TEXTS = db.load("tasks/update", Written)
COMPLETE_ALONE = db.load("tasks/complete", Written)
LIST_MOVED = db.load("tasks/list_moved", MovedTask)
MOVE_INSTANTS = db.load("tasks/move_instants")
GET = db.load("tasks/get", FoundItem)
LIST_COMPLETIONS = db.load("tasks/list_completions", ListedItems)
EXPORT = db.load("tasks/export", Document)
EXPORT_COMPLETIONS = db.load("tasks/export_completions", Document)
EMPTY_TRASH = db.load("tasks/empty_trash")


def get(owner_id: Uuid, task_id: Uuid | None) -> Item:
    """The task; raises NotFound where the owner has no such task, or its list is in the trash."""
    return read_item(GET, owner_id, task_id)


def completions(
    owner_id: Uuid,
    task_id: Uuid | None,
    *,
    position: Sequence[Any] | None,
    limit: int,
    known_tags: Sequence[str],
) -> Page:
    """A page of a task's completions, the newest first; raises NotFound as get() does."""
    return page_by_version(LIST_COMPLETIONS, owner_id, {"id": task_id}, position, limit, known_tags)


def follow_clock(owner_id: Uuid) -> None:
    """Recomputes the instants that depend on the owner's zone or reminder time; takes no version.

    In short transactions, so that other writers go on; one that is interrupted goes on when the
    zone or the time is set again.
    """
    after_id: str | None = FIRST_ID
    while after_id is not None:
        after_id = _follow_clock(owner_id, after_id)


def _follow_clock(owner_id: Uuid, after_id: str) -> str | None:
    """Recomputes up to RECOMPUTED tasks behind `after_id`; the last one's id, or None."""
    with db.transaction():
        lock(owner_id)
        clock = get_clock(owner_id)
        position = {"after_id": after_id, "limit": RECOMPUTED}
        tasks = db.fetch_all(LIST_MOVED, {"owner_id": owner_id, **clock._asdict(), **position})
        count_recompute(owner_id)  # also without tasks: days begin at other times
        if not tasks:
            return None
        computed = [_moved(task, clock) for task in tasks]
        arrays = {name: [each[name] for each in computed] for name in computed[0]}
        db.execute(MOVE_INSTANTS, {"owner_id": owner_id, **arrays})
        return tasks[-1].id


def _moved(task: MovedTask, clock: Clock) -> dict[str, Any]:
    """The task's id, and its instants by that clock; reminders that are pending stay so."""
    dates = Dates(task.due, task.start, task.time_zone)
    schedule = reminders.Schedule(dates, task.time_zone or clock.time_zone, clock.reminder_time)
    pending = [schedule.instant(text) for text in reminders.pending(task, task.reminders)]
    return {
        "ids": task.id,
        **instants(dates, clock.time_zone)._asdict(),
        "next_reminder_at": min(pending, default=None),
        "computed_reminder_time": schedule.used_reminder_time(task.reminders),
    }


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
        call = Call(UPDATE_TEXTS, {**NO_TEXTS, **fields})
    return PreparedChange(call, lambda terms: _update_among(terms, fields["id"], wanted))


def _complete(fields: Fields) -> PreparedChange:
    occurrence = fields.get("occurrence")
    params = {"id": fields["id"], "is_completed": fields.get("is_completed")}
    call = Call(COMPLETE_ALONE, params) if occurrence is None else None
    return PreparedChange(
        call, lambda terms: _complete_among(terms, {**params, "occurrence": occurrence})
    )


# --- tasks among others ---------------------------------------------------------------------------


def _create_among(terms: Terms, fields: Fields, named: Fields) -> Item:
    """Adds a task to a list, below a parent, with labels or dates; `named` is where it is to go."""
    with db.transaction():
        work = UnitOfWork.read_above(terms, fields["parent_id"])
        if terms.if_versions is not None and work.version - 1 not in terms.if_versions:
            raise PreconditionFailed
        state = _new_state(work.resolve(fields))
        work.check_reminders(fields)
        state = work.reminded(work.dated(work.ruled(None, work.placed(state, named))))
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
        work = UnitOfWork.read(terms, task_id, fields.get("parent_id"))
        wanted = work.resolve(fields)
        before = work.target(task_id)
        work.check_reminders(wanted, before.reminders)
        own = {name: wanted[name] for name in wanted if name not in ("list_id", "parent_id")}
        state = work.placed(before._replace(**own), wanted)
        state = work.ruled(before, state)
        if state.recurrence and state.is_completed != before.is_completed:
            raise ValidationFailed(details=[{"field": "is_completed", "message": USE_COMPLETE}])
        if wanted.keys() & set(DATES):
            state = work.dated(state)
        work.settle(before, state, "update")
        return work.result(before)


def _complete_among(terms: Terms, params: Fields) -> Item:
    """Completes a task with its subtasks, or reopens it with its ancestors."""
    with db.transaction():
        work = UnitOfWork.read(terms, params["id"])
        known = work.tree.living(params["id"])
        if known is not None and known.recurrence:
            return _complete_occurrence(work, params)
        before = work.target(params["id"])
        if params["occurrence"] not in (None, before.due):
            return unchanged(before)
        wanted = params["is_completed"]
        is_completed = not before.is_completed if wanted is None else wanted
        action = "complete" if is_completed else "reopen"
        work.settle(before, before._replace(is_completed=is_completed), action)
        return work.result(before)


def _complete_occurrence(work: UnitOfWork, params: Fields) -> Item:
    """Completes the occurrence of a recurring task that is named, or takes its completion back."""
    missing = [name for name in ("is_completed", "occurrence") if params[name] is None]
    if missing:
        details = [{"field": name, "message": NAME_OCCURRENCE} for name in missing]
        raise ValidationFailed(details=details)
    before, occurrence = work.target(params["id"]), params["occurrence"]
    if not params["is_completed"]:
        _reopen_occurrence(work, before, occurrence)
    elif occurrence == before.due and not before.is_completed:
        work.advance(before, "complete")
    return work.result(before)


def _reopen_occurrence(work: UnitOfWork, task: State, occurrence: str) -> None:
    """Undoes the last completion, if it is that of the occurrence."""
    last = work.last_completion(task.id)
    if last is not None and last.occurrence == occurrence:
        work.undo(task, last)
    elif occurrence == task.due:
        work.settle(task, task._replace(is_completed=False), "reopen")
    else:
        message = "Only the last completion can be undone, and the present due be reopened."
        raise ValidationFailed(details=[{"field": "occurrence", "message": message}])


def _skip(fields: Fields) -> PreparedChange:
    return PreparedChange(run=lambda terms: _skip_occurrence(terms, fields))


def _skip_occurrence(terms: Terms, fields: Fields) -> Item:
    """Goes on to a recurring task's next date without completing the occurrence that is named."""
    with db.transaction():
        work = UnitOfWork.read(terms, fields["id"])
        known = work.tree.living(fields["id"])
        if known is not None and not known.recurrence:
            message = "The task does not recur; give it another due."
            raise ValidationFailed(details=[{"field": "occurrence", "message": message}])
        before = work.target(fields["id"])
        if fields["occurrence"] == before.due and not before.is_completed:
            work.advance(before, "skip")
        return work.result(before)


def _move(fields: Fields) -> PreparedChange:
    return PreparedChange(run=lambda terms: _move_among(terms, fields))


def _move_among(terms: Terms, fields: Fields) -> Item:
    """Gives a task another place in the order, and in another list or below another parent."""
    with db.transaction():
        work = UnitOfWork.read(terms, fields["id"], fields.get("parent_id"))
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
        work = UnitOfWork.read(terms, task_id)
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
        work = UnitOfWork.read(terms, task_id)
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


def _parent_with_room(work: UnitOfWork, before: State, along: Sequence[State]) -> State | None:
    """The parent that a task from the trash goes back to; it may be in another list meanwhile."""
    parent, with_it = work.tree.living(before.parent_id), {each.id for each in along}
    if parent is None or work.tree.objection(before.id, parent, with_it):
        return None
    return parent


def _back(work: UnitOfWork, state: State, parent: State | None) -> State:
    """The task below its parent; a root, and last in order, where that is no longer possible."""
    if parent is not None:
        return state._replace(list_id=parent.list_id, root_id=parent.root_id or parent.id)
    if state.parent_id is None:
        return state
    last = positions.last(work.version)
    return state._replace(parent_id=None, root_id=None, position=last)


# --- tasks as they were elsewhere -----------------------------------------------------------------


class WholeTask(NamedTuple):
    """A task to be added with its past; `completions` are occurrences, and whether undone.

    `series` may have recurrence_from and recurrence_left of a series that has begun.
    """

    fields: Fields
    is_completed: bool = False
    completions: Sequence[tuple[str, bool]] = ()
    series: Mapping[str, Any] = MappingProxyType({})


def check_whole(owner_id: Uuid, tasks: Iterable[WholeTask]) -> list[Sequence[Detail]]:
    """What add_whole would refuse of each task; reads nothing but the owner's clock."""
    now = datetime.now(UTC)
    work = UnitOfWork(Terms(owner_id, None, Origin("", None)), 1, now, Tree(()))
    found: list[Sequence[Detail]] = []
    for task in tasks:
        try:
            _whole_state(work, task.fields, {})
            found.append(())
        except ValidationFailed as error:
            found.append(error.details)
    return found


def add_whole(terms: Terms, tasks: Sequence[WholeTask]) -> list[Item | Sequence[Detail]]:
    """Adds tasks in few round trips, each behind the ones before it; their fields have label_ids.

    Parents are not among the tasks. A task that the API would refuse is not added: there are
    details of what is wrong with it instead. Reminders that have passed are kept, and do not fire.
    """
    with db.transaction():
        parents = dict.fromkeys(task.fields.get("parent_id") for task in tasks)
        work = UnitOfWork.read_above(terms, *parents)
        missing = _missing_lists(terms.owner_id, tasks)
        results: list[Any] = []
        added: list[tuple[WholeTask, State]] = []
        for task in tasks:
            fields = task.fields
            named = {name: fields[name] for name in ("list_id", "parent_id") if fields.get(name)}
            try:
                _require(work, missing, named)
                state = _whole_state(work, fields, named)._replace(**task.series)
            except ValidationFailed as error:
                results.append(error.details)
                continue
            work.tree.count_child(state.parent_id)
            results.append(state)
            added.append((task, state))
        items = iter(_store_whole(work, added))
        return [next(items) if isinstance(each, State) else each for each in results]


def _missing_lists(owner_id: Uuid, tasks: Sequence[WholeTask]) -> set[Uuid]:
    wanted = {task.fields["list_id"] for task in tasks if task.fields.get("list_id")}
    return {each for each in wanted if not lists.exists(owner_id, each)}


def _require(work: UnitOfWork, missing: Collection[Uuid], named: dict[str, Any]) -> None:
    """Raises ValidationFailed where the list or the parent is not there; a parent has its list."""
    if "parent_id" in named:
        named.pop("list_id", None)
        if work.tree.living(named["parent_id"]) is None:
            raise ValidationFailed(details=[{"field": "parent_id", "message": NO_SUCH_ITEM}])
    elif named.get("list_id") in missing:
        raise ValidationFailed(details=[{"field": "list_id", "message": NO_SUCH_ITEM}])


def _whole_state(work: UnitOfWork, fields: Fields, named: Fields) -> State:
    """A new task's state; raises ValidationFailed."""
    state = _new_state({**NEW, **_with_folded(fields)})
    return work.reminded(work.dated(work.ruled(None, work.placed(state, named))))


def _store_whole(work: UnitOfWork, added: Sequence[tuple[WholeTask, State]]) -> list[Item]:
    """Adds the tasks, then their past; the items are those of the last change of each."""
    terms = work.terms._replace(if_versions=None)
    created = write_each([Call(CREATE_TASK, state._asdict()).on(terms) for _, state in added])
    for item, (task, new) in zip(created, added, strict=True):
        position = positions.last(item.version)
        state = new._replace(id=item.id, version=item.version, position=position)
        if task.completions:
            state = work.replay(
                state, task.completions, counts="recurrence_left" not in task.series
            )
        if task.is_completed:
            work.write("complete", state, is_completed=True)
        else:
            work.reopen_above(state.parent_id)
    changed_later = {item.id: item for item in work.commit()}
    return [changed_later.get(item.id, item) for item in created]


CREATE = Change(_create, _with_folded)
UPDATE = Change(_update, _with_folded)
COMPLETE = Change(_complete)
SKIP = Change(_skip)
MOVE = Change(_move)
DELETE = Change(_delete)
RESTORE = Change(_restore)
