"""Translates tools and the choice of a tool to chat, and the names of tools in both directions.

A chat has no namespaces, so the tool `list` of the namespace `crm` is called `crm__list` there.
https://platform.openai.com/docs/guides/function-calling, .../guides/tools-tool-search
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

from handler.errors import Json
from handler.formats.losses import Losses

SEARCH = "tool_search"  # the name of a client's own tool search, which a chat model calls as a function
_LONGEST = 64
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_-]")
# Tools that the provider runs, and that an agent offers to every model: it can do without them.
_OPTIONAL = re.compile(r"web_search(?:_preview)?(?:_\d{4}_\d\d_\d\d)?|tool_search")
_ITEMS_WITH_TOOLS = ("additional_tools", "tool_search_output")


class ToolName(NamedTuple):
    """The name of a tool in the client's request. `namespace` None: it is in no namespace."""

    namespace: str | None
    name: str


@dataclass(slots=True)
class Tools:
    """The tools of a request, as a chat has them, and the client's name of each."""

    by_name: dict[str, Json] = field(default_factory=dict)  # by the name in the chat
    names: dict[str, ToolName] = field(default_factory=dict)  # the same
    searches: bool = False  # the client has a tool search of its own

    def chat_name(self, namespace: Any, name: str) -> str:
        """Return the name in the chat, the same for a definition, a call and a choice."""
        if not isinstance(namespace, str):
            return name
        own = ToolName(namespace, name)
        flat = f"{namespace}__{name}"
        if _PLAIN.fullmatch(flat) and self.names.get(flat, own) == own:
            return flat
        digest = sha256(repr((namespace, name)).encode("utf-8", "replace")).hexdigest()[:8]
        return f"{_NOT_PLAIN.sub('_', flat)[: _LONGEST - 9]}_{digest}"

    def client_name(self, chat_name: str) -> ToolName:
        return self.names.get(chat_name) or ToolName(None, chat_name)

    def add(self, tool: Json, namespace: str | None = None) -> None:
        name = self.chat_name(namespace, tool["name"])
        self.names[name] = ToolName(namespace, tool["name"])
        self.by_name[name] = _chat_tool({**tool, "name": name})


def read_tools(body: Json, losses: Losses) -> Tools:
    """Return the tools of the request and of its input items."""
    tools, optional = Tools(), list[tuple[str, str]]()
    declared = list(_declared(body))
    for path, tool in sorted(declared, key=lambda one: one[1]["type"] == "namespace"):
        match tool:
            case {"type": "function" | "custom"}:
                tools.add(tool)
            case {"type": "namespace", "name": str(namespace), "tools": list(members)}:
                _add_namespace(tools, namespace, members, path, losses)
                if tool.get("description"):
                    losses.drop("tools.description")
            case {"type": "tool_search", "execution": "client"}:
                tools.searches = True
                parameters = {"type": "object", "properties": {}}
                tools.add({"parameters": parameters, **tool, "type": "function", "name": SEARCH})
            case {"type": str(kind)} if _OPTIONAL.fullmatch(kind):
                optional.append((path, kind))
            case _:
                losses.require_native(f"{path}.type", _not_ours(tool["type"]))
    for path, kind in optional:
        if tools.by_name and body.get("tool_choice") != "required":
            losses.drop(f"tools.{kind}")
        else:
            losses.require_native(f"{path}.type", _not_ours(kind))
    return tools


def _not_ours(kind: Any) -> str:
    return f"only a provider with OpenAI's Responses runs tools of type {str(kind)[:40]}"


def _declared(body: Json) -> Iterator[tuple[str, Json]]:
    """Yield each tool with its path. Later items of the input may define more."""
    for index, tool in enumerate(body.get("tools") or ()):
        yield f"tools[{index}]", tool
    items = body["input"] if isinstance(body["input"], list) else ()
    for place, item in enumerate(items):
        if item.get("type") in _ITEMS_WITH_TOOLS:
            for index, tool in enumerate(item["tools"]):
                yield f"input[{place}].tools[{index}]", tool


def _add_namespace(tools: Tools, namespace: str, members: list[Json], path: str, losses: Losses) -> None:
    for index, tool in enumerate(members):
        if tool["type"] in ("function", "custom"):
            tools.add(tool, namespace)
        else:
            losses.require_native(f"{path}.tools[{index}].type", _not_ours(tool["type"]))


def _chat_tool(tool: Json) -> Json:
    kind = tool["type"]
    copied = ("name", "description", "parameters") if kind == "function" else ("name", "description")
    new = {name: tool[name] for name in copied if tool.get(name) is not None}
    match tool:
        case {"type": "function", "strict": True}:
            new["strict"] = True
        case {"type": "custom", "format": {"type": "grammar", "syntax": syntax, "definition": definition}}:
            new["format"] = {"type": "grammar", "grammar": {"syntax": syntax, "definition": definition}}
    return {"type": kind, kind: new}


def chat_tool_choice(choice: Any, tools: Tools, losses: Losses) -> Any:
    """Return the `tool_choice` of the chat; None for the default."""
    match choice:
        case {"type": "function" | "custom"}:
            return _named(choice, tools)
        case {"type": "allowed_tools", "mode": mode, "tools": list(allowed)}:
            found = _allowed(allowed, tools, losses)
            return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": found}}
        case {"type": kind}:
            losses.require_native("tool_choice.type", _not_ours(kind))
            return None
    return choice


def _allowed(allowed: list[Json], tools: Tools, losses: Losses) -> list[Json]:
    """Return the allowed tools; a namespace means all of its tools."""
    members: dict[str | None, list[str]] = {}
    for chat_name, own in tools.names.items():
        members.setdefault(own.namespace, []).append(chat_name)
    found: list[Json] = []
    for index, choice in enumerate(allowed):
        match choice:
            case {"type": "function" | "custom", "name": str()}:
                found.append(_named(choice, tools))
            case {"type": "namespace", "name": str(namespace)}:
                for name in members.pop(namespace, ()):  # once, however often it is named
                    kind = tools.by_name[name]["type"]
                    found.append({"type": kind, kind: {"name": name}})
            case _:
                problem = _not_ours(choice.get("type"))
                losses.require_native(f"tool_choice.tools[{index}]", problem)
    return found


def _named(choice: Json, tools: Tools) -> Json:
    kind = choice["type"]
    return {"type": kind, kind: {"name": tools.chat_name(choice.get("namespace"), choice["name"])}}
