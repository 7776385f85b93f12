"""The response of an error, in the format of the client that gets it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from handler.endpoints.exchange.response import Response, json_response
from handler.errors import GatewayError, Json, UpstreamError


def error_response(error: GatewayError, method: str, path: str, headers: Mapping[str, str]) -> Response:
    """Return the response to a request. path: without a prefix.

    An error of a provider that has the client's format is passed on in the provider's own words, because
    clients recognise some by their wording.
    """
    if isinstance(error, UpstreamError) and error.native is not None:
        return Response(error.native.body, error.native.status, headers=headers)
    requested = f"{method} {path}"
    body, statuses = next(
        ((body, statuses) for start, body, statuses in _FORMATS if requested.startswith(start)), (_openai, {})
    )
    return json_response(body(error), statuses.get(error.status, error.status), headers=headers)


def _openai(error: GatewayError) -> Json:
    return error.body()


def _anthropic(error: GatewayError) -> Json:
    from handler.formats.anthropic.errors import error_body  # not at a cold start

    return error_body(error)


def _google(error: GatewayError) -> Json:
    from handler.formats.gemini.errors import error_body  # not at a cold start

    return error_body(error)


# The beginning of a request, the body, and other statuses. Claude Code does not know 402, and stops at a 429
# with x-should-retry: false (https://code.claude.com/docs/en/llm-gateway-protocol).
_FORMATS: tuple[tuple[str, Callable[[GatewayError], Json], Mapping[int, int]], ...] = (
    ("POST /messages", _anthropic, {402: 429}),
    ("POST /v1beta/", _google, {}),
    ("POST /models/", _google, {}),
)
