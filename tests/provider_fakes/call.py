"""A request to a fake, its reply, and the refusal that every fake raises."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

Json = dict[str, Any]

KEY = "story-key"  # the credential of every service
# Bytes per write of a stream: several events, one byte, half an event.
SIZES = (700, 1, 90, 3, 1500, 17)


@dataclass(frozen=True, slots=True)
class Call:
    """`path`: the part after the service's name. Header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: Json


@dataclass(frozen=True, slots=True)
class Reply:
    pieces: tuple[bytes, ...]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """A refusal of the request. `where`: the path of the field, as the service writes it."""

    def __init__(self, message: str, *, where: str = "", failure_class: str = "invalid_request") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.failure_class = failure_class

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


def json_reply(body: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    data = json.dumps(body, ensure_ascii=False).encode()
    return Reply((data,), status, {"content-type": "application/json", **(headers or {})})


def stream_reply(events: Iterable[str], kind: str = "text/event-stream") -> Reply:
    """A stream of the events, in pieces that ignore their bounds."""
    return Reply(tuple(split_unevenly("".join(events).encode())), 200, {"content-type": kind})


def split_unevenly(data: bytes) -> Iterable[bytes]:
    at = 0
    for size in cycle(SIZES):
        if at >= len(data):
            return
        yield data[at : at + size]
        at += size
