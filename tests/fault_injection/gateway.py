"""A gateway whose providers are faulty, and what a caller observes of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from handler.main import build
from handler.settings import read_settings
from tests.fault_injection import clients
from tests.fault_injection.faults import FALLBACKS, FAULTS
from tests.fault_injection.provider import FaultyProvider
from tests.support.asgi import Response
from tests.support.gateways import RunningGateway, Tables, model, provider
from tests.support.virtual_clock import clock, now

Json = dict[str, Any]

CANARY = "canary-7d1f-never-to-be-seen"
CAN = ["tools", "json_object", "json_schema"]
PRICE = {"input": 1, "output": 2}
SPARE = "spare/spare"


WINDOWS = {f"{fault.provider}/{name}": 8192 for name, fault in FAULTS.items()} | {
    f"spare/{name}": 200_000 for name in FALLBACKS
}
PREFILLED = {id: [*CAN, "prefill"] for id in (SPARE, f"{SPARE}-lies")}
MODELS = [
    model(id, context=context, price=PRICE, can=PREFILLED.get(id, CAN)) for id, context in WINDOWS.items()
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The configuration of the gateway: the defaults, or one rule with the times of failoverbench.

    `models_known`: records describe the models, with their windows, prices and abilities. `dialect`: that of
    the failing provider; the fallback always has OpenAI's chat. `client`: the format of the requests.
    """

    with_rule: bool
    models_known: bool = True
    recovery: str = "resume"
    fallback: str | None = SPARE
    dialect: str = "openai"
    client: str = "chat"

    @property
    def native(self) -> bool:
        """True if the failing provider gets the client's own body."""
        return self.client == self.dialect

    def records(self) -> list[Json]:
        return [*(MODELS if self.models_known else ()), *self._rule()]

    def _rule(self) -> list[Json]:
        if not self.with_rule:
            named = {"kind": "route", "id": "faults", "fallbacks": [self.fallback]}
            return [named] if self.client != "chat" and self.fallback else []
        rule: Json = {
            "kind": "route",
            "id": "faults",
            "timeouts": {"first_token": 10},
            "recovery": self.recovery,
        }
        return [{**rule, "fallbacks": [self.fallback]} if self.fallback else rule]

    def request_fields(self) -> Json:
        """The fields of the request that name the fallback, unless a rule does."""
        if self.fallback is None or self.with_rule or self.client != "chat":
            return {}
        return {"fallback_models": [self.fallback]}


@dataclass(slots=True)
class Observation:
    """What the caller of one request received."""

    response: Response
    seconds: float
    stream: bool
    text: str = ""
    finish: str | None = None
    models: list[str] = field(default_factory=list)
    usage: Json | None = None
    error: Json | None = None
    sluice: Json = field(default_factory=dict)  # of the last chunk that has it
    ended_whole: bool | None = None  # in formats besides chat

    @property
    def done(self) -> bool:
        if self.ended_whole is not None:
            return self.ended_whole
        return self.stream and self.response.body.endswith(b"data: [DONE]\n\n")

    @property
    def looks_complete(self) -> bool:
        ended = self.done if self.stream else self.response.ended
        return self.response.status == 200 and self.error is None and ended and self.finish is not None

    def read(self) -> Observation:
        if not self.stream or self.response.status != 200:
            self._read_part(self.response.json, "message")
            return self
        for event in self.response.body.decode().split("\n\n"):
            lines = [line[6:] for line in event.split("\n") if line.startswith("data: ")]
            if lines and lines != ["[DONE]"]:
                self._read_part(json.loads("\n".join(lines)), "delta")
        return self

    def _read_part(self, body: Json, name: str) -> None:
        self.error = body.get("error") or self.error
        self.usage = body.get("usage") or self.usage
        self.sluice = body.get("sluice") or self.sluice
        if (model := body.get("model")) and model not in self.models:
            self.models.append(model)
        for choice in body.get("choices") or ():
            self.text += (choice.get(name) or {}).get("content") or ""
            self.finish = choice.get("finish_reason") or self.finish


@dataclass(slots=True)
class GatewayClient:
    """A caller of a running gateway and the provider behind it."""

    faulty: FaultyProvider
    setup: Setup
    running: RunningGateway

    async def ask(self, name: str, *, stream: bool, user: str = "one", **fields: Any) -> Observation:
        """Sends a request for the model of this fault."""
        start = clock()
        if self.setup.client != "chat":
            return await self._ask_natively(name, stream=stream, user=user)
        options: Json = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        id = id_of(name)
        if name in FAULTS and (tools := FAULTS[name].tools):
            options["tools"] = [{"type": "function", "function": {"name": each}} for each in tools]
        chat = {"model": id, "user": user, **options, **self.setup.request_fields(), **fields}
        response = await self.running.chat(headers={"x-sluice-explain": "1"}, **chat)
        return Observation(response, clock() - start, stream).read()

    async def _ask_natively(self, name: str, *, stream: bool, user: str) -> Observation:
        """Send a request in the client's format."""
        start, client = clock(), self.setup.client
        tools = FAULTS[name].tools if name in FAULTS else ()
        path, body = clients.request(client, id_of(name), stream=stream, user=user, tools=tools)
        response = await self.running.post(path, body)
        observed = Observation(response, clock() - start, stream)
        clients.read(observed, client, self.running.lines[-1], native=self.setup.native)
        return observed


def id_of(name: str) -> str:
    """Return the model of a fault or a fallback."""
    return f"{FAULTS[name].provider if name in FAULTS else 'spare'}/{name}"


@asynccontextmanager
async def open_client(faulty: FaultyProvider, setup: Setup) -> AsyncIterator[GatewayClient]:
    """Starts a gateway for the faulty provider, and closes it at the end."""
    keys = {name: f"{name.upper()}_API_KEY" for name in faulty.urls}
    rows = [
        provider(url, name, credential=keys[name], dialect="openai" if name == "spare" else setup.dialect)
        for name, url in faulty.urls.items()
    ]
    canaries = {key: f"{CANARY}-{name}" for name, key in keys.items()}
    settings = read_settings({"SLUICE_PRIVATE_UPSTREAMS": "1", **canaries})
    tables, lines = Tables([*rows, *setup.records()]), list[Json]()
    log = lambda fields: lines.append(dict(fields))  # noqa: E731
    app, gateway = build(settings, store=tables, log=log, clock=clock, now=now)
    running = RunningGateway(app, gateway, tables, lines)
    try:
        yield GatewayClient(faulty, setup, running)
    finally:
        await gateway.aclose()


def text(value: Any) -> str:
    return json.dumps(value, default=str)
