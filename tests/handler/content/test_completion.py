"""The completion that the frames of a stream say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from handler.content.completion import completion_of, events_of
from tests.handler.providers.wire_cases import CASES as WIRE_CASES
from tests.handler.providers.wire_cases import case_id, chunks_of, read_file
from tests.handler.providers.wire_cases import completion_of as whole_of
from tests.support.event_stream import frames as aws_frames

HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "up/m"}


def frames(*chunks: Any) -> bytes:
    texts = (each if isinstance(each, str) else json.dumps({**HEAD, **each}) for each in chunks)
    return "".join(f"data: {text}\n\n" for text in texts).encode()


def choice(delta: dict[str, Any], finish: str | None = None, index: int = 0) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish}]}


def call(index: int, **members: Any) -> dict[str, Any]:
    return choice({"tool_calls": [{"index": index, **members}]})


def messages(*chunks: Any) -> list[dict[str, Any]]:
    completion = completion_of(frames(*chunks))
    assert completion is not None
    return [each["message"] for each in completion["choices"]]


def test_the_head_and_the_usage_are_those_of_the_chunks() -> None:
    usage = {"choices": [], "usage": {"total_tokens": 3}}
    assert completion_of(frames(choice({"role": "assistant", "content": "hi"}, "stop"), usage, "[DONE]")) == {
        **HEAD,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"total_tokens": 3},
    }


CASES = [
    pytest.param(
        [choice({"role": "assistant", "content": ""}), choice({"content": "a"}), choice({"content": "b"})],
        [{"role": "assistant", "content": "ab"}],
        id="texts are joined",
    ),
    pytest.param(
        [choice({"content": "b"}, index=1), choice({"content": "a"}), choice({"content": "c"}, index=1)],
        [{"content": "a"}, {"content": "bc"}],
        id="choices are told apart",
    ),
    pytest.param(
        [
            call(0, id="t1", type="function", function={"name": "f", "arguments": ""}),
            call(0, function={"arguments": '{"a"'}),
            call(1, id="t2", type="function", function={"name": "g", "arguments": "{}"}),
            call(0, function={"arguments": ":1}"}),
        ],
        [
            {
                "tool_calls": [
                    {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                    {"id": "t2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                ]
            }
        ],
        id="tool calls are put together by index",
    ),
    pytest.param(
        [choice({"reasoning_content": "hm"}), choice({"reasoning_content": "m", "content": None})],
        [{"reasoning_content": "hmm", "content": None}],
        id="reasoning is joined, and null is no text",
    ),
    pytest.param(
        [
            choice({"function_call": {"name": "f", "arguments": "{"}}),
            choice({"function_call": {"arguments": "}"}}),
        ],
        [{"function_call": {"name": "f", "arguments": "{}"}}],
        id="a call of the legacy form",
    ),
    pytest.param(
        [choice({"images": [{"type": "image_url"}]}), choice({"images": [{"type": "image_url"}]})],
        [{"images": [{"type": "image_url"}, {"type": "image_url"}]}],
        id="members without an index follow each other",
    ),
    pytest.param(
        [choice({"images": [{"index": 0, "url": "a"}]}), choice({"images": [{"index": 1, "url": "b"}]})],
        [{"images": [{"index": 0, "url": "a"}, {"index": 1, "url": "b"}]}],
        id="members keep their index",
    ),
    pytest.param(
        [
            choice({"reasoning_details": [{"index": 0, "type": "reasoning.text", "text": "a"}]}),
            choice({"reasoning_details": [{"index": 0, "text": "b"}, {"index": 1, "text": "c"}]}),
            choice({"reasoning_details": [{"index": 0, "signature": "s"}]}),
        ],
        [
            {
                "reasoning_details": [
                    {"index": 0, "type": "reasoning.text", "text": "ab", "signature": "s"},
                    {"index": 1, "text": "c"},
                ]
            }
        ],
        id="pieces of one index are one member",
    ),
    pytest.param(
        [
            call(0, id="t1", type="custom", custom={"name": "f", "input": "x"}),
            call(0, custom={"input": "y"}),
        ],
        [{"tool_calls": [{"id": "t1", "type": "custom", "custom": {"name": "f", "input": "xy"}}]}],
        id="a custom call",
    ),
    pytest.param(
        [choice({"channel": "analysis", "reasoning": "a"}), choice({"channel": "final", "content": "b"})],
        [{"reasoning": "a", "content": "b"}],
        id="the channel of a piece is not of the message",
    ),
    pytest.param(
        [choice({"content": "a"}), '{"choices": [{"delta": {"content": "cut'],
        [{"content": "a"}],
        id="an event that was cut off is left out",
    ),
]


@pytest.mark.parametrize(("chunks", "expected"), CASES)
def test_the_messages_of_a_stream(chunks: list[Any], expected: list[Any]) -> None:
    assert messages(*chunks) == expected


def test_an_error_in_the_stream_is_a_member() -> None:
    found = completion_of(frames(choice({"content": "a"}), '{"error": {"message": "cut"}}'))
    assert found is not None
    assert found["error"] == {"message": "cut"}
    assert found["choices"][0]["finish_reason"] is None


@pytest.mark.parametrize("data", [b"", b": keep-alive\n\n", b"data: [DONE]\n\n", b"data: []\n\n"])
def test_without_a_chunk_there_is_no_completion(data: bytes) -> None:
    assert completion_of(data) is None


STREAMS = [
    case
    for case in WIRE_CASES
    if any((case / name).exists() for name in ("stream.sse", "stream.jsonl"))
    and "fails" not in read_file(case, "about.json")
]


def present(value: Any) -> Any:
    """The value without empty members, which a stream need not have."""
    if not isinstance(value, dict):
        return value
    members = {name: present(member) for name, member in value.items()}
    return {name: member for name, member in members.items() if member not in (None, "", [], {})}


@pytest.mark.parametrize("case", STREAMS, ids=case_id)
def test_a_stream_makes_the_completion_that_is_not_streamed(case: Path) -> None:
    found, whole = completion_of(frames(*chunks_of(case))), whole_of(case)
    assert found is not None
    for name in ("message", "finish_reason", "logprobs"):
        assert [present(each.get(name)) for each in found["choices"]] == [
            present(each.get(name)) for each in whole["choices"]
        ]
    assert found.get("usage") == whole.get("usage")


@pytest.mark.parametrize(("cut", "count"), [(0, 2), (5, 1), (10_000, 0)], ids=["whole", "cut off", "nothing"])
def test_the_events_of_an_aws_event_stream(cut: int, count: int) -> None:
    events = [{"messageStart": {"role": "assistant"}}, {"messageStop": {"stopReason": "end_turn"}}]
    data = aws_frames(events)
    assert events_of(data[: max(0, len(data) - cut)]) == ({"events": events[:count]} if count else None)
