"""Converts tools and the choice of a tool to the shape of Anthropic's Messages; Bedrock's are made from it.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from handler.errors import Json
from handler.providers.content_blocks.blocks import cache_mark
from handler.providers.content_blocks.conversation import Conversation
from handler.providers.content_blocks.names import encode_name
from handler.providers.quirks.parameters import response_format_type
from handler.providers.unsupported import unsupported
from rules import Model

_FORCING = frozenset({"any", "tool"})
_TEXT_INPUT = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}


def set_tools(
    chat: Json, body: Json, conversation: Conversation, rules: Mapping[str, str], dropped: list[str]
) -> bool:
    """Set `tools` and `tool_choice` in `body`. Return True if the model is forced to call a tool."""
    tools = _tools(chat, conversation)
    if not tools:
        if chat.get("tool_choice") not in (None, "none", "auto", {}):
            raise unsupported("tool_choice", "there are no tools to choose from")
        return False
    given = chat.get("tool_choice") or "auto"
    kind = given if isinstance(given, str) else given["type"]
    choice, tools = _CHOICES[kind](given, tools)
    from handler.providers.content_blocks.argument_names import encode_argument_names  # not at a cold start

    encode_argument_names(tools, choice, conversation)
    if not chat.get("tools"):
        choice = {"type": "none"}  # the tools are declared only for the calls in the history
    if "no_forced_tool" in rules and choice["type"] in _FORCING:
        choice, tools = _instruct_to_call(choice, tools, conversation)
        dropped.append("tool_choice")
    if chat.get("parallel_tool_calls") is False and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    body["tools"] = tools
    if choice != {"type": "auto"}:
        body["tool_choice"] = choice
    return choice["type"] in _FORCING


def set_schemas(chat: Json, body: Json, model: Model, dropped: list[str]) -> Json | None:
    """Set the schemas of strict tools in `body`. Return the schema of the answer, None for plain text."""
    tools = [tool for tool in body.get("tools", ()) if "strict" in tool]
    response_format = chat.get("response_format")
    if not tools and response_format_type(response_format) != "json_schema":
        return None
    from handler.providers.content_blocks.structured_outputs import translate_schemas  # not at a cold start

    return translate_schemas(response_format, tools, dropped, supported="json_schema" in model.can)


def _tools(chat: Json, conversation: Conversation) -> list[Json]:
    """Return the tools to declare: the request's, else those that the history calls."""
    tools: dict[str, Json] = {}
    for index, given in enumerate(chat.get("tools") or ()):
        tool = _tool(given, f"tools[{index}]", conversation.format.max_name_length)
        if tools.setdefault(tool["name"], tool) != tool:
            raise unsupported(f"tools[{index}]", "another tool has this name")
    names = conversation.called_tools
    called = ({"name": name, "input_schema": {"type": "object", "properties": {}}} for name in names)
    return list(tools.values()) or list(called)


def _tool(given: Json, where: str, max_name_length: int) -> Json:
    kind = given.get("type")
    if kind not in ("function", "custom"):
        raise unsupported(f"{where}.type", f"{kind} is not a tool of the client's own")
    definition = given[kind]
    name = encode_name(definition["name"], custom=kind == "custom")
    if len(name) > max_name_length:
        raise unsupported(f"{where}.{kind}.name", "the name is too long for the model")
    from handler.providers.content_blocks.tool_parameters import object_schema  # not at a cold start

    description = _custom_description(definition) if kind == "custom" else definition.get("description")
    schema = _TEXT_INPUT if kind == "custom" else object_schema(definition.get("parameters"))
    return {
        "name": name,
        **({"description": description} if description else {}),
        "input_schema": schema,
        **({"strict": True} if definition.get("strict") is True else {}),
        **(cache_mark(given) or cache_mark(definition)),
    }


def _custom_description(custom: Json) -> str:
    """Return the description with the tool's grammar, which these providers cannot enforce."""
    match custom.get("format"):
        case {"grammar": {"syntax": syntax, "definition": definition}}:
            grammar = f"`input` must follow this {syntax} grammar:\n{definition}"
            return f"{custom.get('description') or ''}\n\n{grammar}".strip()
    return custom.get("description") or ""


Choice = tuple[Json, list[Json]]  # the value of `tool_choice`, and the tools that remain


def _one_tool(given: Json, tools: list[Json]) -> Choice:
    return {"type": "tool", "name": _name(given)}, tools


def _name(given: Json) -> str | None:
    """Return the name of a chosen tool, None if there is none. It is under the type, or next to it."""
    match given:
        case {"type": "function" | "custom" as kind, **fields}:
            definition = fields[kind] if isinstance(fields.get(kind), dict) else fields
            name = definition.get("name")
            return encode_name(name, custom=kind == "custom") if isinstance(name, str) else None
    return None


def _allowed_tools(given: Json, tools: list[Json]) -> Choice:
    allowed = given["allowed_tools"]
    names = {_name(tool) for tool in allowed["tools"]}
    remaining = [tool for tool in tools if tool["name"] in names]
    if not remaining:
        raise unsupported("tool_choice.allowed_tools", "none of them is in `tools`")
    return {"type": "any" if allowed["mode"] == "required" else "auto"}, remaining


def _instruct_to_call(choice: Json, tools: list[Json], conversation: Conversation) -> Choice:
    """Add an instruction, for models that cannot be forced to call. A chosen tool becomes the only one."""
    if choice["type"] == "any":
        conversation.add_instruction("Answer by calling at least one of the tools.")
        return {"type": "auto"}, tools
    conversation.add_instruction(f"Answer by calling the tool {choice['name']}.")
    return {"type": "auto"}, [tool for tool in tools if tool["name"] == choice["name"]] or tools


_CHOICES: Mapping[str, Callable[[Any, list[Json]], Choice]] = {
    "none": lambda _, tools: ({"type": "none"}, tools),
    "auto": lambda _, tools: ({"type": "auto"}, tools),
    "required": lambda _, tools: ({"type": "any"}, tools),
    "any": lambda _, tools: ({"type": "any"}, tools),
    "function": _one_tool,
    "custom": _one_tool,
    "allowed_tools": _allowed_tools,
}
