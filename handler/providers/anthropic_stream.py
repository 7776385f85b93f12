"""A stream of Anthropic's Messages as chat chunks.

Events of a sort nobody knows are ignored, as the vendor asks: it reserves the right to add some.
https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from handler.errors import UpstreamError
from handler.legacy import legacy_chunk
from handler.providers.anthropic_answer import (
    arguments_of,
    call_of,
    failed,
    finish_of,
    refusal_of,
    tier_of,
    usage_of,
)
from handler.providers.anthropic_content import thought
from handler.providers.base import Json


@dataclass(slots=True)
class Block:
    """What has been streamed of one content block."""

    start: Json
    index: int | None = None  # of a tool call: its number among the calls
    pieces: list[str] = field(default_factory=list)  # of thinking, or of a call's input
    signature: str = ""


class MessageStream:
    """The decoder of one stream; see StreamDecoder."""

    def __init__(self, *, created: int, legacy: bool) -> None:
        self.event: Json = {}
        self._legacy = legacy
        self._head: Json = {"id": "", "object": "chat.completion.chunk", "created": created, "model": ""}
        self._blocks: dict[object, Block] = {}
        self._calls = 0
        self._thoughts = 0
        self._spoken = False  # there is text
        self._usage: Json = {}  # cumulative: the latest of each field
        self._malformed = 0
        self._begun = self._finished = self._done = False

    def feed(self, data: str) -> Iterator[Json]:
        if self._done or not data.strip() or data.startswith("[DONE]"):
            return
        try:
            event = json.loads(data)
            handle = _EVENTS.get(event["type"])
            self.event = event
            chunks = list(handle(self, event)) if handle else []
        except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
            self._skip()
            return
        for chunk in chunks:
            yield legacy_chunk(chunk) if self._legacy else chunk

    def close(self) -> Iterator[Json]:
        if not self._begun or not (self._finished or self._done):
            raise UpstreamError("The provider's answer ended too early.", klass="network")
        if not self._done:
            yield from self._last()

    def _skip(self) -> None:
        self._malformed += 1
        if self._malformed > 1:
            raise UpstreamError("The provider's stream could not be understood.", klass="protocol")

    def _chunk(self, delta: Json, finish: str | None = None) -> Json:
        return {**self._head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    def _message_start(self, event: Json) -> Iterator[Json]:
        message = event["message"]
        self._begun = True
        self._head |= {"id": message["id"], "model": message["model"]}
        self._count(message)
        self._head |= tier_of(self._usage)
        yield self._chunk({"role": "assistant", "content": ""})

    def _block_start(self, event: Json) -> Iterator[Json]:
        start = event["content_block"]
        block = self._blocks[event["index"]] = Block(start)
        kind = start["type"]
        if kind == "tool_use":
            block.index = self._calls
            self._calls += 1
            call = call_of(start, "")
            if call["type"] == "function":
                yield self._call(block, call)
        elif kind in ("text", "thinking") and start.get(kind):
            yield from self._said(block, kind, start[kind])

    def _block_delta(self, event: Json) -> Iterator[Json]:
        block, delta = self._blocks[event["index"]], event["delta"]
        match delta:
            case {"type": "text_delta", "text": str(text)}:
                yield from self._said(block, "text", text)
            case {"type": "thinking_delta", "thinking": str(text)}:
                yield from self._said(block, "thinking", text)
            case {"type": "signature_delta", "signature": str(signature)}:
                block.signature += signature
            case {"type": "input_json_delta", "partial_json": str(piece)} if (
                piece and block.index is not None
            ):
                block.pieces.append(piece)
                if call_of(block.start, "")["type"] == "function":
                    yield self._call(block, {"function": {"arguments": piece}})

    def _said(self, block: Block, kind: str, text: str) -> Iterator[Json]:
        if kind == "thinking":
            block.pieces.append(text)
        else:
            self._spoken = True
        if text:
            yield self._chunk({"content" if kind == "text" else "reasoning_content": text})

    def _block_stop(self, event: Json) -> Iterator[Json]:
        block = self._blocks[event["index"]]
        if block.index is not None:
            yield from self._call_end(block)
            return
        whole = block.start
        if whole["type"] == "thinking":
            signature = block.signature or whole.get("signature")
            whole = {"type": "thinking", "thinking": "".join(block.pieces), "signature": signature}
        if detail := thought(whole, self._thoughts, str(self._head["model"])):
            self._thoughts += 1
            yield self._chunk({"reasoning_details": [detail]})

    def _call_end(self, block: Block) -> Iterator[Json]:
        """What is still to be told of a call: all of a custom one, the input of one that had no pieces."""
        arguments = "".join(block.pieces)
        call = call_of(block.start, arguments or arguments_of(block.start.get("input")))
        if call["type"] == "custom":
            yield self._call(block, call)
        elif not arguments:
            yield self._call(block, {"function": {"arguments": call["function"]["arguments"]}})

    def _call(self, block: Block, call: Json) -> Json:
        return self._chunk({"tool_calls": [{"index": block.index, **call}]})

    def _message_delta(self, event: Json) -> Iterator[Json]:
        delta = event["delta"]
        self._count(event)
        if delta.get("stop_reason") is not None:
            yield from self._finish(delta)

    def _finish(self, ended: Json) -> Iterator[Json]:
        if not self._finished:
            self._finished = True
            why = None if self._spoken or self._calls else refusal_of(ended)
            finish = finish_of(ended.get("stop_reason"), called=self._calls > 0)
            yield self._chunk({"refusal": why} if why else {}, finish)

    def _count(self, told: Json) -> None:
        usage = told.get("usage") or {}
        self._usage |= {name: value for name, value in usage.items() if value is not None}

    def _message_stop(self, _: Json) -> Iterator[Json]:
        yield from self._finish({})
        yield from self._last()

    def _last(self) -> Iterator[Json]:
        self._done = True
        if self._usage:
            yield {**self._head, "choices": [], "usage": usage_of(self._usage)}

    def _error(self, event: Json) -> Iterator[Json]:
        raise failed(500, {}, json.dumps(event).encode())


_EVENTS: Mapping[str, Callable[[MessageStream, Json], Iterator[Json]]] = {
    "message_start": MessageStream._message_start,
    "content_block_start": MessageStream._block_start,
    "content_block_delta": MessageStream._block_delta,
    "content_block_stop": MessageStream._block_stop,
    "message_delta": MessageStream._message_delta,
    "message_stop": MessageStream._message_stop,
    "error": MessageStream._error,
}
