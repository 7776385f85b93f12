"""Decodes AWS event streams; handler/wire/sse.py does the same for server-sent events.

An event's data is JSON text, the payload under the event's type: `{"messageStop": {"stopReason": ...}}`.
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

_PRELUDE, _SHORTEST = 12, 16  # bytes: both lengths and their checksum; with the checksum of the message
# The header that names a message, by its `:message-type`.
_NAMES = {"event": ":event-type", "exception": ":exception-type", "error": ":error-code"}


class Decoder:
    """Turns bytes into events. Each is yielded at once, so that those before a failure are not lost."""

    def __init__(self, *, max_event: int = MAX_EVENT) -> None:
        from botocore.eventstream import EventStreamBuffer  # not part of a cold start without Bedrock

        self._messages: Any = EventStreamBuffer()
        self._max_event = max_event
        self._incomplete = bytearray()  # the beginning of a message

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield the events that `data` completes. Raises EventTooLarge, and UpstreamError for damage."""
        from botocore.eventstream import ParserError

        self._incomplete += data
        try:
            while (length := self._length()) is not None and length <= len(self._incomplete):
                self._messages.add_data(bytes(self._incomplete[:length]))  # one by one: it copies what it has
                del self._incomplete[:length]
                for message in self._messages:
                    yield Event(_data(message))
        except EventTooLarge:
            raise
        # A wrong checksum; text that is not UTF-8; a header that is cut short or of an unknown type.
        except (ParserError, ValueError, struct.error, KeyError) as error:
            raise UpstreamError("The provider's stream is damaged.", failure_class="protocol") from error

    def _length(self) -> int | None:
        """Return the length that the next message declares; None until its prelude has come."""
        if len(self._incomplete) < _PRELUDE:
            return None
        length = int.from_bytes(self._incomplete[:4], "big")
        if crc32(self._incomplete[:8]) != int.from_bytes(self._incomplete[8:_PRELUDE], "big"):
            raise ValueError("wrong checksum")
        if length < _SHORTEST:
            raise ValueError("too short")
        if length > self._max_event:
            raise EventTooLarge(f"a message is longer than {self._max_event} bytes")
        return length

    def close(self) -> Iterator[Event]:
        """Yield nothing. Raises UpstreamError if the bytes ended inside a message."""
        if self._incomplete:
            raise UpstreamError("The provider's answer ended too early.", failure_class="network")
        return iter(())


def _data(message: Any) -> str:
    headers = message.headers
    name = str(headers.get(_NAMES.get(str(headers.get(":message-type")), ":event-type"), "unknown"))
    payload = message.payload.decode()
    if not payload and ":error-message" in headers:
        payload = json.dumps({"message": str(headers[":error-message"])})
    return f"{{{json.dumps(name)}:{payload or '{}'}}}"
