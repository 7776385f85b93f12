"""Tables of the fields of a generateContent request, each in both of its spellings.

The JSON of Google's APIs has two spellings of every name, `topP` and `top_p`, and takes a single object where
a list is expected. Unknown fields are accepted, since Gemini may know them.
https://ai.google.dev/api/generate-content, https://protobuf.dev/programming-guides/json
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

from handler.formats.chat.fields import OWN_FIELDS, function_name
from handler.formats.validators import (
    Check,
    InvalidValue,
    an_object,
    boolean,
    by_type,
    choice,
    integer,
    list_of,
    map_of,
    missing,
    number,
    shape,
    text,
)


@lru_cache(maxsize=256)
def snake_case(name: str) -> str:
    return re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name)


def written(value: Mapping[str, Any], name: str) -> str:
    """Return the spelling of `name` that the client used; the usual one if it used none."""
    if value.get(name) is not None:
        return name
    other = snake_case(name)
    return name if value.get(other) is None else other


def member(value: Mapping[str, Any], name: str) -> Any:
    """Return a member in either spelling. A null counts as absent."""
    return value.get(written(value, name))


def items(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Yield the items of a list, each after its path; a value that is no list is its only item."""
    if isinstance(value, list):
        yield from ((f"{where}[{place}]", one) for place, one in enumerate(value))
    elif value is not None:
        yield where, value


def unknown(value: Mapping[str, Any], known: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the members that are not in `known`: the usual spelling of each, and the client's."""
    spellings = {snake_case(name): name for name in known}
    for name, one in value.items():
        if one is not None and name not in known and name not in spellings:
            yield camel_case(name), name


def camel_case(name: str) -> str:
    return re.sub("(?<=[a-z0-9])_([a-z])", lambda found: found[1].upper(), name)


def message(members: Mapping[str, Check], required: Collection[str] = ()) -> Check:
    """An object with these members, in either spelling."""
    check_members = shape({**{snake_case(name): check for name, check in members.items()}, **members})

    def check(value: Any) -> None:
        check_members(value)
        for name in members:
            other = snake_case(name)
            if other != name and value.get(name) is not None and value.get(other) is not None:
                raise InvalidValue(f"use either `{name}` or `{other}`, not both", path=f".{other}")
        for name in required:
            if member(value, name) is None:
                raise missing(name)

    return check


def repeated(item: Check, *, least: int = 0) -> Check:
    """A list, or its only item."""
    check_list = list_of(item, least=least)
    return lambda value: (check_list if isinstance(value, list) else item)(value)


_BLOB = message({"mimeType": text, "data": text, "displayName": text}, ["mimeType", "data"])
_FILE = message({"mimeType": text, "fileUri": text, "displayName": text}, ["fileUri"])
_MEDIA: Mapping[str, Check] = {"inlineData": _BLOB, "fileData": _FILE}
_CALL = message({"id": text, "name": text, "args": an_object}, ["name"])
_RESPONSE = message(
    {"id": text, "name": text, "response": an_object, "parts": repeated(message(_MEDIA))}, ["name"]
)
PART: Mapping[str, Check] = {
    "text": text,
    "thought": boolean,
    "thoughtSignature": text,
    "functionCall": _CALL,
    "functionResponse": _RESPONSE,
    **_MEDIA,
}
_CONTENT = message({"role": choice("user", "model", "function"), "parts": repeated(message(PART))})

DECLARATION: Mapping[str, Check] = {
    "name": function_name,
    "description": text,
    "parameters": an_object,
    "parametersJsonSchema": an_object,
}
_TOOL = message({"functionDeclarations": repeated(message(DECLARATION, ["name"]))})
CALLING: Mapping[str, Check] = {"mode": text, "allowedFunctionNames": repeated(text)}
TOOL_CONFIG: Mapping[str, Check] = {"functionCallingConfig": message(CALLING)}
_THINKING = message({"includeThoughts": boolean, "thinkingBudget": integer(-1), "thinkingLevel": text})
CONFIG: Mapping[str, Check] = {
    "temperature": number(0, 2),
    "topP": number(0, 1),
    "topK": integer(0),
    "candidateCount": integer(1),
    "maxOutputTokens": integer(1),
    "stopSequences": repeated(text),
    "presencePenalty": number(-2, 2),
    "frequencyPenalty": number(-2, 2),
    "seed": integer(-(2**63)),
    "responseLogprobs": boolean,
    "logprobs": integer(0, 20),
    "responseMimeType": text,
    "responseSchema": an_object,
    "responseJsonSchema": an_object,
    "responseModalities": repeated(text),
    "thinkingConfig": _THINKING,
}
REQUEST: Mapping[str, Check] = {
    "contents": repeated(_CONTENT, least=1),
    "systemInstruction": by_type(text=text, object=_CONTENT),
    "tools": repeated(_TOOL),
    "toolConfig": message(TOOL_CONFIG),
    "generationConfig": message(CONFIG),
    "labels": map_of(text),
    "serviceTier": text,
    "store": boolean,
}
check_request = message({**REQUEST, **OWN_FIELDS}, ["contents"])
