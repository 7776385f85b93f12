"""Completions for tests: a simple one, random ones, their chunks, and the fold of a stream of Gemini's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

from handler.errors import Json
from handler.formats.gemini.stream import GeminiStream
from handler.wire import sse

DETAIL = {
    "type": "reasoning.text",
    "text": "t",
    "signature": "s",
    "format": "anthropic-claude-v1",
    "index": 0,
}
USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 7,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 5},
}


def call(name: str = "f", arguments: str = '{"a":1}', id: str = "c1", **members: Any) -> Json:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}, **members}


def completion(finish_reason: str = "stop", **message: Any) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}
    return _completion([choice])


def _completion(choices: list[Json]) -> Json:
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "openai/gpt-5"}
    return {**head, "choices": choices, "usage": USAGE}


def random_completion(random: Random) -> Json:
    return _completion([_choice(random, index) for index in range(random.choice((1, 1, 1, 2)))])


def _choice(random: Random, index: int) -> Json:
    calls = [_call(random, f"c{index}{place}") for place in range(random.choice((0, 0, 1, 2, 3)))]
    message: Json = {
        "role": "assistant",
        "content": _text(random) if not calls or random.random() < 0.5 else None,
    }
    if random.random() < 0.4:
        message["reasoning_content"] = _text(random)
    if random.random() < 0.4:
        message["reasoning_details"] = [{**DETAIL, "index": place} for place in range(random.randrange(1, 3))]
    if calls:
        message["tool_calls"] = calls
    if random.random() < 0.3:
        message["extra_content"] = {"google": {"thought_signature": "c2lnbmF0dXJl"}}
    return {"index": index, "message": message, "finish_reason": "tool_calls" if calls else "stop"}


def _call(random: Random, id: str) -> Json:
    arguments = json.dumps({"a": _text(random), "b": random.randrange(9)}, ensure_ascii=random.random() < 0.5)
    signature = {"thought_signature": "c2ln"} if random.random() < 0.3 else {}
    return call(random.choice("fgh"), arguments, id, **signature)


def _text(random: Random) -> str:
    return "".join(random.choices('abc é\u2028\u2029\U0001f600\n"\\{}', k=random.randrange(1, 20)))


def chunks_of(whole: Json, random: Random) -> Iterator[Json]:
    """Yield chunks of a completion, with texts and arguments in random pieces."""
    head = {name: whole[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    for choice in whole["choices"]:
        for delta in _deltas(choice["message"], random):
            yield {**head, "choices": [{"index": choice["index"], "delta": delta, "finish_reason": None}]}
    for choice in whole["choices"]:
        last = {"index": choice["index"], "delta": {}, "finish_reason": choice["finish_reason"]}
        yield {**head, "choices": [last]}
    yield {**head, "choices": [], "usage": whole["usage"]}


def _deltas(message: Json, random: Random) -> Iterator[Json]:
    yield {"role": "assistant", "content": ""}
    for name in ("reasoning_content", "content", "refusal"):
        yield from ({name: piece} for piece in _pieces(message.get(name) or "", random))
    for name in ("reasoning_details", "images", "annotations"):
        yield from ({name: [one]} for one in message.get(name) or ())
    for index, one in enumerate(message.get("tool_calls") or ()):
        first = {**one, "index": index, "function": {"name": one["function"]["name"], "arguments": ""}}
        yield {"tool_calls": [first]}
        for piece in _pieces(one["function"]["arguments"], random):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
    if "extra_content" in message:
        yield {"extra_content": message["extra_content"]}


def _pieces(text: str, random: Random) -> Iterator[str]:
    while text:
        size = random.randrange(1, 8)
        yield text[:size]
        text = text[size:]


def events_of(data: bytes, *, events: bool = True) -> list[Json]:
    """Return the responses of a stream, either of server-sent events or a JSON array."""
    if not events:
        found: list[Json] = json.loads(data)
        return found
    decoder = sse.Decoder()
    return [json.loads(event.data) for event in (*decoder.feed(data), *decoder.close())]


def encode(chunks: Iterable[Json], *, thoughts: bool = True, events: bool = True) -> list[Json]:
    encoder = GeminiStream(thoughts=thoughts, events=events)
    data = b"".join([*map(encoder.feed, chunks), encoder.close()])
    return events_of(data, events=events)


def fold(responses: Iterable[Json]) -> Json:
    """Return the one response that the responses of a stream add up to."""
    folded: Json = {}
    candidates: dict[int, Json] = {}
    for response in responses:
        folded |= {name: value for name, value in response.items() if name != "candidates"}
        for one in response["candidates"]:
            candidate = candidates.setdefault(one["index"], {"content": {"role": "model", "parts": []}})
            for name, tokens in one.get("logprobsResult", {}).items():
                candidate.setdefault("logprobsResult", {}).setdefault(name, []).extend(tokens)
            candidate |= {name: one[name] for name in one if name not in ("content", "logprobsResult")}
            candidate["content"]["parts"] += one["content"]["parts"]
    for candidate in candidates.values():
        candidate["content"]["parts"] = joined(candidate["content"]["parts"])
    return folded | {"candidates": [one for _, one in sorted(candidates.items())]}


def joined(parts: Iterable[Json]) -> list[Json]:
    """Join neighbouring texts without a signature."""
    new: list[Json] = []
    for part in parts:
        is_text = part.keys() <= {"text", "thought"}
        if is_text and new and new[-1].keys() == part.keys():
            new[-1] = {**new[-1], "text": new[-1]["text"] + part["text"]}
        elif part != {"text": ""} or not new:
            new.append(part)
    return new
