"""Decodes a stream of ConverseStream to chat chunks. An event is an object with one member, named by type.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from handler.errors import Json
from handler.providers.bedrock.answer import (
    read_finish_reason,
    read_service_tier,
    read_stream_error,
    read_usage,
)
from handler.providers.content_blocks.stream import BlockStream


class ConverseStream(BlockStream):
    """The decoder of one stream; see StreamDecoder."""

    def __init__(self, *, id: str, created: int, legacy: bool, model: str) -> None:
        super().__init__(created=created, legacy=legacy, model=model)
        self._head["id"] = id
        self._usage: Json = {}

    def _decode(self, event: Any) -> Iterator[Json]:
        (name, content), *_ = event.items()
        if name.endswith(("Exception", "Error")):
            raise read_stream_error(name, content)
        handle = _EVENTS.get(name)
        return handle(self, content) if handle else iter(())

    def _message_start(self, _: Json) -> Iterator[Json]:
        self._started = True
        yield self._chunk({"role": "assistant", "content": ""})

    def _block_start(self, event: Json) -> Iterator[Json]:
        match event["start"]:
            case {"toolUse": {"type": "server_tool_use"}}:
                start: Json = {"type": "server_tool_use"}
            case {"toolUse": {"toolUseId": str(id), "name": str(name)}}:
                start = {"type": "tool_use", "id": id, "name": name}
            case _:
                start = {"type": "unknown"}
        return self._start_block(event["contentBlockIndex"], start)

    def _block_delta(self, event: Json) -> Iterator[Json]:
        index, delta = event["contentBlockIndex"], event["delta"]
        if index not in self._blocks:  # text and thinking have no start event
            yield from self._start_block(index, {"type": _block_type(delta)})
        block, self.adds_text = self._blocks[index], True
        match delta:
            case {"text": str(text)}:
                yield from self._add_text(block, "text", text)
            case {"toolUse": {"input": str(piece)}}:
                yield from self._add_arguments(block, piece)
            case {"reasoningContent": {"text": str(text)}}:
                yield from self._add_text(block, "thinking", text)
            case {"reasoningContent": {"signature": str(signature)}}:
                self._buffer(block.signature, signature)
            case {"reasoningContent": {"redactedContent": str(data)}}:
                self._buffer(block.signature, data)
                block.start = {"type": "redacted_thinking"}
            case {"text": _} | {"toolUse": _} | {"reasoningContent": _}:
                raise TypeError("the delta has no text")

    def _block_stop(self, event: Json) -> Iterator[Json]:
        index = event["contentBlockIndex"]
        return self._end_block(index) if index in self._blocks else iter(())

    def _message_stop(self, event: Json) -> Iterator[Json]:
        reason = read_finish_reason(
            event.get("stopReason"), called=self._call_count > 0, has_text=self._has_text
        )
        return self._finish(reason, None)

    def _metadata(self, event: Json) -> Iterator[Json]:
        if usage := event.get("usage"):
            self._usage = read_usage(usage)
        self._head |= read_service_tier(event)
        return iter(())

    def _end(self) -> Iterator[Json]:
        self._done = True
        if self._usage:
            yield {**self._head, "choices": [], "usage": self._usage}


def _block_type(delta: Json) -> str:
    return "text" if "text" in delta else "thinking" if "reasoningContent" in delta else "unknown"


_EVENTS: Mapping[str, Callable[[ConverseStream, Json], Iterator[Json]]] = {
    "messageStart": ConverseStream._message_start,
    "contentBlockStart": ConverseStream._block_start,
    "contentBlockDelta": ConverseStream._block_delta,
    "contentBlockStop": ConverseStream._block_stop,
    "messageStop": ConverseStream._message_stop,
    "metadata": ConverseStream._metadata,
}
