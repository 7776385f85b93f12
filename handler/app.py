"""The ASGI app: routes, the headers of every response, and the response of each error."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import cached_property
from http import HTTPStatus
from math import ceil
from typing import TYPE_CHECKING, Any

from handler.endpoints.exchange.decision_headers import decision_headers
from handler.endpoints.exchange.errors import error_response, expected_error
from handler.endpoints.exchange.http import (
    ClientDisconnected,
    HttpRequest,
    decode_headers,
    encode_headers,
    request_id,
    sanitize_headers,
    trace_headers,
)
from handler.endpoints.table import ENDPOINTS, FIRST, listed, serving
from handler.errors import GatewayError, MethodNotAllowed, NotFound
from handler.gateway.completion import finish
from handler.gateway.lifecycle import Gateway
from handler.log import RequestLog

if TYPE_CHECKING:
    from starlette.exceptions import HTTPException
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A base URL written for any service that docs/api.md lists works unchanged. Longest first.
PREFIXES = ("/v3/compat/v1", "/v3/compat", "/api/v1", "/v1", "")

EXPOSED_HEADERS = (
    "x-request-id",
    "x-sluice-alert",
    "x-sluice-attempts",
    "x-sluice-cache",
    "x-sluice-cache-age",
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
    "request-id",
    *(
        f"anthropic-ratelimit-{unit}-{name}"
        for unit in ("requests", "tokens")
        for name in ("limit", "remaining", "reset")
    ),
)


# Alternatives to endpoints that do not exist and are often requested, by the end of the path.
ALTERNATIVES: Mapping[str, str] = {
    "/invoke": "Use POST /model/{id}/converse",
    "/call": "Use POST /v1/chat/completions, with `output_schema`",
    "/chat/completions": "Use POST /v1/chat/completions; a base URL ends in /v1",
}


def create_app(gateway: Gateway) -> Any:
    """Return the gateway as an ASGI application."""
    serving(FIRST)  # now, because init has a full processor and requests have a share
    return RequestMiddleware(ErrorMiddleware(Routes(gateway), gateway), gateway)


class Routes:
    """Serves a URL without parameters from a table, and any other request by Starlette's router.

    Starlette takes a seventh of a cold start to import; most requests of most gateways do not need it.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._endpoints = {(method, path): Endpoint(name, gateway) for method, path, name in ENDPOINTS}
        # To a client that sends `/models/{id:path}` as it stands, `{id:path}` is a parameter's value.
        self._fixed = {key: endpoint for key, endpoint in self._endpoints.items() if "{" not in key[1]}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._fixed.get((scope.get("method", ""), scope.get("path", "")))
        await (endpoint or self._route)(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.exceptions import HTTPException

        if scope.get("path", "").endswith("\n"):  # Starlette's patterns end in `$`, which ignores it
            raise _unknown_path(scope)
        scope["app"] = self  # so that the router raises HTTPException for a wrong method
        try:
            await self._router(scope, receive, send)
        except HTTPException as error:
            raise _convert(error, scope) from error

    @cached_property
    def _router(self) -> ASGIApp:
        from starlette.routing import Route, Router

        routes = [
            Route(path, endpoint, methods=[method]) for (method, path), endpoint in self._endpoints.items()
        ]
        return Router(routes, redirect_slashes=False, default=unknown_url)


class Endpoint:
    """An endpoint as an ASGI app, without Starlette's own error handling: ErrorMiddleware does all of it."""

    def __init__(self, name: str, gateway: Gateway) -> None:
        self._name = name
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await serving(self._name)(self._gateway, HttpRequest(scope, receive))
        await response(scope, receive, send)


async def unknown_url(scope: Scope, receive: Receive, send: Send) -> None:
    raise _unknown_path(scope)


def strip_prefix(path: str) -> str:
    """Return `path` without its prefix and one trailing slash; a target such as `*` stays as it is."""
    prefix = next((one for one in PREFIXES if path == one or path.startswith(one + "/")), "")
    path = path[len(prefix) :]
    return path[:-1] if len(path) > 1 and path.endswith("/") else path or "/"


class RequestMiddleware:
    """Give every request its id and log entry, and every response the common headers."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway

    @cached_property
    def _cors_app(self) -> ASGIApp:
        """The same app behind CORS, for requests with an origin."""
        from starlette.middleware.cors import CORSMiddleware

        return CORSMiddleware(
            self._app,
            allow_origins=self._gateway.settings.cors_origins,
            allow_methods=("*",),
            allow_headers=("*",),
            expose_headers=EXPOSED_HEADERS,
            max_age=86400,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await _live(self._gateway, receive, send)
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
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
        inner = {**scope, "path": strip_prefix(scope["path"]), "root_path": "", "sluice.entry": entry}
        try:
            app = self._cors_app if "origin" in headers else self._app
            await app(inner, receive, self._with_common_headers(entry, send))
        finally:
            finish(self._gateway, entry)

    def _with_common_headers(self, entry: RequestLog, send: Send) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
                headers = message.get("headers", ())
                if "origin" in entry.headers:
                    headers = sanitize_headers(headers)
                message = {**message, "headers": (*headers, *self._common_headers(entry))}
            elif entry.recording is not None:
                entry.recording.add(message.get("body", b""))
            await send(message)

        return send_with_headers

    def _common_headers(self, entry: RequestLog) -> list[tuple[bytes, bytes]]:
        overhead = f"{entry.overhead_ms(self._gateway.clock()):.2f}"
        headers = {
            "x-request-id": entry.request_id,
            "x-sluice-overhead-ms": overhead,
            "server-timing": f"sluice;dur={overhead}, provider;dur={entry.waited * 1000:.2f}",
            **entry.trace,
        }
        if entry.key is not None:
            headers["cache-control"] = "no-store"
        path = strip_prefix(entry.path)
        for start, name in _REQUEST_IDS:
            if path.startswith(start):
                headers[name] = entry.request_id
        return encode_headers(headers)


async def _live(gateway: Gateway, receive: Receive, send: Send) -> None:
    """Start the gateway with a server, and end its background work and its connections with it.

    https://asgi.readthedocs.io/en/latest/specs/lifespan.html
    """
    for step, work in (("startup", gateway.start), ("shutdown", gateway.aclose)):
        await receive()
        await work()
        await send({"type": f"lifespan.{step}.complete"})


class ErrorMiddleware:
    """Answer each error of a request with its response, and log unexpected exceptions."""

    def __init__(self, routes: ASGIApp, gateway: Gateway) -> None:
        self._routes = routes
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._routes(scope, receive, send)
        entry: RequestLog = scope["sluice.entry"]
        try:
            if self._gateway.settings.edge_secret:
                from handler.endpoints.exchange.edge import require_edge  # few gateways have one

                require_edge(entry, self._gateway.settings.edge_secret)
            await self._routes(scope, receive, send)
        except ClientDisconnected:
            entry.client_left, entry.status = True, entry.status or 499
        except Exception as error:
            await _send_error(expected_error(error, entry, self._gateway.log), scope, receive, send)


def _convert(error: HTTPException, scope: Scope) -> GatewayError:
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "")
        message = f"Method {scope['method']} is not allowed for {_requested_path(scope)}; allowed: {allowed}."
        return MethodNotAllowed(message, headers={"allow": allowed})
    return _unknown_path(scope)


def _unknown_path(scope: Scope) -> NotFound:
    """Return the error of an unknown path, with an alternative to it or all endpoints."""
    path = _requested_path(scope)
    all_endpoints = f"Endpoints: {', '.join(listed())}"
    ends = (end for end in _LONGEST_FIRST if path.rstrip("/").endswith(end))
    alternative = next((ALTERNATIVES[end] for end in ends), all_endpoints)
    message = f"There is no endpoint {scope['method']} {path[:LONGEST_SHOWN]}. {alternative}."
    return NotFound(message, code="unknown_url")


_LONGEST_FIRST = sorted(ALTERNATIVES, key=len, reverse=True)
_REQUEST_IDS = (("/messages", "request-id"), ("/model/", "x-amzn-requestid"))  # as the vendors' SDKs read it
LONGEST_SHOWN = 200  # characters of a path


def _requested_path(scope: Scope) -> str:
    """Return the path with its prefix, as the client sent it."""
    entry: RequestLog = scope["sluice.entry"]
    return entry.path


async def _send_error(error: GatewayError, scope: Scope, receive: Receive, send: Send) -> None:
    entry: RequestLog = scope["sluice.entry"]
    entry.set_failure(error)
    if entry.status:  # the head was sent, so no other response can be
        return
    headers = _error_headers(error, entry)
    response = error_response(error, scope["method"], scope["path"], entry.headers, headers)
    await response(scope, receive, send)


def _error_headers(error: GatewayError, entry: RequestLog) -> Mapping[str, str]:
    headers, wait = {**decision_headers(entry), **error.headers}, error.retry_after
    if wait is None:
        return headers
    return {"retry-after": str(ceil(wait)), "retry-after-ms": str(ceil(wait * 1000)), **headers}
