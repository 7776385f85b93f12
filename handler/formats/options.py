"""Read the options that a client gives in headers: tags, function, session, preference, explanation, ...

Headers are a mapping with lower-case names; a repeated name's values are joined by commas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from handler.errors import InvalidRequest
from handler.wire.header_values import decode_header_value
from handler.wire.strict_json import loads
from rules import PREFERENCES, is_secret_header

Headers = Mapping[str, str]

LONGEST_NAME = 128  # characters of a function's name

# Headers that name the conversation or the agent of a request: Sluice's own, then those of coding agents. The
# first one present is used.
SESSION_HEADERS = (
    *("x-sluice-session", "x-claude-code-session-id", "session-id", "x-session-id", "x-session-affinity"),
)
AGENT_HEADERS = ("x-sluice-agent", "x-claude-code-agent-id", "originator")


class CacheMode(NamedTuple):
    """How a request uses the cache of answers, where a `cache` record applies."""

    read: bool = True  # an answer in the cache may answer it
    write: bool = True  # its own answer may go into the cache


class Options(NamedTuple):
    """The options in the headers of one request."""

    preference: str | None
    tags: Mapping[str, Any]  # values not checked yet
    function: str | None
    session: str | None
    agent: str | None
    no_content_log: bool
    cache: CacheMode


def read_options(headers: Headers) -> Options:
    """Return the options. Raises InvalidRequest, which names the header."""
    if _HEADERS.isdisjoint(headers):
        return _NO_OPTIONS
    return Options(
        preference=read_preference(headers),
        tags=read_tags(headers),
        function=read_function(headers),
        session=first_given(headers, SESSION_HEADERS),
        agent=first_given(headers, AGENT_HEADERS),
        no_content_log=forbids_content_log(headers),
        cache=read_cache_mode(headers),
    )


def header_facts(headers: Headers) -> dict[str, str]:
    """Return the headers that a rule may ask about."""
    return {
        name.lower(): decode_header_value(value)
        for name, value in headers.items()
        if not is_secret_header(name)
    }


def wants_explanation(headers: Headers) -> bool:
    return headers.get("x-sluice-explain", "").strip() == "1"


def read_function(headers: Headers) -> str | None:
    """Return the name of the caller's function, which a rule's scope may ask for. Raises InvalidRequest."""
    for name in ("x-sluice-function", "x-opper-name"):
        function = _option(headers, name)
        if len(function) > LONGEST_NAME:
            raise InvalidRequest(f"{name}: at most {LONGEST_NAME} characters", param=name)
        if function:
            return function
    return None


def first_given(headers: Headers, names: Iterable[str]) -> str | None:
    """Return the value of the first of these headers that is present and not empty."""
    return next((value for name in names if (value := _option(headers, name))), None)


def read_preference(headers: Headers) -> str | None:
    """Return the header's preference. Raises InvalidRequest for an unknown one."""
    prefer = _option(headers, "x-sluice-prefer")
    if prefer and prefer not in PREFERENCES:
        raise InvalidRequest(
            f"x-sluice-prefer: expected one of {', '.join(PREFERENCES)}", param="x-sluice-prefer"
        )
    return prefer or None


def forbids_content_log(headers: Headers) -> bool:
    """True for an `op-log-request` that is not true: any other value is taken as a wish for privacy."""
    return _option(headers, "op-log-request").lower() not in ("", "true", "1")


def read_cache_mode(headers: Headers) -> CacheMode:
    """Return what all headers about the cache allow. Raises InvalidRequest for an unknown value."""
    mode = CacheMode()
    for name, modes in _CACHE_MODES.items():
        if value := _option(headers, name).lower():
            allowed = next((allowed for known, allowed in modes.items() if known.lower() == value), None)
            if allowed is None:
                raise InvalidRequest(f"{name}: expected one of {', '.join(modes)}", param=name)
            mode = CacheMode(mode.read and allowed.read, mode.write and allowed.write)
    return mode


def read_tags(headers: Headers) -> dict[str, Any]:
    """Return the tags in headers, with values not validated yet. Raises InvalidRequest if malformed."""
    found: dict[str, Any] = {}
    for name, parse in _TAG_PARSERS.items():
        if value := _option(headers, name):
            found |= parse(value, name)
    return found


def _parse_json_tags(text: str, name: str) -> dict[str, Any]:
    """Parse OpenPipe's form: a JSON object."""
    try:
        _, value = loads(text.encode("utf-8", "surrogatepass"))
    except InvalidRequest as error:
        raise InvalidRequest(error.message.replace("The body", name, 1), param=name) from error
    if not isinstance(value, dict):
        raise InvalidRequest(f"{name}: expected a JSON object of tags", param=name)
    return value


def _parse_tag_list(text: str, name: str) -> dict[str, Any]:
    """Parse Opper's form: `name:value, name:value`. A value may contain a colon, but no comma."""
    pairs = [pair.partition(":") for pair in text.split(",")]
    if not all(tag.strip() and colon for tag, colon, _ in pairs):
        raise InvalidRequest(f"{name}: expected `name:value, name:value`", param=name)
    return {tag.strip(): value.strip() for tag, _, value in pairs}


# A later header's tags replace those of the same name in an earlier one.
_TAG_PARSERS: Mapping[str, Callable[[str, str], dict[str, Any]]] = {
    "op-tags": _parse_json_tags,
    "x-opper-tags": _parse_tag_list,
    "x-sluice-tags": _parse_tag_list,
}


_CACHE_MODES: Mapping[str, Mapping[str, CacheMode]] = {
    "x-sluice-cache": {
        "read-write": CacheMode(),
        "read-only": CacheMode(write=False),
        "write-only": CacheMode(read=False),
        "off": CacheMode(read=False, write=False),
    },
    "op-cache": {  # OpenPipe's; at first there was only `true`
        "readWrite": CacheMode(),
        "readOnly": CacheMode(write=False),
        "writeOnly": CacheMode(read=False),
        "true": CacheMode(),
        "false": CacheMode(read=False, write=False),
    },
}


_HEADERS = frozenset(
    (
        *("x-sluice-prefer", "x-sluice-function", "x-opper-name", "op-log-request"),
        *SESSION_HEADERS,
        *AGENT_HEADERS,
        *_TAG_PARSERS,
        *_CACHE_MODES,
    )
)
_NO_OPTIONS = Options(None, {}, None, None, None, no_content_log=False, cache=CacheMode())


def _option(headers: Headers, name: str) -> str:
    value = headers.get(name)
    return decode_header_value(value).strip() if value else ""
