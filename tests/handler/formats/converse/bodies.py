"""Converse requests for tests: parsed ones and random ones; the events of a stream, and their fold."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from random import Random
from typing import Any

from handler.errors import Json
from handler.formats.chat.fields import check_chat
from handler.formats.chat.request import Chat, NativeRequest
from handler.formats.converse.format import ConverseFormat
from handler.settings import Settings
from handler.wire.eventstream import Decoder

PNG = "iVBORw0KGgo="
HI: Json = {"role": "user", "content": [{"text": "Hi"}]}
SPEC: Json = {"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}


def parse(body: Any, *, stream: bool = False, headers: dict[str, str] | None = None) -> Chat:
    """Parse a request; its chat has to be valid."""
    chat = ConverseFormat("p/m", stream=stream).parse(json.dumps(body).encode(), headers or {}, Settings())
    check_chat(chat.body, max_n=8)
    return chat


def request(*messages: Json, **fields: Any) -> Json:
    return {"messages": list(messages) or [HI], **fields}


def user(*blocks: Json) -> Json:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Json) -> Json:
    return {"role": "assistant", "content": list(blocks)}


def messages(*given: Json, **fields: Any) -> list[Json]:
    found: list[Json] = parse(request(*given, **fields)).body["messages"]
    return found


def fields(**given: Any) -> Json:
    """Return the fields of the chat besides the message and the model."""
    chat = parse(request(**given)).body
    return {name: value for name, value in chat.items() if name not in ("messages", "model")}


def native(*given: Json, **fields: Any) -> NativeRequest:
    found = parse(request(*given, **fields)).native
    assert found is not None
    return found


def call(id: str = "call_1", name: str = "look", **input: Any) -> Json:
    return {"toolUse": {"toolUseId": id, "name": name, "input": input}}


def result(*content: Json, id: str = "call_1", **more: Any) -> Json:
    return {"toolResult": {"toolUseId": id, "content": list(content), **more}}


def image(data: str = PNG) -> Json:
    return {"image": {"format": "png", "source": {"bytes": data}}}


def document(format: str = "pdf", **source: Any) -> Json:
    return {"document": {"format": format, "name": "a", "source": source or {"bytes": PNG}}}


def events_of(data: bytes) -> list[tuple[str, Any]]:
    """Return the events of a stream, each as its name and its content."""
    decoder = Decoder()
    found = [json.loads(event.data) for event in (*decoder.feed(data), *decoder.close())]
    return [pair for event in found for pair in event.items()]


def encode(chunks: Iterable[Json], chat: Chat | None = None) -> list[tuple[str, Any]]:
    encoder = ConverseFormat("p/m", stream=True).encoder(chat or parse(request(), stream=True))
    return events_of(b"".join([*map(encoder.feed, chunks), encoder.close()]))


def fold(events: list[tuple[str, Any]]) -> Json:
    """Return the answer of a stream; the order has to be right, and blocks do not overlap."""
    assert [name for name, _ in events[:1]] == ["messageStart"]
    assert [name for name, _ in events[-2:]] == ["messageStop", "metadata"]
    blocks: list[Json] = []
    is_open = False
    for name, event in events[1:-2]:
        if name == "contentBlockStop":
            assert (is_open, event["contentBlockIndex"]) == (True, len(blocks) - 1)
            is_open = False
            continue
        if not is_open:
            blocks.append({})
            is_open = True
        assert event["contentBlockIndex"] == len(blocks) - 1
        _add(blocks[-1], event["start"] if name == "contentBlockStart" else event["delta"])
    assert not is_open
    content = [_block(block) for block in blocks]
    message = {"role": events[0][1]["role"], "content": content}
    return {"output": {"message": message}, **events[-2][1], **events[-1][1]}


def _add(block: Json, delta: Json) -> None:
    ((kind, value),) = delta.items()
    if isinstance(value, str):
        block[kind] = block.get(kind, "") + value
    elif kind == "citation":
        block.setdefault(kind, []).append(value)
    else:
        inner = block.setdefault(kind, {})
        for name, one in value.items():
            inner[name] = inner.get(name, "") + one if isinstance(one, str) else one


def _block(block: Json) -> Json:
    match block:
        case {"toolUse": dict(use)}:
            return {"toolUse": {**use, "input": _input(use.get("input") or "{}")}}
        case {"reasoningContent": {"text": text, **rest}}:
            return {"reasoningContent": {"reasoningText": {"text": text, **rest}}}
        case {"text": text, "citation": citations}:
            return {"citationsContent": {"content": [{"text": text}], "citations": citations}}
    return block


def _input(text: str) -> Any:
    """Return the input of a call; as a whole answer has it if it was cut off."""
    try:
        value = json.loads(text)
    except ValueError:
        return {"_raw": text}
    return value if isinstance(value, dict) else {"value": value}


def random_body(random: Random) -> Json:
    """Return a request with a conversation of random turns, whose calls have results."""
    turns: list[Json] = [user(_text(random))]
    for turn in range(random.randrange(4)):
        calls = [
            call(f"c{turn}{place}", a=_text(random)["text"]) for place in range(random.choice((0, 0, 1, 3)))
        ]
        texts = [_text(random)] if not calls or random.random() < 0.5 else []
        turns.append(assistant(*texts, *calls))
        results = [_result(random, one["toolUse"]["toolUseId"]) for one in calls]
        more = [_text(random)] if not calls or random.random() < 0.3 else []
        more += [image()] if more and random.random() < 0.3 else []
        turns.append(user(*results, *more))
    return {"messages": turns, **_options(random)}


def _options(random: Random) -> Json:
    config = {"maxTokens": 100, "temperature": 0.5, "stopSequences": ["a", "b"]}
    options: Json = {"toolConfig": {"tools": [copy.deepcopy(SPEC)]}}
    if random.random() < 0.7:
        options["inferenceConfig"] = dict(random.sample(sorted(config.items(), key=str), 2))
    if random.random() < 0.7:
        options["system"] = [_text(random)]
    if random.random() < 0.5:
        options["toolConfig"]["toolChoice"] = random.choice(
            ({"auto": {}}, {"any": {}}, {"tool": {"name": "look"}})
        )
    return options


def _result(random: Random, id: str) -> Json:
    content: list[Json] = random.choice(([_text(random)], [{"json": {"a": [1, None]}}]))
    return result(*content, id=id, **random.choice(({}, {"status": "error"})))


def _text(random: Random) -> Json:
    return {"text": "x" + "".join(random.choices('abc é\u2028\U0001f600\n"\\{}', k=random.randrange(1, 12)))}
