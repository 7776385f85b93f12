"""Errors of OpenAI's Responses."""

from __future__ import annotations

import json

import pytest

from handler.providers.responses.errors import chat_param, failure, read_error


@pytest.mark.parametrize(
    ("param", "expected"),
    [
        pytest.param("input", "messages", id="the input"),
        pytest.param("input[3].content[0].image_url", "messages", id="a part of the input"),
        pytest.param("input_x", "input_x", id="a field that only begins in the same way"),
        pytest.param("max_output_tokens", "max_tokens", id="max_output_tokens"),
        pytest.param("reasoning.effort", "reasoning_effort", id="the effort"),
        pytest.param("reasoning.summary", "reasoning.summary", id="the summary"),
        pytest.param("text.format.schema", "response_format", id="the schema"),
        pytest.param("text.verbosity", "verbosity", id="verbosity"),
        pytest.param("tools[0].parameters", "tools[0].parameters", id="a tool"),
        pytest.param("", "", id="an empty text"),
        pytest.param(None, None, id="none"),
    ],
)
def test_the_param_names_the_field_of_the_chat(param: str | None, expected: str | None) -> None:
    assert chat_param(param) == expected
    body = {"error": {"message": "m", "type": "invalid_request_error", "param": param, "code": None}}
    assert read_error(400, {}, json.dumps(body).encode()).param == (expected or param)


@pytest.mark.parametrize(
    ("error", "failure_class", "retry_after"),
    [
        pytest.param(
            {"code": "rate_limit_exceeded", "message": "Please try again in 11.054s."},
            "rate_limit",
            11.054,
            id="a limit",
        ),
        pytest.param(
            {"type": "rate_limit_error", "message": "m"}, "rate_limit", None, id="a limit by its type"
        ),
        pytest.param(
            {"type": "too_many_requests", "message": "m"}, "rate_limit", None, id="a limit at Azure"
        ),
        pytest.param({"code": "insufficient_quota", "message": "m"}, "quota", None, id="no money"),
        pytest.param({"code": "server_is_overloaded", "message": "m"}, "overloaded", None, id="overloaded"),
        pytest.param(
            {"type": "invalid_request_error", "message": "m"}, "invalid_request", None, id="by its type"
        ),
        pytest.param(
            {"code": "context_length_exceeded", "message": "m"}, "context_length", None, id="too long"
        ),
        pytest.param({"code": "data_residency_mismatch", "message": "m"}, "permission", None, id="a region"),
        pytest.param({"code": None, "message": None}, "server", None, id="nothing"),
        pytest.param({}, "server", None, id="an empty error"),
        pytest.param({"code": [], "type": {}, "message": 5, "param": []}, "server", None, id="odd values"),
    ],
)
def test_an_error_without_a_status_has_the_class_of_its_code(
    error: dict[str, object], failure_class: str, retry_after: float | None
) -> None:
    found = failure(error)
    assert (found.failure_class, found.retry_after) == (failure_class, retry_after)


def test_a_key_in_an_error_is_redacted() -> None:
    body = b'{"error":{"message":"Incorrect API key: sk-proj-abcdefghijklmnop","code":"invalid_api_key"}}'
    assert "sk-proj-abc" not in str(read_error(401, {}, body))
