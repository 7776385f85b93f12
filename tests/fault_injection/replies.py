"""The provider's answer of sixty words: whole, in pieces, or its rest after a prefill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.fault_injection.wires import CHAT, Wire
from tests.support.canned_answers import Act, Piece, Reply, sse, text_of, whole
from tests.support.canned_answers import stream as reply_of_events

Json = dict[str, Any]

ANSWER = (
    "A provider that works proves nothing, because every gateway looks good while its providers do. "
    "So this one stalls, resets, lies about lengths, forgets its last word and says café in half a letter. "
    "Whoever reads these sixty words to the end knows that somebody behind the counter kept a second plan, "
    "and used it without telling them stories."
)
WORDS_PER_CHUNK = 3


@dataclass(frozen=True, slots=True)
class Profile:
    """The times of failoverbench's faults, in seconds. The connection closes after `stall` and `silence`."""

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
class ProviderRequest:
    """A request that the provider received."""

    body: Json
    attempt: int  # 1 for the first of its `user`
    since: float  # seconds since the provider started
    credential: str  # the authorization header
    times: Profile
    wire: Wire = CHAT

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def content_type(self) -> str:
        return "text/event-stream" if self.stream else "application/json"

    @property
    def prefill(self) -> str | None:
        """The prefill of the request."""
        last = (self.body.get("messages") or self.body["input"])[-1]
        return str(last["content"]) if last.get("role") == "assistant" else None

    @property
    def text(self) -> str:
        """The answer without the prefill."""
        given = self.prefill
        return ANSWER.removeprefix(given) if given else ANSWER


def content_chunks(request: ProviderRequest, *, share: float = 1.0) -> list[Json]:
    """Chunks with this share of the answer."""
    words = request.text.split(" ")
    words = words[: round(len(words) * share)]
    groups = [words[at : at + WORDS_PER_CHUNK] for at in range(0, len(words), WORDS_PER_CHUNK)]
    return [request.wire.text(("" if at == 0 else " ") + " ".join(group)) for at, group in enumerate(groups)]


def final_chunks(request: ProviderRequest) -> list[Json]:
    asks_for_usage = (request.body.get("stream_options") or {}).get("include_usage")
    last = request.wire.last(request.text)
    return last if asks_for_usage or not request.wire.done else last[:1]


def events(request: ProviderRequest) -> list[Json]:
    """The events of a healthy stream without `[DONE]`."""
    return [request.wire.head(), *content_chunks(request), *final_chunks(request)]


def stream(request: ProviderRequest, *events: Json | str | Piece, done: bool = True) -> Reply:
    """A stream of these events. `done`: with `[DONE]`, where the format has it."""
    return reply_of_events(*events, done=done and request.wire.done)


def whole_answer(request: ProviderRequest) -> Json:
    return request.wire.whole(request.text)


def healthy(request: ProviderRequest) -> Reply:
    return stream(request, *events(request)) if request.stream else whole(whole_answer(request))


def healthy_without_prefill(request: ProviderRequest) -> Reply:
    if request.prefill is None:
        return healthy(request)
    return refusal(400, "This model does not support assistant message prefill.", "invalid_prefill")


def refusal(status: int, message: str, code: str | None = None, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return whole({"error": {"message": message, "type": "error", "code": code}}, status=status, headers=named)


def stream_bytes(request: ProviderRequest) -> bytes:
    """The bytes of a healthy stream."""
    done = b"data: [DONE]\n\n" if request.wire.done else b""
    return b"".join(sse(event) for event in events(request)) + done


def ok_reply(request: ProviderRequest, *pieces: Piece) -> Reply:
    """A 200 with these bytes, and the content type of the request."""
    return Reply(headers={"content-type": request.content_type}, pieces=pieces, chunked=True)


def interrupted(request: ProviderRequest, *how: Piece | Json | str) -> Reply:
    """Two thirds of an answer, and then `how`."""
    if request.stream:
        head = request.wire.head()
        return stream(request, head, *content_chunks(request, share=2 / 3), *how, done=False)
    body = text_of(whole_answer(request)).encode()
    ends = [piece for piece in how if isinstance(piece, Act)]
    kind = {"content-type": "application/json", "content-length": str(len(body))}
    return Reply(headers=kind, pieces=(body[: len(body) * 2 // 3], *ends))
