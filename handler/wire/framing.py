"""How an upstream's bytes are cut into events: the framings that translators name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from handler.wire import eventstream, sse


class Framing(Protocol):
    """Bytes to events, however the network cuts them."""

    def feed(self, data: bytes) -> Iterable[sse.Event]:
        """The events that `data` completes. Raises EventTooLarge, or UpstreamError for what is damaged."""
        ...

    def close(self) -> Iterable[sse.Event]:
        """The event that the end of the bytes completes."""
        ...


class Cutting(Protocol):
    def __call__(self, *, max_event: int = sse.MAX_EVENT) -> Framing:
        """`max_event`: bytes of one event."""
        ...


# How a stream is cut into events.
FRAMINGS: Mapping[str, Cutting] = {"sse": sse.Decoder, "eventstream": eventstream.Decoder}
