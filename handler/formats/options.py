"""Read the options that a client gives in headers: tags, function, preference, logging, explanation.

Headers are a mapping with lower-case names; a repeated name's values are joined by commas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from handler.errors import InvalidRequest
from handler.wire.header_values import decode_header_value
from handler.wire.strict_json import loads
from rules import PREFERENCES, is_secret_header

Headers = Mapping[str, str]

LONGEST_NAME = 128  # characters of a function's name


def header_facts(headers: Headers) -> dict[str, str]:
    """The headers that a rule may ask about."""
    return {
        name.lower(): decode_header_value(value)
        for name, value in headers.items()
        if not is_secret_header(name)
    }


def wants_explanation(headers: Headers) -> bool:
    return headers.get("x-sluice-explain", "").strip() == "1"


def function_of(headers: Headers) -> str | None:
    """The name of the caller's function, which a rule's scope may ask for. Raises InvalidRequest."""
    for name in ("x-sluice-function", "x-opper-name"):
        function = _read(headers, name)
        if len(function) > LONGEST_NAME:
            raise InvalidRequest(f"{name}: at most {LONGEST_NAME} characters", param=name)
        if function:
            return function
    return None


def prefer_of(headers: Headers) -> str | None:
    """The preference asked for. Raises InvalidRequest for an unknown one."""
    prefer = _read(headers, "x-sluice-prefer")
    if prefer and prefer not in PREFERENCES:
        raise InvalidRequest(
            f"x-sluice-prefer: expected one of {', '.join(PREFERENCES)}", param="x-sluice-prefer"
        )
    return prefer or None


def forbids_content_log(headers: Headers) -> bool:
    """`op-log-request` with anything but true: whoever sends it cares for privacy, however he spells it."""
    return _read(headers, "op-log-request").lower() not in ("", "true", "1")


def tags_of(headers: Headers) -> dict[str, Any]:
    """The tags in headers, values not checked yet; of two sources the later wins. Raises InvalidRequest."""
    found: dict[str, Any] = {}
    for name, read in _TAGS.items():
        if value := _read(headers, name):
            found |= read(value, name)
    return found


def _json_tags(text: str, name: str) -> dict[str, Any]:
    """OpenPipe's form: a JSON object."""
    try:
        _, value = loads(text.encode("utf-8", "surrogatepass"))
    except InvalidRequest as error:
        raise InvalidRequest(error.message.replace("The body", name, 1), param=name) from error
    if not isinstance(value, dict):
        raise InvalidRequest(f"{name}: expected a JSON object of tags", param=name)
    return value


def _listed_tags(text: str, name: str) -> dict[str, Any]:
    """Opper's form: `name:value, name:value`; a value may hold a colon, but no comma."""
    pairs = [pair.partition(":") for pair in text.split(",")]
    if not all(tag.strip() and colon for tag, colon, _ in pairs):
        raise InvalidRequest(f"{name}: expected `name:value, name:value`", param=name)
    return {tag.strip(): value.strip() for tag, _, value in pairs}


_TAGS: Mapping[str, Callable[[str, str], dict[str, Any]]] = {
    "op-tags": _json_tags,
    "x-opper-tags": _listed_tags,
    "x-sluice-tags": _listed_tags,
}


def _read(headers: Headers, name: str) -> str:
    value = headers.get(name)
    return decode_header_value(value).strip() if value else ""
