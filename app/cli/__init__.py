"""The commands of `flask`, each imported when it is run: the server needs none of them."""

from pkgutil import resolve_name

import click
from flask.cli import AppGroup

COMMANDS = {
    "audit": "app.cli.audit:audit",
    "db": "app.cli.database:database",
    "doctor": "app.cli.doctor:doctor",
    "events": "app.cli.events:events",
    "import": "app.cli.imports:import_file",
    "ledger": "app.cli.ledger:ledger",
    "seed": "app.cli.seed:seed",
    "users": "app.cli.users:users",
    "webhooks": "app.cli.webhooks:webhooks",
    "worker": "app.cli.worker:worker",
}


class Commands(AppGroup):
    """The service's commands, and any that are added to the group."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, sorted."""
        return sorted({*COMMANDS, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        command: click.Command = resolve_name(COMMANDS[cmd_name])
        return command
