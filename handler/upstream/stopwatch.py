"""The clock of one call, and how much of its time was spent waiting on providers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable


class Stopwatch:
    """Times are seconds on `clock`. Waits that overlap, as those of a hedge do, count once."""

    __slots__ = ("_since", "_waited", "_waits", "clock")

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._waited = 0.0
        self._waits = 0  # going on now
        self._since = 0.0

    def begin(self) -> float:
        """A wait begins; when that is."""
        now = self.clock()
        if not self._waits:
            self._since = now
        self._waits += 1
        return now

    def end(self) -> None:
        self._waits -= 1
        if not self._waits:
            self._waited += self.clock() - self._since

    @property
    def waited(self) -> float:
        """Seconds so far."""
        return self._waited + (self.clock() - self._since if self._waits else 0.0)

    async def pause(self, sleeping: Awaitable[None]) -> None:
        self.begin()
        try:
            await sleeping
        finally:
            self.end()

    def ms_since(self, began: float) -> int:
        return round((self.clock() - began) * 1000)
