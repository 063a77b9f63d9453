"""Ownrow: a todo service in which every row has an owner, and every statement says so."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.config import Config

__version__ = "1.0.0"


def create_app(config: "Config") -> "Flask":
    """The WSGI application; connects to nothing until the pool is opened.

    A launcher of this package imports none of what that takes.
    """
    from app import assembly

    return assembly.assemble(config)
