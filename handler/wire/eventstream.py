"""AWS's event-stream framing, as handler/wire/sse.py has that of server-sent events: bytes in, events out.

An event's data is JSON text with the event's type around its payload: `{"messageStop": {"stopReason": ...}}`.
Exceptions are such events too. https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any
from zlib import crc32

from handler.errors import UpstreamError
from handler.wire.sse import MAX_EVENT, Event, EventTooLarge

_PRELUDE, _SHORTEST = 12, 16  # bytes: both lengths and their checksum; with that of the message
# Where a message says what it is, by `:message-type`.
_TYPES = {"event": ":event-type", "exception": ":exception-type", "error": ":error-code"}


class Decoder:
    """Bytes to events. Those before a failure count, so they come one by one."""

    def __init__(self, *, max_event: int = MAX_EVENT) -> None:
        from botocore.eventstream import EventStreamBuffer  # not part of a cold start without Bedrock

        self._buffer: Any = EventStreamBuffer()
        self._max_event = max_event
        self._held = bytearray()  # of the message that is not complete

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that `data` completes. Raises EventTooLarge, and UpstreamError for what is damaged."""
        from botocore.eventstream import ParserError

        self._held += data
        try:
            while (length := self._length()) is not None and length <= len(self._held):
                self._buffer.add_data(bytes(self._held[:length]))  # one by one: it copies what it has
                del self._held[:length]
                for message in self._buffer:
                    yield Event(_data(message))
        except EventTooLarge:
            raise
        # A wrong checksum; a text that is no UTF-8; a header cut short, or of a type that nobody knows.
        except (ParserError, ValueError, struct.error, KeyError) as error:
            raise UpstreamError("The provider's stream is damaged.", failure_class="protocol") from error

    def _length(self) -> int | None:
        """The length that the first message declares; None while it has not come."""
        if len(self._held) < _PRELUDE:
            return None
        length = int.from_bytes(self._held[:4], "big")
        if crc32(self._held[:8]) != int.from_bytes(self._held[8:_PRELUDE], "big"):
            raise ValueError("wrong checksum")
        if length < _SHORTEST:
            raise ValueError("too short")
        if length > self._max_event:
            raise EventTooLarge(f"a message is longer than {self._max_event} bytes")
        return length

    def close(self) -> Iterator[Event]:
        """Nothing more. Raises UpstreamError when the bytes ended inside a message."""
        if self._held:
            raise UpstreamError("The provider's answer ended too early.", failure_class="network")
        return iter(())


def _data(message: Any) -> str:
    headers = message.headers
    name = str(headers.get(_TYPES.get(str(headers.get(":message-type")), ":event-type"), "unknown"))
    payload = message.payload.decode()
    if not payload and ":error-message" in headers:
        payload = json.dumps({"message": str(headers[":error-message"])})
    return f"{{{json.dumps(name)}:{payload or '{}'}}}"
