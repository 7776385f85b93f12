"""The trace of a request, and the header `traceparent` that continues it.

https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import NamedTuple

# Version ff, and ids that are all zero, are invalid.
_VALID = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_SAMPLED = 1  # the bit of the flags that asks for a recording


class Trace(NamedTuple):
    """The trace that a request belongs to. Ids and flags are hexadecimal, as in the header."""

    id: str
    span: str  # of the request
    parent: str | None  # the caller's span
    flags: str
    recorded: bool  # its spans are sent to the collector

    def attempt(self, began: float) -> tuple[str, float]:
        """Return a new span id for an attempt, and when it began in monotonic seconds."""
        return new_span_id(), began

    def header(self, span: str) -> str:
        """Return the `traceparent` of a request that is made in a span.

        A span that nobody will find in the collector is nobody's parent: the caller's own stays.
        """
        parent = span if self.recorded or self.parent is None else self.parent
        return f"00-{self.id}-{parent}-{self.flags}"


def trace_of(traceparent: str | None, *, record: bool, sample: Callable[[], bool]) -> Trace:
    """Return the trace that a caller's header continues, or a new one.

    record: there is a collector. sample: chooses if a new trace is recorded; a caller has chosen already.
    """
    found = _VALID.fullmatch(traceparent or "")
    if found is None:
        sampled = sample()
        return Trace(
            secrets.token_hex(16), new_span_id(), None, "01" if sampled else "00", record and sampled
        )
    id, parent, flags = found.groups()
    return Trace(id, new_span_id(), parent, flags, record and bool(int(flags, 16) & _SAMPLED))


def new_span_id() -> str:
    return secrets.token_hex(8)
