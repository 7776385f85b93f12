"""Tables of the fields of a chat request: OpenAI's and Sluice's own. Unknown fields are accepted.

They refuse only what every provider refuses; the rest is left to the provider.
https://platform.openai.com/docs/api-reference/chat/create and docs/api.md
"""

from __future__ import annotations

import json
from typing import Any

from handler.errors import Json
from handler.formats.chat import foreign_fields
from handler.formats.chat.messages import content, message
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
    matching,
    number,
    shape,
    tagged,
    text,
    text_of_length,
    unexpected,
    validate,
)
from handler.wire.strict_json import is_deeper, levels
from rules import PREFERENCES, is_valid_name

MAX_TAGS = 16
SCHEMA_BYTES = 64 * 1024  # as compact JSON
SCHEMA_DEPTH = 32
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def with_properties(parameters: Any) -> Any:
    """Return the schema of a function with `properties`, without which OpenAI refuses an object."""
    if isinstance(parameters, dict) and parameters.get("type") == "object":
        return parameters if "properties" in parameters else {**parameters, "properties": {}}
    return parameters


def schema(value: Any) -> None:
    """A JSON Schema of limited size whose references are local: no reader of it may fetch a URL."""
    an_object(value)
    if is_deeper(value, SCHEMA_DEPTH):
        raise InvalidValue(f"a schema may be nested at most {SCHEMA_DEPTH} levels deep")
    if len(_compact(value).encode("utf-8", "surrogatepass")) > SCHEMA_BYTES:
        raise InvalidValue(f"a schema may have at most {SCHEMA_BYTES} bytes as compact JSON")
    for level in levels(value):
        for node in level:
            for name in REFERENCES if isinstance(node, dict) else ():
                target = node.get(name)
                if isinstance(target, str) and not target.startswith("#"):
                    raise InvalidValue(f"`{name}` may point only into the schema itself (#...)")


def scalar(value: Any) -> None:
    """The value of a tag: text, a number or a boolean."""
    if isinstance(value, str):
        text_of_length(0, 512)(value)
    elif not isinstance(value, bool) and not (isinstance(value, int | float) and abs(value) < 1e300):
        raise unexpected("text, a number or a boolean", value)


def model(value: Any) -> None:
    if isinstance(value, list):
        raise InvalidValue("expected text; use `models` for a list of models")
    text(value)


def model_name(value: Any) -> None:
    text(value)
    if not is_valid_name(value):
        raise InvalidValue("expected the name of a model")


name = text_of_length(1, 200)
function_name = matching(r"[A-Za-z0-9_.:-]{1,128}", "1 to 128 of A-Z a-z 0-9 _ . : -")
schema_name = matching(r"[A-Za-z0-9_-]{1,64}", "1 to 64 of A-Z a-z 0-9 _ -")
_NAMED = shape({"name": name}, ["name"])

_FUNCTION = shape(
    {"name": function_name, "description": text, "parameters": schema, "strict": boolean}, ["name"]
)
_TOOL = tagged(
    {
        "function": shape({"function": _FUNCTION}, ["function"]),
        "custom": shape(
            {"custom": shape({"name": function_name, "description": text, "format": an_object}, ["name"])},
            ["custom"],
        ),
        "mcp": shape(  # handler/formats/tool_servers.py
            {
                "ref": name,
                "allowed_tools": by_type(list=list_of(text), object=an_object),
                "server_label": text,
                "server_url": text,
            }
        ),
    },
    otherwise=foreign_fields.check_tool,  # a provider's own, such as web search
)
_ALLOWED = shape({"mode": choice("auto", "required"), "tools": list_of(an_object)}, ["mode", "tools"])
_TOOL_CHOICE = tagged(
    {
        "function": shape({"function": _NAMED}, ["function"]),
        "custom": shape({"custom": _NAMED}, ["custom"]),
        "allowed_tools": shape({"allowed_tools": _ALLOWED}, ["allowed_tools"]),
    }
)


def tool_choice(value: Any) -> None:
    if value:  # {} counts as absent
        _TOOL_CHOICE(value)


_JSON_SCHEMA = shape(
    {"name": schema_name, "description": text, "schema": schema, "strict": boolean}, ["name"]
)
_TUNING: dict[str, Check] = {
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "max_tokens": integer(1),
    "reasoning_effort": text,
}
_PREFER: dict[str, Check] = {"prefer": choice(*PREFERENCES)}
_MODELS = list_of(model_name, most=20)
TAGS = map_of(scalar, most=MAX_TAGS, longest=64)
OWN_FIELDS: dict[str, Check] = {  # Sluice's own, in every client format
    "hints": shape({**_PREFER, **_TUNING}, closed=True),
    "route": shape(_PREFER, closed=True),
    "fallback_models": _MODELS,
    "models": _MODELS,
    "output_schema": schema,
    "tags": TAGS,
    "usage": shape({"include": boolean}),
    **foreign_fields.BODY,
}

CHAT = shape(
    {
        **_TUNING,
        "messages": list_of(message, least=1),
        "model": model,
        "audio": shape({"format": text, "voice": by_type(text=anything, object=anything)}),
        "frequency_penalty": number(-2, 2),
        "function_call": by_type(text=choice("none", "auto"), object=_NAMED),
        "functions": list_of(_FUNCTION),
        "logit_bias": map_of(number(-100, 100)),
        "logprobs": boolean,
        "max_completion_tokens": integer(1),
        "metadata": map_of(text_of_length(0, 512), most=16, longest=64),
        "modalities": list_of(text),
        "moderation": an_object,
        "n": integer(1),
        "parallel_tool_calls": boolean,
        "prediction": shape({"type": choice("content"), "content": content("text")}, ["type", "content"]),
        "presence_penalty": number(-2, 2),
        "prompt_cache_key": text,
        "prompt_cache_options": an_object,
        "prompt_cache_retention": text,
        "response_format": tagged(
            {
                "text": anything,
                "json_object": anything,
                "json_schema": shape({"json_schema": _JSON_SCHEMA}, ["json_schema"]),
            }
        ),
        "safety_identifier": text_of_length(0, 128),
        "seed": integer(-(2**63)),
        "service_tier": text,
        "stop": by_type(text=anything, list=list_of(text, most=4)),
        "store": boolean,
        "stream": boolean,
        "stream_options": shape({"include_usage": boolean, "include_obfuscation": boolean}),
        "tool_choice": by_type(text=choice("none", "auto", "required", "any"), object=tool_choice),
        "tools": list_of(_TOOL),
        "top_logprobs": integer(0, 20),
        "user": text,
        "verbosity": text,
        "web_search_options": an_object,
        **OWN_FIELDS,
    },
    ["messages"],
)


def check_combinations(body: Json, max_n: int) -> None:
    """Raise InvalidValue for fields that contradict each other, and for an `n` over `max_n`."""
    if int(body.get("n") or 1) > max_n:
        raise InvalidValue(f"expected an integer from 1 to {max_n}, got {int(body['n'])}", path=".n")
    if body.get("stream_options") is not None and not body.get("stream"):
        raise InvalidValue("is allowed only with `stream: true`", path=".stream_options")
    if body.get("output_schema") is not None and body.get("response_format") is not None:
        raise InvalidValue("use either `output_schema` or `response_format`, not both", path=".output_schema")
    limit, same = body.get("max_tokens"), body.get("max_completion_tokens")
    if limit is not None and same is not None and limit != same:
        raise InvalidValue("differs from `max_completion_tokens`, which means the same", path=".max_tokens")


def check_chat(body: Any, *, max_n: int) -> None:
    """Raise InvalidRequest for the first field of `body` that breaks a rule of docs/api.md."""
    validate(CHAT, body)
    validate(lambda value: check_combinations(value, max_n), body)
