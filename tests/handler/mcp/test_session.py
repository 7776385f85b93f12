"""Sessions with a server of the official library, in both generations of the protocol."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from handler.upstream.client import Client, Stopwatch
from handler.upstream.httpx_transport import HttpxTransport
from tests.support.tool_servers import Web
from tests.support.virtual_clock import clock

URL = "http://tools/mcp"


def official(**how: Any) -> Any:
    """An ASGI app that has two tools."""
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("official")

    async def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    async def fail() -> str:
        raise ValueError("no such city")

    for tool in (add, fail):
        server.tool()(tool)
    return server.streamable_http_app(host="tools", **how)


class Generation:
    """A host that is the app; an old one does not know `server/discover`."""

    def __init__(self, app: Any, *, old: bool) -> None:
        self._transport = httpx.ASGITransport(app)
        self._old = old
        self.methods: list[str] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        method = json.loads(await request.aread())["method"] if request.method == "POST" else request.method
        self.methods.append(method)
        if self._old and method == "server/discover":
            return httpx.Response(404, stream=httpx.ByteStream(b""))
        return await self._transport.handle_async_request(request)


@asynccontextmanager
async def opened(host: Any) -> AsyncIterator[Any]:
    from handler.mcp.session import Session
    from handler.mcp.transport import ServerTransport

    client = Client(HttpxTransport(Web({"tools": host})), private_ok=True)
    transport = ServerTransport(client, credential=None, stopwatch=Stopwatch(clock), deadline=float("inf"))
    session = Session(URL, transport)
    try:
        yield session
    finally:
        await session.aclose()


@pytest.mark.parametrize("old", [True, False], ids=["a handshake", "no handshake"])
@pytest.mark.parametrize("json_response", [True, False], ids=["answers of JSON", "answers of events"])
@pytest.mark.parametrize("stateless", [True, False], ids=["without sessions", "with sessions"])
async def test_tools_are_listed_and_called(old: bool, json_response: bool, stateless: bool) -> None:
    app = official(json_response=json_response, stateless_http=stateless)
    host = Generation(app, old=old)
    async with app.router.lifespan_context(app), opened(host) as session:
        tools = await session.tools()
        assert [each["name"] for each in tools] == ["add", "fail"]
        assert tools[0]["inputSchema"]["required"] == ["a", "b"]
        result = await session.call("add", {"a": 1, "b": 2})
        assert result["content"] == [{"type": "text", "text": "3"}]
        failed = await session.call("fail", {})
        assert failed["isError"] is True
        assert "Error executing tool fail" in failed["content"][0]["text"]
    assert ("initialize" in host.methods) is old
    assert host.methods.count("DELETE") == (old and not stateless), "the server is told that the session ends"


async def test_a_session_that_is_closed_at_once_leaves_nothing() -> None:
    import asyncio

    async def hang(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(1e6)
        raise AssertionError

    began = clock()
    async with opened(hang):
        pass
    assert clock() - began < 6
    assert len(asyncio.all_tasks()) == 1


def test_the_library_is_not_imported_before_the_first_server() -> None:
    import subprocess
    import sys
    from pathlib import Path

    program = "import sys, handler.main; print({'mcp', 'httpx2', 'handler.mcp'} & sys.modules.keys())"
    root = Path(__file__).parents[3]
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert result.stdout == "set()\n"
