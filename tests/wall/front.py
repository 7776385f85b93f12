"""A gateway in front of the wall, and what a caller sees of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from handler.main import build
from handler.settings import settings_from
from tests.asgi import Heard
from tests.gateways import Running, Tables, model, provider
from tests.wall.faults import FALLBACKS, FAULTS
from tests.wall.server import Wall

Json = dict[str, Any]

CANARY = "canary-7d1f-never-to-be-seen"
CAN = ["tools", "json_object", "json_schema"]
PRICE = {"input": 1, "output": 2}
SPARE = "spare/spare"


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Limits in seconds, scaled so that a silent provider is soon given up."""

    connect: float = 0.2  # to a provider that keeps silent then: others may take longer on a busy machine
    first_token: float = 0.7  # Sluice's own default
    ruled: float = 0.25  # the rule's
    idle: float = 0.3
    lasting: float = 0.6  # the total, where nothing else ends an answer
    total: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One way to set up the gateway. `times` None: nothing is scaled."""

    ruled: bool  # the one rule: first_token, recovery, a fallback
    recovery: str = "resume"
    fallback: str | None = SPARE
    times: Times | None = field(default_factory=Times)

    def records(self) -> list[Json]:
        if self.times is None:
            return [self._rule("wall", {"first_token": 10.0})] if self.ruled else []
        rules = []
        for streams in (False, True):
            timeouts = self._timeouts(self.times, streams)
            rules.append(self._rule(f"wall-{streams}", timeouts, when={"stream": streams}))
            short = {**timeouts, "total": self.times.lasting}
            when = {"stream": streams, "model": lasting(stream=streams)}
            brief = self._rule(f"wall-{streams}-brief", short, when=when)
            rules.append({**brief, "priority": 1})
            silent = {**timeouts, "connect": self.times.connect}
            when = {**when, "model": ["mute/*"]}
            rules.append({**self._rule(f"wall-{streams}-mute", silent, when=when), "priority": 1})
        large = {"first_token": 5.0, "total": self.times.total}
        rules.append({**self._rule("wall-large", large, when={"model": "wall/10mb-event"}), "priority": 1})
        return rules

    def _timeouts(self, times: Times, streams: bool) -> Json:
        first = {"first_token": times.ruled} if self.ruled else {"first_token": times.first_token}
        bounds = {"idle": times.idle, "total": times.total}
        return {**bounds, **(first if streams or self.ruled else {})}

    def _rule(self, id: str, timeouts: Json, **more: Any) -> Json:
        rule: Json = {"kind": "route", "id": id, "timeouts": timeouts, **more}
        if self.ruled:
            rule["recovery"] = self.recovery
        if self.ruled and self.fallback:
            rule["fallbacks"] = [self.fallback]
        return rule

    def asked(self) -> Json:
        """What the request brings along, where no rule does."""
        return {"fallback_models": [self.fallback]} if self.fallback and not self.ruled else {}


def lasting(*, stream: bool) -> list[str]:
    """The models that only the total limit ends."""
    ends = {name: fault.stream if stream else fault.whole for name, fault in FAULTS.items()}
    return sorted(
        f"{FAULTS[name].provider}/{name}" for name, end in ends.items() if end.klass == "timeout_total"
    )


@dataclass(slots=True)
class Seen:
    """What the caller of one request saw."""

    heard: Heard
    seconds: float
    slept: float  # seconds that the gateway would have slept
    stream: bool
    text: str = ""
    finish: str | None = None
    models: list[str] = field(default_factory=list)
    usage: Json | None = None
    error: Json | None = None
    told: Json = field(default_factory=dict)  # `sluice` of the last chunk that has it

    @property
    def done(self) -> bool:
        return self.stream and self.heard.body.endswith(b"data: [DONE]\n\n")

    @property
    def looks_whole(self) -> bool:
        ended = self.done if self.stream else self.heard.ended
        return self.heard.status == 200 and self.error is None and ended and self.finish is not None

    def read(self) -> Seen:
        if not self.stream or self.heard.status != 200:
            self._part(self.heard.json, "message")
            return self
        for event in self.heard.body.decode().split("\n\n"):
            lines = [line[6:] for line in event.split("\n") if line.startswith("data: ")]
            if lines and lines != ["[DONE]"]:
                self._part(json.loads("\n".join(lines)), "delta")
        return self

    def _part(self, body: Json, said: str) -> None:
        self.error = body.get("error") or self.error
        self.usage = body.get("usage") or self.usage
        self.told = body.get("sluice") or self.told
        if (name := body.get("model")) and name not in self.models:
            self.models.append(name)
        for choice in body.get("choices") or ():
            self.text += (choice.get(said) or {}).get("content") or ""
            self.finish = choice.get("finish_reason") or self.finish


class Hurry:
    """Time that passes at once where the gateway would sleep, for the request that sleeps and no other."""

    def __init__(self) -> None:
        self._slept: ContextVar[list[float]] = ContextVar("slept")

    def begin(self) -> list[float]:
        slept: list[float] = []
        self._slept.set(slept)
        return slept

    def clock(self) -> float:
        return time.monotonic() + sum(self._slept.get([]))

    async def sleep(self, seconds: float) -> None:
        self._slept.get().append(seconds)
        await asyncio.sleep(0)


@dataclass(slots=True)
class Front:
    """A running gateway and the wall behind it."""

    wall: Wall
    setup: Setup
    running: Running
    hurry: Hurry | None

    async def ask(self, name: str, *, stream: bool, user: str = "one", **fields: Any) -> Seen:
        """One request for the model that is this fault."""
        began, slept = time.monotonic(), self.hurry.begin() if self.hurry else []
        how: Json = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        id = f"{FAULTS[name].provider if name in FAULTS else 'spare'}/{name}"
        asked = {"model": id, "user": user, **how, **self.setup.asked(), **fields}
        heard = await self.running.chat(headers={"x-sluice-explain": "1"}, **asked)
        return Seen(heard, time.monotonic() - began, sum(slept), stream).read()


@asynccontextmanager
async def front(wall: Wall, setup: Setup, *, now: Callable[[], float] = time.time) -> AsyncIterator[Front]:
    """A gateway that knows the wall's models, and nothing else; closed at the end. `now`: epoch seconds."""
    names = {f"{fault.provider}/{name}": 8192 for name, fault in FAULTS.items()}
    names |= {f"spare/{name}": 200_000 for name in FALLBACKS}
    can = {id: [*CAN, "prefill"] for id in (SPARE, f"{SPARE}-lies")}
    models = [model(id, context=context, price=PRICE, can=can.get(id, CAN)) for id, context in names.items()]
    keys = {name: f"{name.upper()}_API_KEY" for name in wall.urls}
    rows = [provider(url, name, credential=keys[name]) for name, url in wall.urls.items()]
    canaries = {key: f"{CANARY}-{name}" for name, key in keys.items()}
    environment = {"SLUICE_PRIVATE_UPSTREAMS": "1", **canaries}
    tables, lines = Tables([*rows, *models, *setup.records()]), list[Json]()
    app, gateway = build(
        settings_from(environment), store=tables, log=lambda fields: lines.append(dict(fields)), now=now
    )
    made = Running(app, gateway, tables, lines)
    hurry = Hurry() if setup.times is not None else None
    if hurry is not None:
        gateway.relay._clock, gateway.relay._sleep = hurry.clock, hurry.sleep
    try:
        yield Front(wall, setup, made, hurry)
    finally:
        await gateway.aclose()


def text(value: Any) -> str:
    return json.dumps(value, default=str)
