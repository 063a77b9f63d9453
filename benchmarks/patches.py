"""Patches of the application, for servers that only a benchmark uses.

A patched method leaves a file in DATA_DIR when it is replaced and another one when it is called:
a method that the service no longer calls can't look as if it cost nothing.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

LEFT_OUT = "LEFT_OUT"  # the variable that names what to patch, separated by commas
REPLACED, CALLED = ".replaced", ".called"


def left_out() -> list[str]:
    """The names in LEFT_OUT."""
    return list(filter(None, os.environ.get(LEFT_OUT, "").split(",")))


def replace(owner: type, name: str, instead: Callable[..., Any]) -> None:
    """Replaces the method; AttributeError where there is none of that name."""
    getattr(owner, name)
    stem, is_traced = f"{os.environ['DATA_DIR']}/{owner.__name__}.{name}", False
    Path(stem + REPLACED).touch()

    def replaced(*arguments: Any, **options: Any) -> Any:
        nonlocal is_traced
        if not is_traced:
            is_traced = True
            Path(stem + CALLED).touch()
        return instead(*arguments, **options)

    setattr(owner, name, replaced)


def require_calls(folder: Path) -> None:
    """RuntimeError where the service has not called a method that was replaced."""
    for path in folder.glob(f"*{REPLACED}"):
        if not path.with_suffix(CALLED).exists():
            raise RuntimeError(f"the service no longer calls {path.stem}, which a patch replaces")
