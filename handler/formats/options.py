"""What is read from a client's headers, and the few that go on upstream; text made fit for a header of ours.

Headers are a mapping with lower-case names. Every value of a repeated name counts (RFC 9110, section 5.3).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from handler.errors import InvalidRequest
from handler.wire.strict_json import loads
from rules import PREFERENCES, secret_header

Headers = Mapping[str, str]

# Sent on to an upstream of the client's own format; nothing else of the client's is.
UPSTREAM = ("anthropic-beta", "anthropic-version", "openai-beta", "accept-language", "idempotency-key")
LONGEST_NAME = 128  # characters of a function's name

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_TRACEPARENT = re.compile(
    r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"
)  # https://www.w3.org/TR/trace-context/
_TRACE_ID = re.compile(r"[\x21-\x7e]{1,128}")
_PLAIN = re.compile(r"[\x20-\x7e\t]+")
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
LONGEST_VALUE = 1000  # characters of a header's value of ours: clients and proxies bound theirs
_CUT_ESCAPE = re.compile(r"%[0-9A-F]?$")


def joined(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers as ASGI has them, repeated ones joined by commas."""
    found: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def header_text(text: str) -> str:
    """`text` as a header may carry it: printable ASCII without a space at its ends, the rest percent-encoded.

    https://www.rfc-editor.org/rfc/rfc9110#section-5.5
    """
    if text.isascii() and text.isprintable() and text == text.strip(" "):
        return text
    quoted = quote(text, safe=_PRINTABLE, errors="surrogatepass")
    front = quoted.lstrip(" ")
    middle = front.rstrip(" ")
    return "%20" * (len(quoted) - len(front)) + middle + "%20" * (len(front) - len(middle))


def raw_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers of an answer as ASGI takes them: every value legal, and none too long to be taken."""
    return [(name.encode("ascii"), _bounded(header_text(value)).encode()) for name, value in headers.items()]


def legal(raw: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Makes every header value legal: some of the headers for browsers repeat what the client sent."""
    return ((name, header_text(value.decode("latin-1")).encode()) for name, value in raw)


def _bounded(value: str) -> str:
    if len(value) <= LONGEST_VALUE:
        return value
    return _CUT_ESCAPE.sub("", value[: LONGEST_VALUE - 3]) + "..."


def request_id(headers: Headers) -> str | None:
    """The client's own id of the request, if it is fit to be echoed."""
    return _matching(_REQUEST_ID, headers.get("x-request-id"))


def trace_headers(headers: Headers) -> dict[str, str]:
    """What of the client's tracing is echoed and logged."""
    found = {
        "traceparent": _matching(_TRACEPARENT, headers.get("traceparent")),
        "x-opper-trace-id": _matching(_TRACE_ID, headers.get("x-opper-trace-id")),
    }
    return {name: value for name, value in found.items() if value is not None}


def upstream_headers(headers: Headers, key_id: str) -> dict[str, str]:
    """The client's headers that an upstream of the same format is sent.

    An idempotency key goes as a hash with the id of the caller's key: two callers who chose the same text
    share the gateway's account at the provider, and must not get each other's answer.
    """
    found = {name: headers[name] for name in UPSTREAM if name in headers and _PLAIN.fullmatch(headers[name])}
    if own := found.get("idempotency-key"):
        found["idempotency-key"] = sha256(f"{key_id}\0{own}".encode()).hexdigest()
    return found


def header_facts(headers: Headers) -> dict[str, str]:
    """The headers that a rule may ask about."""
    return {name.lower(): _decoded(value) for name, value in headers.items() if not secret_header(name)}


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
    return _decoded(value).strip() if value else ""


def _decoded(value: str) -> str:
    """Header bytes reach us as Latin-1 (RFC 9110, section 5.5); what was UTF-8 is read as that."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def _matching(pattern: re.Pattern[str], value: str | None) -> str | None:
    return value if value is not None and pattern.fullmatch(value) else None
