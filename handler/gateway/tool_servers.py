"""The tool servers of a request: the `mcp` records of those that it names.

Sluice runs the tools of a server only if a record allows it. A request in another format may name other
servers, for its format's own provider; a chat too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from handler.errors import InvalidRequest, Json
from handler.formats.chat.request import Chat
from handler.formats.tool_servers import NamedServer, named_servers, without_servers
from handler.wire.splice import dump
from rules import Facts, McpRecord, RuleSet, compile_pattern, server_by_address, server_by_id

MAX_SERVERS = 8  # of one request


class ToolServer(NamedTuple):
    """A server whose tools Sluice runs for a request."""

    record: McpRecord
    named: NamedServer

    def allows(self, tool: str) -> bool:
        """Return True if the record and the request allow a tool."""
        patterns, named = self.record.tools, self.named
        by_record = patterns is None or any(compile_pattern(pattern)(tool) for pattern in patterns)
        by_request = named.tools is None or tool in named.tools
        return by_record and by_request and tool not in named.excluded

    def explain(self) -> Json:
        """Return what an explanation shows of it: never the address."""
        named, record = self.named.tools, self.record.tools
        allowed = record if named is None else sorted(named)
        return {"id": self.record.id, "tools": None if allowed is None else list(allowed)}


def tool_servers(
    chat: Chat, facts: Facts, ruleset: RuleSet, parse: Callable[[bytes], Chat]
) -> tuple[Chat, tuple[ToolServer, ...]]:
    """Return the servers whose tools Sluice runs, and the chat, which names no other servers then.

    parse: reads a body in the client's format. Raises InvalidRequest for a server that no record allows, if
    Sluice would have to run its tools.
    """
    body = chat.native.body if chat.native else chat.body
    named = named_servers(chat.native.dialect if chat.native else "openai", body)
    found = [(server, _record(server, facts, ruleset)) for server in named]
    servers = tuple(ToolServer(record, server) for server, record in found if record is not None)
    foreign = [server for server, record in found if record is None]
    unknown = next((server for server in foreign if server.ref is not None), None)
    if unknown or (foreign and servers):
        raise _not_allowed(unknown or foreign[0])
    if not servers:
        return chat, ()
    _check(chat, servers)
    if chat.native is not None:  # what is left is translated to a chat
        chat = parse(dump(without_servers(body)).encode())
        own = [{"type": "mcp", "ref": server.record.id} for server in servers]
        chat = chat.replaced(body={**chat.body, "tools": [*(chat.body.get("tools") or ()), *own]})
    return chat, servers


def _record(server: NamedServer, facts: Facts, ruleset: RuleSet) -> McpRecord | None:
    if server.ref is not None:
        return server_by_id(ruleset, facts, server.ref)
    if not server.unattended:
        return None
    if server.url is not None:
        return server_by_address(ruleset, facts, server.url, server.label)
    return server_by_id(ruleset, facts, server.label) if server.label else None


def _check(chat: Chat, servers: tuple[ToolServer, ...]) -> None:
    """Raise InvalidRequest for servers that cannot be used together, or with another part of the chat."""
    ids = [server.record.id for server in servers]
    twice = next((server for place, server in enumerate(servers) if server.record.id in ids[:place]), None)
    if twice is not None:
        problem = "names a server that is named before"
        raise InvalidRequest(f"{twice.named.path}: {problem}", param=twice.named.path)
    if len(servers) > MAX_SERVERS:
        problem = f"expected at most {MAX_SERVERS} tool servers, got {len(servers)}"
        raise InvalidRequest(f"tools: {problem}", param="tools")
    if chat.n > 1 or chat.legacy:
        param = "n" if chat.n > 1 else "functions"
        problem = "cannot be combined with tool servers (tools of type `mcp`)"
        raise InvalidRequest(f"{param}: {problem}", code="unsupported_parameter", param=param)


def _not_allowed(server: NamedServer) -> InvalidRequest:
    problem = "this key may use no `mcp` record of that id" if server.ref is not None else _NO_RECORD
    return InvalidRequest(f"{server.path}: {problem}", param=server.path)


_NO_RECORD = (
    "no `mcp` record that this key may use has this address, or the user has to approve calls"
    " (`require_approval`), so it cannot be combined with the other servers"
)
