"""The routes, and what each error becomes: every failure of a request comes back here, and only here."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from math import ceil
from typing import Any

from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from handler import __version__
from handler.endpoints.chat import chat_completions
from handler.endpoints.decision_headers import decision_headers
from handler.endpoints.explain import explain
from handler.endpoints.health import health
from handler.endpoints.http import (
    decode_headers,
    encode_headers,
    request_id,
    sanitize_headers,
    trace_headers,
)
from handler.endpoints.models import model, models
from handler.endpoints.report import report
from handler.endpoints.response import Response, json_response
from handler.endpoints.streaming import ClientDisconnected, Message, Receive, Scope, Send
from handler.errors import GatewayError, InternalError, MethodNotAllowed, NotFound
from handler.gateway.gateway import Gateway
from handler.log import RequestLog, failure

# A base URL written for any of these services works unchanged (contract, section 1). Longest first.
PREFIXES = ("/v3/compat/v1", "/v3/compat", "/api/v1", "/v1", "")

EXPOSED = (
    "x-request-id",
    "x-sluice-attempts",
    "x-sluice-cost",
    "x-sluice-dropped",
    "x-sluice-model",
    "x-sluice-overhead-ms",
    "x-sluice-reason",
    "x-sluice-rule",
    "x-sluice-schema",
    "retry-after",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
)


async def root(gateway: Gateway, request: Request) -> Response:
    """GET /: what answers here, and where to read on. No key, and nothing of the rules."""
    return json_response(
        {
            "name": "sluice",
            "version": __version__,
            "documentation": DOCUMENTATION,
            "endpoints": [f"{method} {shown(path)}" for method, path, _ in ENDPOINTS],
        }
    )


ENDPOINTS: tuple[tuple[str, str, Callable[[Gateway, Request], Awaitable[ASGIApp]]], ...] = (
    ("GET", "/", root),
    ("POST", "/chat/completions", chat_completions),
    ("POST", "/explain", explain),
    ("GET", "/models", models),
    ("GET", "/models/{id:path}", model),
    ("POST", "/report", report),
    ("POST", "/report-anthropic", report),
    ("GET", "/health", health),
)
DOCUMENTATION = "docs/api.md, which comes with the gateway's source"
# What is asked for most of what is not served, by how its path ends, and what to use instead.
INSTEAD: Mapping[str, str] = {
    "/responses": "Sluice has POST /v1/chat/completions; in the AI SDK: openai.chat(...)",
    "/messages": "Sluice has POST /v1/chat/completions, for Claude's models too",
    "/completions": "Sluice has POST /v1/chat/completions: messages instead of a prompt",
    "/call": "Sluice has POST /v1/chat/completions, with `output_schema`",
    "/chat/completions": "Sluice has POST /v1/chat/completions: a base URL ends in /v1",
}


def create_app(gateway: Gateway) -> Any:
    """The gateway as an ASGI application."""
    routes = [Route(path, Endpoint(serve, gateway), methods=[method]) for method, path, serve in ENDPOINTS]
    served = Failures(Router(routes, redirect_slashes=False, default=unknown_url), gateway)
    browsers = CORSMiddleware(
        served,
        allow_origins=gateway.settings.cors_origins,
        allow_methods=("*",),
        allow_headers=("*",),
        expose_headers=EXPOSED,
        max_age=86400,
    )
    return Requests(served, browsers, gateway)


class Endpoint:
    """An endpoint as an application: without Starlette's own layer for failures, which are all ours."""

    def __init__(self, serve: Callable[[Gateway, Request], Awaitable[ASGIApp]], gateway: Gateway) -> None:
        self._serve = serve
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._serve(self._gateway, Request(scope, receive, send))
        await response(scope, receive, send)


async def unknown_url(scope: Scope, receive: Receive, send: Send) -> None:
    raise _nothing_at(scope)


def stripped(path: str) -> str:
    """`path` without its prefix and without one trailing slash; as it is when it is none (`OPTIONS *`)."""
    prefix = next((one for one in PREFIXES if path == one or path.startswith(one + "/")), "")
    path = path[len(prefix) :]
    return path[:-1] if len(path) > 1 and path.endswith("/") else path or "/"


def shown(path: str) -> str:
    """The path of an endpoint under the prefix that most clients use."""
    return path if path in ("/", "/health") else "/v1" + path.replace(":path", "")


class Requests:
    """Around every request: its id, its log entry, and the headers that every answer has."""

    def __init__(self, served: ASGIApp, browsers: ASGIApp, gateway: Gateway) -> None:
        self._served = served
        self._browsers = browsers  # the same behind CORS, for requests that say their origin
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._served(scope, receive, send)
        headers = decode_headers(scope["headers"])
        entry = RequestLog(
            request_id=request_id(headers) or secrets.token_hex(16),
            method=scope["method"],
            path=scope["path"],
            started=self._gateway.clock(),
            headers=headers,
            trace=trace_headers(headers),
            aws_request_id=getattr(scope.get("aws.context"), "aws_request_id", None),
            source_ip=(scope.get("client") or (None,))[0],
        )
        inner = {**scope, "path": stripped(scope["path"]), "root_path": "", "sluice.entry": entry}
        try:
            app = self._browsers if "origin" in headers else self._served
            await app(inner, receive, self._outward(entry, send))
        finally:
            await self._gateway.after(entry)

    def _outward(self, entry: RequestLog, send: Send) -> Send:
        """`send`, adding the headers that every answer has."""

        async def outward(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
                headers = (*sanitize_headers(message.get("headers", ())), *self._common(entry))
                message = {**message, "headers": headers}
            await send(message)

        return outward

    def _common(self, entry: RequestLog) -> list[tuple[bytes, bytes]]:
        overhead = f"{entry.overhead_ms(self._gateway.clock()):.2f}"
        headers = {
            "x-request-id": entry.request_id,
            "x-sluice-overhead-ms": overhead,
            "server-timing": f"sluice;dur={overhead}, provider;dur={entry.waited * 1000:.2f}",
            **entry.trace,
        }
        if entry.key is not None:
            headers["cache-control"] = "no-store"
        return encode_headers(headers)


class Failures:
    """What each failure of a request becomes."""

    def __init__(self, router: Router, gateway: Gateway) -> None:
        self._router = router
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._router(scope, receive, send)
        entry: RequestLog = scope["sluice.entry"]
        scope["app"] = self  # or a wrong method would be answered by the router, in its own words
        try:
            await self._router(scope, receive, send)
        except ClientDisconnected:
            entry.left, entry.status = True, entry.status or 499
        except GatewayError as error:
            await _respond(error, scope, receive, send)
        except HTTPException as error:
            await _respond(_of_status(error, scope), scope, receive, send)
        except Exception as error:  # the last resort: an id for the caller, the story for the log
            self._gateway.log(failure(error, **entry.ids))
            internal = InternalError(f"Something went wrong here. The request's id is {entry.request_id}.")
            await _respond(internal, scope, receive, send)


def _of_status(error: HTTPException, scope: Scope) -> GatewayError:
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "")
        message = f"{_asked(scope)} takes {allowed}, not {scope['method']}."
        return MethodNotAllowed(message, headers={"allow": allowed})
    return _nothing_at(scope)


def _nothing_at(scope: Scope) -> NotFound:
    """Says what there is instead: the closest, or all."""
    asked = _asked(scope).rstrip("/")
    served = ", ".join(f"{method} {shown(path)}" for method, path, _ in ENDPOINTS)
    instead = next((INSTEAD[end] for end in _LONGEST_FIRST if asked.endswith(end)), f"Sluice has {served}")
    message = f"There is nothing at {scope['method']} {_asked(scope)[:LONGEST_SHOWN]}. {instead}."
    return NotFound(message, code="unknown_url")


_LONGEST_FIRST = sorted(INSTEAD, key=len, reverse=True)
LONGEST_SHOWN = 200  # characters of a path


def _asked(scope: Scope) -> str:
    """The path as it was asked for."""
    entry: RequestLog = scope["sluice.entry"]
    return entry.path


async def _respond(error: GatewayError, scope: Scope, receive: Receive, send: Send) -> None:
    entry: RequestLog = scope["sluice.entry"]
    entry.failed(error)
    if entry.status:  # the head has left: all that can be done is to end
        return
    response = json_response(error.body(), error.status, headers=_headers(error, entry))
    await response(scope, receive, send)


def _headers(error: GatewayError, entry: RequestLog) -> Mapping[str, str]:
    headers, wait = {**decision_headers(entry), **error.headers}, error.retry_after
    if wait is None:
        return headers
    return {"retry-after": str(ceil(wait)), "retry-after-ms": str(ceil(wait * 1000)), **headers}
