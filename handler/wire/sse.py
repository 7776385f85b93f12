"""Decodes and encodes server-sent events.

https://html.spec.whatwg.org/multipage/server-sent-events.html
It departs from the standard in two points: the last event counts even without a blank line behind it, which
many providers leave out, and the size of an event is limited.
"""

from __future__ import annotations

from typing import NamedTuple

MAX_EVENT = 8_000_000  # bytes
DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"
_BOM = b"\xef\xbb\xbf"


class EventTooLarge(ValueError):
    """An event, or a line, is longer than it may be."""


class Event(NamedTuple):
    """An event. `message`: its bytes, where its framing has checksums, so that it can be passed on."""

    data: str
    event: str | None = None
    message: bytes = b""

    def encoded(self) -> bytes:
        return self.message or encode(self.data, self.event)


class Decoder:
    """Turns bytes into events. Lines end at CR, LF and CRLF only: U+2028 is an ordinary character in JSON."""

    def __init__(self, *, max_event: int = MAX_EVENT) -> None:
        self._max_event = max_event
        self._line = bytearray()  # the beginning of a line
        self._data: bytearray | None = None  # of the current event, its lines joined by line ends
        self._event: str | None = None
        self._after_cr = False  # an LF that comes next belongs to the line end before it
        self._at_start = True  # no line has ended yet

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that `data` completes. Raises EventTooLarge."""
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = data.split(b"\n")
        if lines and self._line:
            lines[0] = bytes(self._line + lines[0])
            self._line = bytearray()
        events = self._events(lines)
        if rest:
            self._line += rest
            self._check()
        return events

    def close(self) -> list[Event]:
        """Return the event that the end of the bytes completes."""
        return self.feed(b"\n\n")

    def _events(self, lines: list[bytes]) -> list[Event]:
        events = []
        for line in lines:
            if self._at_start:
                line, self._at_start = line.removeprefix(_BOM), False
            if line:
                self._field(line)
                continue
            if self._data is not None:
                events.append(Event(self._data.decode("utf-8", "replace"), self._event))
                self._data = None
            self._event = None
        return events

    def _field(self, line: bytes) -> None:
        """Add one line to the event. Comments, ids, retry times and unknown fields are ignored."""
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            if self._data is None:
                self._data = bytearray(value)
            else:
                self._data += b"\n"
                self._data += value
            self._check()
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")

    def _check(self) -> None:
        if len(self._line) + len(self._data or b"") > self._max_event:
            raise EventTooLarge(f"an event is longer than {self._max_event} bytes")


def encode(data: str, event: str | None = None) -> bytes:
    """Encode one event; each line of `data` becomes a field of its own. `event`: its type, if it has one."""
    if "\n" in data:
        data = data.replace("\n", "\ndata: ")
    type_ = "" if event is None else f"event: {event}\n"
    return f"{type_}data: {data}\n\n".encode("utf-8", "replace")
