"""The protocol's own Python client on a real server, in each of its modes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from tests.support.remote_user import RemoteUser, sign_up
from tests.support.server import Server, serving

MODES = ("auto", "legacy", "2026-07-28")
CLIENTS, CALLS = 20, 5


@asynccontextmanager
async def client(user: RemoteUser, mode: str, token: str | None = None) -> AsyncIterator[Client]:
    """A client with the user's access token, or another one; each request on a new connection."""
    sent = {"Authorization": f"Bearer {token or user.access_token}"}
    limits = httpx2.Limits(max_keepalive_connections=0)
    async with (
        httpx2.AsyncClient(headers=sent, limits=limits, timeout=30) as http,
        Client(
            streamable_http_client(f"{user.server.url}/mcp", http_client=http), mode=mode
        ) as connected,
    ):
        yield connected


async def called(connected: Client, name: str, **arguments: Any) -> dict[str, Any]:
    """What a tool returns; the client validates it by the tool's schema."""
    result = await connected.call_tool(name, arguments)
    assert isinstance(result, types.CallToolResult)
    assert not result.is_error, result.content
    found: dict[str, Any] = result.structured_content
    return found


@pytest.mark.proves("MCP-15")
@pytest.mark.parametrize("mode", MODES)
def test_the_official_client_works_in_each_of_its_modes(server: Server, mode: str) -> None:
    user = sign_up(server)

    async def converse() -> None:
        async with client(user, mode) as connected:
            wanted = "2025-11-25" if mode == "legacy" else "2026-07-28"
            assert connected.protocol_version == wanted
            tools = (await connected.list_tools()).tools
            assert [tools[0].name, tools[-1].name, len(tools)] == [
                "list_tasks",
                "changes_since",
                12,
            ]
            made = await called(connected, "create_task", title="Grüße 😀", labels=["a"])
            page = await called(connected, "list_tasks", q="grüsse")
            assert page["tasks"] == [made]
            changes = await called(connected, "changes_since")
            assert [each["kind"] for each in changes["changes"]] == ["label", "task"]
            await called(connected, "delete_task", id=made["id"])
            missing = await connected.call_tool("get_task", {"id": made["id"]})
            assert missing.is_error
            with pytest.raises(MCPError) as unknown:
                await connected.call_tool("no_such_tool", {})
            assert unknown.value.code == -32602

    asyncio.run(converse())


@pytest.mark.proves("MCP-15", "MCP-13")
@pytest.mark.parametrize("mode", MODES)
def test_the_official_client_with_a_token_that_only_reads(server: Server, mode: str) -> None:
    user = sign_up(server)
    body = {"name": "reader", "scopes": ["tasks:read"]}
    token = server.request("POST", "/api/auth/tokens", body, user.authorization).json["data"][
        "token"
    ]

    async def read() -> list[str]:
        async with client(user, mode, token) as connected:
            with pytest.raises(MCPError):
                await connected.call_tool("create_task", {"title": "never made"})
            assert (await called(connected, "list_tasks"))["tasks"] == []
            return [tool.name for tool in (await connected.list_tools()).tools]

    assert "create_task" not in asyncio.run(read())


@pytest.mark.slow
@pytest.mark.proves("MCP-16")
def test_a_hundred_calls_at_once_on_four_processes_without_stickiness(
    served_database_url: str, tmp_path: Path
) -> None:
    with serving(served_database_url, tmp_path, WEB_CONCURRENCY="4") as server:
        user = sign_up(server)

        async def work(number: int) -> list[str]:
            async with client(user, "legacy") as connected:
                calls = (
                    called(connected, "create_task", title=f"{number}.{each}")
                    for each in range(CALLS)
                )
                return [task["id"] for task in await asyncio.gather(*calls)]

        async def work_all() -> list[list[str]]:
            return await asyncio.gather(*(work(number) for number in range(CLIENTS)))

        made = {each for ids in asyncio.run(work_all()) for each in ids}
        assert len(made) == CLIENTS * CALLS
        listed = user.get("/tasks?limit=200").json["data"]
    assert {task["id"] for task in listed} == made
    assert sorted(task["version"] for task in listed) == list(range(1, CLIENTS * CALLS + 1))
