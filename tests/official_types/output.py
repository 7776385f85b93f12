"""An output of the gateway, as a line of a file: tests/stories/test_matrix_types.py writes it."""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple

Json = dict[str, Any]


class Output(NamedTuple):
    """A response to a client. `ends`: complete, failed or left, where the client left before the end."""

    name: str  # of the cell, for messages
    format: str
    stream: bool
    ends: str
    status: int
    headers: dict[str, str]
    body: bytes
    relayed: bool  # in its own format, with whatever members its provider has
    folded: Json | None = None  # the whole answer of a complete stream that is not relayed

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def line(self) -> str:
        return json.dumps({**self._asdict(), "body": base64.b64encode(self.body).decode()})


def read_line(line: str) -> Output:
    value = json.loads(line)
    return Output(**{**value, "body": base64.b64decode(value["body"])})
