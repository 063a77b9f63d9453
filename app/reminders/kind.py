"""Reminders that fired or were missed as one of the kinds of items, which only the worker makes."""

from app.ledger.kinds import Kind
from app.reminders import repository

REMINDER = Kind(
    name=repository.KIND,
    plural="reminders",
    operations={},
    export=None,
    empty_trash=repository.DELETE_PRUNED,
)
