"""The tools of a request's servers, as the functions that a model may call. No I/O.

The name of a function is `<id of the record>__<name of the tool>`, as far as a name may have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from handler.errors import Json
from handler.formats.chat.fields import schema
from handler.formats.validators import InvalidValue
from handler.gateway.tool_servers import ToolServer

MAX_TOOLS = 64  # of one request
LONGEST_NAME, LONGEST_DESCRIPTION = 64, 4_000  # characters
_OTHER = re.compile(r"[^A-Za-z0-9_-]")


class Tool(NamedTuple):
    """A tool of a server, and the function that stands for it."""

    server: int  # its place among the request's
    name: str  # at the server
    function: Json


class TooManyTools(Exception):
    """The servers offer more tools than a request may have."""


def make_tools(listed: Iterable[tuple[ToolServer, list[Json]]], taken: Iterable[str]) -> dict[str, Tool]:
    """Return the allowed tools by the name of their function. taken: names that they may not have.

    A tool whose schema is too large, or refers to another document, is left out. Raises TooManyTools.
    """
    tools: dict[str, Tool] = {}
    names = set(taken)
    for place, (server, offered) in enumerate(listed):
        for one in offered:
            if not server.allows(one["name"]) or not _is_sendable(one.get("inputSchema")):
                continue
            if len(tools) == MAX_TOOLS:
                raise TooManyTools
            name = _unique(f"{server.record.id}__{one['name']}", names)
            names.add(name)
            function = {"name": name, "parameters": one["inputSchema"]}
            if description := one.get("description"):
                function["description"] = description[:LONGEST_DESCRIPTION]
            tools[name] = Tool(place, one["name"], {"type": "function", "function": function})
    return tools


def own_names(body: Json) -> Iterator[str]:
    """Yield the names of the tools that a chat's client runs."""
    for tool in body.get("tools") or ():
        inner = tool.get(tool.get("type"))
        if isinstance(inner, dict) and isinstance(inner.get("name"), str):
            yield inner["name"]


def _is_sendable(value: object) -> bool:
    try:
        schema(value)
    except InvalidValue:
        return False
    return True


def _unique(name: str, taken: set[str]) -> str:
    plain = candidate = _OTHER.sub("_", name)[:LONGEST_NAME]
    number = 1
    while candidate in taken:  # at most as often as there are names
        number += 1
        candidate = f"{plain[: LONGEST_NAME - 4]}_{number}"
    return candidate
