"""A stream of ConverseStream as chat chunks. An event is an object with one member, named like its type.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from handler.providers.bedrock.answer import failed_in_stream, finish_of, tier_of, usage_of
from handler.providers.content_blocks.stream import BlockStream
from handler.providers.translator import Json


class ConverseStream(BlockStream):
    """The decoder of one stream; see StreamDecoder."""

    def __init__(self, *, id: str, created: int, legacy: bool, model: str) -> None:
        super().__init__(created=created, legacy=legacy, model=model)
        self._head["id"] = id
        self._usage: Json = {}

    def _meant(self, event: Any) -> Iterator[Json]:
        (name, told), *_ = event.items()
        if name.endswith(("Exception", "Error")):
            raise failed_in_stream(name, told)
        handle = _EVENTS.get(name)
        return handle(self, told) if handle else iter(())

    def _message_start(self, _: Json) -> Iterator[Json]:
        self._begun = True
        yield self._chunk({"role": "assistant", "content": ""})

    def _block_start(self, told: Json) -> Iterator[Json]:
        match told["start"]:
            case {"toolUse": {"type": "server_tool_use"}}:
                start: Json = {"type": "server_tool_use"}
            case {"toolUse": {"toolUseId": str(id), "name": str(name)}}:
                start = {"type": "tool_use", "id": id, "name": name}
            case _:
                start = {"type": "unknown"}
        return self._start(told["contentBlockIndex"], start)

    def _block_delta(self, told: Json) -> Iterator[Json]:
        at, delta = told["contentBlockIndex"], told["delta"]
        if at not in self._blocks:  # texts and thoughts have no start
            yield from self._start(at, {"type": _sort(delta)})
        block = self._blocks[at]
        match delta:
            case {"text": str(text)}:
                yield from self._said(block, "text", text)
            case {"toolUse": {"input": str(piece)}}:
                yield from self._argued(block, piece)
            case {"reasoningContent": {"text": str(text)}}:
                yield from self._said(block, "thinking", text)
            case {"reasoningContent": {"signature": str(signature)}}:
                self._keep(block.signature, signature)
            case {"reasoningContent": {"redactedContent": str(data)}}:
                self._keep(block.signature, data)
                block.start = {"type": "redacted_thinking"}
            case {"text": _} | {"toolUse": _} | {"reasoningContent": _}:
                raise TypeError("the delta brings no text")

    def _block_stop(self, told: Json) -> Iterator[Json]:
        at = told["contentBlockIndex"]
        return self._stop(at) if at in self._blocks else iter(())

    def _message_stop(self, told: Json) -> Iterator[Json]:
        finish = finish_of(told.get("stopReason"), called=self._calls > 0, spoken=self._spoken)
        return self._finish(finish, None)

    def _metadata(self, told: Json) -> Iterator[Json]:
        if usage := told.get("usage"):
            self._usage = usage_of(usage)
        self._head |= tier_of(told)
        return iter(())

    def _last(self) -> Iterator[Json]:
        self._done = True
        if self._usage:
            yield {**self._head, "choices": [], "usage": self._usage}


def _sort(delta: Json) -> str:
    return "text" if "text" in delta else "thinking" if "reasoningContent" in delta else "unknown"


_EVENTS: Mapping[str, Callable[[ConverseStream, Json], Iterator[Json]]] = {
    "messageStart": ConverseStream._message_start,
    "contentBlockStart": ConverseStream._block_start,
    "contentBlockDelta": ConverseStream._block_delta,
    "contentBlockStop": ConverseStream._block_stop,
    "messageStop": ConverseStream._message_stop,
    "metadata": ConverseStream._metadata,
}
