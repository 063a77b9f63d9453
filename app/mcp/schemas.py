"""Arguments of the tools: those of the routes behind them, as JSON in place of query strings."""

from marshmallow import fields
from marshmallow.validate import Length

from app.http.fields import Choice, DayOrInstant, Flag, Integer, StrictSchema, Text, Zone
from app.idempotency.schemas import KeyText
from app.labels.schemas import MOST_LABELS
from app.ledger.schemas import ItemId
from app.search.repository import SORTS
from app.search.schemas import FilterText, Id, IdOrNone
from app.tasks.schemas import Complete as Completion
from app.tasks.schemas import Update

LONGEST_TOKEN = 4096  # characters of a cursor or a sync token


def _limit() -> Integer:
    return Integer(1, 200, load_default=50)


def _token() -> Text:
    return Text(1, LONGEST_TOKEN, load_default=None)


class ListTasks(StrictSchema):
    """list_tasks: the parameters of GET /tasks."""

    limit = _limit()
    cursor = _token()
    is_completed = Flag(load_default=None)
    list_id = IdOrNone(load_default=None)
    parent_id = IdOrNone(load_default=None)
    label = fields.List(Id(), load_default=(), validate=Length(max=MOST_LABELS))
    priority_min = Integer(1, 9, load_default=None)
    priority_max = Integer(1, 9, load_default=None)
    due_from = DayOrInstant(load_default=None)
    due_to = DayOrInstant(load_default=None)
    no_due = Flag(load_default=None)
    overdue = Flag(load_default=None)
    q = Text(1, 200, load_default=None)
    filter = FilterText(load_default=None)
    time_zone = Zone(load_default=None)
    sort = Choice(*SORTS, load_default="-created_at")


class GetTask(StrictSchema):
    """get_task."""

    id = ItemId(required=True)


class ListLabels(StrictSchema):
    """list_labels: the parameters of GET /labels."""

    limit = _limit()
    cursor = _token()


class ListLists(ListLabels):
    """list_lists: the parameters of GET /lists."""

    archived = Flag(load_default=None)


class ChangesSince(StrictSchema):
    """changes_since: parameters of GET /changes."""

    since = _token()
    limit = _limit()


class UpdateTask(Update):
    """update_task: to complete a task is another tool, which knows of occurrences."""

    class Meta:
        """Options of marshmallow."""

        exclude = ("is_completed",)


class CompleteTask(Completion):
    """complete_task: never toggles, so that a repeated call is safe."""

    is_completed = Flag(load_default=True)


class Once(StrictSchema):
    """What every tool that changes something takes besides."""

    idempotency_key = KeyText(load_default=None)


LIST_TASKS = ListTasks()
GET_TASK = GetTask()
LIST_LABELS = ListLabels()
LIST_LISTS = ListLists()
CHANGES_SINCE = ChangesSince()
UPDATE_TASK = UpdateTask()
COMPLETE_TASK = CompleteTask()
ONCE = Once()
