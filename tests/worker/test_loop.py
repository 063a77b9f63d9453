"""The loop: jobs in turn, failures that stay with their job, and an end at a signal."""

import os
import signal
import threading
import time

import psycopg
import pytest

from app.worker.jobs import Outcome
from app.worker.loop import Loop
from app.worker.state import State
from tests.support.processes import until


class Countdown:
    """A job with a number of things to do, of which each run does one."""

    def __init__(self, name: str, left: int, lag: float = 0.0) -> None:
        self.name, self.left, self.lag = name, left, lag
        self.runs = 0

    def run_once(self) -> Outcome:
        self.runs += 1
        if not self.left:
            return Outcome()
        self.left -= 1
        return Outcome(1, self.lag, {"done": 1})


class Failing(Countdown):
    """A job that fails until it is mended."""

    error: Exception | None = RuntimeError("it is broken, says ann@example.com")

    def run_once(self) -> Outcome:
        if self.error is not None:
            self.runs += 1
            raise self.error
        return super().run_once()


def loop_of(*jobs: Countdown) -> tuple[Loop, State]:
    state = State([job.name for job in jobs])
    return Loop(jobs, state), state


@pytest.mark.proves("WORKER-2")
def test_jobs_are_called_until_none_has_anything_to_do() -> None:
    one, two = Countdown("one", 3), Countdown("two", 5)
    loop, state = loop_of(one, two)
    loop.run_until_idle()
    assert (one.left, two.left) == (0, 0)
    assert one.runs == two.runs == 6
    metrics = state.metrics().decode()
    assert 'ownrow_worker_results_total{job="two",result="done"} 5.0' in metrics


@pytest.mark.proves("WORKER-2")
def test_a_job_that_fails_rests_and_leaves_the_others_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failing, other = Failing("failing", 1), Countdown("other", 3)
    loop, state = loop_of(failing, other)
    loop.run_until_idle()
    assert (other.left, failing.runs) == (0, 1)
    assert "failing: failed; trying again in 1 s" in caplog.text
    assert 'ownrow_worker_errors_total{job="failing"} 1.0' in state.metrics().decode()


@pytest.mark.proves("WORKER-2")
def test_a_job_that_goes_on_failing_rests_for_longer_each_time(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Failing("failing", 1)
    loop, state = loop_of(failing)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in range(8):
        loop.call_once(failing)
        now += 31
    pauses = [record.args[-1] for record in caplog.records if isinstance(record.args, tuple)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    failing.error = None
    caplog.set_level("INFO")
    assert loop.call_once(failing)
    assert "failing: goes on after 8 failures" in caplog.text
    assert state.lag("failing") == 0


@pytest.mark.proves("WORKER-2")
def test_a_job_whose_database_is_away_is_called_each_second_and_logged_less_and_less(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Failing("failing", 1)
    failing.error = psycopg.OperationalError("connection refused at secret.example.com")
    loop, _ = loop_of(failing)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in range(60):
        loop.call_once(failing)
        now += 1
    assert failing.runs == 60
    assert len(caplog.records) == 6
    assert "the connection is refused" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.proves("WORKER-4")
def test_the_lag_of_a_failing_job_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Failing("failing", 1)
    late = Countdown("late", 1, lag=7.5)
    loop, state = loop_of(failing, late)
    for job in (failing, late):
        loop.call_once(job)
    assert state.lag("late") == 7.5
    later = time.monotonic() + 100
    monkeypatch.setattr("app.worker.state.monotonic", lambda: later)
    assert 100 <= state.lag("failing") < 101
    assert state.worst_lag == 100


@pytest.mark.proves("WORKER-3")
def test_a_loop_that_hangs_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    _, state = loop_of(Countdown("one", 0), Countdown("two", 0))
    assert is_alive(state) is True
    later = time.monotonic() + 121
    monkeypatch.setattr("app.worker.state.monotonic", lambda: later)
    state.note_round("one")
    assert is_alive(state) is False
    state.note_round("two")
    assert is_alive(state) is True


def is_alive(state: State) -> bool:
    return state.is_alive


class Stuck(Countdown):
    """A job whose run does not end by itself, and that tells when it has begun."""

    def __init__(self) -> None:
        super().__init__("stuck", 1)
        self.has_begun, self.is_released = threading.Event(), threading.Event()

    def run_once(self) -> Outcome:
        self.has_begun.set()
        self.is_released.wait(60)
        return Outcome()


@pytest.mark.proves("WORKER-2", "WORKER-5")
def test_a_step_that_does_not_end_holds_up_no_other_job_and_not_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.worker.loop.STOP_TIMEOUT", 0.2)
    stuck, other = Stuck(), Countdown("other", 100)
    loop, _ = loop_of(stuck, other)
    before = signal.getsignal(signal.SIGTERM)

    def terminate() -> None:
        stuck.has_begun.wait(30)
        until(lambda: other.left == 0)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=terminate)
    thread.start()
    loop.run_forever()
    thread.join()
    stuck.is_released.set()
    assert other.left == 0
    assert "stuck: given up" in caplog.text
    assert "other: given up" not in caplog.text
    assert signal.getsignal(signal.SIGTERM) is before


class UnderWay(Failing):
    """A job that fails in its second call, which is the same run as the first."""

    def run_once(self) -> Outcome:
        if self.error is not None and self.runs % 2 == 0:
            self.runs += 1
            return Outcome(is_under_way=True)
        return super().run_once()


@pytest.mark.proves("WORKER-2")
def test_a_run_that_is_under_way_is_no_success(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    job = UnderWay("long", 1)
    loop, _ = loop_of(job)
    until(lambda: loop.call_once(job) is False and job.runs >= 4, 10)
    assert "long: failed; trying again in 2 s" in caplog.text
    assert "goes on" not in caplog.text
    job.error = None
    until(lambda: loop.call_once(job), 10)
    assert "long: goes on after 2 failures" in caplog.text
