"""A whole gateway in this process. Only DynamoDB is not real: its tables are lists."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from handler.aws.errors import StoreError
from handler.gateway.lifecycle import Gateway
from handler.main import build
from handler.settings import read_settings
from handler.store.items import Items
from handler.store.tables import Store
from tests.support.asgi import Response, call
from tests.support.state import RecordedItems
from tests.support.virtual_clock import clock

KEY = "sk-sluice-" + "k" * 43
MANAGE = "sk-sluice-" + "m" * 43
NARROW = "sk-sluice-" + "n" * 43

Json = dict[str, Any]
CALLS = (
    *("rules", "key", "save_last_used", "adopted", "save_adopted", "cooling", "save_cooling"),
    *("compiled", "save_compiled"),
)


def key_item(key: str, **fields: Any) -> Json:
    return {"hash": hashlib.sha256(key.encode()).hexdigest(), "enabled": True, "created_at": 0, **fields}


KEYS = (
    key_item(KEY, id="k1", project="support"),
    key_item(MANAGE, id="m1", project="ops", scopes=["manage"]),
    key_item(NARROW, id="n1", project="support", models=["up/small*"]),
)


async def _at_once() -> None:
    pass


class Tables(Store):
    """A store over lists. `hit` names the calls that wait for `pause` and then raise `down`."""

    def __init__(self, records: Iterable[Json] = (), keys: Iterable[Json] = KEYS) -> None:
        self.records = list(records)
        self.keys = {key["hash"]: dict(key) for key in keys}
        self.cooling: Json = {}  # the openings of candidates in cooldown
        self.state: Items = RecordedItems()
        self.down: StoreError | None = None
        self.hit: tuple[str, ...] = CALLS
        self.saved: tuple[str, list[Json]] | None = None  # the adopted rules
        self.compiled: dict[str, bytes] = {}  # the compiled rules, by version of the code
        self.pause: Callable[[], Awaitable[object]] = _at_once
        self.calls: list[str] = []

    async def load_rules(self) -> list[Any]:
        await self._record("rules")
        return list(self.records)

    async def load_key(self, hash: str) -> Any:
        await self._record("key")
        return self.keys.get(hash)

    async def save_last_used(self, hash: str, day: str) -> None:
        await self._record("save_last_used")
        self.keys[hash]["last_used"] = day

    async def load_adopted(self) -> tuple[str, list[Any]] | None:
        await self._record("adopted")
        return self.saved

    async def save_adopted(self, revision: str, items: Iterable[Mapping[str, Any]]) -> bool:
        await self._record("save_adopted")
        self.saved = revision, [dict(item) for item in items]
        return True

    async def load_compiled(self, version: str) -> bytes | None:
        await self._record("compiled")
        return self.compiled.get(version)

    async def save_compiled(self, version: str, data: bytes) -> None:
        await self._record("save_compiled")
        self.compiled[version] = data

    async def load_cooldowns(self) -> Any:
        await self._record("cooling")
        return dict(self.cooling)

    async def save_cooldown(
        self, id: str, opening: Json | None, *, gone: Iterable[str], expires_at: int
    ) -> None:
        await self._record("save_cooling")
        for one in (*gone, id):
            self.cooling.pop(one, None)
        if opening:
            self.cooling[id] = opening

    async def _record(self, name: str) -> None:
        self.calls.append(name)
        if name not in self.hit:
            return
        await self.pause()
        if self.down is not None:
            raise self.down


@dataclass(slots=True)
class RunningGateway:
    """A gateway, its tables and its log lines."""

    app: Any
    gateway: Gateway
    tables: Tables
    lines: list[Json] = field(default_factory=list)

    async def post(
        self,
        path: str,
        body: Any,
        *,
        key: str | None = KEY,
        leave: asyncio.Event | None = None,
        **headers: str,
    ) -> Response:
        """The response to a body of bytes or of JSON. The client disconnects when `leave` is set."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await call(self.app, "POST", path, headers=_headers(key, headers), body=data, leave=leave)

    async def get(self, path: str, *, key: str | None = KEY, **headers: str) -> Response:
        return await call(self.app, "GET", path, headers=_headers(key, headers))

    async def chat(
        self,
        *,
        key: str | None = KEY,
        headers: Mapping[str, str] | None = None,
        leave: asyncio.Event | None = None,
        **fields: Any,
    ) -> Response:
        body = {"messages": [{"role": "user", "content": "hi"}], **fields}
        return await self.post("/v1/chat/completions", body, key=key, leave=leave, **(headers or {}))


def _headers(key: str | None, more: Mapping[str, str]) -> dict[str, str]:
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return {**({"authorization": f"Bearer {key}"} if key else {}), **named}


def start_gateway(
    records: Iterable[Json] = (),
    *,
    clock: Callable[[], float] = clock,
    now: Callable[[], float] = time.time,
    store: Store | None = None,
    state: Items | None = None,
    upstream: Any = None,
    **settings: str,
) -> RunningGateway:
    """A gateway with these records. `settings`: environment variables. `store` replaces the tables.

    It takes no samples of requests, so that State has only what a test is about.
    """
    environment = {
        "SLUICE_SAMPLES": "0",
        "SLUICE_PRIVATE_UPSTREAMS": "1",
        "UP_API_KEY": "up-secret",
        **settings,
    }
    tables, lines = Tables(records), list[Json]()
    tables.state = state or tables.state
    app, gateway = build(
        read_settings(environment),
        store=store or tables,
        upstream=upstream,
        log=lambda fields: lines.append(dict(fields)),
        clock=clock,
        now=now,
    )
    return RunningGateway(app, gateway, tables, lines)


def provider(base_url: str, id: str = "up", **fields: Any) -> Json:
    """A provider record for an upstream on loopback."""
    return {
        "kind": "provider",
        "id": id,
        "dialect": "openai",
        "base_url": base_url,
        "credential": "UP_API_KEY",
        **fields,
    }


def model(id: str, **fields: Any) -> Json:
    provider, _, name = id.partition("/")
    return {"kind": "model", "id": id, "provider": provider, "name": name, **fields}
