"""Tables of the fields of a Messages request. Unknown fields, blocks and tools are accepted.

They refuse only what no chat can be made of, and what Anthropic refuses too.
https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from typing import Any

from handler.formats.chat.fields import OWN_FIELDS, function_name, model, schema
from handler.formats.validators import (
    Check,
    InvalidValue,
    an_object,
    anything,
    boolean,
    by_type,
    integer,
    list_of,
    number,
    shape,
    tagged,
    text,
    unexpected,
)

_CACHE: dict[str, Check] = {"cache_control": an_object}
_TEXT = shape({"text": text, "citations": list_of(an_object), **_CACHE}, ["text"])
_IMAGE = shape(
    {
        "source": tagged(
            {
                "base64": shape({"media_type": text, "data": text}, ["media_type", "data"]),
                "url": shape({"url": text}, ["url"]),
            },
            otherwise=anything,
        ),
        **_CACHE,
    },
    ["source"],
)
_TEXTS: dict[str, Check] = {"text": _TEXT}
_DOCUMENT = shape(
    {
        "source": tagged(
            {
                "base64": shape({"media_type": text, "data": text}, ["media_type", "data"]),
                "text": shape({"data": text}, ["data"]),
                "content": shape(
                    {
                        "content": by_type(
                            text=anything, list=list_of(tagged({"text": _TEXT, "image": _IMAGE}))
                        )
                    },
                    ["content"],
                ),
            },
            otherwise=anything,
        ),
        "title": text,
        "context": text,
        "citations": an_object,
        **_CACHE,
    },
    ["source"],
)
_SEARCH_RESULT = shape(
    {"source": text, "title": text, "content": list_of(tagged(_TEXTS)), "citations": an_object, **_CACHE},
    ["source", "title", "content"],
)
_INPUT: dict[str, Check] = {
    "text": _TEXT,
    "image": _IMAGE,
    "document": _DOCUMENT,
    "search_result": _SEARCH_RESULT,
}


def _content(blocks: dict[str, Check]) -> Check:
    return by_type(text=anything, list=list_of(tagged(blocks, otherwise=anything)))


_TOOL_REFERENCE = shape({"tool_name": text}, ["tool_name"])
_TOOL_RESULT = shape(
    {
        "tool_use_id": text,
        "content": _content({**_INPUT, "tool_reference": _TOOL_REFERENCE}),
        "is_error": boolean,
        **_CACHE,
    },
    ["tool_use_id"],
)
_TOOL_USE = shape({"id": text, "name": text, "input": an_object, **_CACHE}, ["id", "name", "input"])
_THINKING = shape({"thinking": text, "signature": text}, ["thinking"])
_CHANGE = shape(
    {"tool": tagged({"tool_reference": shape({"name": text}, ["name"])}, otherwise=anything)}, ["tool"]
)


def tool(value: Any) -> None:
    """A tool of the client's own, or one of a type that Anthropic knows."""
    an_object(value)
    if value.get("type") in (None, "custom"):
        _CUSTOM(value)
    elif type(value["type"]) is not str:
        raise unexpected("text", value["type"]).within(".type")


_CUSTOM = shape(
    {"name": function_name, "description": text, "input_schema": schema, "strict": boolean, **_CACHE},
    ["name"],
)
_ADDITION = shape(
    {
        "tool": tagged(
            {
                "tool_reference": shape({"name": text}, ["name"]),
                "tool_definition": shape({"definition": tool}, ["definition"]),
            },
            otherwise=anything,
        )
    },
    ["tool"],
)
_SYSTEM = shape(
    {
        "content": _content({"text": _TEXT, "tool_addition": _ADDITION, "tool_removal": _CHANGE}),
        "output_config": shape({"effort": text}),
        "clear_at": text,
    }
)


def system(value: Any) -> None:
    """A system message inside the conversation: instructions, changes of tools, an effort."""
    _SYSTEM(value)
    if value.get("content") is None and not value.get("output_config"):
        raise InvalidValue("expected `content` or `output_config`")


_MESSAGE = tagged(
    {
        "user": shape({"content": _content({**_INPUT, "tool_result": _TOOL_RESULT})}, ["content"]),
        "assistant": shape(
            {
                "content": _content(
                    {
                        "text": _TEXT,
                        "thinking": _THINKING,
                        "redacted_thinking": shape({"data": text}, ["data"]),
                        "tool_use": _TOOL_USE,
                        "compaction": shape({"content": text}),
                    }
                )
            },
            ["content"],
        ),
        "system": system,
    },
    by="role",
)
_FORMAT = tagged({"json_schema": shape({"schema": schema}, ["schema"])})
_PARALLEL: dict[str, Check] = {"disable_parallel_tool_use": boolean}

MESSAGES = shape(
    {
        "model": model,
        "messages": list_of(_MESSAGE, least=1),
        "system": by_type(text=anything, list=list_of(tagged(_TEXTS))),
        "max_tokens": integer(0),
        "stream": boolean,
        "temperature": number(0, 2),
        "top_p": number(0, 1),
        "top_k": integer(0),
        "stop_sequences": list_of(text),
        "service_tier": text,
        "speed": text,
        "metadata": shape({"user_id": text}),
        "thinking": tagged(
            {"enabled": shape({"budget_tokens": integer(1)}, ["budget_tokens"])}, otherwise=anything
        ),
        "output_config": shape({"effort": text, "format": _FORMAT}),
        "output_format": _FORMAT,  # the name of output_config.format in its first beta
        "tools": list_of(tool),
        "tool_choice": tagged(
            {
                "auto": shape(_PARALLEL),
                "any": shape(_PARALLEL),
                "tool": shape({"name": text, **_PARALLEL}, ["name"]),
                "none": anything,
            }
        ),
        **_CACHE,
        **OWN_FIELDS,
    },
    ["messages"],
)
