"""A stream of content blocks as chat chunks: what the streams of Anthropic and of Bedrock have in common.

Blocks have the form of Anthropic's Messages. Events of a sort nobody knows are ignored, as the vendors ask.
https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from handler.errors import UpstreamError
from handler.providers.content_blocks.answer import arguments_of, call_of, has_whole_arguments
from handler.providers.content_blocks.blocks import thought
from handler.providers.legacy_functions import legacy_chunk
from handler.providers.malformed import MalformedEvents, loads
from handler.providers.translator import PIECE, Json, too_large

MOST_BLOCKS = 10_000  # of one stream
MOST_KEPT = 20_000_000  # bytes of what is kept of one stream


@dataclass(slots=True)
class Block:
    """What has been streamed of one content block."""

    start: Json
    index: int | None = None  # of a tool call: its number among the calls
    pieces: list[str] = field(default_factory=list)  # of thinking, or of a call's input
    signature: list[str] = field(default_factory=list)  # its pieces, or those of redacted thinking


class BlockStream:
    """The decoder of one stream; see StreamDecoder. What an event means is for `_meant` to say."""

    def __init__(self, *, created: int, legacy: bool, model: str = "") -> None:
        self.event: Json = {}
        self._legacy = legacy
        self._head: Json = {"id": "", "object": "chat.completion.chunk", "created": created, "model": model}
        self._blocks: dict[object, Block] = {}
        self._kept = 0
        self._calls = 0
        self._thoughts = 0
        self._spoken = False  # there is text
        self._malformed = MalformedEvents()
        self._begun = self._finished = self._done = False

    def _meant(self, event: Any) -> Iterator[Json]:
        """The chunks that an event is. Raises UpstreamError for one that tells of a failure."""
        raise NotImplementedError

    def _last(self) -> Iterator[Json]:
        """What is left when all has been said: the usage."""
        raise NotImplementedError

    def feed(self, data: str) -> Iterator[Json]:
        if self._done or not data.strip() or data.startswith("[DONE]"):
            return
        blocks = len(self._blocks)
        try:
            event = loads(data)
            chunks = list(self._meant(event))
            if len(self._blocks) > blocks:
                self._count_kept(len(data))  # its start is kept
            self.event = event
        except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
            self._malformed.skip(data)
            return
        for chunk in chunks:
            yield legacy_chunk(chunk) if self._legacy else chunk

    def close(self) -> Iterator[Json]:
        if not self._begun or not (self._finished or self._done):
            raise UpstreamError("The provider's answer ended too early.", failure_class="network")
        if not self._done:
            yield from self._last()

    def _keep(self, pieces: list[str], piece: str) -> None:
        """Counts what is kept until its block ends; each piece adds the memory of a string object."""
        self._count_kept(len(piece) + PIECE)
        pieces.append(piece)

    def _count_kept(self, size: int) -> None:
        self._kept += size
        if self._kept > MOST_KEPT:
            raise too_large()

    def _chunk(self, delta: Json, finish: str | None = None) -> Json:
        return {**self._head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    def _start(self, at: object, start: Json) -> Iterator[Json]:
        if len(self._blocks) >= MOST_BLOCKS:
            raise too_large()
        block = self._blocks[at] = Block(start)
        kind = start["type"]
        if kind == "tool_use":
            block.index = self._calls
            self._calls += 1
            call = call_of(start, "")
            if call["type"] == "function":
                yield self._call(block, call)
        elif kind in ("text", "thinking") and start.get(kind):
            yield from self._said(block, kind, start[kind])

    def _said(self, block: Block, kind: str, text: str) -> Iterator[Json]:
        if kind == "thinking":
            self._keep(block.pieces, text)
        else:
            self._spoken = True
        if text:
            yield self._chunk({"content" if kind == "text" else "reasoning_content": text})

    def _argued(self, block: Block, piece: str) -> Iterator[Json]:
        """A piece of a call's arguments, where they need not be told whole."""
        if piece and block.index is not None:
            self._keep(block.pieces, piece)
            if not has_whole_arguments(block.start):
                yield self._call(block, {"function": {"arguments": piece}})

    def _stop(self, at: object) -> Iterator[Json]:
        block = self._blocks[at]
        if block.index is not None:
            yield from self._call_end(block)
            return
        whole = block.start
        if whole["type"] == "redacted_thinking" and block.signature:
            whole = {**whole, "data": "".join(block.signature)}
        elif whole["type"] == "thinking":
            signature = "".join(block.signature) or whole.get("signature")
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
        elif not arguments or has_whole_arguments(block.start):
            yield self._call(block, {"function": {"arguments": call["function"]["arguments"]}})

    def _call(self, block: Block, call: Json) -> Json:
        return self._chunk({"tool_calls": [{"index": block.index, **call}]})

    def _finish(self, finish: str, refusal: str | None) -> Iterator[Json]:
        if not self._finished:
            self._finished = True
            why = None if self._spoken or self._calls else refusal
            yield self._chunk({"refusal": why} if why else {}, finish)
