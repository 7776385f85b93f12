"""Malformed events, in every wire format: an event that may have content is never skipped."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from handler.errors import Json, UpstreamError
from handler.providers.provider import Quirks
from handler.providers.registry import TRANSLATORS

START: dict[str, str] = {  # the first event of a stream
    "openai": json.dumps({"id": "1", "choices": [{"index": 0, "delta": {"content": "Hi"}}]}),
    "anthropic": json.dumps({"type": "message_start", "message": {"id": "m", "model": "c"}}),
    "google": json.dumps({"responseId": "r", "candidates": [{"content": {"parts": [{"text": "Hi"}]}}]}),
    "bedrock": json.dumps({"messageStart": {"role": "assistant"}}),
    "responses": json.dumps({"type": "response.created", "response": {"id": "r", "model": "m"}}),
}
BLOCK: dict[str, list[Json]] = {  # events that must come before content
    "anthropic": [{"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}],
}
CONTENT: dict[str, Json] = {
    "openai": {"id": "1", "choices": [{"index": 0, "delta": {"content": "there"}}]},
    "anthropic": {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "there"},
    },
    "google": {"candidates": [{"content": {"parts": [{"text": "there"}]}}]},
    "bedrock": {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "there"}}},
    "responses": {"type": "response.output_text.delta", "output_index": 0, "delta": "there"},
}
WRONG_SHAPE: dict[str, list[Json]] = {  # content in the wrong shape
    "openai": [
        {"choices": [{"index": "0", "delta": {"content": "there"}}]},
        {"choices": [{"delta": {"tool_calls": [7]}}]},
        {"choices": {"delta": {"content": "there"}}},
    ],
    "anthropic": [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 5}},
        {"type": "content_block_delta", "index": 7, "delta": {"type": "text_delta", "text": "there"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta"}},
        {"type": "content_block_delta"},
    ],
    "google": [
        {"candidates": [{"content": {"parts": [{"text": 5}]}}]},
        {"candidates": [{"content": {"parts": [{"functionCall": "f"}]}}]},
        {"candidates": [{"content": {"parts": {"text": "there"}}}]},
    ],
    "bedrock": [
        {"contentBlockDelta": 1},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": 5}}},
        {"contentBlockDelta": {"delta": {"text": "there"}}},
    ],
    "responses": [
        {"type": "response.output_text.delta", "output_index": 0, "delta": 5},
        {"type": "response.output_text.delta", "output_index": []},
        {"type": "response.function_call_arguments.delta", "output_index": 7, "delta": "{}"},
        {"type": "response.output_item.done", "output_index": 0, "item": "there"},
        {"type": "response.completed"},
        {"output_index": 0, "delta": "there"},
    ],
}


def feed(dialect: str, data: Iterable[str]) -> list[Json]:
    decoder = TRANSLATORS[dialect].stream(Quirks(), model="m")
    before = [START[dialect], *map(json.dumps, BLOCK.get(dialect, ()))]
    return [chunk for text in (*before, *data) for chunk in decoder.feed(text)]


def content_of(chunks: Iterable[Json]) -> str:
    choices = (choice for chunk in chunks for choice in chunk["choices"])
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def deep(event: Json) -> str:
    return json.dumps(event)[:-1] + ', "x": ' + "[" * 100_000 + "]" * 100_000 + "}"


DIALECTS = pytest.mark.parametrize("dialect", START)


@DIALECTS
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda event: json.dumps(event)[:-3], id="truncated after its content"),
        pytest.param(lambda event: json.dumps(event).partition("here")[0], id="truncated in its content"),
        pytest.param(deep, id="nested too deeply"),
        pytest.param(lambda event: json.dumps(event)[:-1] + ', "x": NaN}', id="with NaN in it"),
        pytest.param(
            lambda event: json.dumps(event)[:-1] + ', "x": {"y": 1, "y": 2}}', id="with a repeated name"
        ),
        pytest.param(
            lambda event: json.dumps(event)[:-1].replace('"content"', '"cont\\u0065nt"'),
            id="truncated, with escaped names",
        ),
        pytest.param(lambda event: json.dumps(event) + json.dumps(event), id="two values in one event"),
    ],
)
def test_malformed_content_ends_the_stream(dialect: str, spoil: Any) -> None:
    with pytest.raises(UpstreamError) as raised:
        feed(dialect, [spoil(CONTENT[dialect])])
    assert raised.value.failure_class == "protocol"


@pytest.mark.parametrize(
    ("dialect", "event"), [(dialect, event) for dialect, events in WRONG_SHAPE.items() for event in events]
)
def test_content_of_the_wrong_shape_ends_the_stream(dialect: str, event: Json) -> None:
    with pytest.raises(UpstreamError) as raised:
        feed(dialect, [json.dumps(event)])
    assert raised.value.failure_class == "protocol"


@DIALECTS
@pytest.mark.parametrize(
    "event", ["{", '{"choices":[{"delta":', "[]", '"x"', '{"id": NaN}', '{"id": 1, "id": 2}']
)
def test_one_event_without_content_is_skipped_and_a_second_ends_the_stream(dialect: str, event: str) -> None:
    assert content_of(feed(dialect, [event, json.dumps(CONTENT[dialect])])).endswith("there")
    with pytest.raises(UpstreamError) as raised:
        feed(dialect, [event, event])
    assert raised.value.failure_class == "protocol"


@DIALECTS
def test_plain_text_is_skipped(dialect: str) -> None:
    comments = ["OPENROUTER PROCESSING", "ping", "7", "null"] * 10
    assert content_of(feed(dialect, [*comments, json.dumps(CONTENT[dialect])])).endswith("there")


@DIALECTS
def test_an_event_in_two_halves_is_not_skipped(dialect: str) -> None:
    """Each half alone may look like an event without content."""
    whole = json.dumps(CONTENT[dialect])
    for at in range(1, len(whole)):
        with pytest.raises(UpstreamError):
            feed(dialect, [whole[:at], whole[at:]])
