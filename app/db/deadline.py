"""Deadlines of a thread: for each statement, and for all statements of its request together."""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic


class Deadline(threading.local):
    """How long this thread may wait for PostgreSQL; every thread has its own values."""

    default_timeout = math.inf  # seconds of one statement; set on the class, for all threads
    timeout: float | None = None  # seconds of one statement in this request, if not the default
    request_end = math.inf  # monotonic seconds

    def begin(self, seconds: float) -> None:
        """Starts a request whose statements end within `seconds` together."""
        self.request_end, self.timeout = monotonic() + seconds, None

    def extend(self, seconds: float) -> None:
        """Gives the request, if there is one, and each statement, `seconds` from now."""
        self.timeout = seconds
        if self.request_end < math.inf:
            self.request_end = monotonic() + seconds

    @contextmanager
    def allowing(self, seconds: float) -> Iterator[None]:
        """Gives each statement of the block `seconds`, as far as the request has them."""
        before, self.timeout = self.timeout, seconds
        try:
            yield
        finally:
            self.timeout = before

    def clear(self) -> None:
        """Ends the request: what follows has the default timeout alone."""
        self.request_end, self.timeout = math.inf, None

    def seconds_left(self) -> float:
        """What a statement that is sent now may take."""
        own = Deadline.default_timeout if self.timeout is None else self.timeout
        return max(0.0, min(own, self.request_end - monotonic()))

    def allows_default(self) -> bool:
        """Whether the request's end leaves a statement its default timeout."""
        return self.request_end - monotonic() >= Deadline.default_timeout


deadline = Deadline()
