"""Tools and the choice among them, in the form of Anthropic's Messages, of which Bedrock's is made.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from handler.providers.content_blocks.blocks import marked
from handler.providers.content_blocks.conversation import Conversation
from handler.providers.content_blocks.names import spelled
from handler.providers.quirks.parameters import format_of
from handler.providers.translator import Json
from handler.providers.unsupported import unsupported
from rules import Model

_FORCING = frozenset({"any", "tool"})


def tools_of(chat: Json, talk: Conversation) -> list[Json]:
    """What the model may call. Tools must be declared where the history has calls."""
    tools: dict[str, Json] = {}
    for at, given in enumerate(chat.get("tools") or ()):
        tool = _tool(given, f"tools[{at}]", talk.manner.longest_name)
        if tools.setdefault(tool["name"], tool) != tool:
            raise unsupported(f"tools[{at}]", "another tool has this name")
    called = ({"name": name, "input_schema": {"type": "object", "properties": {}}} for name in talk.names)
    return list(tools.values()) or list(called)


def _tool(given: Json, where: str, longest: int) -> Json:
    kind = given.get("type")
    if kind not in ("function", "custom"):
        raise unsupported(f"{where}.type", f"{kind} is no tool of the client's own")
    said = given[kind]
    name = spelled(said["name"], custom=kind == "custom")
    if len(name) > longest:
        raise unsupported(f"{where}.{kind}.name", "too long a name for the model")
    from handler.providers.content_blocks.schema import of_object  # not part of a cold start

    description = _described(said) if kind == "custom" else said.get("description")
    schema = _TEXT_INPUT if kind == "custom" else of_object(said.get("parameters"))
    return {
        "name": name,
        **({"description": description} if description else {}),
        "input_schema": schema,
        **({"strict": True} if said.get("strict") is True else {}),
        **(marked(given) or marked(said)),
    }


_TEXT_INPUT = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}


def _described(custom: Json) -> str:
    """A grammar is told in words: nothing else here can hold a text to it."""
    match custom.get("format"):
        case {"grammar": {"syntax": syntax, "definition": definition}}:
            grammar = f"`input` must follow this {syntax} grammar:\n{definition}"
            return f"{custom.get('description') or ''}\n\n{grammar}".strip()
    return custom.get("description") or ""


def choose(chat: Json, body: Json, talk: Conversation, words: Mapping[str, str], dropped: list[str]) -> bool:
    """Sets `tools` and `tool_choice` of `body`; tells whether the model is forced to call."""
    tools = tools_of(chat, talk)
    if not tools:
        if chat.get("tool_choice") not in (None, "none", "auto", {}):
            raise unsupported("tool_choice", "there are no tools to choose from")
        return False
    asked = chat.get("tool_choice") or "auto"
    kind = asked if isinstance(asked, str) else asked["type"]
    choice, tools = _CHOICES[kind](asked, tools)
    from handler.providers.content_blocks.argument_names import spell_arguments  # not part of a cold start

    spell_arguments(tools, choice, talk)
    if not chat.get("tools"):
        choice = {"type": "none"}  # they are declared only for the calls in the history
    if "no_forced_tool" in words and choice["type"] in _FORCING:
        choice, tools = _hinted(choice, tools, talk)
        dropped.append("tool_choice")
    if chat.get("parallel_tool_calls") is False and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    body["tools"] = tools
    if choice != {"type": "auto"}:
        body["tool_choice"] = choice
    return choice["type"] in _FORCING


def held_to(chat: Json, body: Json, model: Model, dropped: list[str]) -> Json | None:
    """Compiles the schema of the answer, and sets those of strict tools in `body`."""
    tools = [tool for tool in body.get("tools", ()) if "strict" in tool]
    response_format = chat.get("response_format")
    if not tools and format_of(response_format) != "json_schema":
        return None
    from handler.providers.content_blocks.grammar import (
        hold,  # few requests need it: not part of a cold start
    )

    return hold(response_format, tools, dropped, able="json_schema" in model.can)


Chosen = tuple[Json, list[Json]]


def _named(asked: Json, tools: list[Json]) -> Chosen:
    return {"type": "tool", "name": _name(asked)}, tools


def _name(asked: Json) -> str | None:
    """The name of a tool, said as the tool does or beside its type; None where it has none."""
    match asked:
        case {"type": "function" | "custom" as kind, **said}:
            named = said[kind] if isinstance(said.get(kind), dict) else said
            name = named.get("name")
            return spelled(name, custom=kind == "custom") if isinstance(name, str) else None
    return None


def _allowed(asked: Json, tools: list[Json]) -> Chosen:
    allowed = asked["allowed_tools"]
    names = {_name(tool) for tool in allowed["tools"]}
    left = [tool for tool in tools if tool["name"] in names]
    if not left:
        raise unsupported("tool_choice.allowed_tools", "none of them is among the tools")
    return {"type": "any" if allowed["mode"] == "required" else "auto"}, left


def _hinted(choice: Json, tools: list[Json], talk: Conversation) -> Chosen:
    """The nearest thing where a call cannot be forced: it is asked for, and a named tool is the only one."""
    if choice["type"] == "any":
        talk.say("Answer by calling at least one of the tools.")
        return {"type": "auto"}, tools
    talk.say(f"Answer by calling the tool {choice['name']}.")
    return {"type": "auto"}, [tool for tool in tools if tool["name"] == choice["name"]] or tools


_CHOICES: Mapping[str, Callable[[Any, list[Json]], Chosen]] = {
    "none": lambda _, tools: ({"type": "none"}, tools),
    "auto": lambda _, tools: ({"type": "auto"}, tools),
    "required": lambda _, tools: ({"type": "any"}, tools),
    "any": lambda _, tools: ({"type": "any"}, tools),
    "function": _named,
    "custom": _named,
    "allowed_tools": _allowed,
}
