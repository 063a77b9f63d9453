"""`flask webhooks`: the webhooks of all accounts, for an operator."""

import click
from flask.cli import AppGroup

from app.cli.connection import connected
from app.values import Uuid, canonical_uuid
from app.webhooks import repository
from app.webhooks.repository import ListedWebhook

webhooks = AppGroup("webhooks", help="List webhooks, and disable and enable them.")


@webhooks.command("list")
@click.option("--troubled", is_flag=True, help="Only those that fail or are disabled.")
def list_webhooks(*, troubled: bool) -> None:
    """List all webhooks: owner, id, undelivered versions, state and receiver."""
    with connected(writes=False):
        for each in repository.list_all():
            if not troubled or each.failures or each.disabled_at:
                click.echo(
                    f"{each.owner_id}  {each.id}  {each.undelivered:>8}  {_state(each):20}  "
                    f"{each.host}"
                )


@webhooks.command()
@click.argument("owner_id")
@click.argument("webhook_id")
def disable(owner_id: str, webhook_id: str) -> None:
    """Disable a webhook; its owner can't enable it again."""
    _switch(owner_id, webhook_id, enabled=False)
    click.echo("disabled")


@webhooks.command()
@click.argument("owner_id")
@click.argument("webhook_id")
def enable(owner_id: str, webhook_id: str) -> None:
    """Enable a webhook, which goes on where it stopped."""
    _switch(owner_id, webhook_id, enabled=True)
    click.echo("enabled")


def _switch(owner_id: str, webhook_id: str, *, enabled: bool) -> None:
    with connected():
        repository.switch(_id(owner_id), _id(webhook_id), enabled=enabled)


def _id(text: str) -> Uuid:
    known = canonical_uuid(text)
    if known is None:
        raise click.ClickException("Both are ids, as flask webhooks list shows them.")
    return known


def _state(webhook: ListedWebhook) -> str:
    if webhook.disabled_at is not None:
        return f"disabled ({webhook.disabled_reason})"
    return f"failing ({webhook.failures})" if webhook.failures else "enabled"
