"""/api/auth: what mailed links do: verify an address, change it, and reset a password."""

from typing import cast

import orjson

from app.auth import repository
from app.auth.access import identify
from app.auth.credentials import get_credential, keyed_hashes, new_hash, prove
from app.auth.mailed_links import LinkToken, MailedLinks, Purpose, parse
from app.auth.repository import NewAddress
from app.auth.schemas import EMAIL_CHANGE, LINK, NOTHING, RESET, RESET_REQUEST, email_key
from app.errors import RateLimited, Unauthenticated, UnusableLink
from app.http.body import read_body
from app.http.dispatch import DirectBlueprint
from app.http.request import current_request, owner_id
from app.http.responses import JsonResponse, success
from app.mail.messages import Message, Messages

LOG_IN_AGAIN = "The session has ended, or never was; log in again"

blueprint = DirectBlueprint("links", __name__, url_prefix="/api/auth")
account = DirectBlueprint("account_links", __name__, url_prefix="/api/auth")
account.before_request(identify)


@account.post("/verification")
def send_verification() -> JsonResponse:
    """Mails the link that verifies the address again; an address that is verified gets none."""
    read_body(NOTHING)
    user = repository.get_user(owner_id())
    if user is None:
        raise Unauthenticated(LOG_IN_AGAIN, invalid=True)
    if user.email_verified_at is None:
        _count_mail_to(email_key(user.email))
        repository.mail_link(mailed_links().make(Purpose.VERIFY, owner_id(), user.email))
    return success(b"null", status=202)


@blueprint.post("/verification/confirm")
def confirm_verification() -> JsonResponse:
    """Verifies the address by the token of its link."""
    token = _token(read_body(LINK)["token"])
    return success(orjson.dumps(repository.verify_email(token.owner_id, token.hash)._asdict()))


@account.post("/email")
def request_email_change() -> JsonResponse:
    """Mails a link to a new address, which then becomes the account's."""
    body = read_body(EMAIL_CHANGE)
    user, new = get_credential(), NewAddress(body["email"], email_key(body["email"]))
    proof = prove(user, body["password"], "password")
    _count_mail_to(user.email_key, new.email_key)
    link = mailed_links().make(Purpose.CHANGE_EMAIL, owner_id(), new.email, new)
    if not repository.mail_proven_link(link, proof):
        raise Unauthenticated(LOG_IN_AGAIN, invalid=True)
    return success(b"null", status=202)


@blueprint.post("/email/confirm")
def confirm_email_change() -> JsonResponse:
    """Changes the address by the token of its link, and tells the old one."""
    token = _token(read_body(LINK)["token"])
    email = repository.find_link(token.owner_id, Purpose.CHANGE_EMAIL, token.hash)
    notice = _notice("email_changed", email)
    user = repository.change_email(token.owner_id, token.hash, notice)
    return success(orjson.dumps(user._asdict()))


@blueprint.post("/reset")
def request_reset() -> JsonResponse:
    """Notes that a reset is asked for; the same work whether or not there is an account."""
    key = email_key(read_body(RESET_REQUEST)["email"])
    _count_mail_to(key)
    repository.request_reset(key)
    return success(b"null", status=202)


@blueprint.post("/reset/confirm")
def confirm_reset() -> JsonResponse:
    """Replaces the password by the token of a link; every session ends."""
    body = read_body(RESET)
    token = _token(body["token"])
    email = repository.find_link(token.owner_id, Purpose.RESET, token.hash)
    notice, password_hash = _notice("password_reset", email), new_hash(body["new_password"])
    repository.reset_password(token.owner_id, token.hash, password_hash, notice)
    return success(b"null")


def mailed_links() -> MailedLinks:
    """The application's maker of mailed links."""
    return cast("MailedLinks", current_request().app.extensions["mailed_links"])


def _token(text: str) -> LinkToken:
    token = parse(text)
    if token is None:
        raise UnusableLink
    return token


def _notice(template: str, recipient: str) -> Message:
    """A mail that tells what was done, to the address that the account had before."""
    messages = cast("Messages", current_request().app.extensions["messages"])
    return messages.render(template, recipient)


def _count_mail_to(*email_keys: str) -> None:
    """Counts a mail against each address and the client's; raises RateLimited beyond the limits."""
    counters = keyed_hashes().mail_counters(email_keys, current_request().remote_addr)
    throttled = repository.count_attempt(counters)
    if throttled is not None:
        if throttled.is_first:
            repository.record_refusal(counters[-1], "throttled")
        raise RateLimited(throttled.wait)
