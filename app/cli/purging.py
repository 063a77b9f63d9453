"""The job that purges by TRASH_DAYS: it runs `flask ledger purge`, which has other rights."""

import logging
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from app.worker.jobs import Outcome

ROOT = Path(__file__).resolve().parents[2]
PAUSE = 3600.0  # seconds from the end of one purge to the next
WAIT = 1.0  # seconds that a run of the job waits for the command
END_TIMEOUT = 5.0  # seconds that the command has after SIGTERM

log = logging.getLogger(__name__)


class PurgeError(Exception):
    """The command failed; says why in the command's words."""


class Purging:
    """Purges once an hour, in a process of its own.

    The service's role may not remove entries of a ledger. The command connects to
    MIGRATION_DATABASE_URL, as it does by hand.
    """

    name = "purge"

    def __init__(self, days: int) -> None:
        """`days` is the age of what is purged."""
        self._command = (
            *(sys.executable, "-m", "flask", "--app", "wsgi"),
            *("ledger", "purge", "--older-than", f"{days}d"),
        )
        self._next_at = 0.0  # monotonic seconds
        self._process: subprocess.Popen[str] | None = None

    def run_once(self) -> Outcome:
        """See Job; counts purges. Raises PurgeError."""
        if self._process is None:
            if time.monotonic() < self._next_at:
                return Outcome()
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        try:
            output, errors = self._process.communicate(timeout=WAIT)
        except subprocess.TimeoutExpired:
            return Outcome(is_under_way=True)
        status, self._process = self._process.returncode, None
        if status:
            raise PurgeError(errors.strip() or f"flask ledger purge ended with status {status}")
        self._next_at = time.monotonic() + PAUSE
        log.info("purge: %s", output.strip())
        return Outcome(0, counts={"done": 1})

    def end(self) -> None:
        """See EndingJob; the next purge goes on where this one was."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=END_TIMEOUT)
