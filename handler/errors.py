"""The tree of errors, and the body that each becomes in a response (docs/api.md, Errors).

GatewayError                  status, type, code; body() is the OpenAI error object
├── InvalidRequest      400   invalid_json, invalid_value, ...
├── Unauthenticated     401   missing_api_key, invalid_api_key
├── BudgetExceeded      402   budget_exceeded
├── Forbidden           403   model_not_allowed, scope_required
├── NotFound            404   model_not_found, unknown_url
├── MethodNotAllowed    405   method_not_allowed
├── TooLarge            413   request_too_large
├── UnsupportedEncoding 415   unsupported_encoding
├── RateLimited         429   rate_limit_exceeded
├── Unavailable         503   no_candidate, store_unavailable, rule_unreadable
├── InternalError       500   internal_error
└── UpstreamError             one failed attempt, or all of them; ACTIONS has what may follow it
    ├── SchemaMismatch        an answer that does not match the requested format
    └── NotSent               no request was sent to this candidate, so it is not an attempt
        ├── Unsupported       content that its format cannot carry
        └── LimitReached      its limit or budget is used up
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from handler.redact import redact

Json = dict[str, Any]

LONGEST_DETAIL = 300  # characters of a provider's own words, in answers and in the log


class AttemptRecord(NamedTuple):
    """One call to one candidate, as the error body, the headers and the log show it."""

    model: str
    failure_class: str  # "ok", or one of ACTIONS
    status: int | None
    ms: int
    detail: str | None = (
        None  # the reason of a failure, for the log: the provider's own words if it sent some
    )
    cause: str | None = None  # of a failure of class "network"
    dropped: tuple[str, ...] = ()  # as in Answer
    schema: str | None = None
    account: str | None = None  # as in Candidate; for the log
    span: tuple[str, float] | None = None  # its id in a trace, and when it began in monotonic seconds

    def body(self) -> Json:
        known = {"status": self.status, "cause": self.cause}
        given = {name: value for name, value in known.items() if value is not None}
        return {"model": self.model, "class": self.failure_class, **given, "ms": self.ms}

    def logged(self) -> Json:
        more = {"credential": self.account, "detail": self.detail}
        return {**self.body(), **{name: value for name, value in more.items() if value is not None}}


class GatewayError(Exception):
    """An error that a caller sees. `message` is for people and never contains a credential or an address."""

    status = 500
    type = "server_error"
    code = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.param = param
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after  # seconds
        self.headers = dict(headers or {})

    def body(self) -> Json:
        """Return OpenAI's error object, with `metadata` of our own (docs/api.md)."""
        error: Json = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        metadata = dict(self.metadata)
        if self.retry_after is not None:
            metadata["retry_after"] = self.retry_after
        if metadata:
            error["metadata"] = metadata
        return {"error": error}


class InvalidRequest(GatewayError):
    status, type, code = 400, "invalid_request_error", "invalid_value"


class Unauthenticated(GatewayError):
    status, type, code = 401, "authentication_error", "invalid_api_key"
    key_id: str | None = None  # of a known key that is disabled, expired or unreadable; for the log only
    project: str | None = None


class BudgetExceeded(GatewayError):
    status, type, code = 402, "insufficient_quota", "budget_exceeded"


class Forbidden(GatewayError):
    status, type, code = 403, "permission_error", "model_not_allowed"


class NotFound(GatewayError):
    status, type, code = 404, "invalid_request_error", "model_not_found"


class MethodNotAllowed(GatewayError):
    status, type, code = 405, "invalid_request_error", "method_not_allowed"


class TooLarge(GatewayError):
    status, type, code = 413, "invalid_request_error", "request_too_large"


class UnsupportedEncoding(GatewayError):
    status, type, code = 415, "invalid_request_error", "unsupported_encoding"


class RateLimited(GatewayError):
    status, type, code = 429, "rate_limit_error", "rate_limit_exceeded"


class Unavailable(GatewayError):
    status, type, code = 503, "service_unavailable", "no_candidate"


class InternalError(GatewayError):
    status, type, code = 500, "server_error", "internal_error"


class Action(NamedTuple):
    """What may follow a failed attempt."""

    retry: bool = False  # the same candidate again, `retries` times
    failover: bool = True  # the next candidate
    blame: bool = True  # counts against the candidate (cooldown)


# By failure class (docs/api.md, What follows a failed attempt).
ACTIONS: Mapping[str, Action] = {
    "invalid_request": Action(failover=False, blame=False),
    "content_policy": Action(failover=False, blame=False),
    "context_length": Action(blame=False),  # only to a larger context window
    **dict.fromkeys(("auth", "permission", "not_found", "quota"), Action()),
    "rate_limit": Action(),  # waits if no other candidate is left
    **dict.fromkeys(("server", "overloaded", "network"), Action(retry=True)),
    **dict.fromkeys(("timeout_connect", "timeout_first_token", "timeout_idle", "timeout_total"), Action()),
    "protocol": Action(),
    "schema": Action(blame=False),
    "cancelled": Action(failover=False, blame=False),
}

# A provider reports these classes in a response. Without a response the gateway itself refused the request.
_REFUSAL_CLASSES = frozenset({"invalid_request", "auth", "permission", "not_found"})


class NativeError(NamedTuple):
    """An error in a provider's own words, for a client that has the provider's format."""

    status: int  # 200 for an event of a stream
    body: bytes  # of the response, or the event
    headers: Mapping[str, str] = {}  # that belong to the error


class UpstreamError(GatewayError):
    """A provider failed. `failure_class` is one of ACTIONS; the client sees status, type and code."""

    status, type, code = 502, "upstream_error", "upstream_error"
    native: NativeError | None = None  # of a request that was relayed in its client's own format
    dropped: tuple[str, ...] = ()  # as in Answer, where a request was sent
    schema: str | None = None

    def __init__(
        self,
        message: str,
        *,
        failure_class: str,
        upstream_status: int | None = None,
        status: int | None = None,
        type: str | None = None,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        metadata: Mapping[str, Any] | None = None,
        cause: str | None = None,
    ) -> None:
        super().__init__(message, code=code, param=param, retry_after=retry_after, metadata=metadata)
        self.failure_class = failure_class
        self.cause = cause  # of class `network`: one of NETWORK_FAILURES in handler/upstream/connection.py
        self.upstream_status = upstream_status
        self.status = status or self.status
        self.type = type or self.type

    @property
    def action(self) -> Action:
        return ACTIONS[self.failure_class]

    @property
    def origin(self) -> str:
        """`gateway` where Sluice itself refused, before any provider was called; else `provider`."""
        ours = self.failure_class == "timeout_total" or (
            self.upstream_status is None and self.failure_class in _REFUSAL_CLASSES
        )
        return "gateway" if ours else "provider"

    @property
    def detail(self) -> str:
        """The reason for the log: the provider's own words if it sent some, else the message."""
        own, *_ = getattr(self, "__notes__", None) or [self.message]
        return redact(own, limit=LONGEST_DETAIL)


_MISMATCH = "The answer does not match the requested format"


class SchemaMismatch(UpstreamError):
    """An answer that does not match the requested format. `problem` says where, and quotes nothing of it.

    `answer_text` is None where the provider refused the mode; `refused_modes` names all such modes.
    """

    def __init__(
        self,
        problem: str,
        *,
        answer_text: str | None,
        failure_class: str = "schema",
        upstream_status: int | None = None,
    ) -> None:
        super().__init__(
            f"{_MISMATCH}: {problem}.", failure_class=failure_class, upstream_status=upstream_status
        )
        self.problem, self.answer_text = problem, answer_text
        self.refused_modes: frozenset[str] = frozenset()

    @property
    def detail(self) -> str:
        # The problem names members of the caller's schema; a refused mode has the provider's words in a note.
        return super().detail if self.answer_text is None else _MISMATCH + "."


class NotSent(UpstreamError):
    """No request was sent to a candidate, so it is not an attempt."""


class LimitReached(NotSent):
    """A limit or a budget of this candidate is used up."""

    def __init__(self, message: str, *, status: int, type: str, code: str) -> None:
        super().__init__(message, failure_class="quota", status=status, type=type, code=code)


class Unsupported(NotSent):
    """Content that one candidate's format cannot carry."""

    status, type, code = 400, "invalid_request_error", "unsupported_parameter"
