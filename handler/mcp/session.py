"""A session with one tool server, through the `mcp` library, which is imported when one is first needed.

https://modelcontextprotocol.io/specification
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import httpx2
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    PaginatedRequestParams,
)

from handler import __version__
from handler.errors import Json
from handler.mcp.transport import ANSWER, CALL, MAX_BYTES, ServerTransport
from handler.redact import redact

OPEN, CLOSE = 2 * ANSWER, 2.0  # seconds; OPEN: to agree on a version, and to list the tools
MAX_PAGES = 16  # of a list of tools
MAX_LISTED = 1_000  # tools in it: reading one takes some 50 microseconds
LONGEST_PROBLEM = 300  # characters of a server's own words

for _name in ("mcp", "client", "httpx2"):  # they log parts of what servers answer
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


class ToolServerError(Exception):
    """A server did not do what it was asked. The message has no address and no credential."""


class Session:
    """A session, which a task of its own keeps open, so that its end never cancels the caller's task."""

    def __init__(self, url: str, transport: ServerTransport) -> None:
        self._url = url
        self._transport = transport
        self._closing = asyncio.Event()
        self._opened: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run())

    async def tools(self) -> list[Json]:
        """Open the session, and list all tools of the server. Raises ToolServerError."""
        listed: list[Json] = await _bounded(self._list_tools(), OPEN)
        return listed

    async def call(self, tool: str, arguments: Json) -> Json:
        """Call a tool and return its result, as the protocol has it. Raises ToolServerError."""
        session = self._opened.result()
        params = CallToolRequestParams(name=tool, arguments=arguments)
        # Not `call_tool`, which validates the result with a schema of the server: that can take for ever.
        asking = session.send_request(CallToolRequest(params=params), CallToolResult)
        return _plain(await _bounded(asking, CALL + 1))

    async def aclose(self) -> None:
        """End the session, and tell the server so. A server that hangs is left after CLOSE seconds."""
        self._closing.set()
        if self._opened.done():
            await asyncio.wait({self._task}, timeout=CLOSE + 1)
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=CLOSE)

    async def _list_tools(self) -> list[Json]:
        session, tools, cursor = await asyncio.shield(self._opened), list[Json](), None
        for _ in range(MAX_PAGES):
            page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor) if cursor else None)
            if len(tools) + len(page.tools) > MAX_LISTED:
                raise ToolServerError(f"its list has more than {MAX_LISTED} tools")
            tools += map(_plain, page.tools)
            cursor = page.next_cursor
            if not cursor:
                return tools
        raise ToolServerError(f"its list of tools has more than {MAX_PAGES} pages")

    async def _run(self) -> None:
        try:
            async with (
                httpx2.AsyncClient(transport=self._transport, timeout=None, trust_env=False) as http,
                streamable_http_client(self._url, http_client=http, max_sse_event_size=MAX_BYTES) as streams,
                ClientSession(
                    *streams, client_info=Implementation(name="sluice", version=__version__)
                ) as session,
            ):
                await _negotiate(session)
                self._opened.set_result(session)
                await self._closing.wait()
        except BaseException as error:
            if not self._opened.done():
                self._opened.set_exception(ToolServerError(_words(error)))
                self._opened.exception()  # it may never be awaited
            if isinstance(error, asyncio.CancelledError):
                raise


async def _negotiate(session: ClientSession) -> None:
    """Agree on a version: a current server has `server/discover`, an older one a handshake."""
    try:
        await session.discover()
    except (MCPError, RuntimeError, ValueError):  # ValueError: an answer that is not one of the protocol
        await session.initialize()


async def _bounded(asking: Any, seconds: float) -> Any:
    try:
        async with asyncio.timeout(seconds):
            return await asking
    except ToolServerError:
        raise
    except TimeoutError as error:
        raise ToolServerError("it took too long") from error
    except Exception as error:
        raise ToolServerError(_words(error)) from error


def _plain(model: Any) -> Json:
    plain: Json = model.model_dump(by_alias=True, mode="json", exclude_none=True)
    return plain


def _words(error: BaseException) -> str:
    """Return what to say about an exception of the library: of its own errors the message."""
    if isinstance(error, BaseExceptionGroup):
        return _words(error.exceptions[0])
    if isinstance(error, MCPError):
        return redact(error.message, limit=LONGEST_PROBLEM) or "it answered with an error"
    return "its answer is not one of a tool server"
