"""The tool servers (MCP) that a request names, as each client format writes them. No I/O.

https://modelcontextprotocol.io
https://platform.openai.com/docs/guides/tools-connectors-mcp
https://docs.claude.com/en/docs/agents-and-tools/mcp-connector
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from handler.errors import Json


class NamedServer(NamedTuple):
    """A server that a request names: by the id of its record (`ref`), or by its address."""

    path: str  # of the place in the client's body
    ref: str | None = None
    url: str | None = None
    label: str | None = None
    tools: frozenset[str] | None = None  # the only tools that may be called; None: all
    excluded: frozenset[str] = frozenset()
    unattended: bool = True  # its tools may be called without asking the user


def named_servers(dialect: str, body: Json) -> list[NamedServer]:
    """Return the servers that a valid body names. dialect: `openai` for a chat, `responses`, `anthropic`."""
    reader = _READERS.get(dialect)
    return [] if reader is None else reader(body)


def without_servers(body: Json) -> Json:
    """Return a body without its tool servers, and without what only they need."""
    tools = [tool for tool in body.get("tools") or () if not _is_server_tool(tool)]
    gone = {"mcp_servers", *(() if tools else ("tools", "tool_choice"))}
    rest = {name: value for name, value in body.items() if name not in gone}
    return {**rest, "tools": tools} if tools else rest


def _is_server_tool(tool: Any) -> bool:
    return isinstance(tool, dict) and tool.get("type") in ("mcp", "mcp_toolset")


def _read_tools(body: Json) -> list[NamedServer]:
    """Read the `tools` of type `mcp` of a chat, which may have a `ref`, or of Responses."""
    tools = body.get("tools")
    if not isinstance(tools, list):
        return []
    found = [(place, tool) for place, tool in enumerate(tools) if _is_server_tool(tool)]
    return [_read_tool(f"tools[{place}]", tool) for place, tool in found]


def _read_tool(path: str, tool: Json) -> NamedServer:
    allowed, ref, url = tool.get("allowed_tools"), tool.get("ref"), tool.get("server_url")
    if isinstance(allowed, dict):  # Responses' filter; of its members only the names can be checked here
        names, by_names = allowed.get("tool_names"), allowed.keys() <= {"tool_names"}
    else:
        names, by_names = allowed, True
    if isinstance(ref, str):
        return NamedServer(f"{path}.ref", ref=ref, tools=_names(names))
    return NamedServer(
        path,
        url=url if isinstance(url, str) else None,
        label=_text(tool.get("server_label")),
        tools=_names(names),
        unattended=by_names and tool.get("require_approval") == "never",  # the default is `always`
    )


def _read_messages(body: Json) -> list[NamedServer]:
    """Read the `mcp_servers` of Messages, whose tools are chosen by a tool of type `mcp_toolset`."""
    servers, tools = body.get("mcp_servers"), body.get("tools")
    toolsets = {
        tool.get("mcp_server_name"): tool
        for tool in (tools if isinstance(tools, list) else ())
        if _is_server_tool(tool) and isinstance(tool.get("mcp_server_name"), str)
    }
    return [
        _read_server(f"mcp_servers[{place}]", server, toolsets.get(_text(server.get("name"))) or {})
        for place, server in enumerate(servers if isinstance(servers, list) else ())
        if isinstance(server, dict)
    ]


def _read_server(path: str, server: Json, toolset: Json) -> NamedServer:
    old, default = _object(server.get("tool_configuration")), _object(toolset.get("default_config"))
    enabled = {
        name: _object(config).get("enabled") for name, config in _object(toolset.get("configs")).items()
    }
    tools = _names(old.get("allowed_tools"))
    if old.get("enabled") is False or default.get("enabled") is False:
        tools = frozenset(name for name, on in enabled.items() if on is True)
    return NamedServer(
        path,
        url=_text(server.get("url")),
        label=_text(server.get("name")),
        tools=tools,
        excluded=frozenset(name for name, on in enabled.items() if on is False),
    )


def _names(value: Any) -> frozenset[str] | None:
    return frozenset(each for each in value if isinstance(each, str)) if isinstance(value, list) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


_READERS: Mapping[str, Callable[[Json], list[NamedServer]]] = {
    "openai": _read_tools,
    "responses": _read_tools,
    "anthropic": _read_messages,
}
