"""Providers without sockets and time without waiting: a loop whose clock jumps, a transport with a script.

transport = Scripted({"a": [cut("Hel"), answering("Hello")]})
told = run(heard(transport, call("one/a", "two/b", stream=True)))
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from handler.errors import GatewayError
from handler.relay.relay import Answer, Call, Relay
from tests.support.upstream import Act, Reply, chunk, finish, role, stream, texts, usage
from tests.support.virtual_clock import clock

Json = dict[str, Any]
Script = Callable[[Json], Reply]  # what a provider does about a request


class _Body(httpx.AsyncByteStream):
    def __init__(self, reply: Reply, provider: Scripted) -> None:
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
class Scripted(httpx.AsyncBaseTransport):
    """By model name: what it does about each request, in turn, the last thing again and again."""

    scripts: Mapping[str, Sequence[Script]]
    requests: list[tuple[str, bytes, float]] = field(default_factory=list)  # model, body, when
    open: int = 0  # responses
    observed: list[tuple[str, str, float | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._left = {name: deque(script) for name, script in self.scripts.items()}

    def asked(self, model: str) -> list[Json]:
        return [json.loads(body) for name, body, _ in self.requests if name == model]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        asked = json.loads(body)
        name = asked["model"]
        self.requests.append((name, body, clock()))
        script = self._left[name]
        reply = (script.popleft() if len(script) > 1 else script[0])(asked)
        if reply.status is None:
            await _act(reply.pieces[0])
        return httpx.Response(reply.status or 0, headers=dict(reply.headers), stream=_Body(reply, self))

    def relay(self) -> Relay:
        return Relay(
            self,
            credential=lambda row: None,
            private_ok=True,
            clock=clock,
            jitter=lambda: 0.5,
            observe=lambda *seen: self.observed.append(seen),
        )


@dataclass
class Heard:
    """What a client got."""

    answer: Answer | None = None
    error: GatewayError | None = None
    events: list[Any] = field(default_factory=list)  # of a stream, parsed but for [DONE]
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
        """The error object, wherever it was told."""
        told = self.error.body() if self.error else self.events[-1]
        return dict(told["error"])

    @property
    def classes(self) -> list[str]:
        if self.answer is not None:
            return [f"{one.model} {one.failure_class}" for one in self.answer.attempts]
        return [f"{one['model']} {one['class']}" for one in self.failure["metadata"]["attempts"]]


async def heard(transport: Scripted, asked: Call) -> Heard:
    """One call, read to its end; and nothing of it is left."""
    told = Heard()
    try:
        told.answer = await transport.relay()(asked)
        frames = [frame async for frame in told.answer.frames()]
        told.events = [text if text == "[DONE]" else json.loads(text) for text in texts(frames)]
    except GatewayError as error:
        told.error = error
    told.seconds = clock()
    assert transport.open == 0, "every response is closed"
    assert len(asyncio.all_tasks()) == 1, "no task is left behind"
    return told


def prefilled(asked: Json) -> str:
    """The text that a request asks to go on from."""
    last = asked["messages"][-1]
    return str(last["content"]) if last["role"] == "assistant" else ""


def pieces(text: str, size: int = 4) -> list[Json]:
    return [chunk(text[at : at + size]) for at in range(0, len(text), size)]


def answering(text: str, *, goes_on: bool = True, id: str = "chatcmpl-1") -> Script:
    """Streams this text; where a prefill begins it, what is left of it."""

    def script(asked: Json) -> Reply:
        said = prefilled(asked)
        left = text[len(said) :] if goes_on and text.startswith(said) else text
        events = [role(), *pieces(left), finish(), usage()]
        return stream(*({**event, "id": id} for event in events))

    return script


def breaking(text: str, *how: Any, **delta: Any) -> Script:
    """Streams this text and goes no further."""
    return lambda asked: stream(role(), *pieces(text), *how, done=False)


def replying(reply: Reply) -> Script:
    return lambda asked: reply
