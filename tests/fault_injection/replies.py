"""What the wall says: one answer of sixty words, whole, in pieces, or the rest of it after a prefill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.support.canned_answers import (
    Act,
    Piece,
    Reply,
    chunk,
    completion,
    finish,
    role,
    sse,
    stream,
    text_of,
    usage,
    whole,
)

Json = dict[str, Any]

ANSWER = (
    "A wall that answers well proves nothing, because every gateway looks good while its providers do. "
    "So this one stalls, resets, lies about lengths, forgets its last word and says café in half a letter. "
    "Whoever reads these sixty words to the end knows that somebody behind the counter kept a second plan, "
    "and used it without telling them stories."
)
WORDS = ANSWER.split(" ")
WORDS_PER_CHUNK = 3


@dataclass(frozen=True, slots=True)
class Profile:
    """The times of failoverbench's faults, in seconds. `stall`, `silence`: then the connection closes."""

    name: str
    slow: float  # the first token
    stall: float
    silence: float
    outage: float
    requests: int  # of S15, and the time between them
    interval: float


FULL = Profile("full", slow=20.0, stall=30.0, silence=120.0, outage=60.0, requests=20, interval=4.0)
FAST = Profile("fast", slow=3.0, stall=4.0, silence=15.0, outage=6.0, requests=10, interval=1.2)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request that reached the wall."""

    body: Json
    attempt: int  # 1 for the first of its `user`
    since: float  # seconds since the wall was started
    credential: str  # as it was presented
    times: Profile

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def prefill(self) -> str | None:
        """What it is asked to go on from."""
        last = self.body["messages"][-1]
        return str(last["content"]) if last.get("role") == "assistant" else None

    @property
    def text(self) -> str:
        """The answer, or what is left of it."""
        given = self.prefill
        return ANSWER.removeprefix(given) if given else ANSWER


def said(ask: Ask, *, share: float = 1.0) -> list[Json]:
    """Chunks with so much of the answer."""
    words = ask.text.split(" ")
    words = words[: round(len(words) * share)]
    groups = [words[at : at + WORDS_PER_CHUNK] for at in range(0, len(words), WORDS_PER_CHUNK)]
    return [chunk(("" if at == 0 else " ") + " ".join(group)) for at, group in enumerate(groups)]


def ending(ask: Ask) -> list[Json]:
    wanted = (ask.body.get("stream_options") or {}).get("include_usage")
    return [finish(), usage()] if wanted else [finish()]


def events(ask: Ask) -> list[Json]:
    """Every event of a healthy stream but the last, `[DONE]`."""
    return [role(), *said(ask), *ending(ask)]


def good(ask: Ask) -> Reply:
    return stream(*events(ask)) if ask.stream else whole(completion(ask.text))


def good_but_no_prefill(ask: Ask) -> Reply:
    if ask.prefill is None:
        return good(ask)
    return refusal(400, "This model does not support assistant message prefill.", "invalid_prefill")


def refusal(status: int, message: str, code: str | None = None, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return whole({"error": {"message": message, "type": "error", "code": code}}, status=status, headers=named)


def bytes_of(ask: Ask) -> bytes:
    """A healthy stream as one text, for those who break it up in their own way."""
    return b"".join(sse(event) for event in events(ask)) + b"data: [DONE]\n\n"


def raw(ask: Ask, *pieces: Piece) -> Reply:
    """A 200 with these bytes, of the kind that was asked for."""
    kind = "text/event-stream" if ask.stream else "application/json"
    return Reply(headers={"content-type": kind}, pieces=pieces, chunked=True)


def broken(ask: Ask, *how: Piece | Json | str) -> Reply:
    """Two thirds of an answer, and then `how` it goes on."""
    if ask.stream:
        return stream(role(), *said(ask, share=2 / 3), *how, done=False)
    body = text_of(completion(ask.text)).encode()
    ends = [piece for piece in how if isinstance(piece, Act)]
    kind = {"content-type": "application/json", "content-length": str(len(body))}
    return Reply(headers=kind, pieces=(body[: len(body) * 2 // 3], *ends))
