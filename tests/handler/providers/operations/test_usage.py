"""The usage in the answer of an operation."""

from __future__ import annotations

from typing import Any

import pytest

from handler.answers.usage import usage_of
from handler.providers.operations.usage import as_chat_usage, find_usage, units_of


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b'{"usage" : {"a": {"b": 1}}, "x": 2}', {"a": {"b": 1}}, id="before other members"),
        pytest.param(b'{"data": [1], "usage":{"a":1}}', {"a": 1}, id="at the end"),
        pytest.param(rb'{"text": "\"usage\": {\"a\": 9}", "usage": {"a": 1}}', {"a": 1}, id="after a text"),
        pytest.param(rb'{"usage": {"a": 1}, "text": "\"usage\": {\"a\": 9}"}', {"a": 1}, id="before a text"),
        pytest.param(b'{"meta": {"billed_units": {"search_units": 1}}}', {"search_units": 1}, id="Cohere's"),
        pytest.param(b'{"usage": null}', {}, id="null"),
        pytest.param(b'{"usage": [1]}', {}, id="a list"),
        pytest.param(b'{"usage": {"a": ', {}, id="cut off"),
        pytest.param(b'{"usage": {"a": "' + b"x" * 5000 + b'"}}', {}, id="too long"),
        pytest.param(b'{"x": 1}', {}, id="none"),
        pytest.param(b"", {}, id="nothing"),
    ],
)
def test_the_object_is_found(data: bytes, expected: Any) -> None:
    assert find_usage(data) == expected


@pytest.mark.parametrize(
    ("operation", "usage", "expected"),
    [
        pytest.param("embeddings", {"prompt_tokens": 7, "total_tokens": 7}, {"input": 7}, id="embeddings"),
        pytest.param("embeddings", {"total_tokens": 7}, {"input": 7}, id="a total alone"),
        pytest.param(
            *("image", {"input_tokens": 9, "output_tokens": 5, "input_tokens_details": {"image_tokens": 4}}),
            {"input": 5, "image_input": 4, "image_output": 5},
            id="an image",
        ),
        pytest.param(
            "image",
            {
                "input_tokens": 9,
                "output_tokens": 5,
                "output_tokens_details": {"image_tokens": 3, "text_tokens": 2},
            },
            {"input": 9, "image_output": 3, "output": 2},
            id="an image with thoughts",
        ),
        pytest.param(
            *("transcription", {"type": "tokens", "input_tokens": 9, "output_tokens": 5}),
            {"input": 9, "output": 5},
            id="a transcription",
        ),
        pytest.param(
            "transcription",
            {"input_tokens": 9, "output_tokens": 5, "input_token_details": {"audio_tokens": 9}},
            {"audio_input": 9, "output": 5},
            id="a transcription of audio tokens",
        ),
        pytest.param(
            *("speech", {"input_tokens": 9, "output_tokens": 5}), {"input": 9, "audio_output": 5}, id="speech"
        ),
    ],
)
def test_tokens_have_the_names_of_a_chat(operation: str, usage: Any, expected: Any) -> None:
    found = usage_of({"usage": as_chat_usage(usage, operation)})
    assert found
    assert {part: count for part, count in found.parts.items() if count} == expected


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        pytest.param({"type": "duration", "seconds": 2.2}, {"seconds": 3}, id="seconds are rounded up"),
        pytest.param({"search_units": 2}, {"searches": 2}, id="searches"),
        pytest.param({"seconds": "9", "search_units": -1}, {}, id="wrong values"),
    ],
)
def test_units(usage: Any, expected: Any) -> None:
    assert units_of(usage) == expected
    assert usage_of({"usage": as_chat_usage(usage, "transcription")}) is None
