"""Coverage of branches at a third of its price, on Pythons whose coverage.py has to trace for it.

From Python 3.14 on, coverage.py hears of branches from `sys.monitoring`, in the files that it
measures and in no others. On 3.12 and 3.13 it falls back on `sys.settrace`, which stops at each
line of Flask, pytest and everybody: that is 14 of 15 lines, and a third of what a test costs. But
which line follows which, all that it notes, is told by `sys.monitoring` there, too.

It takes the place of coverage.py's own monitor, by names that may change with its version; where
they do, nothing is measured and `make test` fails. pyproject.toml makes it coverage.py's plugin, so
that processes which tests start measure in this way, too; PYTHONPATH tells them where it is.
"""

import sys
from types import CodeType
from typing import Any

from coverage import core, env
from coverage.sysmon import SysMonitor

IS_NEEDED = (3, 12) <= sys.version_info < (3, 14)
monitoring: Any = getattr(sys, "monitoring", None)


class StepMonitor(SysMonitor):
    """Notes each step from line to line in the measured files, as coverage.py's tracer does."""

    def start(self) -> None:
        events = monitoring.events
        self._steps: dict[int, set[Any]] = {}  # of each code that is measured
        self._codes: list[CodeType] = []  # the same ones: alive, so that their ids stay theirs
        self._lines: dict[int, int] = {}  # in which each frame is
        monitoring.use_tool_id(self.myid, "coverage.py")
        monitoring.register_callback(self.myid, events.PY_START, self._begin)
        monitoring.register_callback(self.myid, events.LINE, self._go_on)
        monitoring.register_callback(self.myid, events.PY_RETURN, self._return)
        monitoring.set_events(self.myid, events.PY_START)
        monitoring.restart_events()
        self.sysmon_on = True

    def _begin(self, code: CodeType, _offset: int) -> Any:
        """A frame begins; nothing more is heard of code that is not measured."""
        frame = sys._getframe(1)
        if id(code) not in self._steps and not self._is_measured(code, frame):
            return monitoring.DISABLE
        self._lines[id(frame)] = -code.co_firstlineno
        self._activity = True
        return None

    def _is_measured(self, code: CodeType, frame: Any) -> bool:
        found = self.should_trace_cache.get(code.co_filename)
        if found is None:
            found = self.should_trace(code.co_filename, frame)
            self.should_trace_cache[code.co_filename] = found
        if not found.trace:
            return False
        with self.lock:
            self._codes.append(code)
            self._steps[id(code)] = self.data.setdefault(str(found.source_filename), set())
            events = monitoring.events
            heard = events.PY_START | events.LINE | events.PY_RETURN
            monitoring.set_local_events(self.myid, code, heard)
        return True

    def _go_on(self, code: CodeType, line: int) -> None:
        frame, steps = id(sys._getframe(1)), self._steps.get(id(code))
        if steps is not None:
            steps.add((self._lines.get(frame, -code.co_firstlineno), line))
            self._lines[frame] = line

    def _return(self, code: CodeType, _offset: int, _value: object) -> None:
        line, steps = self._lines.pop(id(sys._getframe(1)), None), self._steps.get(id(code))
        if steps is not None and line is not None:
            steps.add((line, -code.co_firstlineno))


def coverage_init(_plugins: object, _options: object) -> None:
    """coverage.py calls this before it chooses how to measure."""
    if IS_NEEDED:
        core.SysMonitor = StepMonitor  # type: ignore[attr-defined]
        env.SYSMON_DEFAULT = env.PYBEHAVIOR.branch_right_left = True
