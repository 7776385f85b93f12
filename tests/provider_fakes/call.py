"""One request to a service and what comes back: what the server hands over, and every service's refusal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

Json = dict[str, Any]

KEY = "story-key"  # the credential that every service knows
# How a stream is written: several events at once, one byte, half an event.
SIZES = (700, 1, 90, 3, 1500, 17)


@dataclass(frozen=True, slots=True)
class Call:
    """`path` is what follows the service's own name; header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: Json


@dataclass(frozen=True, slots=True)
class Reply:
    pieces: tuple[bytes, ...]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """What the service says no with. `where` is the field's path in the service's own way of writing it."""

    def __init__(self, message: str, *, where: str = "", failure_class: str = "invalid_request") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.failure_class = failure_class


def whole(body: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    data = json.dumps(body, ensure_ascii=False).encode()
    return Reply((data,), status, {"content-type": "application/json", **(headers or {})})


def streamed(events: Iterable[str], kind: str = "text/event-stream") -> Reply:
    """The events as a stream, in odd pieces."""
    return Reply(tuple(cut("".join(events).encode())), 200, {"content-type": kind})


def cut(data: bytes) -> Iterable[bytes]:
    at = 0
    for size in cycle(SIZES):
        if at >= len(data):
            return
        yield data[at : at + size]
        at += size
