"""Reads the events of a stream, checks their order, and folds them to one Response object."""

from __future__ import annotations

import json
from collections.abc import Iterable
from random import Random
from typing import Any

from handler.errors import Json
from handler.formats.chat.request import Chat
from handler.formats.responses.format import RESPONSES
from handler.wire import sse

HEAD: Json = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "openai/gpt-4.1"}
USAGE: Json = {
    "prompt_tokens": 9,
    "completion_tokens": 4,
    "total_tokens": 13,
    "prompt_tokens_details": {"cached_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 1},
}
_ENDS = ("response.completed", "response.incomplete", "response.failed")


def chunks_of(completion: Json, random: Random | None = None) -> list[Json]:
    """Return the chunks of a completion: its texts in random pieces if `random` is given."""
    head = {**{name: completion[name] for name in HEAD}, "object": "chat.completion.chunk"}
    choice = completion["choices"][0]
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    for name, value in choice["message"].items():
        deltas += [] if name == "role" else _deltas(name, value, random)
    chunks = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    return [*chunks, {**head, "choices": [], "usage": completion["usage"]}]


def _deltas(name: str, value: Any, random: Random | None) -> list[Json]:
    if name == "tool_calls":
        return [delta for index, call in enumerate(value) for delta in _call_deltas(index, call, random)]
    if isinstance(value, str) and name != "phase":
        return [{name: piece} for piece in _pieces(value, random)]
    return [{name: value}]


def _call_deltas(index: int, call: Json, random: Random | None) -> list[Json]:
    kind = call["type"]
    name = "arguments" if kind == "function" else "input"
    begin = {**call, "index": index, kind: {**call[kind], name: ""}}
    pieces = _pieces(call[kind][name], random)
    return [{"tool_calls": [one]} for one in (begin, *({"index": index, kind: {name: p}} for p in pieces))]


def _pieces(text: str, random: Random | None) -> list[str]:
    pieces = []
    while text:
        length = random.randint(1, 5) if random else len(text)
        pieces.append(text[:length])
        text = text[length:]
    return pieces


def ordered(given: Json) -> Json:
    """Return the completion with the members of its message in the order in which models send them."""
    choice = given["choices"][0]
    names = ("role", "reasoning_content", "reasoning_details", "content", "refusal", "annotations", "images")
    message = choice["message"]
    first = {name: message[name] for name in names if name in message}
    return {**given, "choices": [{**choice, "message": {**first, **message}}]}


def stream(chat: Chat, chunks: Iterable[Json]) -> list[Json]:
    """Return the events of a complete stream."""
    encoder = RESPONSES.encoder(chat)
    return read(b"".join([*map(encoder.feed, chunks), encoder.close()]))


def read(data: bytes) -> list[Json]:
    """Return the events, checked: numbers without a gap, and the type in both places."""
    decoder = sse.Decoder()
    found = [*decoder.feed(data), *decoder.close()]
    events = [json.loads(event.data) for event in found]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events] == [event.event for event in found]
    return events


def fold(events: list[Json]) -> Json:
    """Return what the deltas add up to, after a check against every `done` event and the last event."""
    response, done = dict(events[0]["response"]), set[int]()
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    items: list[Json] = []
    for event in events[2:-1]:
        kind = event["type"]
        if kind == "response.output_item.added":
            assert event["output_index"] == len(items)
            items.append(json.loads(json.dumps(event["item"])))
        elif kind == "response.output_item.done":
            assert event["output_index"] not in done
            done.add(event["output_index"])
            item = items[event["output_index"]]
            assert item["id"] == event["item"]["id"]
            assert _without_end(event["item"]) == _without_end(item)
            items[event["output_index"]] = event["item"]
        else:
            item = items[event["output_index"]]
            assert event["output_index"] not in done
            assert event["item_id"] == item["id"]
            _apply(event, item)
    last = events[-1]
    assert last["type"] in _ENDS
    assert last["response"]["id"] == response["id"]
    if last["type"] != "response.failed":
        assert len(done) == len(items)
    assert last["response"]["output"] == items
    return {**last["response"], "output": items}


def _without_end(item: Json) -> Json:
    """Return an item without the members that only its end has."""
    at_end = {"status", "encrypted_content", "result", "output_format", "phase"}
    if item["type"] == "tool_search_call":
        at_end.add("arguments")
    return {name: value for name, value in item.items() if name not in at_end}


# Of each event about a part: the list of its item, the index in it, and the member that grows.
_PARTS = {
    "content_part": ("content", "content_index", ""),
    "output_text": ("content", "content_index", "text"),
    "refusal": ("content", "content_index", "refusal"),
    "reasoning_summary_part": ("summary", "summary_index", ""),
    "reasoning_summary_text": ("summary", "summary_index", "text"),
}
_CALLS = {"function_call_arguments": "arguments", "custom_tool_call_input": "input"}


def _apply(event: Json, item: Json) -> None:
    subject, _, change = event["type"].removeprefix("response.").rpartition(".")
    if subject == "output_text.annotation":
        annotations = item["content"][event["content_index"]]["annotations"]
        assert event["annotation_index"] == len(annotations)
        annotations.append(event["annotation"])
    elif subject in _CALLS:
        _grow(item, _CALLS[subject], change, event)
    else:
        parts, index, name = _PARTS[subject]
        if change == "added":
            assert event[index] == len(item[parts])
            item[parts].append(event["part"])
        elif name:
            part = item[parts][event[index]]
            _grow(part, name, change, event)
            if "logprobs" in event:
                part["logprobs"] += event["logprobs"] if change == "delta" else []
                assert change == "delta" or part["logprobs"] == event["logprobs"]
        else:
            assert item[parts][event[index]] == event["part"]


def _grow(target: Json, name: str, change: str, event: Json) -> None:
    if change == "delta":
        target[name] += event["delta"]
    else:
        assert (change, target[name]) == ("done", event[name])
