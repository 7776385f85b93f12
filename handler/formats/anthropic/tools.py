"""Converts tools, the choice of a tool and the ids of calls between Messages and chat.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use, .../tool-search-tool
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from handler.errors import Json
from handler.formats.anthropic.content import Losses, quoted
from handler.formats.chat.fields import with_properties

TOOL_SEARCH = "tool_search_tool"  # the beginning of its types, and of the name that it is called by
_VALID_ID = re.compile(r"[a-zA-Z0-9_-]+")
_ENCODED_ID = "sluice_"  # before the base64 of an id with other characters
_CHOICES: Mapping[str, str] = {"auto": "auto", "any": "required", "none": "none"}


def chat_tools(body: Json, losses: Losses) -> Json:
    """Return `tools`, `tool_choice` and `parallel_tool_calls` of the chat, as far as the request has them."""
    found = [_tool(tool, f"tools[{index}]", losses) for index, tool in enumerate(body.get("tools") or ())]
    tools = _change_tools([tool for tool in found if tool], body["messages"], losses)
    choice = body.get("tool_choice") or {}
    chat: Json = {"tools": tools} if tools else {}
    if choice:
        named = {"type": "function", "function": {"name": choice.get("name")}}
        chat["tool_choice"] = _CHOICES.get(choice["type"], named)
    if choice.get("disable_parallel_tool_use"):
        chat["parallel_tool_calls"] = False
    return chat


def _tool(tool: Json, where: str, losses: Losses) -> Json | None:
    """Return the function of a tool of the client's own; None for a tool of Anthropic's.

    A search for tools is not needed, because the chat has all tools, deferred ones too.
    """
    kind = tool.get("type") or "custom"
    if kind != "custom":
        if kind.startswith(TOOL_SEARCH):
            losses.drop("tools.tool_search_tool")
        else:
            losses.needs_anthropic(f"{where}.type", f"the tool {quoted(kind)}")
        return None
    if tool.get("input_examples"):
        losses.drop("tools.input_examples")
    members = {
        "name": tool["name"],
        "description": tool.get("description"),
        "parameters": with_properties(tool.get("input_schema")),
        "strict": tool.get("strict"),
    }
    mark = {"cache_control": tool["cache_control"]} if tool.get("cache_control") else {}
    function = {name: value for name, value in members.items() if value is not None}
    return {"type": "function", "function": function, **mark}


def _change_tools(tools: list[Json], messages: list[Json], losses: Losses) -> list[Json]:
    """Apply the additions and removals that system messages make in mid-conversation, in their order."""
    changes = [
        (f"messages[{at}].content[{place}].tool", block["type"], block["tool"])
        for at, message in enumerate(messages)
        if message["role"] == "system" and isinstance(message.get("content"), list)
        for place, block in enumerate(message["content"])
        if block["type"] in ("tool_addition", "tool_removal")
    ]
    known = {tool["function"]["name"]: tool for tool in tools} if changes else {}
    offered = dict(known)
    for where, change, tool in changes:
        match tool:
            case {"type": "tool_reference", "name": str(name)}:
                if change == "tool_removal":
                    offered.pop(name, None)
                elif name in known:
                    offered[name] = known[name]
            case {"type": "tool_definition", "definition": dict(definition)} if change == "tool_addition":
                if new := _tool(definition, f"{where}.definition", losses):
                    name = new["function"]["name"]
                    known[name] = offered[name] = new
            case _:
                losses.needs_anthropic(f"{where}.type", f"the change {quoted(tool['type'])}")
    return list(offered.values()) if changes else tools


def encode_call_id(id: str) -> str:
    """Return an id as Messages accepts it. decode_call_id() returns the original, of any id."""
    if _VALID_ID.fullmatch(id) and not id.startswith(_ENCODED_ID):
        return id
    return _ENCODED_ID + urlsafe_b64encode(id.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def decode_call_id(id: str) -> str:
    """Return the id that encode_call_id() was given; any other id as it is."""
    encoded = id.removeprefix(_ENCODED_ID)
    if encoded == id:
        return id
    try:
        original = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode("utf-8", "surrogatepass")
    except ValueError:
        return id
    return original if encode_call_id(original) == id else id


def has_tool_search(block: Json) -> bool:
    """True for a block of a search for tools, which Anthropic made in an earlier answer."""
    name: Any = block.get("name") if block["type"] == "server_tool_use" else block["type"]
    return isinstance(name, str) and name.startswith(TOOL_SEARCH)
