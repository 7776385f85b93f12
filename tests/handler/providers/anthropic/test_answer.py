"""The parts of Anthropic's answers, and its errors."""

from __future__ import annotations

from typing import Any

import pytest

from handler.answers.usage import usage_of
from handler.errors import Json, UpstreamError
from handler.providers.anthropic.translator import Anthropic
from handler.providers.provider import Quirks
from tests.handler.providers.content_blocks.builders import (
    NEWEST,
    text,
    tool_use,
)
from tests.handler.providers.wire_cases import WIRE, completion_of


def message(*blocks: Json, stop: Any = "end_turn", **more: Any) -> Json:
    usage = {"input_tokens": 1, "output_tokens": 1}
    return {
        "id": "m",
        "type": "message",
        "model": NEWEST,
        "content": list(blocks),
        "stop_reason": stop,
        "usage": usage,
        **more,
    }


def response(body: Json, **more: Any) -> Json:
    choice: Json = Anthropic().response(body, Quirks(), **more)["choices"][0]
    return choice


@pytest.mark.parametrize(
    ("stop", "blocks", "expected"),
    [
        pytest.param("pause_turn", [], "stop", id="pause_turn"),
        pytest.param("max_tokens", [tool_use("1")], "length", id="max_tokens after a call"),
        pytest.param("some_day", [tool_use("1")], "tool_calls", id="an unknown reason after a call"),
        pytest.param(None, [text("A")], "stop", id="no reason"),
    ],
)
def test_finish_reasons(stop: Any, blocks: list[Json], expected: str) -> None:
    assert response(message(*blocks, stop=stop))["finish_reason"] == expected


@pytest.mark.parametrize(
    ("body", "failure_class"),
    [
        pytest.param(
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            "overloaded",
            id="an error with status 200",
        ),
        pytest.param({"id": "x"}, "protocol", id="no content"),
        pytest.param({"content": [1]}, "protocol", id="blocks that are not objects"),
    ],
)
def test_a_body_that_is_not_a_message_is_a_failure(body: Json, failure_class: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        response(body)
    assert raised.value.failure_class == failure_class


def test_cached_tokens_are_counted() -> None:
    usage = usage_of(completion_of(WIRE / "anthropic" / "cached-usage"))
    assert usage is not None
    assert (usage.input, usage.cached, usage.output) == (1908, 1800, 4)


def test_a_request_that_is_too_large_has_that_code() -> None:
    error = Anthropic().error(413, {}, b'{"type":"error","error":{"type":"request_too_large","message":"m"}}')
    assert (error.status, error.code) == (413, "request_too_large")


def test_a_key_in_an_error_is_redacted() -> None:
    body = b'{"type":"error","error":{"type":"authentication_error","message":"sk-ant-api03-abcdefghij"}}'
    assert "sk-ant" not in str(Anthropic().error(401, {}, body))
