"""Encodes the chunks of a chat as the events of a message.

https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import re

from handler.errors import GatewayError, Json
from handler.formats.anthropic.answer import block_writer, ending_of, head_of, usage_of
from handler.formats.anthropic.errors import error_body
from handler.formats.chat.request import Chat
from handler.wire import sse
from handler.wire.splice import dump

_PING: Json = {"type": "ping"}
_END = re.compile(rb'"type"\s*:\s*"(?:message_stop|error)"')


def encode_event(event: Json) -> bytes:
    return sse.encode(dump(event), event["type"])


class MessageEncoder:
    """The encoder of one answer; see StreamEncoder."""

    number = 0
    media_type = "text/event-stream"
    keep_alive = encode_event(_PING)

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._writer = block_writer(chat)
        self._started = False
        self._ended = False
        self._choice: Json = {}  # how it ended
        self._last: Json = {}  # `usage`, `service_tier` and `sluice` of the chunks

    def feed(self, chunk: Json) -> bytes:
        events = [] if self._started else self._start(chunk)
        self._last |= {
            name: chunk[name] for name in ("usage", "service_tier", "sluice") if chunk.get(name) is not None
        }
        for choice in chunk.get("choices") or ():
            if not choice.get("index"):
                self._choice |= {
                    name: choice[name] for name in ("finish_reason", "stop_reason") if choice.get(name)
                }
                events += self._writer.feed(choice.get("delta") or {})
        return b"".join(map(encode_event, events))

    def relay(self, events: bytes) -> bytes:
        """Return the events; at their end, the last one of a message if it did not come."""
        self._ended = self._ended or _END.search(events) is not None
        return events if events or self._ended else encode_event({"type": "message_stop"})

    def close(self) -> bytes:
        events = [] if self._started else self._start({})
        events += self._writer.close()
        sluice = {"sluice": self._last["sluice"]} if "sluice" in self._last else {}
        delta = ending_of(self._choice, self._writer, self._chat)
        events.append({"type": "message_delta", "delta": delta, "usage": usage_of(self._last), **sluice})
        return b"".join(map(encode_event, [*events, {"type": "message_stop"}]))

    def fail(self, error: GatewayError) -> bytes:
        return encode_event(error_body(error))

    def _start(self, chunk: Json) -> list[Json]:
        """Return the first events. The tokens are not known yet: those of `message_delta` replace them."""
        self._started = True
        ending = {"stop_reason": None, "stop_sequence": None, "stop_details": None}
        message = {**head_of(chunk), "content": [], **ending, "usage": usage_of({})}
        return [{"type": "message_start", "message": message}, _PING]
