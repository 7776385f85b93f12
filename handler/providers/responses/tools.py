"""Converts tools and the choice of a tool to the shape of OpenAI's Responses, in which both are flat.

https://platform.openai.com/docs/guides/function-calling
"""

from __future__ import annotations

from typing import Any

from handler.errors import Json
from handler.providers.unsupported import unsupported

_NO_PARAMETERS = {"type": "object", "properties": {}}


def convert_tools(tools: list[Json]) -> list[Json]:
    """Convert the tools. Raises Unsupported for a provider's own tool, such as web search."""
    return [_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools)]


def _tool(tool: Json, where: str) -> Json:
    match tool:
        case {"type": "function", "function": dict(given)}:
            parameters = given.get("parameters") or _NO_PARAMETERS
            # Without `strict` it would be true here, and false in a chat.
            new = {"parameters": parameters, "strict": given.get("strict") is True}
        case {"type": "custom", "custom": dict(given)}:
            new = {"format": found} if (found := _input_format(given.get("format"))) else {}
        case _:
            raise unsupported(f"{where}.type", f"{tool.get('type')} is not a tool of the client's own")
    described = {"description": text} if isinstance(text := given.get("description"), str) else {}
    return {"type": tool["type"], "name": given["name"], **described, **new}


def _input_format(given: Any) -> Any:
    """Return the format of a custom tool's input. A grammar is nested in a chat."""
    match given:
        case {"type": "grammar", "grammar": dict(grammar)}:
            return {"type": "grammar", **grammar}
    return given


def convert_choice(choice: Any) -> Any:
    """Convert `tool_choice`, which is not empty. Raises Unsupported if it allows no tool."""
    match choice:
        case {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}:
            names = [named for tool in tools if (named := _named(tool)) is not None]
            if not names:
                raise unsupported("tool_choice.allowed_tools", "it names no function and no custom tool")
            return {"type": "allowed_tools", "mode": mode, "tools": names}
        case dict():
            return _named(choice)
    return "required" if choice == "any" else choice


def _named(tool: Any) -> Json | None:
    """Return the type and name of a tool, which a chat has under the type or next to it."""
    match tool:
        case {"type": "function" | "custom" as kind, **fields}:
            definition: Any = fields[kind] if isinstance(fields.get(kind), dict) else fields
            if isinstance(name := definition.get("name"), str):
                return {"type": kind, "name": name}
    return None
