"""The fields of a chat request, as tables: OpenAI's, and Sluice's own. Unknown fields pass.

What is checked is what every provider refuses; what only some refuse is theirs to say.
https://platform.openai.com/docs/api-reference/chat/create and docs/api.md
"""

from __future__ import annotations

import json
from typing import Any

from handler.errors import InvalidRequest, Json
from handler.formats.chat import foreign_fields
from handler.formats.chat.messages import MESSAGE, content
from handler.formats.validators import (
    Check,
    Wrong,
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
    sized,
    tagged,
    text,
    unlike,
)
from handler.wire.strict_json import is_deeper, levels
from rules import PREFERENCES, is_valid_name

MAX_TAGS = 16
SCHEMA_BYTES = 64 * 1024  # as compact JSON
SCHEMA_DEPTH = 32
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def schema(value: Any) -> None:
    """A JSON Schema that is bounded and points nowhere else: nobody may make a reader of it fetch a URL."""
    an_object(value)
    if is_deeper(value, SCHEMA_DEPTH):
        raise Wrong(f"a schema may be nested at most {SCHEMA_DEPTH} deep")
    if len(_compact(value).encode("utf-8", "surrogatepass")) > SCHEMA_BYTES:
        raise Wrong(f"a schema may have at most {SCHEMA_BYTES} bytes as compact JSON")
    for level in levels(value):
        for node in level:
            for name in REFERENCES if isinstance(node, dict) else ():
                target = node.get(name)
                if isinstance(target, str) and not target.startswith("#"):
                    raise Wrong(f"`{name}` may point only into the schema itself (#...)")


def scalar(value: Any) -> None:
    """A tag's value: what has one plain text."""
    if isinstance(value, str):
        sized(0, 512)(value)
    elif not isinstance(value, bool) and not (isinstance(value, int | float) and abs(value) < 1e300):
        raise unlike("text, a number or a boolean", value)


def model(value: Any) -> None:
    if isinstance(value, list):
        raise Wrong("expected one text; a list of models goes into `models`")
    text(value)


def model_name(value: Any) -> None:
    text(value)
    if not is_valid_name(value):
        raise Wrong("expected the name of a model")


name = sized(1, 200)
function_name = matching(r"[A-Za-z0-9_.:-]{1,128}", "1 to 128 of A-Z a-z 0-9 _ . : -")
schema_name = matching(r"[A-Za-z0-9_-]{1,64}", "1 to 64 of A-Z a-z 0-9 _ -")
named = shape({"name": name}, ["name"])

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
    },
    otherwise=foreign_fields.tool,  # a provider's own, such as its web search
)
_ALLOWED = shape({"mode": choice("auto", "required"), "tools": list_of(an_object)}, ["mode", "tools"])
_FORCED = tagged(
    {
        "function": shape({"function": named}, ["function"]),
        "custom": shape({"custom": named}, ["custom"]),
        "allowed_tools": shape({"allowed_tools": _ALLOWED}, ["allowed_tools"]),
    }
)


def forced(value: Any) -> None:
    if value:  # {} is absent
        _FORCED(value)


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

CHAT = shape(
    {
        **_TUNING,
        "messages": list_of(MESSAGE, least=1),
        "model": model,
        "audio": shape({"format": text, "voice": by_type(text=anything, object=anything)}),
        "frequency_penalty": number(-2, 2),
        "function_call": by_type(text=choice("none", "auto"), object=named),
        "functions": list_of(_FUNCTION),
        "logit_bias": map_of(number(-100, 100)),
        "logprobs": boolean,
        "max_completion_tokens": integer(1),
        "metadata": map_of(sized(0, 512), most=16, longest=64),
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
        "safety_identifier": sized(0, 128),
        "seed": integer(-(2**63)),
        "service_tier": text,
        "stop": by_type(text=anything, list=list_of(text, most=4)),
        "store": boolean,
        "stream": boolean,
        "stream_options": shape({"include_usage": boolean, "include_obfuscation": boolean}),
        "tool_choice": by_type(text=choice("none", "auto", "required", "any"), object=forced),
        "tools": list_of(_TOOL),
        "top_logprobs": integer(0, 20),
        "user": text,
        "verbosity": text,
        "web_search_options": an_object,
        # Sluice's own
        "hints": shape({**_PREFER, **_TUNING}, closed=True),
        "route": shape(_PREFER, closed=True),
        "fallback_models": _MODELS,
        "models": _MODELS,
        "output_schema": schema,
        "tags": TAGS,
        "usage": shape({"include": boolean}),
        **foreign_fields.BODY,
    },
    ["messages"],
)


def together(body: Json, max_n: int) -> None:
    """What fields say of each other."""
    if int(body.get("n") or 1) > max_n:
        raise Wrong(f"expected an integer from 1 to {max_n}, got {int(body['n'])}", path=".n")
    if body.get("stream_options") is not None and not body.get("stream"):
        raise Wrong("stands only beside `stream: true`", path=".stream_options")
    if body.get("output_schema") is not None and body.get("response_format") is not None:
        raise Wrong("say it either here or in `response_format`", path=".output_schema")
    fewer, more = body.get("max_tokens"), body.get("max_completion_tokens")
    if fewer is not None and more is not None and fewer != more:
        raise Wrong("differs from `max_completion_tokens`, which means the same", path=".max_tokens")


def check_chat(body: Any, *, max_n: int) -> None:
    """Raises InvalidRequest for the first field of `body` that is not as docs/api.md says."""
    checked("", CHAT, body)
    checked("", lambda value: together(value, max_n), body)


def checked(param: str, check: Check, value: Any) -> None:
    """`check(value)`, its failure as the InvalidRequest a caller sees; `param` is where the value stands."""
    try:
        check(value)
    except Wrong as wrong:
        path = f"{param}{wrong.path}".removeprefix(".")
        message = f"{path or 'The body'}: {wrong.problem}"
        raise InvalidRequest(message, code=wrong.code, param=path or None) from None
