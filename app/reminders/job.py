"""The job that fires reminders, and mails them to users who want that."""

from collections.abc import Sequence

from app.auth.repository import get_user
from app.mail.messages import Messages
from app.mail.repository import enqueue
from app.reminders import repository
from app.reminders.repository import DueTask, Firing
from app.values import Uuid
from app.worker.jobs import Outcome
from app.zones import DATE_LENGTH

BATCH = 500  # tasks that are looked for at a time


class Reminding:
    """Fires what is due."""

    name = "reminders"

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    def run_once(self) -> Outcome:
        """See Job; counts reminders as fired and missed."""
        found = repository.fire_due(BATCH, self._mail)
        counts = {"fired": found.fired, "missed": found.missed}
        return Outcome(found.fired + found.missed, found.lag_seconds, counts)

    def _mail(self, owner_id: Uuid, fired: Sequence[Firing]) -> None:
        """Puts a mail for each into the outbox."""
        user = get_user(owner_id)
        if user is None:
            return
        for each in fired:
            told = {"title": each.task.title, "due": _due(each.task)}
            mail = self._messages.render("reminder", user.email, is_optional=True, **told)
            enqueue(owner_id, mail)


def _due(task: DueTask) -> str | None:
    """The due as a mail shows it: 2026-10-07, or 2026-10-07 09:00 (Europe/Madrid)."""
    if task.due is None:
        return None
    day, time = task.due[:DATE_LENGTH], task.due[DATE_LENGTH + 1 : DATE_LENGTH + len("T09:00")]
    zone = f"({task.time_zone})" if task.time_zone else ""
    return " ".join(part for part in (day, time, zone) if part)
