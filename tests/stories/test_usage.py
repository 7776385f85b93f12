"""Usage totals of a whole gateway over moto: they equal the log, and GET /usage shows each caller its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import Any

import pytest

from handler.aws.errors import StoreError
from handler.store.items import Items, Update
from rules import NANO
from tests.support.canned_answers import Reply, chunk, completion, finish, stream, usage, whole
from tests.support.gateways import (
    KEY,
    KEYS,
    MANAGE,
    NARROW,
    RunningGateway,
    Tables,
    key_item,
    model,
    provider,
    start_gateway,
)
from tests.support.inline_client import InlineClient
from tests.support.tables import SETTINGS, dynamodb
from tests.support.upstream import Upstream
from tests.support.virtual_clock import now

FOREIGN = "sk-sluice-" + "f" * 43
PRICE = {"input": 0.123457, "output": 3.7, "cached_input": 0.0417}


class Faulty(Items):
    """The State of a gateway: `down` fails each write, `deaf` does it and loses its answer."""

    down = deaf = False

    async def update(self, update: Update) -> Any:
        if self.down:
            raise StoreError("access denied")
        item = await super().update(update)
        if self.deaf:
            raise StoreError("no answer within 8 s")
        return item


@pytest.fixture
def items() -> Iterator[Faulty]:
    with dynamodb() as client:
        yield Faulty(InlineClient(client), SETTINGS.state_table)


@pytest.fixture
async def gateway(upstream: Upstream, items: Faulty) -> AsyncIterator[RunningGateway]:
    tables = Tables(
        [
            provider(upstream.url),
            model("up/m", price=PRICE),
            model("up/small", price=PRICE),
            model("up/free"),
        ],
        [*KEYS, key_item(FOREIGN, id="k1", project="foreign")],
    )
    tables.state = items
    made = start_gateway(store=tables, now=now)
    yield made
    await made.gateway.aclose()


async def totals(gateway: RunningGateway, query: str = "", *, key: str = MANAGE) -> Any:
    await gateway.gateway.usage.settle(30)
    response = await gateway.get(f"/v1/usage{query}", key=key)
    assert response.status == 200, response.body
    return response.json


def of_log(gateway: RunningGateway) -> dict[tuple[str, ...], Counter[str]]:
    """The sums of the log's lines about chat requests, by project, key and model."""
    sums: dict[tuple[str, ...], Counter[str]] = {}
    for line in gateway.lines:
        if line.get("message") == "request" and line["attempts"]:
            group = sums.setdefault((line["project"], line["key"], line["model"]), Counter())
            tokens = {name: int(number) for name, number in (line["usage"] or {}).items()}
            nano = round((line["cost"] or 0) * NANO)
            group.update({"requests": 1, "errors": int(line["error"] is not None), "cost": nano, **tokens})
    return sums


def replies(random: Random) -> list[Reply]:
    """Answers with random usage, whole and failed."""

    def tokens() -> dict[str, Any]:
        prompt = random.randrange(1, 90_000)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": random.randrange(90_000),
            "prompt_tokens_details": {"cached_tokens": random.randrange(prompt)},
        }

    return [
        whole(status=500) if random.random() < 0.2 else whole({**completion(), "usage": tokens()})
        for _ in range(60)
    ]


@pytest.mark.parametrize("seed", range(3))
async def test_totals_after_concurrent_requests_equal_the_log_to_the_nano_dollar(
    upstream: Upstream, gateway: RunningGateway, seed: int
) -> None:
    random = Random(seed)
    for name in ("m", "small", "free"):
        upstream.script(name, *replies(random))
    keys, names = (KEY, MANAGE, FOREIGN), ("up/m", "up/small", "up/free")
    await asyncio.gather(
        *(
            gateway.chat(model=random.choice(names), key=random.choice(keys), tags={"n": str(number % 3)})
            for number in range(40)
        )
    )
    report = await totals(gateway, "?by=project,key,model")
    found: dict[tuple[str, ...], Any] = {
        (row["project"], row["key"], row["model"]): row for row in report["data"]
    }
    expected = of_log(gateway)
    assert found.keys() == expected.keys()
    for group, counts in expected.items():
        assert found[group]["cost_nano"] == counts["cost"]
        for name in ("requests", "errors", "input", "output", "cached"):
            assert found[group][name] == counts[name], (group, name)
    assert report["total"]["requests"] == 40
    by_tag = await totals(gateway, "?by=tag.n")
    assert sum(row["cost_nano"] for row in by_tag["data"]) == report["total"]["cost_nano"]


async def test_a_stream_counts_when_it_has_ended(upstream: Upstream, gateway: RunningGateway) -> None:
    upstream.script("m", stream(chunk("Hello"), finish(), usage()))
    await gateway.chat(model="up/m", stream=True)
    report = await totals(gateway, "?by=model")
    (line,) = (line for line in gateway.lines if line.get("stream"))
    assert report["data"][0]["output"] == line["usage"]["output"] > 0


CALLERS = [
    pytest.param(KEY, {("support", "k1")}, id="a key sees itself, not another of its project"),
    pytest.param(NARROW, {("support", "n1")}, id="a key without usage of another model"),
    pytest.param(FOREIGN, {("foreign", "k1")}, id="a key of another project with the same id"),
    pytest.param(
        MANAGE,
        {("support", "k1"), ("support", "n1"), ("foreign", "k1"), ("ops", "m1")},
        id="a key with scope manage sees all",
    ),
]


@pytest.mark.parametrize(("key", "visible"), CALLERS)
async def test_nobody_sees_anothers_usage(
    upstream: Upstream, gateway: RunningGateway, key: str, visible: set[tuple[str, str]]
) -> None:
    for name in ("m", "small"):
        upstream.script(name, whole())
    for caller in (KEY, NARROW, FOREIGN, MANAGE):
        await gateway.chat(model="up/small", key=caller)
    report = await totals(gateway, "?by=project,key", key=key)
    assert {(row["project"], row["key"]) for row in report["data"]} == visible
    assert report["total"]["requests"] == len(visible)


async def test_a_request_that_asked_nobody_does_not_count(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    await gateway.post("/v1/explain", {"messages": [{"role": "user", "content": "hi"}], "model": "up/m"})
    await gateway.get("/v1/models")
    await gateway.chat(model="nothing")
    await gateway.chat(messages=[])
    await gateway.chat(key=None)
    assert (await totals(gateway))["total"]["requests"] == 0


@pytest.mark.parametrize("fault", ["down", "deaf"])
async def test_after_an_outage_nothing_is_lost_and_nothing_counts_twice(
    upstream: Upstream, gateway: RunningGateway, items: Faulty, fault: str
) -> None:
    upstream.script("m", whole())
    for number in range(9):
        setattr(items, fault, number % 4 != 0)
        await gateway.chat(model="up/m", tags={"n": str(number % 2)})
        await gateway.gateway.settle()
    assert (await totals(gateway, "?by=tag.n"))["total"]["requests"] == 9
    problems = [line for line in gateway.lines if line["message"] == "usage totals not written"]
    assert [line["level"] for line in problems] == ["ERROR"] * 2, "once for each time that writes fail"


async def test_a_stored_total_is_not_read_while_the_store_is_down(gateway: RunningGateway) -> None:
    async def fail(*_: Any, **__: Any) -> Any:
        raise StoreError("there is no such table")

    gateway.gateway.usage.items.query = fail  # type: ignore[method-assign]
    response = await gateway.get("/v1/usage")
    assert (response.status, response.error["code"]) == (503, "store_unavailable")
    assert response.headers["retry-after"] == "1"


BAD = [
    pytest.param("?by=models", "by", id="an unknown dimension"),
    pytest.param("?from=2026-13-01", "from", id="no date"),
    pytest.param("?from=93d", "from", id="too many days"),
    pytest.param("?to=now", "to", id="a word"),
    pytest.param("?format=xml", "format", id="an unknown format"),
    pytest.param("?since=7d", "since", id="an unknown parameter"),
    pytest.param("?from=1d&from=2d", "from", id="two values"),
]


@pytest.mark.parametrize(("query", "param"), BAD)
async def test_a_bad_parameter_is_named(gateway: RunningGateway, query: str, param: str) -> None:
    response = await gateway.get(f"/v1/usage{query}")
    assert (response.status, response.error["code"], response.error["param"]) == (400, "invalid_value", param)


async def test_a_server_reads_the_rules_when_it_starts_and_writes_the_totals_when_it_ends(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    upstream.script("m", whole())
    turns = iter(("startup", "shutdown"))
    sent: list[str] = []

    async def receive() -> dict[str, str]:
        if sent:
            assert gateway.gateway.policies.latest is not None
            await gateway.chat(model="up/m")
        return {"type": f"lifespan.{next(turns)}"}

    async def send(message: dict[str, str]) -> None:
        sent.append(message["type"])

    await gateway.app({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert (await gateway.get("/v1/usage", key=MANAGE)).json["total"]["requests"] == 1


async def test_without_a_key_there_is_no_usage(gateway: RunningGateway) -> None:
    assert (await gateway.get("/v1/usage", key=None)).status == 401


async def test_usage_as_csv(upstream: Upstream, gateway: RunningGateway) -> None:
    upstream.script("m", whole())
    await gateway.chat(model="up/m", tags={"team": "=1+1"})
    await gateway.gateway.usage.settle(30)
    response = await gateway.get("/v1/usage?by=tag.team&by=model&format=csv")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    head, row = response.body.decode().splitlines()
    assert head.startswith("tag.team,model,requests,")
    assert row.startswith("'=1+1,up/m,1,")


@pytest.mark.parametrize("setting", ["0", "1"])
async def test_metrics_are_in_the_line_of_a_request_only_when_they_are_on(
    upstream: Upstream, setting: str
) -> None:
    gateway = start_gateway([provider(upstream.url), model("up/m", price=PRICE)], SLUICE_METRICS=setting)
    upstream.script("m", whole())
    await gateway.chat(model="up/m")
    await gateway.get("/v1/models")
    await gateway.gateway.aclose()
    chat, models = (line for line in gateway.lines if line["message"] == "request")
    assert "_aws" not in models
    assert ("_aws" in chat) is (setting == "1")
    assert chat.get("Cost") == (chat["cost"] if setting == "1" else None)


async def test_the_metrics_of_an_instance_count_its_start_once_and_show_that_it_is_degraded(
    upstream: Upstream,
) -> None:
    records = [provider(upstream.url), model("up/m", price=PRICE)]
    gateway = start_gateway([*records, {"kind": "route", "id": "bad", "model": 5}], SLUICE_METRICS="1")
    upstream.script("m", whole(), whole())
    await gateway.get("/health")
    await gateway.chat(model="up/m")
    await gateway.chat(model="up/m")
    await gateway.gateway.aclose()
    counted = [line for line in gateway.lines if "_aws" in line]
    assert [(line.get("ColdStart"), line["Degraded"], line["Stale"]) for line in counted] == [
        (1, 1, 0),
        (None, 1, 0),
    ]
