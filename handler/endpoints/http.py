"""HTTP helpers that every endpoint shares: headers to and from ASGI, request ids and trace headers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from handler.wire.header_values import encode_header_value

LONGEST_VALUE = 1000  # characters of a response header's value: clients and proxies limit theirs

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_TRACEPARENT = re.compile(
    r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"
)  # https://www.w3.org/TR/trace-context/
_TRACE_ID = re.compile(r"[\x21-\x7e]{1,128}")
_CUT_ESCAPE = re.compile(r"%[0-9A-F]?$")


def decode_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return a request's headers as ASGI has them, with the values of a repeated name joined by commas.

    https://www.rfc-editor.org/rfc/rfc9110#section-5.3
    """
    found: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def encode_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return a response's headers as ASGI takes them: every value is legal and at most LONGEST_VALUE long."""
    return [
        (name.encode("ascii"), _truncate(encode_header_value(value)).encode())
        for name, value in headers.items()
    ]


def sanitize_headers(raw: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Yield `raw` with legal values: CORS headers repeat text that the client sent."""
    return ((name, encode_header_value(value.decode("latin-1")).encode()) for name, value in raw)


def _truncate(value: str) -> str:
    if len(value) <= LONGEST_VALUE:
        return value
    return _CUT_ESCAPE.sub("", value[: LONGEST_VALUE - 3]) + "..."


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the client's own id of the request if it is safe to echo."""
    return _matching(_REQUEST_ID, headers.get("x-request-id"))


def trace_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the client's tracing headers that are well-formed: they are echoed and logged."""
    found = {
        "traceparent": _matching(_TRACEPARENT, headers.get("traceparent")),
        "x-opper-trace-id": _matching(_TRACE_ID, headers.get("x-opper-trace-id")),
    }
    return {name: value for name, value in found.items() if value is not None}


def _matching(pattern: re.Pattern[str], value: str | None) -> str | None:
    return value if value is not None and pattern.fullmatch(value) else None
