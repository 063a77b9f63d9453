"""The commands of `flask`, each loaded when it is asked for: the server needs none of them."""

from pkgutil import resolve_name

import click
from flask.cli import AppGroup

PLACES = {
    "audit": "app.audit.cli:audit",
    "db": "app.cli:database",
    "doctor": "app.operations.cli:doctor",
    "ledger": "app.tasks.cli:ledger",
    "seed": "app.operations.cli:seed",
    "tasks": "app.tasks.cli:tasks",
    "users": "app.auth.cli:users",
}


class Commands(AppGroup):
    """What `flask` finds in the application: the service's own, and any that is added to it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*PLACES, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in PLACES:
            return super().get_command(ctx, cmd_name)
        command: click.Command = resolve_name(PLACES[cmd_name])
        return command
