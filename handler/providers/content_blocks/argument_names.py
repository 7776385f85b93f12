"""Encodes the argument names that Anthropic refuses. `names.decode_arguments` decodes them in answers.

The names at the top of a tool's schema must match `[a-zA-Z0-9_.-]{1,64}`. A tool with other names gets a
prefix that marks its arguments as encoded, so that an answer can be decoded without its request.
"""

from __future__ import annotations

from handler.errors import Json
from handler.providers.content_blocks.conversation import Conversation
from handler.providers.content_blocks.names import decode_name, encode_name, mark_arguments_encoded
from handler.providers.content_blocks.schema import PROPERTY_NAME
from handler.providers.unsupported import unsupported


def encode_argument_names(tools: list[Json], choice: Json, conversation: Conversation) -> None:
    """Encode the names in the tools, in the choice and in the conversation's calls, all in place.

    Raises Unsupported for a name that is too long.
    """
    names: dict[str, str] = {}
    for tool in tools:
        if not all(map(PROPERTY_NAME.fullmatch, tool["input_schema"]["properties"])):
            names[tool["name"]] = mark_arguments_encoded(tool["name"])
            tool |= {"name": names[tool["name"]], "input_schema": _encode_schema(tool["input_schema"])}
            if len(tool["name"]) > conversation.format.max_name_length:
                raise unsupported("tools", "the name is too long for a tool with such argument names")
    if choice.get("name") in names:
        choice["name"] = names[choice["name"]]
    blocks = [block for turn in conversation.turns for block in turn.blocks] if names else []
    for block in blocks:
        if block["type"] == "tool_use" and block["name"] in names:
            input = {encode_name(name): value for name, value in block["input"].items()}
            block |= {"name": names[block["name"]], "input": input}


def _encode_schema(schema: Json) -> Json:
    properties = {encode_name(name): one for name, one in schema["properties"].items()}
    if invalid := [name for name in properties if not PROPERTY_NAME.fullmatch(name)]:
        name = decode_name(invalid[0])[0][:100]
        raise unsupported("tools", f"the model does not accept an argument named {name!r}")
    required = (
        {"required": [encode_name(name) for name in schema["required"]]} if "required" in schema else {}
    )
    return {**schema, "properties": properties, **required}
