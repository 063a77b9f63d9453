"""POST /mcp: tools for assistants, by the Model Context Protocol."""

from typing import cast

from app.auth.access import authenticate
from app.config import Config
from app.errors import Forbidden
from app.http.dispatch import DirectBlueprint
from app.http.request import current_request
from app.http.responses import JsonResponse
from app.mcp.protocol import answer_message


def refuse_foreign_origin() -> None:
    """Pages of other sites may not call, by whatever name they reach this server.

    Its own name is that of PUBLIC_URL: a Host header says what a page was told (DNS rebinding).
    """
    request = current_request()
    settings = cast("Config", request.app.extensions["settings"])
    if request.header("ORIGIN") not in (None, settings.public_url, *settings.cors_origins):
        raise Forbidden("Pages of that origin may not call this address")


blueprint = DirectBlueprint("mcp", __name__, url_prefix="/mcp")
blueprint.before_request(authenticate)
blueprint.before_request(refuse_foreign_origin)


@blueprint.post("")
def answer() -> JsonResponse:
    """Answers a JSON-RPC message."""
    return answer_message()
