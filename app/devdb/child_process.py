"""Child processes that end when the process that started them ends, however that happens."""

import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def command(
    program: Sequence[str], *, death_signal: signal.Signals, user: str | None = None
) -> list[str]:
    """The command line that runs `program` as such a child, as `user` if one is named.

    On Linux the child gets `death_signal` when the *thread* that started it ends, so start it
    from one that lasts. This is a small program of its own between fork and exec because code
    run there by subprocess (`preexec_fn`) is not safe in a process that has threads.
    """
    launcher = [sys.executable, "-I", "-S", __file__]
    return [*launcher, str(os.getpid()), str(int(death_signal)), user or "", *program]


def end_with_parent(death_signal: signal.Signals) -> None:
    """Have the kernel send this process `death_signal` when its parent ends (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)


def _become(user: str) -> None:
    account = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


def _main(parent: str, death_signal: str, user: str, *program: str) -> None:
    if user:
        _become(user)
    end_with_parent(signal.Signals(int(death_signal)))  # a change of user would undo it
    if os.getppid() != int(parent):
        sys.exit(f"{program[0]}: the process that started it has ended")
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec would pass that on
    os.execv(program[0], program)


if __name__ == "__main__":
    _main(*sys.argv[1:])
