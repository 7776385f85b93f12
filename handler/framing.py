"""How an upstream's bytes are cut into events: the framings that translators name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from handler import eventstream, sse


class Framing(Protocol):
    """Bytes to events, however the network cuts them."""

    def feed(self, data: bytes) -> Iterable[sse.Event]:
        """The events that `data` completes. Raises EventTooLarge, or UpstreamError for what is damaged."""
        ...

    def close(self) -> Iterable[sse.Event]:
        """The event that the end of the bytes completes."""
        ...


# How a stream is cut into events.
FRAMINGS: Mapping[str, Callable[[], Framing]] = {"sse": sse.Decoder, "eventstream": eventstream.Decoder}
