"""Tests of handler/providers/google/answer.py."""

from __future__ import annotations

import pytest

from handler.answers.usage import usage_of
from handler.errors import Json, UpstreamError
from handler.providers.google.translator import Google
from tests.handler.providers.google.gemini import PNG, QUIRKS, choice_of, chunks_of, response, text


@pytest.mark.parametrize(
    ("finish", "expected"),
    [
        pytest.param("STOP", "stop", id="a complete answer"),
        pytest.param("MAX_TOKENS", "length", id="cut off"),
        pytest.param("CONTINUATION", "length", id="to be continued"),
        pytest.param("SAFETY", "content_filter", id="filtered"),
        pytest.param("PROHIBITED_CONTENT", "content_filter", id="prohibited"),
        pytest.param("MODEL_ARMOR", "content_filter", id="another filter"),
        pytest.param("MALFORMED_FUNCTION_CALL", "stop", id="a breakdown after some text"),
        pytest.param("FINISH_REASON_UNSPECIFIED", "stop", id="an unspecified reason"),
        pytest.param("NEW_WORD", "stop", id="an unknown reason"),
        pytest.param(None, "stop", id="no reason"),
    ],
)
def test_finish_reasons(finish: str | None, expected: str) -> None:
    assert choice_of(response(text("Hi"), finish=finish))["finish_reason"] == expected


@pytest.mark.parametrize("finish", ["STOP", "FINISH_REASON_UNSPECIFIED", None])
def test_the_finish_reason_after_a_call_is_tool_calls(finish: str | None) -> None:
    found = choice_of(response({"functionCall": {"name": "_:2see"}}, finish=finish))
    assert found["finish_reason"] == "tool_calls"
    assert found["message"]["content"] is None
    assert found["message"]["tool_calls"][0]["function"] == {"name": "2see", "arguments": "{}"}


def test_the_finish_reason_after_a_call_that_was_cut_off_is_length() -> None:
    found = choice_of(response({"functionCall": {"name": "x"}}, finish="MAX_TOKENS"))
    assert found["finish_reason"] == "length"


@pytest.mark.parametrize("finish", ["MALFORMED_FUNCTION_CALL", "OTHER", "MISSING_THOUGHT_SIGNATURE"])
def test_a_breakdown_without_content_is_a_failure_that_is_retried(finish: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        choice_of(response(finish=finish))
    assert raised.value.action.retry


def test_calls_without_a_unique_id_get_one() -> None:
    calls = [{"functionCall": {"name": "x", "id": id_}} for id_ in ("a", "a", "", None)]
    found = [one["id"] for one in choice_of(response(*calls))["message"]["tool_calls"]]
    assert found[0] == "a"
    assert len(set(found)) == 4
    assert all(found)


def test_an_answer_without_parts_has_an_empty_text() -> None:
    assert choice_of({"candidates": [{"finishReason": "STOP"}]})["message"]["content"] == ""


def test_an_answer_without_an_id_gets_one() -> None:
    first, second = (Google().response({"candidates": [{}]}, QUIRKS)["id"] for _ in range(2))
    assert first != second


def test_images_of_an_answer_have_an_index() -> None:
    """openai-python merges the lists of a stream by it."""
    image = {"inlineData": {"mimeType": "image/png", "data": PNG}}
    images = choice_of(response(image, text("and"), image))["message"]["images"]
    chunks = chunks_of(response(image, finish=None), response(text("and"), finish=None), response(image))
    streamed = [one for chunk in chunks for c in chunk["choices"] for one in c["delta"].get("images", ())]
    assert [one["index"] for one in images] == [0, 1]
    assert streamed == images


@pytest.mark.parametrize(
    ("body", "failure_class"),
    [
        pytest.param({}, "protocol", id="an empty object"),
        pytest.param({"candidates": []}, "server", id="an empty list of candidates"),
        pytest.param({"usageMetadata": {"promptTokenCount": 1}}, "server", id="only usage"),
        pytest.param({"candidates": "x"}, "protocol", id="candidates of another type"),
        pytest.param({"candidates": [1]}, "protocol", id="a candidate of another type"),
        pytest.param({"candidates": [{"content": {"parts": [1]}}]}, "protocol", id="a part of another type"),
        pytest.param({"candidates": [{"content": "x"}]}, "protocol", id="content of another type"),
        pytest.param({"candidates": [{"index": "x"}]}, "protocol", id="an index of another type"),
        pytest.param(
            {"error": {"code": 503, "status": "UNAVAILABLE"}}, "overloaded", id="an error with status 200"
        ),
        pytest.param(
            {"error": {"code": 400, "details": [{"reason": "API_KEY_INVALID"}]}},
            "auth",
            id="a wrong key with status 200",
        ),
    ],
)
def test_a_body_that_is_not_an_answer_is_a_failure(body: Json, failure_class: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        Google().response(body, QUIRKS)
    assert raised.value.failure_class == failure_class


def test_usage() -> None:
    metadata = {"promptTokenCount": 100, "cachedContentTokenCount": 60, "toolUsePromptTokenCount": 5}
    metadata |= {"candidatesTokenCount": 7, "thoughtsTokenCount": 30, "totalTokenCount": 142}
    usage = usage_of(Google().response(response(text("x"), usageMetadata=metadata), QUIRKS))
    assert usage is not None
    assert (usage.input, usage.cached, usage.output, usage.reasoning) == (105, 60, 37, 30)
