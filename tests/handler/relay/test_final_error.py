"""The one error that a caller gets when every attempt has failed."""

from __future__ import annotations

import pytest

from handler.errors import ACTIONS, AttemptRecord, UpstreamError
from handler.relay.final_error import final_error
from tests.handler.relay.failures import make_failure

FINAL = [
    pytest.param(["rate_limit"], 429, "rate_limit_error", "rate_limit_exceeded", id="all are rate limited"),
    pytest.param(
        ["rate_limit", "server"], 502, "upstream_error", "upstream_error", id="rate limited, then down"
    ),
    pytest.param(
        ["server", "rate_limit"], 502, "upstream_error", "upstream_error", id="down, then rate limited"
    ),
    pytest.param(
        ["server", "timeout_first_token"], 504, "timeout_error", "deadline_exceeded", id="the last is silent"
    ),
    pytest.param(["timeout_connect"], 504, "timeout_error", "deadline_exceeded", id="no connection in time"),
    pytest.param(["timeout_total"], 504, "timeout_error", "deadline_exceeded", id="the total timeout"),
    pytest.param(
        ["timeout_first_token", "server"], 502, "upstream_error", "upstream_error", id="the first is silent"
    ),
    pytest.param(["auth"], 502, "upstream_error", "upstream_error", id="a refused credential"),
    pytest.param(["permission"], 502, "upstream_error", "upstream_error", id="a missing permission"),
    pytest.param(["quota"], 502, "upstream_error", "upstream_error", id="a spent quota"),
    pytest.param(["network"], 502, "upstream_error", "upstream_error", id="no connection"),
    pytest.param(["protocol"], 502, "upstream_error", "upstream_error", id="an unreadable answer"),
    pytest.param(
        ["not_found", "server"], 502, "upstream_error", "upstream_error", id="one of two is not found"
    ),
]


@pytest.mark.parametrize(("classes", "status", "type_", "code"), FINAL)
def test_the_final_error_summarizes_all_attempts(
    classes: list[str], status: int, type_: str, code: str
) -> None:
    failures = [make_failure(failure_class, retry_after=9 - at) for at, failure_class in enumerate(classes)]
    attempts = [
        AttemptRecord(f"p{at}/m", failure_class, 500 + at, at) for at, failure_class in enumerate(classes)
    ]
    error = final_error(failures, attempts)
    assert (error.status, error.type, error.code) == (status, type_, code)
    assert error.headers == ({} if status == 429 else {"x-should-retry": "false"})
    assert error.retry_after == (10 - len(classes) if status == 429 else None)
    assert all(
        f"p{at}/m ({failure_class}, {500 + at})" in error.message for at, failure_class in enumerate(classes)
    )
    assert error.body()["error"]["metadata"] == {
        "origin": failures[-1].origin,
        "class": classes[-1],
        "provider": f"p{len(classes) - 1}",
        "attempts": [attempt.body() for attempt in attempts],
        **({"retry_after": error.retry_after} if status == 429 else {}),
    }


@pytest.mark.parametrize(
    ("pinned", "status", "code"), [(True, 404, "model_not_found"), (False, 502, "upstream_error")]
)
def test_only_a_pinned_model_is_not_found(pinned: bool, status: int, code: str) -> None:
    error = final_error(
        [make_failure("not_found")], [AttemptRecord("one/a", "not_found", 404, 1)], pinned=pinned
    )
    assert (error.status, error.code) == (status, code)


@pytest.mark.parametrize("failure_class", ["invalid_request", "content_policy", "context_length"])
def test_a_request_error_keeps_the_providers_message(failure_class: str) -> None:
    failure = UpstreamError(
        "Shorter.",
        failure_class=failure_class,
        status=422,
        type="t",
        code="c",
        param="messages",
        upstream_status=422,
    )
    error = final_error(
        [make_failure("server"), failure],
        [AttemptRecord("one/a", "server", 500, 1), AttemptRecord("two/a", failure_class, 422, 1)],
    )
    assert (error.message, error.status, error.type, error.code, error.param) == (
        "two/a: Shorter.",
        422,
        "t",
        "c",
        "messages",
    )
    assert error.headers == {"x-should-retry": "false"}
    assert len(error.metadata["attempts"]) == 2


# By failure class: the origin with a response of the provider, and without one.
ORIGINS = {
    **dict.fromkeys(ACTIONS, ("provider", "provider")),
    **dict.fromkeys(("invalid_request", "auth", "permission", "not_found"), ("provider", "gateway")),
    "timeout_total": ("gateway", "gateway"),
}


@pytest.mark.parametrize("failure_class", sorted(ACTIONS))
@pytest.mark.parametrize("answered", [True, False], ids=["the provider answered", "no provider answered"])
def test_a_refusal_by_the_gateway_has_the_gateway_as_origin(failure_class: str, answered: bool) -> None:
    failure = make_failure(failure_class, status=404 if answered else None)
    error = final_error(
        [failure], [AttemptRecord("one/a", failure_class, failure.upstream_status, 1)], pinned=True
    )
    assert error.metadata["origin"] == ORIGINS[failure_class][0 if answered else 1]
    assert (error.message == "It is invalid_request.") is (
        failure_class == "invalid_request" and not answered
    )
