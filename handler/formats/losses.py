"""Collects the parts of a request that a chat cannot say."""

from __future__ import annotations

from dataclasses import dataclass, field

_MOST, _LONGEST = 32, 64  # names, and characters of a name: they are sent in a header


@dataclass(slots=True)
class Losses:
    """`only` and `dropped` of a NativeRequest, while the request is translated."""

    only: tuple[str, str] | None = None
    dropped: list[str] = field(default_factory=list)

    def require_native(self, path: str, problem: str) -> None:
        """Note a part without which the answer would be another one. The first one is reported."""
        if self.only is None:
            self.only = path, problem

    def drop(self, name: str) -> None:
        """Note a field that only tunes the answer, and that is left out."""
        if len(self.dropped) < _MOST and (short := name[:_LONGEST]) not in self.dropped:
            self.dropped.append(short)
