"""Encodes the names of arguments that Anthropic refuses, and decodes them in answers.

Anthropic wants the names at the top of a tool's schema to match `[a-zA-Z0-9_.-]{1,64}`. A tool with others
gets a name that marks its arguments as encoded, so that an answer can be decoded without its request.
"""

from __future__ import annotations

from handler.providers.content_blocks.conversation import Conversation
from handler.providers.content_blocks.names import meant, spelled, with_spelled_arguments
from handler.providers.content_blocks.schema import KEY
from handler.providers.translator import Json
from handler.providers.unsupported import unsupported


def spell_arguments(tools: list[Json], choice: Json, talk: Conversation) -> None:
    """Encodes the names in tools and in the conversation's calls. Raises UpstreamError for one too long."""
    names: dict[str, str] = {}
    for tool in tools:
        if not all(map(KEY.fullmatch, tool["input_schema"]["properties"])):
            names[tool["name"]] = with_spelled_arguments(tool["name"])
            tool |= {"name": names[tool["name"]], "input_schema": _spelled(tool["input_schema"])}
            if len(tool["name"]) > talk.manner.longest_name:
                raise unsupported("tools", "too long a name for a tool whose arguments have such names")
    if choice.get("name") in names:
        choice["name"] = names[choice["name"]]
    blocks = [block for turn in talk.turns for block in turn.blocks] if names else []
    for block in blocks:
        if block["type"] == "tool_use" and block["name"] in names:
            input = {spelled(name): value for name, value in block["input"].items()}
            block |= {"name": names[block["name"]], "input": input}


def _spelled(schema: Json) -> Json:
    new = {spelled(name): one for name, one in schema["properties"].items()}
    if wrong := [name for name in new if not KEY.fullmatch(name)]:
        raise unsupported("tools", f"the model takes no argument with the name {meant(wrong[0])[0][:100]!r}")
    required = {"required": [spelled(name) for name in schema["required"]]} if "required" in schema else {}
    return {**schema, "properties": new, **required}
