"""The job that goes on with imports, in turns: a large file does not hold up others for long."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from time import monotonic

import orjson
import psycopg

from app.imports import repository
from app.imports.entries import Options, TooLarge, Unreadable
from app.imports.planning import Plan, plan
from app.imports.repository import DueImport, Held, LeaseLostError
from app.imports.sources import SOURCES
from app.values import Uuid
from app.worker.jobs import Outcome

LEASE = timedelta(seconds=60)  # longer than a file is read, or a batch is written
TURN = 5.0  # seconds for an import while others wait
RETRY = timedelta(seconds=5)
MOST_ATTEMPTS = 10  # without any progress
GIVEN_UP = "The file has ended its worker again and again, and was given up."

log = logging.getLogger(__name__)


def ignore(_percent: int) -> None:
    """Tells nobody: the import's row has how far it is."""


class Importing:
    """Reads files and makes what is in them."""

    name = "imports"

    def __init__(self) -> None:
        self._plan: tuple[Uuid, Plan] | None = None  # of the import whose turn was last

    def run_once(self) -> Outcome:
        """See Job; counts the imports that ended as done and failed."""
        for due in repository.list_due(1):
            ended = self.take_turn(due)
            counts = {} if ended is None else {ended: 1}
            return Outcome(1, due.lag.total_seconds(), counts)
        return Outcome()

    def take_turn(self, due: DueImport, tell: Callable[[int], None] = ignore) -> str | None:
        """Goes on with an import for a while; how it ended: done, failed, or None if not yet.

        `tell` is called with the percentage after each batch.
        """
        held = repository.claim(due.owner_id, due.id, LEASE)
        if held is None:
            return None
        try:
            if held.claimed.attempts > MOST_ATTEMPTS:
                log.error("import %s of user %s: given up", held.id, held.owner_id)
                return self._end(held, GIVEN_UP)
            for percent in self._steps(held):
                tell(percent)
        except (Unreadable, TooLarge) as error:
            return self._end(held, error.text)
        except psycopg.Error:
            self._give_back(held)
            raise
        except LeaseLostError:
            log.info("import %s of user %s: left to another worker", held.id, held.owner_id)
            return None
        return self._end(held) if self._is_done(held) else None

    def _steps(self, held: Held) -> Iterator[int]:
        """Makes batch after batch until the turn is over, and gives the import back then."""
        prepared = self._prepared(held)
        began = monotonic()
        if not prepared.steps:
            repository.write(held, (), steps=0, lease=LEASE, notes=prepared.notes)
        for batch in prepared.after(held.steps_done):
            notes = () if held.steps_done else prepared.notes
            repository.write(held, batch, steps=prepared.steps, lease=LEASE, notes=notes)
            yield 100 * held.steps_done // prepared.steps
            if monotonic() - began >= TURN and held.steps_done < prepared.steps:
                repository.set_lease(held, repository.NOW)
                return

    def _prepared(self, held: Held) -> Plan:
        """The plan of an import, which is the same at each reading of its file."""
        if self._plan is not None and self._plan[0] == held.id:
            return self._plan[1]
        claimed = held.claimed
        options = Options(now=claimed.created_at, **orjson.loads(claimed.options))
        contents = SOURCES[claimed.source].read(repository.get_file(held), options)
        self._plan = held.id, plan(contents)
        repository.set_lease(held, LEASE)
        return self._plan[1]

    def _give_back(self, held: Held) -> None:
        """Has another attempt follow soon; should the database be away, when the lease ends."""
        with suppress(psycopg.Error, LeaseLostError):
            repository.set_lease(held, RETRY)

    def _is_done(self, held: Held) -> bool:
        return self._plan is not None and held.steps_done >= self._plan[1].steps

    def _end(self, held: Held, failure: str | None = None) -> str:
        self._plan = None
        repository.finish(held, failure)
        return "done" if failure is None else "failed"
