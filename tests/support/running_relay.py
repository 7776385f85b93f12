"""Calls of a chat request, and a relay over sockets whose providers are an `Upstream`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from handler.answers.answer import Answer
from handler.formats.chat.effects import prepare_body
from handler.formats.chat.request import parse
from handler.providers.provider import Provider
from handler.relay.attempts import Relay
from handler.relay.call import Call
from handler.settings import Settings
from handler.structured.modes import output_contract
from handler.upstream.client import Client
from handler.upstream.pool import Pool, create_pool
from rules import Candidate, Decision, Effects, Facts, Model, Price, Reason
from tests.support.upstream import Upstream
from tests.support.virtual_clock import clock

Json = dict[str, Any]

PRICE = Price(input=1_000_000_000, output=2_000_000_000)  # $1 and $2 per million tokens
ROWS = {name: Provider(name=name, base_url="http://up/v1") for name in ("one", "two", "three")}
CHAT: Json = {"messages": [{"role": "user", "content": "Hi"}]}
CHAT_WITH_TOOL: Json = {**CHAT, "tools": [{"type": "function", "function": {"name": "f"}}]}


def model(id: str, *, context: int | None = 8000, can: Sequence[str] = ()) -> Model:
    provider, _, name = id.partition("/")
    return Model(provider=provider, name=name, context=context, price=PRICE, can=frozenset(can))


def call(
    *models: str | Model,
    body: Json | str | None = None,
    stream: bool = False,
    pinned: bool = False,
    deadline: float = float("inf"),
    headers: Mapping[str, str] | None = None,
    explanation: Json | None = None,
    **effects: Any,
) -> Call:
    """The call of a chat request to these candidates. `effects`: those of the route rule."""
    text = (
        body
        if isinstance(body, str)
        else json.dumps({**(body or CHAT), **({"stream": True} if stream else {})})
    )
    chat = parse(text.encode(), {}, Settings())
    candidates = tuple(Candidate(one if isinstance(one, Model) else model(one)) for one in models)
    decision = Decision(
        facts=Facts(stream=stream, input_tokens=5),
        reason=Reason.REQUESTED,
        candidates=candidates,
        effects=Effects(**effects),
        pinned=pinned,
    )
    sent = prepare_body(chat, decision.effects)
    return Call(
        chat=chat,
        decision=decision,
        body=sent,
        output_contract=output_contract(sent),
        rows=ROWS,
        deadline=deadline,
        headers=headers or {},
        explanation=explanation,
    )


@dataclass
class RunningRelay:
    """A relay over real sockets. `slept`: its pauses before repeated attempts."""

    upstream: Upstream
    transport: Pool
    slept: list[float] = field(default_factory=list)
    rows: dict[str, Provider] = field(default_factory=dict)
    credentials: dict[str, str] = field(default_factory=dict)
    private_ok: bool = True

    def __post_init__(self) -> None:
        for name in ("one", "two", "three"):
            self.rows[name] = Provider(name=name, base_url=self.upstream.url)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(seconds)

    async def complete(self, call: Call) -> Answer:
        relay = Relay(
            Client(self.transport, private_ok=self.private_ok),
            credential=lambda row: self.credentials.get(row.credential or ""),
            clock=clock,
            sleep=self.sleep,
            jitter=lambda: 0.5,
        )
        return await relay.complete(call.replaced(rows=self.rows))


@asynccontextmanager
async def run_relay() -> AsyncIterator[RunningRelay]:
    async with Upstream() as upstream, aclosing(create_pool(Settings())) as http:
        yield RunningRelay(upstream, http)


async def frames_of(answer: Answer) -> list[bytes]:
    return [frame async for frame in answer.frames()]


def classes(answer: Answer) -> list[str]:
    return [f"{attempt.model} {attempt.failure_class}" for attempt in answer.attempts]
