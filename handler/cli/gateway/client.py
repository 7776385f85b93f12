"""Sends the calls of the command line to the API of a gateway's console (docs/api.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from handler.access.keys import is_well_formed, malformed_reason
from handler.aws.endpoint import is_loopback
from handler.aws.errors import StoreError
from handler.manage.changes import Changes, format_compact
from handler.manage.rules import RulesChanged
from rules.review.command_line import InvalidInput

TIMEOUT = 60.0  # seconds that the gateway may be silent
MAX_ANSWER = 20_000_000  # bytes


class Answer(NamedTuple):
    """The status and the body of an answer."""

    status: int
    body: bytes


# Sends one request: method, URL, headers and body. Raises StoreError.
Send = Callable[[str, str, Mapping[str, str], bytes | None], Answer]


class _NoRedirect(HTTPRedirectHandler):
    """The key is for one host, so no redirect is followed."""

    def redirect_request(self, *_: Any) -> None:
        return None


def send_http(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    """Send a request and return its answer. Raises StoreError."""
    handlers = (_NoRedirect(), *([ProxyHandler({})] if is_loopback(url) else []))
    request = Request(url, body, dict(headers), method=method)
    try:
        with build_opener(*handlers).open(request, timeout=TIMEOUT) as response:
            return Answer(response.status, response.read(MAX_ANSWER))
    except HTTPError as error:
        with error:
            return Answer(error.code, error.read(MAX_ANSWER))
    except (HTTPException, OSError, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise StoreError(f"{urlsplit(url).netloc}: no answer ({reason})") from error


class GatewayClient:
    """The calls of one gateway with one key. `ask` raises InvalidInput, StoreError and RulesChanged."""

    def __init__(self, url: str, key: str | None, send: Send = send_http) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise InvalidInput(f"--url: {url!r} is not an address such as https://gateway.example/v1")
        if parts.username is not None:
            raise InvalidInput("--url: leave out what is before the @, a key goes into SLUICE_API_KEY")
        if parts.scheme == "http" and not is_loopback(url):
            raise InvalidInput("--url: use https, since anyone on the way could read the key")
        if not key:
            raise InvalidInput("no key: set SLUICE_API_KEY, or pass `--key -` and write it on standard input")
        if not is_well_formed(key):
            raise InvalidInput(f"the key is not valid: {malformed_reason(key)}")
        self.url = url.rstrip("/")
        self._key = key
        self._send = send

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Any:
        """Make a call of the console's API. `path`: below /console/api."""
        return self.ask(method, f"/console/api/{path}", body, **query)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Any:
        """Make a request and return the JSON of its answer."""
        given = {name: value for name, value in query.items() if value is not None}
        url = self.url + path + (f"?{urlencode(given)}" if given else "")
        data = None if body is None else format_compact(body).encode()
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        answer = self._send(method, url, headers, data)
        try:
            found = json.loads(answer.body, parse_float=Decimal)
            if not isinstance(found, dict):
                raise ValueError
        except (RecursionError, ValueError):
            host = urlsplit(url).netloc
            raise InvalidInput(f"{host}: not an answer of a gateway (HTTP {answer.status})") from None
        if answer.status >= 300:
            raise _error(answer.status, found)
        return found


def segment(text: str) -> str:
    """Return a text as one part of a path."""
    return quote(text, safe="")


def _error(status: int, found: Mapping[str, Any]) -> Exception:
    """Return the error of a command for the error of the gateway."""
    error = found.get("error")
    error = error if isinstance(error, dict) else {}
    message = str(error.get("message") or f"HTTP {status}")
    if error.get("code") == "rules_changed":
        return _changed(error["metadata"])
    if status == 429 or status >= 500:
        return StoreError(message)
    return InvalidInput(message)


def _changed(metadata: Mapping[str, Any]) -> RulesChanged:
    return RulesChanged(
        metadata["revision"],
        changes_of(metadata["changes"]),
        since_base=metadata["since_base"],
        written=metadata["written"],
    )


def changes_of(listed: list[Any]) -> Changes:
    """Return changes of their JSON, as `Changes.as_json` makes it."""
    by_change: dict[str, list[Any]] = {"added": [], "changed": [], "removed": []}
    for one in listed:
        by_change[one["change"]].append(one)
    return Changes(
        added=[one["after"] for one in by_change["added"]],
        changed=[(one["before"], one["after"]) for one in by_change["changed"]],
        removed=[one["before"] for one in by_change["removed"]],
    )
