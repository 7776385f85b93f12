"""Log lines: every request has the same fields, and no line contains a piece of the request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handler.errors import (
    AttemptRecord,
    GatewayError,
    InvalidRequest,
    NotFound,
    SchemaMismatch,
    Unavailable,
    UpstreamError,
)
from handler.log import LONGEST, RequestLog, error_fields, exception_line, json_lines, request_line
from handler.relay.final_error import final_error


def entry_of(**fields: Any) -> RequestLog:
    return RequestLog(request_id="id", method="POST", path="/chat/completions", started=0.0, **fields)


def final(error: UpstreamError) -> UpstreamError:
    return final_error([error], [AttemptRecord("up/m", error.failure_class, error.upstream_status, 1)])


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(InvalidRequest('role: got "SECRET"', param="n"), id="a message that quotes a value"),
        pytest.param(
            InvalidRequest("SECRET", code="invalid_json", param="n"), id="a message that quotes JSON"
        ),
        pytest.param(
            InvalidRequest("SECRET", code="unsupported_parameter", param="n"),
            id="a message that names a field",
        ),
        pytest.param(
            final(
                UpstreamError(
                    "SECRET", failure_class="invalid_request", code="unsupported_parameter", param="n"
                )
            ),
            id="a field that a provider's format does not have",
        ),
        pytest.param(final(SchemaMismatch("SECRET", answer_text=None)), id="a schema mismatch"),
    ],
)
def test_a_message_that_may_quote_the_request_is_left_out(error: GatewayError) -> None:
    logged, shown = error_fields(error), error.body()["error"]
    assert "SECRET" not in str(logged)
    assert logged["code"] == shown["code"]
    assert logged["param"] == shown["param"]


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(NotFound("There is no model 'a'."), id="an unknown model"),
        pytest.param(Unavailable("No model can take this request."), id="no candidate"),
        pytest.param(
            final(UpstreamError("It failed.", failure_class="server")), id="a summary of the gateway"
        ),
        pytest.param(
            final(UpstreamError("Too long.", failure_class="invalid_request", upstream_status=400)),
            id="a provider's own words",
        ),
    ],
)
def test_other_messages_are_logged_without_the_attempts(error: GatewayError) -> None:
    logged = error.body()["error"]
    logged.get("metadata", {}).pop("attempts", None)
    assert error_fields(error) == logged


LINES = {
    "nothing known": entry_of(),
    "a refused key": entry_of(status=401, failure=InvalidRequest("no")),
    "a failure": entry_of(status=502, attempts=[AttemptRecord("up/m", "server", 500, 3, "It is 500.")]),
}


@pytest.mark.parametrize("entry", LINES.values(), ids=LINES)
def test_every_line_has_the_same_fields(entry: RequestLog) -> None:
    assert request_line(entry, 1.0).keys() == request_line(entry_of(), 1.0).keys()


def test_an_attempt_is_logged_with_the_providers_own_words() -> None:
    (attempt,) = request_line(LINES["a failure"], 1.0)["attempts"]
    assert attempt == {"model": "up/m", "class": "server", "status": 500, "ms": 3, "detail": "It is 500."}
    assert "detail" not in LINES["a failure"].attempts[0].body(), "callers see this one"


@pytest.mark.parametrize(
    ("words", "logged"),
    [
        pytest.param("x" * 5_000, "x" * 299 + "…", id="long words are cut"),
        pytest.param("no: sk-abcdefghijklmnop", "no: [redacted]", id="a key in them is redacted"),
    ],
)
def test_the_detail_of_an_attempt_is_short_and_redacted(words: str, logged: str) -> None:
    error = UpstreamError("It failed.", failure_class="server")
    assert error.detail == "It failed."
    error.add_note(words)
    assert error.detail == logged


def test_values_of_the_caller_are_bounded_and_on_one_line() -> None:
    written: list[str] = []
    headers = {"user-agent": "a\r\n\x1b[2J" + "b" * 5_000}
    entry = entry_of(headers=headers, tags={"t": "\u2028" + "c" * 5_000})
    entry.path = "/\n" * 5_000
    json_lines(written.append)(request_line(entry, 1.0))
    (text,) = written
    assert text.isascii()
    assert text.isprintable() or text[:-1].isprintable()
    assert len(text) < 6 * LONGEST * 4
    assert json.loads(text)["user_agent"].startswith("a")


@pytest.mark.parametrize(
    ("entry", "level"),
    [
        pytest.param(entry_of(status=200), "INFO", id="an answer"),
        pytest.param(entry_of(status=404, failure=NotFound("no")), "INFO", id="a client error"),
        pytest.param(entry_of(status=503, failure=Unavailable("no")), "ERROR", id="a server error"),
        pytest.param(entry_of(status=200, failure=Unavailable("no")), "ERROR", id="an error within a stream"),
        pytest.param(
            entry_of(status=424, failure=UpstreamError("no", failure_class="server")),
            "ERROR",
            id="a provider's failure, with the status that Converse has for it",
        ),
        pytest.param(entry_of(status=500), "ERROR", id="a server error without more"),
        pytest.param(entry_of(status=200, routine=True), "DEBUG", id="a health check"),
        pytest.param(entry_of(status=503, routine=True), "DEBUG", id="a health check of a degraded gateway"),
    ],
)
def test_the_level_of_a_line(entry: RequestLog, level: str) -> None:
    assert request_line(entry, 1.0)["level"] == level


def test_the_line_of_an_unexpected_failure_has_both_ids_of_the_request() -> None:
    logged = exception_line(ValueError("x"), request_id="ours", aws_request_id="lambda's")
    assert (logged["request_id"], logged["aws_request_id"]) == ("ours", "lambda's")
