"""A gateway in front of the wall, and what a caller sees of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from handler.main import build
from handler.settings import read_settings
from tests.fault_injection.faults import FALLBACKS, FAULTS
from tests.fault_injection.provider import Wall
from tests.support.asgi import Response
from tests.support.gateways import RunningGateway, Tables, model, provider
from tests.support.virtual_clock import clock

Json = dict[str, Any]

CANARY = "canary-7d1f-never-to-be-seen"
CAN = ["tools", "json_object", "json_schema"]
PRICE = {"input": 1, "output": 2}
SPARE = "spare/spare"
NOON = 1_763_640_000.0


WINDOWS = {f"{fault.provider}/{name}": 8192 for name, fault in FAULTS.items()} | {
    f"spare/{name}": 200_000 for name in FALLBACKS
}
PREFILLED = {id: [*CAN, "prefill"] for id in (SPARE, f"{SPARE}-lies")}
MODELS = [
    model(id, context=context, price=PRICE, can=PREFILLED.get(id, CAN)) for id, context in WINDOWS.items()
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One way to set up the gateway: by its defaults, or by one rule. Times are those of failoverbench.

    `listed`: the gateway is told of the models, with their windows, prices and abilities.
    """

    ruled: bool
    listed: bool = True
    recovery: str = "resume"
    fallback: str | None = SPARE

    def records(self) -> list[Json]:
        return [*(MODELS if self.listed else ()), *self._rule()]

    def _rule(self) -> list[Json]:
        if not self.ruled:
            return []
        rule: Json = {
            "kind": "route",
            "id": "wall",
            "timeouts": {"first_token": 10},
            "recovery": self.recovery,
        }
        return [{**rule, "fallbacks": [self.fallback]} if self.fallback else rule]

    def asked(self) -> Json:
        """What the request brings along, where no rule does."""
        return {"fallback_models": [self.fallback]} if self.fallback and not self.ruled else {}


@dataclass(slots=True)
class Seen:
    """What the caller of one request saw."""

    response: Response
    seconds: float
    stream: bool
    text: str = ""
    finish: str | None = None
    models: list[str] = field(default_factory=list)
    usage: Json | None = None
    error: Json | None = None
    told: Json = field(default_factory=dict)  # `sluice` of the last chunk that has it

    @property
    def done(self) -> bool:
        return self.stream and self.response.body.endswith(b"data: [DONE]\n\n")

    @property
    def looks_whole(self) -> bool:
        ended = self.done if self.stream else self.response.ended
        return self.response.status == 200 and self.error is None and ended and self.finish is not None

    def read(self) -> Seen:
        if not self.stream or self.response.status != 200:
            self._part(self.response.json, "message")
            return self
        for event in self.response.body.decode().split("\n\n"):
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


@dataclass(slots=True)
class Front:
    """A running gateway and the wall behind it."""

    wall: Wall
    setup: Setup
    running: RunningGateway

    async def ask(self, name: str, *, stream: bool, user: str = "one", **fields: Any) -> Seen:
        """One request for the model that is this fault."""
        began = clock()
        how: Json = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        id = f"{FAULTS[name].provider if name in FAULTS else 'spare'}/{name}"
        offered = FAULTS[name].tools if name in FAULTS else ()
        if offered:
            how["tools"] = [{"type": "function", "function": {"name": each}} for each in offered]
        asked = {"model": id, "user": user, **how, **self.setup.asked(), **fields}
        response = await self.running.chat(headers={"x-sluice-explain": "1"}, **asked)
        return Seen(response, clock() - began, stream).read()


@asynccontextmanager
async def front(wall: Wall, setup: Setup) -> AsyncIterator[Front]:
    """A gateway that knows the wall's models, and nothing else; closed at the end."""
    keys = {name: f"{name.upper()}_API_KEY" for name in wall.urls}
    rows = [provider(url, name, credential=keys[name]) for name, url in wall.urls.items()]
    canaries = {key: f"{CANARY}-{name}" for name, key in keys.items()}
    settings = read_settings({"SLUICE_PRIVATE_UPSTREAMS": "1", **canaries})
    tables, lines = Tables([*rows, *setup.records()]), list[Json]()
    log = lambda fields: lines.append(dict(fields))  # noqa: E731
    app, gateway = build(settings, store=tables, log=log, clock=clock, now=now)
    made = RunningGateway(app, gateway, tables, lines)
    try:
        yield Front(wall, setup, made)
    finally:
        await gateway.aclose()


def now() -> float:
    """Epoch seconds that pass with the loop's."""
    return NOON + clock()


def text(value: Any) -> str:
    return json.dumps(value, default=str)
