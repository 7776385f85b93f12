"""Encodes the chunks of a chat as the events of ConverseStream, in AWS's binary framing.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from handler.errors import GatewayError, Json
from handler.formats.chat.request import Chat
from handler.formats.converse.answer import ConverseWriter, citation_of, stop_reason, tail_of
from handler.formats.converse.errors import error_body, exception_name
from handler.wire import eventstream
from handler.wire.splice import dump

Event = tuple[str, Json]


def encode_event(event: Event) -> bytes:
    name, content = event
    return eventstream.encode(name, dump(content).encode())


class ConverseEncoder:
    """The encoder of one answer; see StreamEncoder. latency: the milliseconds so far."""

    number = 0
    media_type = "application/vnd.amazon.eventstream"
    keep_alive = encode_event(("keepAlive", {}))  # AWS's SDKs skip events that they do not know

    def __init__(self, chat: Chat, latency: Callable[[], int]) -> None:
        self._chat = chat
        self._latency = latency
        self._writer = ConverseWriter()
        self._started = False
        self._choice: Json = {}  # how it ended
        self._last: Json = {}  # `usage`, `service_tier` and `sluice` of the chunks

    def feed(self, chunk: Json) -> bytes:
        events = self._start()
        self._last |= {
            name: chunk[name] for name in ("usage", "service_tier", "sluice") if chunk.get(name) is not None
        }
        for choice in chunk.get("choices") or ():
            if not choice.get("index"):
                self._choice |= {
                    name: choice[name] for name in ("finish_reason", "stop_reason") if choice.get(name)
                }
                events += self._blocks(self._writer.feed(choice.get("delta") or {}))
        return b"".join(map(encode_event, events))

    def relay(self, events: bytes) -> bytes:
        return events

    def close(self) -> bytes:
        events = [*self._start(), *self._blocks(self._writer.close())]
        events.append(("messageStop", {"stopReason": stop_reason(self._choice, self._writer, self._chat)}))
        events.append(("metadata", tail_of(self._last, latency=self._latency())))
        return b"".join(map(encode_event, events))

    def fail(self, error: GatewayError) -> bytes:
        return eventstream.encode(exception_name(error), dump(error_body(error)).encode(), kind="exception")

    def _start(self) -> list[Event]:
        started, self._started = self._started, True
        return [] if started else [("messageStart", {"role": "assistant"})]

    def _blocks(self, events: Iterator[Json]) -> Iterator[Event]:
        """Yield Converse's events for those of a message. Only calls and images have one at their start."""
        for event in events:
            for name, content in _converse_events(event):
                yield name, {**content, "contentBlockIndex": event["index"]}


def _converse_events(event: Json) -> Iterator[Event]:
    match event:
        case {"type": "content_block_start", "content_block": {"type": "tool_use", "id": id, "name": name}}:
            yield "contentBlockStart", {"start": {"toolUse": {"toolUseId": id, "name": name}}}
        case {"type": "content_block_start", "content_block": {"type": "image"} as image}:
            yield "contentBlockStart", {"start": {"image": {"format": image["format"]}}}
            yield "contentBlockDelta", {"delta": {"image": {"source": image["source"]}}}
        case {"type": "content_block_start", "content_block": {"data": data}}:
            yield "contentBlockDelta", {"delta": {"reasoningContent": {"redactedContent": data}}}
        case {"type": "content_block_delta", "delta": delta}:
            yield "contentBlockDelta", {"delta": _delta(delta)}
        case {"type": "content_block_stop"}:
            yield "contentBlockStop", {}


def _delta(delta: Json) -> Json:
    match delta:
        case {"type": "thinking_delta", "thinking": text}:
            return {"reasoningContent": {"text": text}}
        case {"type": "signature_delta", "signature": signature}:
            return {"reasoningContent": {"signature": signature}}
        case {"type": "input_json_delta", "partial_json": text}:
            return {"toolUse": {"input": text}}
        case {"type": "citations_delta", "citation": citation}:
            return {"citation": citation_of(citation)}
    return {"text": delta["text"]}
