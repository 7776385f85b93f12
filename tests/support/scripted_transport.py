"""Providers without sockets, for tests on a virtual clock: an httpx transport with scripted replies.

transport = ScriptedTransport({"a": [break_after("Hel", Act.CUT)], "b": [answer_with("Hello")]})
received = run(receive(transport, call("one/a", "two/b", stream=True)))
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from handler.answers.answer import Answer
from handler.errors import GatewayError
from handler.relay.attempts import Relay
from handler.relay.call import Call
from handler.upstream.client import Client
from handler.upstream.httpx_transport import HttpxTransport
from tests.support.canned_answers import Act, Reply, chunk, finish, role, stream, texts, usage
from tests.support.virtual_clock import clock

Json = dict[str, Any]
Script = Callable[[Json], Reply]  # the reply to a request


class Counting(Protocol):
    """A provider that counts its open replies."""

    open: int


class Body(httpx.AsyncByteStream):
    """The body of a reply, whose pieces may be pauses and faults."""

    def __init__(self, reply: Reply, provider: Counting) -> None:
        self._reply = reply
        self._provider = provider
        self._open = True
        provider.open += 1

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._reply.pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                await _act(piece)
        await self.aclose()

    async def aclose(self) -> None:
        self._provider.open -= self._open
        self._open = False


async def _act(piece: object) -> None:
    match piece:
        case int() | float():
            await asyncio.sleep(piece)
        case Act.STALL:
            await asyncio.sleep(1e6)
        case _:
            raise httpx.RemoteProtocolError("peer closed connection")


@dataclass(eq=False)
class ScriptedTransport(httpx.AsyncBaseTransport):
    """`scripts`: by model name, the replies to its requests in turn; the last one repeats."""

    scripts: Mapping[str, Sequence[Script]]
    requests: list[tuple[str, bytes, float]] = field(default_factory=list)  # model, body, when
    open: int = 0  # responses
    observed: list[tuple[str, str, float | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._left = {name: deque(script) for name, script in self.scripts.items()}

    def requests_for(self, model: str) -> list[Json]:
        return [json.loads(body) for name, body, _ in self.requests if name == model]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        chat = json.loads(body)
        name = chat["model"]
        self.requests.append((name, body, clock()))
        request.extensions["on_sent"]()
        script = self._left[name]
        reply = (script.popleft() if len(script) > 1 else script[0])(chat)
        if reply.status is None:
            await _act(reply.pieces[0])
        return httpx.Response(reply.status or 0, headers=dict(reply.headers), stream=Body(reply, self))

    def relay(self) -> Relay:
        return Relay(
            Client(HttpxTransport(self), private_ok=True),
            credential=lambda row: None,
            clock=clock,
            jitter=lambda: 0.5,
            observe=lambda *seen: self.observed.append(seen),
        )


@dataclass
class Received:
    """What a client received."""

    answer: Answer | None = None
    error: GatewayError | None = None
    events: list[Any] = field(default_factory=list)  # of a stream, parsed except for [DONE]
    seconds: float = 0.0

    @property
    def done(self) -> bool:
        return self.events[-1:] == ["[DONE]"]

    @property
    def chunks(self) -> list[Json]:
        return [event for event in self.events if isinstance(event, dict) and "error" not in event]

    @property
    def choices(self) -> list[Json]:
        return [choice for chunk in self.chunks for choice in chunk["choices"]]

    @property
    def text(self) -> str:
        if self.answer is not None and self.answer.body:
            return str(json.loads(self.answer.body)["choices"][0]["message"]["content"])
        return "".join(choice["delta"].get("content") or "" for choice in self.choices)

    @property
    def failure(self) -> Json:
        """The error object of the body or of the last event."""
        body = self.error.body() if self.error else self.events[-1]
        return dict(body["error"])

    @property
    def classes(self) -> list[str]:
        if self.answer is not None:
            return [f"{one.model} {one.failure_class}" for one in self.answer.attempts]
        return [f"{one['model']} {one['class']}" for one in self.failure["metadata"]["attempts"]]


async def receive(transport: ScriptedTransport, call: Call) -> Received:
    """Makes the call, reads its answer to the end, and checks that no response and no task is left."""
    received = Received()
    try:
        received.answer = await transport.relay().complete(call)
        frames = [frame async for frame in received.answer.frames()]
        received.events = [text if text == "[DONE]" else json.loads(text) for text in texts(frames)]
    except GatewayError as error:
        received.error = error
    received.seconds = clock()
    assert transport.open == 0, "every response is closed"
    assert len(asyncio.all_tasks()) == 1, "no task is left behind"
    return received


def prefilled(chat: Json) -> str:
    """The text that the request prefills the answer with."""
    last = chat["messages"][-1]
    return str(last["content"]) if last["role"] == "assistant" else ""


def pieces(text: str, size: int = 4) -> list[Json]:
    return [chunk(text[at : at + size]) for at in range(0, len(text), size)]


def answer_with(text: str, *, continues: bool = True, id: str = "chatcmpl-1") -> Script:
    """Streams the text, without the part of it that the request prefills."""

    def script(chat: Json) -> Reply:
        prefill = prefilled(chat)
        rest = text[len(prefill) :] if continues and text.startswith(prefill) else text
        events = [role(), *pieces(rest), finish(), usage()]
        return stream(*({**event, "id": id} for event in events))

    return script


def break_after(text: str, *how: Any, **delta: Any) -> Script:
    """Streams the text and then `how`, without an end."""
    return lambda _: stream(role(), *pieces(text), *how, done=False)


def reply_with(reply: Reply) -> Script:
    return lambda _: reply
