"""Trees of subtasks, as they are read under the ledger's lock."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from app.tasks.state import State
from app.values import Uuid

DEEPEST = 5  # tasks from a root down to a leaf
MOST_CHILDREN = 500


class Tree:
    """The tasks of some trees by their ids, in the trash and outside it.

    `counted` has the numbers of living children of tasks that were read without them.
    """

    def __init__(self, states: Iterable[State], counted: Mapping[Uuid, int] | None = None) -> None:
        self._counted = dict(counted or {})
        self._states = {state.id: state for state in states}
        self._children: dict[Uuid | None, list[State]] = {}
        for state in self._states.values():
            self._children.setdefault(state.parent_id, []).append(state)

    def get(self, task_id: Uuid | None) -> State | None:
        """The task, also in the trash or in a list that is."""
        return None if task_id is None else self._states.get(task_id)

    def living(self, task_id: Uuid | None) -> State | None:
        """The task, unless it or its list is in the trash."""
        state = self.get(task_id)
        return None if state is None or state.is_deleted or state.is_list_deleted else state

    def children(self, task_id: Uuid) -> list[State]:
        """The subtasks of a task, the next level only."""
        return self._children.get(task_id, [])

    def count_children(self, task_id: Uuid) -> int:
        """The number of subtasks outside the trash, the next level only."""
        living = [each for each in self.children(task_id) if not each.is_deleted]
        return self._counted.get(task_id, len(living))

    def count_child(self, task_id: Uuid | None) -> None:
        """Notes that a task gets one more subtask, which is not among those that were read."""
        if task_id is not None:
            self._counted[task_id] = self.count_children(task_id) + 1

    def descendants(self, task_id: Uuid) -> Iterator[State]:
        """All subtasks below a task, in the trash and outside it; a parent before its children."""
        for child in self.children(task_id):
            yield child
            yield from self.descendants(child.id)

    def living_descendants(self, task_id: Uuid) -> list[State]:
        """The subtasks below a task that are not in the trash; children before their parent."""
        found = []
        for child in self.children(task_id):
            if not child.is_deleted:
                found += [*self.living_descendants(child.id), child]
        return found

    def deleted_along(self, task: State) -> list[State]:
        """The subtasks that went to the trash with a task: their versions are just below its."""
        first = task.deleted_from or task.version
        below = self.descendants(task.id)
        return [each for each in below if each.is_deleted and first <= each.version < task.version]

    def ancestors(self, task_id: Uuid | None) -> list[State]:
        """The task and those above it, up to the root."""
        found = []
        while (state := self.get(task_id)) is not None:
            found.append(state)
            task_id = state.parent_id
        return found

    def height(self, task_id: Uuid, along: Collection[Uuid] = ()) -> int:
        """The number of levels of a task and the subtasks below it, the living ones and `along`."""
        children = self.children(task_id)
        counted = (each for each in children if not each.is_deleted or each.id in along)
        return 1 + max((self.height(each.id, along) for each in counted), default=0)

    def objection(
        self, task_id: Uuid | None, parent: State, along: Collection[Uuid] = ()
    ) -> str | None:
        """Why a task, None for a new one, can't go below a parent; with `along` from the trash."""
        above = self.ancestors(parent.id)
        if task_id in {state.id for state in above}:
            return "Is the task itself, or one below it."
        if len(above) + (1 if task_id is None else self.height(task_id, along)) > DEEPEST:
            return f"Would make the tree deeper than {DEEPEST} levels."
        is_among = any(
            each.id == task_id and not each.is_deleted for each in self.children(parent.id)
        )
        if not is_among and self.count_children(parent.id) >= MOST_CHILDREN:
            return f"Has {MOST_CHILDREN} subtasks already, which is the most."
        return None
