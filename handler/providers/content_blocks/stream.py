"""Decodes a stream of content blocks to chat chunks: what the streams of Anthropic and Bedrock share.

Blocks have the shape of Anthropic's Messages. Unknown types of events are ignored, as both vendors advise.
https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from handler.errors import Json, UpstreamError
from handler.providers.content_blocks.answer import arguments_text, needs_whole_arguments, tool_call
from handler.providers.content_blocks.reasoning_details import reasoning_detail
from handler.providers.legacy_functions import to_legacy_chunk
from handler.providers.malformed import MalformedEvents, parse_event
from handler.providers.translator import STRING_OVERHEAD, answer_too_large

MAX_BLOCKS = 10_000  # in one stream
MAX_BUFFERED = 20_000_000  # bytes buffered of one stream


@dataclass(slots=True)
class Block:
    """The part of a content block that has arrived."""

    start: Json
    index: int | None = None  # of a tool call: its number among the calls
    pieces: list[str] = field(default_factory=list)  # of thinking, or of a call's input
    signature: list[str] = field(default_factory=list)  # its pieces, or those of redacted thinking


class BlockStream:
    """Base of the decoders (see StreamDecoder). A subclass decodes the events of its format in `_decode`."""

    def __init__(self, *, created: int, legacy: bool, model: str = "") -> None:
        self.event: Json = {}
        self.adds_text = False
        self._legacy = legacy
        self._head: Json = {"id": "", "object": "chat.completion.chunk", "created": created, "model": model}
        self._blocks: dict[object, Block] = {}
        self._buffered = 0  # bytes
        self._call_count = 0
        self._detail_count = 0
        self._has_text = False
        self._malformed = MalformedEvents()
        self._started = self._finished = self._done = False

    def _decode(self, event: Any) -> Iterator[Json]:
        """Return the chunks of an event. Raises UpstreamError for an event that reports a failure."""
        raise NotImplementedError

    def _end(self) -> Iterator[Json]:
        """Return the usage chunk, if there is usage, and mark the stream as done."""
        raise NotImplementedError

    def feed(self, data: str) -> Iterator[Json]:
        if self._done or not data.strip() or data.startswith("[DONE]"):
            return
        blocks, self.adds_text = len(self._blocks), False
        try:
            event = parse_event(data)
            chunks = list(self._decode(event))
            if len(self._blocks) > blocks:
                self.adds_text = False
                self._count_buffered(len(data))  # the start of the block
            self.event = event
        except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
            self._malformed.skip(data)
            return
        for chunk in chunks:
            yield to_legacy_chunk(chunk) if self._legacy else chunk

    def close(self) -> Iterator[Json]:
        if not self._started or not (self._finished or self._done):
            raise UpstreamError("The provider's answer ended too early.", failure_class="network")
        if not self._done:
            yield from self._end()

    def _buffer(self, pieces: list[str], piece: str) -> None:
        """Append a piece, to be joined when its block ends."""
        self._count_buffered(len(piece) + STRING_OVERHEAD)
        pieces.append(piece)

    def _count_buffered(self, size: int) -> None:
        self._buffered += size
        if self._buffered > MAX_BUFFERED:
            raise answer_too_large()

    def _chunk(self, delta: Json, finish_reason: str | None = None) -> Json:
        return {**self._head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}

    def _start_block(self, key: object, start: Json) -> Iterator[Json]:
        if len(self._blocks) >= MAX_BLOCKS:
            raise answer_too_large()
        block = self._blocks[key] = Block(start)
        kind = start["type"]
        if kind == "tool_use":
            block.index = self._call_count
            self._call_count += 1
            call = tool_call(start, "")
            if call["type"] == "function":
                yield self._call_chunk(block, call)
        elif kind in ("text", "thinking") and start.get(kind):
            yield from self._add_text(block, kind, start[kind])

    def _add_text(self, block: Block, kind: str, text: str) -> Iterator[Json]:
        if kind == "thinking":
            self._buffer(block.pieces, text)
        else:
            self._has_text = True
        if text:
            yield self._chunk({"content" if kind == "text" else "reasoning_content": text})

    def _add_arguments(self, block: Block, piece: str) -> Iterator[Json]:
        if piece and block.index is not None:
            self._buffer(block.pieces, piece)
            if not needs_whole_arguments(block.start):
                yield self._call_chunk(block, {"function": {"arguments": piece}})

    def _end_block(self, key: object) -> Iterator[Json]:
        block = self._blocks[key]
        if block.index is not None:
            yield from self._end_call(block)
            return
        whole = block.start
        if whole["type"] == "redacted_thinking" and block.signature:
            whole = {**whole, "data": "".join(block.signature)}
        elif whole["type"] == "thinking":
            signature = "".join(block.signature) or whole.get("signature")
            whole = {"type": "thinking", "thinking": "".join(block.pieces), "signature": signature}
        if detail := reasoning_detail(whole, self._detail_count, str(self._head["model"])):
            self._detail_count += 1
            yield self._chunk({"reasoning_details": [detail]})

    def _end_call(self, block: Block) -> Iterator[Json]:
        """Send a custom call, and arguments that came with the start or must be decoded as a whole."""
        arguments = "".join(block.pieces)
        call = tool_call(block.start, arguments or arguments_text(block.start.get("input")))
        if call["type"] == "custom":
            yield self._call_chunk(block, call)
        elif not arguments or needs_whole_arguments(block.start):
            yield self._call_chunk(block, {"function": {"arguments": call["function"]["arguments"]}})

    def _call_chunk(self, block: Block, call: Json) -> Json:
        return self._chunk({"tool_calls": [{"index": block.index, **call}]})

    def _finish(self, finish_reason: str, refusal: str | None) -> Iterator[Json]:
        if not self._finished:
            self._finished = True
            delta = {"refusal": refusal} if refusal and not (self._has_text or self._call_count) else {}
            yield self._chunk(delta, finish_reason)
