"""The tool servers of one request: their sessions, their tools, and the calls of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from handler.errors import GatewayError, Json, Unavailable, UpstreamError
from handler.gateway.lifecycle import Gateway
from handler.gateway.tool_servers import ToolServer
from handler.mcp.messages import arguments_of, name_of, result_message
from handler.mcp.results import result_text
from handler.mcp.toolbox import MAX_TOOLS, Tool, TooManyTools, make_tools, own_names
from handler.providers.credential_hosts import may_be_sent
from handler.upstream.client import Stopwatch
from rules import McpRecord

if TYPE_CHECKING:
    from handler.mcp.session import Session

MAX_CALLS = 16  # of one answer
MAX_RESULTS = 1_000_000  # characters of all results of one request


class Servers:
    """Sessions with servers until a deadline, on the gateway's clock."""

    def __init__(self, gateway: Gateway, servers: tuple[ToolServer, ...], deadline: float) -> None:
        self._gateway = gateway
        self._servers = servers
        self._deadline = deadline
        self._sessions: list[Session] = []
        self._left = MAX_RESULTS
        self.tools: dict[str, Tool] = {}  # by the name of the function

    @property
    def functions(self) -> list[Json]:
        """The tools as the functions of a chat."""
        return [tool.function for tool in self.tools.values()]

    async def open(self, body: Json) -> None:
        """Open the sessions, and list the tools. body: the client's. Raises GatewayError."""
        self._sessions = [self._session(server.record) for server in self._servers]
        listing = (session.tools() for session in self._sessions)
        listed = await asyncio.gather(*listing, return_exceptions=True)
        offers: list[tuple[ToolServer, list[Json]]] = []
        for server, found in zip(self._servers, listed, strict=True):
            if isinstance(found, BaseException):
                raise _failed(server.record, self._without_secret(server.record, str(found))) from found
            offers.append((server, found))
        try:
            self.tools = make_tools(offers, own_names(body))
        except TooManyTools as error:
            ids = ", ".join(server.record.id for server in self._servers)
            problem = f"more than {MAX_TOOLS} tools; name those that may be called in `tools`"
            raise UpstreamError(f"The tool servers {ids} offer {problem}.", failure_class="server") from error

    async def run(self, calls: list[Json]) -> list[Json]:
        """Run calls at the same time, and return the messages with their results."""
        texts = await asyncio.gather(*(self._run(call) for call in calls[:MAX_CALLS]))
        texts += [f"Error: not run, at most {MAX_CALLS} calls at once"] * (len(calls) - len(texts))
        return [result_message(call, text) for call, text in zip(calls, map(self._take, texts), strict=True)]

    async def aclose(self) -> None:
        sessions, self._sessions = self._sessions, []
        await asyncio.gather(*(session.aclose() for session in sessions))

    async def _run(self, call: Json) -> str:
        """Return the result of a call as text. A failure is a result too, so that the model can go on."""
        from handler.mcp.session import ToolServerError

        tool, arguments = self.tools[name_of(call)], arguments_of(call)
        if arguments is None:
            return "Error: the arguments are not a JSON object"
        try:
            text = result_text(await self._sessions[tool.server].call(tool.name, arguments))
        except ToolServerError as error:
            text = f"Error: {error}"
        return self._without_secret(self._servers[tool.server].record, text)

    def _take(self, text: str) -> str:
        """Return as much of a result as the request may still have."""
        taken = text if len(text) <= self._left else f"{text[: self._left]}\n[cut: the results are too long]"
        self._left = max(0, self._left - len(text))
        return taken

    def _session(self, record: McpRecord) -> Session:
        from handler.mcp.session import Session  # imports the library
        from handler.mcp.transport import ServerTransport

        client = self._gateway.relay.services.client
        if not (record.url.startswith("https://") or client.private_ok):
            raise _failed(record, "its address is not https")
        transport = ServerTransport(
            client,
            credential=self._credential(record),
            stopwatch=Stopwatch(self._gateway.clock),
            deadline=self._deadline,
        )
        return Session(record.url, transport)

    def _credential(self, record: McpRecord) -> str | None:
        if record.credential is None:
            return None
        if not may_be_sent(record.credential, record.url):
            raise _failed(record, f"{record.credential} may not be sent to its address")
        credentials = self._gateway.policies.credentials
        if (value := credentials.get(record.credential)) is None:
            raise Unavailable(
                f"The tool server {record.id}: {credentials.missing(record.credential)}.",
                retry_after=credentials.retry_after,
            )
        return value

    def _without_secret(self, record: McpRecord, text: str) -> str:
        secret = self._credential(record)
        return text.replace(secret, "[redacted]") if secret else text


def _failed(record: McpRecord, problem: object) -> GatewayError:
    return UpstreamError(f"The tool server {record.id}: {problem}.", failure_class="server")
