"""/api/{user_id}/webhooks: reads the request, calls the repository once, answers."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

import orjson

from app.auth.access import authenticate, take_path_user
from app.auth.secrets import Secrets
from app.http.body import read_body, read_nothing
from app.http.dispatch import DirectBlueprint
from app.http.query import read_query
from app.http.request import current_request, owner_id
from app.http.responses import JsonResponse, success
from app.idempotency.repository import WriteResponse
from app.idempotency.responses import answer_once, delete_once
from app.values import Uuid, canonical_uuid, new_uuid
from app.webhooks import repository
from app.webhooks.receivers import Receivers
from app.webhooks.repository import Webhook
from app.webhooks.schemas import NEW_WEBHOOK, REPLAY, WEBHOOK_CHANGES
from app.webhooks.signing import new_secret

blueprint = DirectBlueprint("webhooks", __name__, url_prefix="/api/<user_id>/webhooks")
blueprint.url_value_preprocessor(take_path_user)
blueprint.before_request(authenticate)


@blueprint.get("")
def list_webhooks() -> JsonResponse:
    """All webhooks: there are few."""
    read_query()
    return success(orjson.dumps([_shown(each) for each in repository.list_webhooks(owner_id())]))


@blueprint.post("")
def create_webhook() -> JsonResponse:
    """Adds a webhook, and shows its secret this once."""
    body = read_body(NEW_WEBHOOK)
    _receivers().require(body["url"])
    owner, path = owner_id(), current_request().path

    def write() -> WriteResponse:
        webhook_id = new_uuid()
        sealed = _secrets().seal(owner, webhook_id, new_secret())
        made = repository.create(owner, webhook_id, secret=sealed, **body)
        return WriteResponse(201, _with_secret(made, sealed), location=f"{path}/{made.id}")

    return answer_once(write, partial(_reveal, owner))


@blueprint.get("/<item:webhook_id>")
def get_webhook(webhook_id: str) -> JsonResponse:
    """One webhook."""
    read_query()
    found = repository.get(owner_id(), canonical_uuid(webhook_id))
    return success(orjson.dumps(_shown(found)))


@blueprint.patch("/<item:webhook_id>")
def update_webhook(webhook_id: str) -> JsonResponse:
    """Changes the fields that the body names."""
    body = read_body(WEBHOOK_CHANGES)
    if "url" in body:
        _receivers().require(body["url"])
    return _answer(partial(repository.update, owner_id(), canonical_uuid(webhook_id), body))


@blueprint.delete("/<item:webhook_id>")
def delete_webhook(webhook_id: str) -> JsonResponse:
    """Deletes a webhook."""
    return delete_once(partial(repository.delete, owner_id(), canonical_uuid(webhook_id)))


@blueprint.post("/<item:webhook_id>/rotate")
def rotate_secret(webhook_id: str) -> JsonResponse:
    """Makes a new secret, and shows it this once."""
    read_nothing()
    owner, known_id = owner_id(), canonical_uuid(webhook_id)

    def write() -> WriteResponse:
        sealed = _secrets().seal(owner, known_id or new_uuid(), new_secret())
        return WriteResponse(200, _with_secret(repository.rotate(owner, known_id, sealed), sealed))

    return answer_once(write, partial(_reveal, owner))


@blueprint.post("/<item:webhook_id>/replay")
def replay_events(webhook_id: str) -> JsonResponse:
    """Delivers again what changed after a version."""
    since = read_body(REPLAY)["since"]
    return _answer(partial(repository.replay, owner_id(), canonical_uuid(webhook_id), since))


@blueprint.get("/<item:webhook_id>/attempts")
def list_attempts(webhook_id: str) -> JsonResponse:
    """The last 100 attempts."""
    read_query()
    attempts = repository.list_attempts(owner_id(), canonical_uuid(webhook_id))
    return success(orjson.dumps([attempt._asdict() for attempt in attempts]))


def _answer(change: Callable[[], Webhook]) -> JsonResponse:
    """Changes a webhook, once per Idempotency-Key."""
    return answer_once(lambda: WriteResponse(200, orjson.dumps(_shown(change()))))


def _shown(webhook: Webhook) -> Mapping[str, Any]:
    """The webhook as the API shows it."""
    return {**webhook._asdict(), "enabled": webhook.disabled_at is None}


def _with_secret(webhook: Webhook, sealed: bytes) -> bytes:
    """The response as an Idempotency-Key stores it: with the secret encrypted, as in its row."""
    return orjson.dumps({**_shown(webhook), "secret": b64encode(sealed).decode()})


def _reveal(owner: Uuid, stored: bytes) -> bytes:
    """The response as the client gets it, its secret decrypted."""
    fields = orjson.loads(stored)
    secret = _secrets().open(owner, fields["id"], b64decode(fields["secret"]))
    return orjson.dumps({**fields, "secret": secret})


def _receivers() -> Receivers:
    return cast("Receivers", current_request().app.extensions["receivers"])


def _secrets() -> Secrets:
    return cast("Secrets", current_request().app.extensions["webhook_secrets"])
