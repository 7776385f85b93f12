"""Errors have the shape of Google's APIs."""

from __future__ import annotations

import pytest

from handler.errors import (
    BudgetExceeded,
    Forbidden,
    GatewayError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UpstreamError,
)
from handler.formats.gemini.format import GeminiFormat

FORMAT = GeminiFormat("gemini-2.5-pro")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidRequest("m"), "INVALID_ARGUMENT"),
        (Unauthenticated("m"), "UNAUTHENTICATED"),
        (BudgetExceeded("m"), "FAILED_PRECONDITION"),
        (Forbidden("m"), "PERMISSION_DENIED"),
        (NotFound("m"), "NOT_FOUND"),
        (MethodNotAllowed("m"), "UNIMPLEMENTED"),
        (TooLarge("m"), "INVALID_ARGUMENT"),
        (RateLimited("m"), "RESOURCE_EXHAUSTED"),
        (InternalError("m"), "INTERNAL"),
        (UpstreamError("m", failure_class="server"), "UNAVAILABLE"),
        (Unavailable("m"), "UNAVAILABLE"),
        (UpstreamError("m", failure_class="timeout_total", status=504), "DEADLINE_EXCEEDED"),
        (UpstreamError("m", failure_class="server", status=599), "INTERNAL"),
    ],
    ids=lambda value: f"{value.status} {type(value).__name__}" if isinstance(value, GatewayError) else value,
)
def test_the_status_has_the_name_of_google(error: GatewayError, status: str) -> None:
    body = FORMAT.error(error)["error"]
    assert (body["code"], body["message"], body["status"]) == (error.status, "m", status)
    assert body["details"][0]["reason"] == error.code.upper()


def test_the_details_of_an_error() -> None:
    error = RateLimited(
        "Slow down.", param="contents", retry_after=1.5, metadata={"origin": "gateway", "n": [1]}
    )
    rpc = "type.googleapis.com/google.rpc."
    assert FORMAT.error(error)["error"]["details"] == [
        {
            "@type": f"{rpc}ErrorInfo",
            "reason": "RATE_LIMIT_EXCEEDED",
            "domain": "sluice",
            "metadata": {"type": "rate_limit_error", "origin": "gateway", "n": "[1]"},
        },
        {
            "@type": f"{rpc}BadRequest",
            "fieldViolations": [{"field": "contents", "description": "Slow down."}],
        },
        {"@type": f"{rpc}RetryInfo", "retryDelay": "1.5s"},
    ]
