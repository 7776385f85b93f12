"""Decodes a stream of Anthropic's Messages to chat chunks.

https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from handler.errors import Json
from handler.providers.anthropic.answer import (
    read_error,
    read_finish_reason,
    read_refusal,
    read_service_tier,
    read_usage,
)
from handler.providers.content_blocks.stream import BlockStream


class MessageStream(BlockStream):
    """The decoder of one stream; see StreamDecoder."""

    def __init__(self, *, created: int, legacy: bool) -> None:
        super().__init__(created=created, legacy=legacy)
        self._usage: Json = {}  # the latest value of each field, as they are cumulative

    def _decode(self, event: Any) -> Iterator[Json]:
        handle = _EVENTS.get(event["type"])
        return handle(self, event) if handle else iter(())

    def _message_start(self, event: Json) -> Iterator[Json]:
        message = event["message"]
        self._started = True
        self._head |= {"id": message["id"], "model": message["model"]}
        self._update_usage(message)
        self._head |= read_service_tier(self._usage)
        yield self._chunk({"role": "assistant", "content": ""})

    def _block_start(self, event: Json) -> Iterator[Json]:
        return self._start_block(event["index"], event["content_block"])

    def _block_delta(self, event: Json) -> Iterator[Json]:
        block, self.adds_text = self._blocks[event["index"]], True
        match event["delta"]:
            case {"type": "text_delta", "text": str(text)}:
                yield from self._add_text(block, "text", text)
            case {"type": "thinking_delta", "thinking": str(text)}:
                yield from self._add_text(block, "thinking", text)
            case {"type": "signature_delta", "signature": str(signature)}:
                self._buffer(block.signature, signature)
            case {"type": "input_json_delta", "partial_json": str(piece)}:
                yield from self._add_arguments(block, piece)
            case {"type": "text_delta" | "thinking_delta" | "signature_delta" | "input_json_delta"}:
                raise TypeError("the delta has no text")

    def _block_stop(self, event: Json) -> Iterator[Json]:
        return self._end_block(event["index"])

    def _message_delta(self, event: Json) -> Iterator[Json]:
        delta = event["delta"]
        self._update_usage(event)
        if delta.get("stop_reason") is not None:
            yield from self._stop(delta)

    def _stop(self, message: Json) -> Iterator[Json]:
        reason = read_finish_reason(message.get("stop_reason"), called=self._call_count > 0)
        return self._finish(reason, read_refusal(message))

    def _update_usage(self, message: Json) -> None:
        usage = message.get("usage") or {}
        self._usage |= {name: value for name, value in usage.items() if value is not None}

    def _message_stop(self, _: Json) -> Iterator[Json]:
        yield from self._stop({})
        yield from self._end()

    def _end(self) -> Iterator[Json]:
        self._done = True
        if self._usage:
            yield {**self._head, "choices": [], "usage": read_usage(self._usage)}

    def _error(self, event: Json) -> Iterator[Json]:
        raise read_error(500, {}, json.dumps(event).encode())


_EVENTS: Mapping[str, Callable[[MessageStream, Json], Iterator[Json]]] = {
    "message_start": MessageStream._message_start,
    "content_block_start": MessageStream._block_start,
    "content_block_delta": MessageStream._block_delta,
    "content_block_stop": MessageStream._block_stop,
    "message_delta": MessageStream._message_delta,
    "message_stop": MessageStream._message_stop,
    "error": MessageStream._error,
}
