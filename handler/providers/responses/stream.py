"""Decodes a stream of OpenAI's Responses to chat chunks. Unknown types of events are ignored.

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from handler.errors import Json, UpstreamError
from handler.providers.failure import error_from_body
from handler.providers.legacy_functions import to_legacy_chunk
from handler.providers.malformed import MalformedEvents, parse_event
from handler.providers.responses.answer import (
    BETWEEN,
    call_text,
    chat_annotations,
    chat_logprobs,
    content_parts,
    finish_reason,
    is_call,
    part_text,
    raise_if_failed,
    read_head,
    read_phase,
    read_service_tier,
    read_usage,
    tool_call,
)
from handler.providers.responses.errors import failure
from handler.providers.responses.reasoning_details import reasoning_details, reasoning_texts
from handler.providers.translator import STRING_OVERHEAD, answer_too_large

MAX_ITEMS = 10_000  # in one stream
MAX_BUFFERED = 20_000_000  # bytes buffered of one stream


@dataclass(slots=True)
class Item:
    """The part of an output item that has arrived."""

    kind: str
    call: int | None = None  # of a tool call: its number among the calls
    received: int = 0  # characters of its text, its arguments or its reasoning
    pieces: list[str] = field(default_factory=list)  # of a custom tool's input
    done: bool = False


class ResponseStream:
    """The decoder of one stream; see StreamDecoder."""

    def __init__(self, *, created: int, legacy: bool, model: str = "") -> None:
        self.event: Json = {}
        self.adds_text = False
        self._legacy = legacy
        self._head = read_head({}, created=created, model=model)
        self._items: dict[object, Item] = {}  # by their index in the output
        self._done_ids: set[str] = set()
        self._buffered = 0  # bytes
        self._call_count = self._detail_count = 0
        self._annotations: list[Json] = []  # of the whole answer, and so is the phase
        self._phase = ""
        self._reasoning_part: tuple[object, ...] | None = None  # that the last piece of reasoning belongs to
        self._malformed = MalformedEvents()
        self._started = self._done = False

    def feed(self, data: str) -> Iterator[Json]:
        if self._done or not data.strip() or data.startswith("[DONE]"):
            return
        try:
            event = parse_event(data)
            chunks = list(self._decode(event))
            self.adds_text = str(event["type"]).endswith(".delta")
            self.event = event
        except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
            self._malformed.skip(data)
            return
        for chunk in chunks:
            yield to_legacy_chunk(chunk) if self._legacy else chunk

    def close(self) -> Iterator[Json]:
        if not self._done:
            raise UpstreamError("The provider's answer ended too early.", failure_class="network")
        return iter(())

    def _decode(self, event: Json) -> Iterator[Json]:
        if "type" not in event and (error := error_from_body(event)) is not None:
            raise error
        handle = _EVENTS.get(event["type"])
        if handle is None:
            return
        if not self._started and handle not in _BEFORE_START:
            yield from self._start({})
        yield from handle(self, event)

    def _start(self, response: Json) -> Iterator[Json]:
        if not self._started:
            self._started = True
            self._head |= read_head(response, created=self._head["created"], model=self._head["model"])
            yield self._chunk({"role": "assistant", "content": ""})

    def _created(self, event: Json) -> Iterator[Json]:
        return self._start(event["response"])

    def _chunk(self, delta: Json, finish: str | None = None, logprobs: list[Json] | None = None) -> Json:
        choice: Json = {"index": 0, "delta": delta, "finish_reason": finish}
        if logprobs:
            choice["logprobs"] = {"content": logprobs, "refusal": None}
        return {**self._head, "choices": [choice]}

    def _item(self, event: Json, kind: str) -> Item:
        """Return the item of an event, which is a new one if its start was not announced."""
        index = event["output_index"]
        if index not in self._items:
            if len(self._items) >= MAX_ITEMS:
                raise answer_too_large()
            self._items[index] = Item(kind)
        return self._items[index]

    def _item_added(self, event: Json) -> Iterator[Json]:
        item = event["item"]
        state = self._item(event, item["type"])
        if is_call(item) and state.call is None:
            call = tool_call(item, "")
            state.call, self._call_count = self._call_count, self._call_count + 1
            if call["type"] == "function":
                yield self._call_chunk(state, call)

    def _text_delta(self, event: Json) -> Iterator[Json]:
        return self._text(event, "content")

    def _refusal_delta(self, event: Json) -> Iterator[Json]:
        return self._text(event, "refusal")

    def _text(self, event: Json, name: str) -> Iterator[Json]:
        text = _string(event["delta"])
        self._item(event, "message").received += len(text)
        if text:
            yield self._chunk({name: text}, logprobs=chat_logprobs(event.get("logprobs")))

    def _reasoning_delta(self, event: Json) -> Iterator[Json]:
        text = _string(event["delta"])
        self._item(event, "reasoning").received += len(text)
        part = (event["output_index"], event["type"], event.get("summary_index"), event.get("content_index"))
        return self._reasoning(text, part)

    def _reasoning(self, text: str, part: tuple[object, ...]) -> Iterator[Json]:
        if text:
            is_next = self._reasoning_part is not None and self._reasoning_part != part
            self._reasoning_part = part
            yield self._chunk({"reasoning_content": BETWEEN + text if is_next else text})

    def _arguments_delta(self, event: Json) -> Iterator[Json]:
        piece = _string(event["delta"])
        state = self._items[event["output_index"]]
        state.received += len(piece)
        if piece:
            yield self._call_chunk(state, {"function": {"arguments": piece}})

    def _input_delta(self, event: Json) -> Iterator[Json]:
        """Buffer a piece: the call of a custom tool is sent as a whole, because its form has no pieces."""
        piece = _string(event["delta"])
        self._count_buffered(len(piece) + STRING_OVERHEAD)
        self._items[event["output_index"]].pieces.append(piece)
        return iter(())

    def _count_buffered(self, size: int) -> None:
        self._buffered += size
        if self._buffered > MAX_BUFFERED:
            raise answer_too_large()

    def _item_done(self, event: Json) -> Iterator[Json]:
        """Send what the item has and no event brought."""
        item = event["item"]
        yield from self._item_added(event)
        state = self._item(event, item["type"])
        if state.done:
            return
        state.done = True
        if isinstance(id := item.get("id"), str):
            self._done_ids.add(id)
        if is_call(item):
            yield from self._call_done(item, state)
        elif item["type"] == "reasoning":
            yield from self._reasoning_done(item, state, event["output_index"])
        else:
            yield from self._message_done(item, state)

    def _call_done(self, item: Json, state: Item) -> Iterator[Json]:
        whole = call_text(item)
        if item["type"] == "custom_tool_call":
            yield self._call_chunk(state, tool_call(item, whole or "".join(state.pieces)))
        elif rest := whole[state.received :]:
            yield self._call_chunk(state, {"function": {"arguments": rest}})

    def _reasoning_done(self, item: Json, state: Item, index: object) -> Iterator[Json]:
        for at, text in enumerate(() if state.received else reasoning_texts(item)):
            yield from self._reasoning(text, (index, at))
        if details := reasoning_details(item, self._detail_count):
            self._detail_count += len(details)
            yield self._chunk({"reasoning_details": details})

    def _message_done(self, item: Json, state: Item) -> Iterator[Json]:
        """Send the texts if no event brought them. What the message has once is sent at the end."""
        self._phase = read_phase(item) or self._phase
        for part in content_parts(item):
            for kind, name in (("text", "content"), ("refusal", "refusal")):
                if not state.received and (text := part_text(part, kind)):
                    yield self._chunk({name: text}, logprobs=chat_logprobs(part.get("logprobs")))
            if annotations := chat_annotations(part.get("annotations")):
                self._count_buffered(len(str(annotations)))
                self._annotations += annotations

    def _call_chunk(self, state: Item, call: Json) -> Json:
        if state.call is None:
            raise TypeError("the item is not a call")
        return self._chunk({"tool_calls": [{"index": state.call, **call}]})

    def _finish(self, event: Json) -> Iterator[Json]:
        """Send the end, before it the items that no event brought, and the usage last."""
        response = event["response"]
        raise_if_failed(response)
        yield from self._start(response)
        output = response.get("output")
        for index, item in enumerate(output if isinstance(output, list) else ()):
            if not self._items.get(index, _UNKNOWN).done and item.get("id") not in self._done_ids:
                yield from self._item_done({"output_index": index, "item": item})
        self._done = True
        once = {"annotations": self._annotations, "phase": self._phase}
        if delta := {name: value for name, value in once.items() if value}:
            yield self._chunk(delta)
        yield self._chunk({}, finish_reason(response, called=self._call_count > 0))
        if usage := read_usage(response):
            yield {**self._head, **read_service_tier(response), "choices": [], **usage}

    def _failed(self, event: Json) -> Iterator[Json]:
        raise_if_failed({"status": "failed", **event["response"]})
        raise UpstreamError("The provider failed.", failure_class="server")

    def _error(self, event: Json) -> Iterator[Json]:
        error = event.get("error")
        raise failure(error if isinstance(error, dict) else event)


_UNKNOWN = Item("")


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("the event has no text")
    return value


_EVENTS: Mapping[str, Callable[[ResponseStream, Json], Iterator[Json]]] = {
    "response.created": ResponseStream._created,
    "response.in_progress": ResponseStream._created,
    "response.output_item.added": ResponseStream._item_added,
    "response.output_item.done": ResponseStream._item_done,
    "response.output_text.delta": ResponseStream._text_delta,
    "response.refusal.delta": ResponseStream._refusal_delta,
    "response.reasoning_summary_text.delta": ResponseStream._reasoning_delta,
    "response.reasoning_text.delta": ResponseStream._reasoning_delta,
    "response.function_call_arguments.delta": ResponseStream._arguments_delta,
    "response.custom_tool_call_input.delta": ResponseStream._input_delta,
    "response.completed": ResponseStream._finish,
    "response.incomplete": ResponseStream._finish,
    "response.failed": ResponseStream._failed,
    "error": ResponseStream._error,
}
_BEFORE_START = (
    ResponseStream._created,
    ResponseStream._finish,
    ResponseStream._failed,
    ResponseStream._error,
)
