"""Answers, streams and errors of Converse; a stream adds up to the whole answer."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from handler.errors import (
    BudgetExceeded,
    Forbidden,
    GatewayError,
    InternalError,
    InvalidRequest,
    Json,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UpstreamError,
)
from handler.formats.converse.errors import error_body, error_headers
from handler.formats.converse.format import ConverseFormat
from handler.formats.opaque_state import encode_state
from tests.handler.formats.anthropic.builders import call, chunk, completion, piece, pieces
from tests.handler.formats.anthropic.generated import answer_of, chunks_of
from tests.handler.formats.converse.bodies import (
    PNG,
    encode,
    events_of,
    fold,
    image,
    messages,
    parse,
    request,
)

FORMAT = ConverseFormat("p/m", latency=lambda: 7)
USAGE = {"inputTokens": 10, "outputTokens": 3, "totalTokens": 13}
USAGE |= {"cacheReadInputTokens": 0, "cacheWriteInputTokens": 0}


def answer(finish_reason: str = "stop", *, body: Json | None = None, **message: Any) -> Json:
    return FORMAT.answer(completion(finish_reason, **message), parse(body or request()))


def content(**message: Any) -> list[Json]:
    found: list[Json] = answer(**message)["output"]["message"]["content"]
    return found


def test_a_whole_answer() -> None:
    assert answer(content="Hi") == {
        "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
        "stopReason": "end_turn",
        "usage": {**USAGE, "cacheDetails": []},
        "metrics": {"latencyMs": 7},
    }


CONTENT: dict[str, tuple[Json, list[Json]]] = {
    "nothing": ({"content": ""}, []),
    "a refusal": ({"content": None, "refusal": "No."}, [{"text": "No."}]),
    "reasoning": (
        {"reasoning_content": "t", "content": "a"},
        [
            {"reasoningContent": {"reasoningText": {"text": "t", "signature": encode_state({})}}},
            {"text": "a"},
        ],
    ),
    "hidden reasoning": (
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "d"}], "content": "a"},
        [
            {
                "reasoningContent": {
                    "redactedContent": encode_state(
                        {"details": [{"type": "reasoning.encrypted", "data": "d"}]}
                    )
                }
            },
            {"text": "a"},
        ],
    ),
    "calls": (
        {"content": None, "tool_calls": [call(arguments='{"a":1}'), call("ü", arguments="[1")]},
        [
            {"toolUse": {"toolUseId": "call_1", "name": "look", "input": {"a": 1}}},
            {"toolUse": {"toolUseId": "sluice_w7w", "name": "look", "input": {"_raw": "[1"}}},
        ],
    ),
    "an image": (
        {"content": "a", "images": [{"image_url": {"url": f"data:image/png;base64,{PNG}"}}]},
        [{"text": "a"}, image()],
    ),
    "an image elsewhere": (
        {"content": "a", "images": [{"image_url": {"url": "https://a/b"}}]},
        [{"text": "a"}],
    ),
    "citations": (
        {
            "content": "a",
            "annotations": [
                {"type": "url_citation", "url_citation": {"url": "u", "title": "t", "content": "c"}},
                {"type": "url_citation", "url_citation": {"url": "v"}},
            ],
        },
        [
            {
                "citationsContent": {
                    "content": [{"text": "a"}],
                    "citations": [
                        {
                            "title": "t",
                            "sourceContent": [{"text": "c"}],
                            "location": {"web": {"url": "u"}},
                        },
                        {"location": {"web": {"url": "v"}}},
                    ],
                }
            }
        ],
    ),
}


@pytest.mark.parametrize(("message", "expected"), CONTENT.values(), ids=CONTENT)
def test_the_content_of_an_answer(message: Json, expected: list[Json]) -> None:
    assert content(**message) == expected


STOPS = {
    "the end": (answer(content="a"), "end_turn"),
    "the limit": (answer("length", content="a"), "max_tokens"),
    "a call": (answer("tool_calls", tool_calls=[call()]), "tool_use"),
    "a filter": (answer("content_filter", content="a"), "content_filtered"),
    "a refusal": (answer(refusal="No."), "content_filtered"),
}


@pytest.mark.parametrize(("found", "expected"), STOPS.values(), ids=STOPS)
def test_the_stop_reason(found: Json, expected: str) -> None:
    assert found["stopReason"] == expected


def test_the_stop_sequence_of_a_host_that_names_it() -> None:
    done = completion(content="a")
    done["choices"][0]["stop_reason"] = "x"
    chat = parse(request(inferenceConfig={"stopSequences": ["x"]}))
    assert FORMAT.answer(done, chat)["stopReason"] == "stop_sequence"


def test_usage_tier_and_explanation() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 30, "cache_write_1h_tokens": 10},
        "cost": 0.5,
    }
    done = {**completion(content="a", usage=usage), "service_tier": "priority", "sluice": {"model": "m"}}
    found = FORMAT.answer(done, parse(request()))
    assert (found["serviceTier"], found["sluice"]) == ({"type": "priority"}, {"model": "m"})
    assert found["usage"] == {
        "inputTokens": 30,
        "outputTokens": 5,
        "totalTokens": 105,
        "cacheReadInputTokens": 40,
        "cacheWriteInputTokens": 30,
        "cacheDetails": [{"ttl": "5m", "inputTokens": 20}, {"ttl": "1h", "inputTokens": 10}],
        "cost": 0.5,
    }


def test_the_events_of_a_stream() -> None:
    chunks = [
        chunk(role="assistant", content=""),
        chunk(reasoning_content="t"),
        chunk(content="a"),
        pieces(call(arguments="") | {"index": 0}),
        pieces(piece(0, '{"a"')),
        pieces(piece(0, ":1}")),
        chunk("tool_calls"),
    ]
    names = [
        "messageStart",
        "contentBlockDelta",
        "contentBlockDelta",
        "contentBlockStop",
        "contentBlockDelta",
    ]
    names += ["contentBlockStop", "contentBlockStart", "contentBlockDelta", "contentBlockDelta"]
    names += ["contentBlockStop", "messageStop", "metadata"]
    events = encode(chunks)
    assert [name for name, _ in events] == names
    assert events[6][1] == {
        "start": {"toolUse": {"toolUseId": "call_1", "name": "look"}},
        "contentBlockIndex": 2,
    }
    assert events[-2][1] == {"stopReason": "tool_use"}


def test_a_stream_of_nothing() -> None:
    assert [name for name, _ in encode([])] == ["messageStart", "messageStop", "metadata"]


@pytest.mark.parametrize("start", range(0, 300, 100))
def test_a_generated_stream_adds_up_to_the_whole_answer(start: int) -> None:
    for seed in range(start, start + 100):
        random = Random(seed)
        message = answer_of(random)
        whole = answer("tool_calls" if "tool_calls" in message else "stop", **message)
        last = {"id": "c", "choices": [], "usage": completion()["usage"]}
        streamed = fold(encode([*chunks_of(message, random), last]))
        assert streamed | {"metrics": 0} == whole | {"metrics": 0}, seed


def test_a_generated_answer_survives_in_the_history_of_a_client() -> None:
    for seed in range(300):
        message = answer_of(Random(seed))
        (back,) = messages({"role": "assistant", "content": content(**message)})
        assert readable(back) == readable({"role": "assistant", **message}), seed


def readable(message: Json) -> Json:
    """Return a message with its arguments as values, and without state behind the last text."""
    calls = [
        {**one, "function": {**one["function"], "arguments": json.loads(one["function"]["arguments"])}}
        for one in message.get("tool_calls", ())
    ]
    names = ("role", "content", "reasoning_content")
    return {**{name: message.get(name) for name in names}, "calls": calls}


ERRORS: dict[str, tuple[GatewayError, str, str]] = {
    "a wrong request": (InvalidRequest("m"), "ValidationException", "validationException"),
    "a body that is too large": (TooLarge("m"), "ValidationException", "validationException"),
    "no key": (Unauthenticated("m"), "AccessDeniedException", "validationException"),
    "a used-up budget": (BudgetExceeded("m"), "ServiceQuotaExceededException", "validationException"),
    "a forbidden model": (Forbidden("m"), "AccessDeniedException", "validationException"),
    "an unknown model": (NotFound("m"), "ResourceNotFoundException", "validationException"),
    "a limit": (RateLimited("m"), "ThrottlingException", "throttlingException"),
    "no candidate": (Unavailable("m"), "ServiceUnavailableException", "serviceUnavailableException"),
    "our own mistake": (InternalError("m"), "InternalServerException", "internalServerException"),
    "a failure of a provider": (
        UpstreamError("m", failure_class="server"),
        "ModelErrorException",
        "modelStreamErrorException",
    ),
    "a time limit": (
        UpstreamError("m", failure_class="timeout_total", status=504),
        "ModelTimeoutException",
        "modelStreamErrorException",
    ),
    "an unknown status": (
        UpstreamError("m", failure_class="server", status=599),
        "InternalServerException",
        "modelStreamErrorException",
    ),
}


@pytest.mark.parametrize(("error", "name", "exception"), ERRORS.values(), ids=ERRORS)
def test_an_error_has_the_name_of_aws(error: GatewayError, name: str, exception: str) -> None:
    assert error_headers(error) == {"x-amzn-errortype": name}
    assert FORMAT.error(error) == {"message": "m", **error.body()}
    encoder = FORMAT.encoder(parse(request(), stream=True))
    assert events_of(encoder.fail(error)) == [(exception, {"message": "m", **error.body()})]


def test_a_prompt_that_is_too_long_is_named_as_clients_know_it() -> None:
    error = InvalidRequest("m", code="context_length_exceeded")
    assert error_body(error)["message"] == "Input is too long for requested model: m"
    said = InvalidRequest("Input is too long for requested model.", code="context_length_exceeded")
    assert error_body(said)["message"] == "Input is too long for requested model."


def test_events_of_bedrocks_own_are_relayed_as_they_are() -> None:
    encoder = FORMAT.encoder(parse(request(), stream=True))
    assert (encoder.relay(b"\0\1"), encoder.relay(b"")) == (b"\0\1", b"")
