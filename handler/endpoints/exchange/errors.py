"""The response of an error, in the format of the client that gets it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from handler.endpoints.exchange.response import Response, json_response
from handler.errors import GatewayError, InternalError, Json, UpstreamError
from handler.log import Log, RequestLog, exception_line

_Written = tuple[Json, int, Mapping[str, str]]  # body, status, headers


def error_response(
    error: GatewayError, method: str, path: str, sent: Mapping[str, str], headers: Mapping[str, str]
) -> Response:
    """Return the response to a request. path: without a prefix. sent: the request's headers.

    An error of a provider that has the client's format is passed on in the provider's own words, because
    clients recognise some by their wording.
    """
    if isinstance(error, UpstreamError) and error.native is not None:
        return Response(error.native.body, error.native.status, headers={**headers, **error.native.headers})
    body, status, own_headers = _format(f"{method} {path}", sent)(error)
    return json_response(body, status, headers={**headers, **own_headers})


def expected_error(error: Exception, entry: RequestLog, log: Log) -> GatewayError:
    """Return the error that the caller gets for an exception. An unexpected one is logged, with details."""
    if isinstance(error, GatewayError):
        return error
    log(exception_line(error, **entry.ids))
    return InternalError(f"Something went wrong here; the request id is {entry.request_id}.")


def _format(requested: str, sent: Mapping[str, str]) -> Callable[[GatewayError], _Written]:
    for start, header, write in _FORMATS:
        if requested.startswith(start) and (not header or header in sent):
            return write
    return _openai


def _openai(error: GatewayError) -> _Written:
    return error.body(), error.status, {}


def _anthropic(error: GatewayError) -> _Written:
    """Write an error for Claude Code, which does not know 402, and stops at a 429 with x-should-retry: false.

    https://code.claude.com/docs/en/llm-gateway-protocol
    """
    from handler.formats.anthropic.errors import error_body  # not at a cold start

    return error_body(error), 429 if error.status == 402 else error.status, {}


def _google(error: GatewayError) -> _Written:
    from handler.formats.gemini.errors import error_body  # not at a cold start

    return error_body(error), error.status, {}


def _aws(error: GatewayError) -> _Written:
    from handler.formats.converse.errors import STATUSES, error_body, error_headers  # not at a cold start

    return error_body(error), STATUSES.get(error.status, error.status), error_headers(error)


# The beginning of a request, a header that it has, and how its errors are written.
_FORMATS: tuple[tuple[str, str, Callable[[GatewayError], _Written]], ...] = (
    ("POST /messages", "", _anthropic),
    ("POST /v1beta/", "", _google),
    ("GET /v1beta/", "", _google),
    ("POST /models/", "", _google),
    ("POST /model/", "", _aws),
    ("GET /models", "x-goog-api-key", _google),
    ("GET /models", "anthropic-version", _anthropic),
)
