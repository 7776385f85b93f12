"""The recording of one request: its body, and its answer as the client gets it."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from handler.content.completion import completion_of, events_of
from handler.errors import Json
from rules import LogRecord

MAX_ANSWER = 8_000_000  # bytes; of a stream with its frames
POINTS = 2**64


class Recording:
    """What one request leaves in the content log. `size`: bytes of memory."""

    def __init__(self, record: LogRecord, request: Json, size: int, *, of_chat: bool = True) -> None:
        self.record = record
        self._of_chat = of_chat
        self.request = request
        self.size = size
        self.truncated = False  # the answer was too large, and only its beginning is here
        self._answer: list[bytes] = []
        self._left = MAX_ANSWER

    def add(self, data: bytes) -> None:
        """Add a piece of the answer, unless it would be too large with it."""
        self._left -= len(data)
        self.truncated = self.truncated or self._left < 0
        if not self.truncated:
            self._answer.append(data)
            self.size += len(data)

    def answer(self) -> Any:
        """Return the answer's JSON; None if the client got nothing.

        A chat's stream is returned as one completion, any other as `{"events": [...]}`.
        """
        data = b"".join(self._answer)
        if not data.lstrip().startswith((b"{", b"[")):
            return completion_of(data) if self._of_chat else events_of(data)
        return None if self.truncated else json.loads(data)


def is_sampled(record: LogRecord, request_id: str) -> bool:
    """Return the same for the same id: True for the record's share of all ids."""
    digest = sha256(f"{record.id}\0{request_id}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") < record.sample * POINTS
