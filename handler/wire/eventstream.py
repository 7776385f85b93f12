"""Decodes and encodes AWS event streams; handler/wire/sse.py does the same for server-sent events.

An event's data is JSON text, the payload under the event's type: `{"messageStop": {"stopReason": ...}}`.
Exceptions are such events too. https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from typing import Any
from zlib import crc32

from handler.errors import UpstreamError
from handler.wire.sse import MAX_EVENT, Event, EventTooLarge

_PRELUDE, _SHORTEST = 12, 16  # bytes: both lengths and their checksum; with the checksum of the message
_TEXT = 7  # the type of a header's value
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
                data = bytes(self._incomplete[:length])
                del self._incomplete[:length]
                self._messages.add_data(data)  # one by one: it copies what it has
                for message in self._messages:
                    yield Event(_data(message), message=data)
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


def encode(name: str, payload: bytes, *, kind: str = "event") -> bytes:
    """Return the message of an event with JSON as its payload; kind: `event` or `exception`."""
    return encode_message(
        {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}, payload
    )


def encode_message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return a message: prelude and its checksum, headers, payload, checksum of everything."""
    head = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", _TEXT, len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack("!II", _SHORTEST + len(head) + len(payload), len(head))
    unsigned = prelude + struct.pack("!I", crc32(prelude)) + head + payload
    return unsigned + struct.pack("!I", crc32(unsigned))
