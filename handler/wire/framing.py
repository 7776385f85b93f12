"""The ways in which an upstream's bytes are divided into events, by the names that translators use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from handler.wire import eventstream, sse


class EventDecoder(Protocol):
    """Turns bytes into events, whatever pieces they come in."""

    def feed(self, data: bytes) -> Iterable[sse.Event]:
        """Return the events that `data` completes. Raises EventTooLarge, and UpstreamError for damage."""
        ...

    def close(self) -> Iterable[sse.Event]:
        """Return the event that the end of the bytes completes."""
        ...


# `max_event`: the most bytes of one event.
FRAMINGS: Mapping[str, Callable[..., EventDecoder]] = {
    "sse": sse.Decoder,
    "eventstream": eventstream.Decoder,
}
