"""Golden usage objects of every provider, through the real translators, whole and streamed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from handler.answers.costs import costs
from handler.answers.usage import Usage, usage_of
from handler.providers.provider import Quirks
from handler.providers.registry import TRANSLATORS
from tests.handler.answers.golden_usages import GOLDEN, Golden

Json = dict[str, Any]
FINISH = {"index": 0, "delta": {}, "finish_reason": "stop"}
TEXT = {"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}


def tier(case: Golden) -> Json:
    return {"service_tier": case.tier} if case.tier else {}


def openai_whole(case: Golden) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    return {"id": "x", "object": "chat.completion", "choices": [choice], "usage": case.usage, **tier(case)}


def openai_stream(case: Golden) -> Iterator[Json]:
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    yield {**head, "choices": [TEXT]}
    match case.place:
        case "x_groq":
            yield {**head, "choices": [FINISH], "x_groq": {"id": "r", "usage": case.usage}}
        case "choice":
            yield {**head, "choices": [{**FINISH, "usage": case.usage}]}
        case "finish":
            yield {**head, "choices": [FINISH], "usage": case.usage, **tier(case)}
        case _:
            yield {**head, "choices": [FINISH], **tier(case)}
            yield {**head, "choices": [], "usage": case.usage, **tier(case)}


def anthropic_whole(case: Golden) -> Json:
    text = {"type": "text", "text": "Hi"}
    message = {"id": "x", "type": "message", "role": "assistant", "model": "m", "content": [text]}
    return {**message, "stop_reason": "end_turn", "usage": case.usage}


def anthropic_stream(case: Golden) -> Iterator[Json]:
    start = {**anthropic_whole(case), "content": [], "usage": {**case.usage, "output_tokens": 1}}
    yield {"type": "message_start", "message": start}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
    yield {"type": "content_block_stop", "index": 0}
    names = ("output_tokens", "output_tokens_details")
    usage = {name: case.usage[name] for name in names if name in case.usage}
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}
    yield {"type": "message_stop"}


def bedrock_tier(case: Golden) -> Json:
    return {"serviceTier": {"type": case.tier}} if case.tier else {}


def bedrock_whole(case: Golden) -> Json:
    message = {"role": "assistant", "content": [{"text": "Hi"}]}
    answer = {"output": {"message": message}, "stopReason": "end_turn", "usage": case.usage}
    return {**answer, **bedrock_tier(case)}


def bedrock_stream(case: Golden) -> Iterator[Json]:
    yield {"messageStart": {"role": "assistant"}}
    yield {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "Hi"}}}
    yield {"contentBlockStop": {"contentBlockIndex": 0}}
    yield {"messageStop": {"stopReason": "end_turn"}}
    yield {"metadata": {"usage": case.usage, "metrics": {"latencyMs": 1}, **bedrock_tier(case)}}


def google_whole(case: Golden) -> Json:
    content = {"role": "model", "parts": [{"text": "Hi"}]}
    candidate = {"index": 0, "content": content, "finishReason": "STOP"}
    return {"candidates": [candidate], "usageMetadata": case.usage, "responseId": "x", "modelVersion": "m"}


def google_stream(case: Golden) -> Iterator[Json]:
    first = google_whole(case)
    del first["candidates"][0]["finishReason"]
    yield {**first, "usageMetadata": {"promptTokenCount": case.usage["promptTokenCount"]}}
    yield google_whole(case)


WHOLE: dict[str, Callable[[Golden], Json]] = {
    "openai": openai_whole,
    "anthropic": anthropic_whole,
    "bedrock": bedrock_whole,
    "google": google_whole,
}
STREAMS: dict[str, Callable[[Golden], Iterator[Json]]] = {
    "openai": openai_stream,
    "anthropic": anthropic_stream,
    "bedrock": bedrock_stream,
    "google": google_stream,
}


def whole_usage(case: Golden) -> Usage | None:
    return usage_of(TRANSLATORS[case.dialect].response(WHOLE[case.dialect](case), Quirks()))


def streamed_usage(case: Golden) -> Usage | None:
    decoder = TRANSLATORS[case.dialect].stream(Quirks())
    chunks = [chunk for event in STREAMS[case.dialect](case) for chunk in decoder.feed(json.dumps(event))]
    chunks += [*decoder.feed("[DONE]"), *decoder.close()]
    return [usage for chunk in chunks if (usage := usage_of(chunk))][-1]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.says) for case in GOLDEN])
@pytest.mark.parametrize("read", [whole_usage, streamed_usage], ids=["whole", "streamed"])
def test_a_usage_object_costs_what_it_costs_by_hand(
    case: Golden, read: Callable[[Golden], Usage | None]
) -> None:
    usage = read(case)
    assert usage is not None
    parts = costs(usage, case.price)
    assert parts is not None
    assert sum(parts.values()) == case.cost
    assert sum(usage.parts.values()) == usage.input + usage.output
    assert min(usage.parts.values()) >= 0


def test_there_are_more_than_forty() -> None:
    assert len(GOLDEN) > 40
