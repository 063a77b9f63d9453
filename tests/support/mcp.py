"""An assistant: calls the tools of /mcp, and checks each answer against the protocol's schemas."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema_rs
from mcp_types import jsonrpc
from mcp_types.methods import validate_server_result
from werkzeug.test import TestResponse

from app.mcp.tools import TOOLS
from tests.support.api_user import ApiUser

MODERN = "2026-07-28"
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"


def headers(method: str, params: Mapping[str, Any], version: str = MODERN) -> dict[str, str]:
    """The headers that repeat what the body says; of older versions one only."""
    sent = {"MCP-Protocol-Version": version}
    if version == MODERN:
        sent["Mcp-Method"] = method
        if method == "tools/call":
            sent["Mcp-Name"] = params["name"]
    return sent


def message(method: str, params: Mapping[str, Any], version: str = MODERN) -> dict[str, Any]:
    """A request of that version."""
    meta = {"_meta": {VERSION_KEY: version, CAPABILITIES_KEY: {}}} if version == MODERN else {}
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": {**params, **meta}}


@dataclass(frozen=True)
class Assistant:
    """What a user's assistant does with its token."""

    user: ApiUser
    version: str = MODERN

    def send(self, method: str, **params: Any) -> TestResponse:
        """Sends a request; checks the shape of the answer."""
        answer = self.user.call(
            "POST",
            "/mcp",
            headers=headers(method, params, self.version),
            json=message(method, params, self.version),
        )
        if answer.status_code == 200:
            validate_server_result(method, self.version, answer.get_json()["result"])
        elif answer.get_json().get("jsonrpc"):
            jsonrpc.JSONRPCError.model_validate(answer.json)
        return answer

    def result(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a request."""
        answer = self.send(method, **params)
        assert answer.status_code == 200, answer.text
        body = answer.get_json()
        assert body["id"] == 7
        return dict(body["result"])

    def tools(self) -> dict[str, dict[str, Any]]:
        """The tools that the assistant sees, by name."""
        return {tool["name"]: tool for tool in self.result("tools/list")["tools"]}

    def call(self, name: str, **arguments: Any) -> Any:
        """What a tool returns; its schema must describe both sides."""
        input_schema(name).validate(arguments)
        found = self.result("tools/call", name=name, arguments=arguments)
        assert found["isError"] is False, found
        output_schema(name).validate(found["structuredContent"])
        return found["structuredContent"]

    def refusal(self, name: str, **arguments: Any) -> str:
        """The text by which a tool says that it could not do it."""
        found = self.result("tools/call", name=name, arguments=arguments)
        assert found["isError"] is True, found
        assert "structuredContent" not in found
        (content,) = found["content"]
        return str(content["text"])


@cache
def input_schema(name: str) -> jsonschema_rs.Draft202012Validator:
    """A validator of what a tool takes."""
    return jsonschema_rs.Draft202012Validator(dict(TOOLS[name].input_schema))


@cache
def output_schema(name: str) -> jsonschema_rs.Draft202012Validator:
    """A validator of what a tool returns."""
    return jsonschema_rs.Draft202012Validator(dict(TOOLS[name].output_schema))
