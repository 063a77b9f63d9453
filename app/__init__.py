"""Ownrow: a todo service in which every row has an owner, and every statement names it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.config import Config

__version__ = "1.0.0"


def create_app(config: "Config") -> "Flask":
    """The WSGI application (PEP 3333); it connects to nothing before the first request.

    Importing this package alone imports none of the application: launchers start quickly.
    """
    from app import factory

    return factory.create_app(config)
