"""Tables of the fields of a Responses request. Unknown fields, items, parts and tools are accepted.

They refuse only what every provider refuses, and what needs a store of responses, which Sluice does not have.
https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from typing import Any

from handler.formats.chat import foreign_fields
from handler.formats.chat.fields import OWN_FIELDS, function_name, model, name, schema, schema_name
from handler.formats.validators import (
    Check,
    InvalidValue,
    an_object,
    anything,
    boolean,
    by_type,
    choice,
    integer,
    list_of,
    map_of,
    missing,
    number,
    shape,
    tagged,
    text,
    text_of_length,
)

_UNSUPPORTED = "unsupported_parameter"
_SEND_ALL = (
    "Sluice stores no responses: send the whole conversation in `input`, with the items of each answer"
)


def _refuse(reason: str) -> Check:
    def check(_: Any) -> None:
        raise InvalidValue(reason, code=_UNSUPPORTED)

    return check


def _background(value: Any) -> None:
    boolean(value)
    if value:
        raise InvalidValue("Sluice stores no responses, so none can be fetched later", code=_UNSUPPORTED)


_TEXT = shape({"text": text}, ["text"])
_PART = tagged(
    {
        **dict.fromkeys(("input_text", "output_text", "text"), _TEXT),
        "refusal": shape({"refusal": text}, ["refusal"]),
        "input_image": shape({"image_url": text, "file_id": text, "detail": text}),
        "input_file": shape({"file_data": text, "file_id": text, "file_url": text, "filename": text}),
        "input_audio": shape(
            {"input_audio": shape({"data": text, "format": text}, ["data", "format"])}, ["input_audio"]
        ),
    },
    otherwise=anything,
)
_CONTENT = by_type(text=anything, list=list_of(_PART))

_FUNCTION = shape(
    {"name": function_name, "description": text, "parameters": schema, "strict": boolean}, ["name"]
)
_GRAMMAR = shape({"syntax": text, "definition": text}, ["syntax", "definition"])
_CUSTOM = shape(
    {
        "name": function_name,
        "description": text,
        "format": tagged({"text": anything, "grammar": _GRAMMAR}, otherwise=anything),
    },
    ["name"],
)
_OWN_TOOLS: dict[str, Check] = {"function": _FUNCTION, "custom": _CUSTOM}
_NAMESPACE = shape(
    {"name": name, "description": text, "tools": list_of(tagged(_OWN_TOOLS, otherwise=anything))},
    ["name", "tools"],
)
_SERVER = shape(  # handler/formats/tool_servers.py
    {
        "ref": name,
        "allowed_tools": by_type(list=list_of(text), object=an_object),
        "server_label": text,
        "server_url": text,
    }
)
_TOOLS = list_of(
    tagged(
        {**_OWN_TOOLS, "namespace": _NAMESPACE, "mcp": _SERVER},
        otherwise=foreign_fields.check_tool,
    )
)

_NAMED = shape({"name": name, "namespace": name}, ["name"])
_TOOL_CHOICE = tagged(
    {
        "function": _NAMED,
        "custom": _NAMED,
        "allowed_tools": shape(
            {"mode": choice("auto", "required"), "tools": list_of(an_object)}, ["mode", "tools"]
        ),
    },
    otherwise=anything,
)

_OUTPUT = shape({"call_id": text, "output": _CONTENT}, ["output"])
_ITEMS: dict[str, Check] = {
    "message": shape(
        {
            "role": choice("user", "assistant", "system", "developer"),
            "content": _CONTENT,
            "phase": text,
        },
        ["role", "content"],
    ),
    "function_call": shape(
        {"name": name, "namespace": name, "arguments": text, "call_id": text},
        ["name", "arguments", "call_id"],
    ),
    "custom_tool_call": shape(
        {"name": name, "namespace": name, "input": text, "call_id": text}, ["name", "input", "call_id"]
    ),
    "function_call_output": _OUTPUT,
    "custom_tool_call_output": _OUTPUT,
    "reasoning": shape(
        {"summary": list_of(_TEXT), "content": list_of(_TEXT), "encrypted_content": text, "id": text}
    ),
    "additional_tools": shape({"tools": _TOOLS}, ["tools"]),
    "tool_search_call": shape({"call_id": text}),
    "tool_search_output": shape({"call_id": text, "tools": _TOOLS}, ["tools"]),
    "image_generation_call": shape({"result": text, "output_format": text}),
    "item_reference": _refuse("Sluice stores no items: send the item itself"),
}


def item_type(item: dict[str, Any]) -> str | None:
    """Return the type of an input item. A message and a reference may leave it out."""
    kind = item.get("type")
    if kind is None:
        kind = "message" if item.get("role") is not None else "item_reference" if "id" in item else None
    return kind


def _item(value: Any) -> None:
    an_object(value)
    kind = item_type(value)
    if kind is None:
        raise missing("type")
    if type(kind) is not str:
        shape({"type": text})(value)
    _ITEMS.get(kind, anything)(value)


_FORMAT = tagged(
    {
        "text": anything,
        "json_object": anything,
        "json_schema": shape(
            {"name": schema_name, "description": text, "schema": schema, "strict": boolean},
            ["name", "schema"],
        ),
    },
    otherwise=anything,
)

REQUEST = shape(
    {
        "input": by_type(text=anything, list=list_of(_item, least=1)),
        "model": model,
        "background": _background,
        "conversation": _refuse(_SEND_ALL),
        "include": list_of(text),
        "instructions": text,
        "max_output_tokens": integer(1),
        "metadata": map_of(text_of_length(0, 512), most=16, longest=64),
        "moderation": an_object,
        "parallel_tool_calls": boolean,
        "previous_response_id": _refuse(_SEND_ALL),
        "prompt": _refuse("Sluice has no stored prompts: send the text as `instructions` and `input`"),
        "prompt_cache_key": text,
        "prompt_cache_options": an_object,
        "prompt_cache_retention": text,
        "reasoning": shape({"effort": text, "summary": text}),
        "safety_identifier": text_of_length(0, 128),
        "service_tier": text,
        "store": boolean,
        "stream": boolean,
        "stream_options": an_object,
        "temperature": number(0, 2),
        "text": shape({"format": _FORMAT, "verbosity": text}),
        "tool_choice": by_type(text=choice("none", "auto", "required"), object=_TOOL_CHOICE),
        "tools": _TOOLS,
        "top_logprobs": integer(0, 20),
        "top_p": number(0, 1),
        "truncation": text,
        "user": text,
        **OWN_FIELDS,
    },
    ["input"],
)
