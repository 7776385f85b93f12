"""What a provider on loopback sends: answers in OpenAI's format, whole and streamed, and faults in them.

tests/support/upstream.py sends them over sockets, tests/support/scripted_transport.py without.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any

Json = dict[str, Any]


class Act(Enum):
    STALL = auto()  # send nothing more, until the other side closes
    CUT = auto()  # close without the promised end
    RESET = auto()  # the same, with a RST


Piece = bytes | float | asyncio.Event | Act  # bytes, a pause in seconds, an event to wait for, or an act


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One response. `status` None: it has no head."""

    status: int | None = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Sequence[Piece] = ()
    chunked: bool = False

    def but(self, *pieces: Piece) -> Reply:
        """The same reply with `pieces` at its end."""
        return replace(self, pieces=(*self.pieces, *pieces))


def text_of(value: Json | str) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def whole(
    body: Json | str | bytes | None = None, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Reply:
    """A reply that is not streamed: by default a completion, or an error if `status` is one."""
    if body is None:
        body = completion() if status < 400 else {"error": {"message": f"It is {status}."}}
    data = body if isinstance(body, bytes) else text_of(body).encode()
    return Reply(
        status=status, headers={"content-type": "application/json", **(headers or {})}, pieces=(data,)
    )


def stream(
    *events: Json | str | Piece,
    done: bool = True,
    cut_every: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """A reply of server-sent events. `cut_every`: bytes per write, whatever the events' own bounds."""
    pieces = [
        event if isinstance(event, bytes | float | asyncio.Event | Act) else sse(event) for event in events
    ]
    if done:
        pieces.append(b"data: [DONE]\n\n")
    if cut_every is not None:
        data = b"".join(piece for piece in pieces if isinstance(piece, bytes))
        pieces = [data[at : at + cut_every] for at in range(0, len(data), cut_every)]
    head = {"content-type": "text/event-stream", **(headers or {})}
    return Reply(headers=head, pieces=pieces, chunked=True)


def sse(event: Json | str) -> bytes:
    return f"data: {text_of(event)}\n\n".encode()


HEAD: Json = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1763600000, "model": "m"}
USAGE: Json = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def chunk(content: str | None = None, *, index: int = 0, **delta: Any) -> Json:
    fields = delta if content is None else {"content": content, **delta}
    return {**HEAD, "choices": [{"index": index, "delta": fields, "finish_reason": None}]}


def role() -> Json:
    return chunk("", role="assistant", refusal=None)


def finish(reason: str = "stop", *, index: int = 0) -> Json:
    return {**HEAD, "choices": [{"index": index, "delta": {}, "finish_reason": reason}]}


def usage() -> Json:
    return {**HEAD, "choices": [], "usage": USAGE}


def completion(content: str = "Hello", **more: Any) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return {**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE, **more}


def texts(frames: Iterable[bytes]) -> list[str]:
    """The data of each event in `frames`."""
    return [event.removeprefix("data: ") for event in b"".join(frames).decode().split("\n\n") if event]
