"""Requests of a whole gateway become samples in State, which a replay decides as the gateway did."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from handler.aws.errors import StoreError
from handler.manage.replay import replay_rules
from handler.store.items import Items
from rules import RuleSet
from rules.review.samples import Sample, read_sample
from tests.support.canned_answers import completion, whole
from tests.support.gateways import (
    KEY,
    KEYS,
    MANAGE,
    NARROW,
    RunningGateway,
    Tables,
    model,
    provider,
    start_gateway,
)
from tests.support.inline_client import InlineClient
from tests.support.tables import SETTINGS, dynamodb
from tests.support.upstream import Upstream
from tests.support.virtual_clock import now

SECRET = "hunter2"
PRICE = {"input": 1, "output": 2}


def used(prompt: int, answer: int) -> Any:
    return {"prompt_tokens": prompt, "completion_tokens": answer}


@pytest.fixture
def client() -> Iterator[InlineClient]:
    with dynamodb() as client:
        yield InlineClient(client)


def start(upstream: Upstream, client: InlineClient, *records: Any, **settings: str) -> RunningGateway:
    tables = Tables(
        [
            provider(upstream.url),
            *(model(f"up/{name}", price=PRICE) for name in ("small", "big")),
            *records,
        ],
        KEYS,
    )
    tables.state = Items(client, SETTINGS.state_table)
    chosen: Any = {"SLUICE_SAMPLES": "500", **settings}
    running = start_gateway(store=tables, now=now, **chosen)
    running.tables = tables
    return running


@pytest.fixture
async def gateway(upstream: Upstream, client: InlineClient) -> AsyncIterator[RunningGateway]:
    running = start(upstream, client, SLUICE_PRIVATE_TAGS="customer, ticket")
    yield running
    await running.gateway.aclose()


async def settled(gateway: RunningGateway, requests: Any) -> Any:
    """The response of one request, once its background work is done."""
    response = await requests
    await gateway.gateway.settle()
    return response


async def samples_of(gateway: RunningGateway) -> list[Sample]:
    state = gateway.tables.state
    day = gateway.gateway.now().date()
    found = await state.get_many([f"sample#{day}#{number}" for number in range(1, 100)])
    return [read_sample(item["sample"]) for item in found.values()]


async def test_a_request_becomes_a_sample(gateway: RunningGateway, upstream: Upstream) -> None:
    upstream.script("small", whole({**completion(), "usage": used(11, 3)}))
    response = await settled(gateway, gateway.chat(model="up/small", tags={"team": "blue"}))
    assert response.status == 200
    [sample] = await samples_of(gateway)
    facts = sample.facts
    assert (facts.project, facts.key, facts.model, facts.tags) == (
        "support",
        "k1",
        "up/small",
        {"team": "blue"},
    )
    assert (sample.reason, sample.model, sample.served) == ("requested", "up/small", "up/small")
    assert (sample.usage, sample.cost) == ({"input": 11, "output": 3}, 17_000)
    assert "up" in sample.available
    assert sample.request_id == response.headers["x-request-id"]
    assert sample.revision == gateway.gateway.policies.latest.ruleset.revision  # type: ignore[union-attr]


async def test_nothing_private_is_stored(
    gateway: RunningGateway, upstream: Upstream, client: InlineClient
) -> None:
    upstream.script("small", whole(completion(f"an answer with {SECRET}")))
    await settled(
        gateway,
        gateway.chat(
            model="up/small",
            messages=[{"role": "user", "content": f"a prompt with {SECRET}"}],
            user=f"{SECRET}@example.com",
            metadata={"user_id": f"user_{SECRET}", "ticket": SECRET},
            tags={"customer": SECRET, "team": "blue"},
            headers={"x-sluice-session": f"{SECRET}-1", "x-anything": SECRET, "cookie": SECRET},
        ),
    )
    day = gateway.gateway.now().date()
    item = await gateway.tables.state.get(f"sample#{day}#1")
    text = json.dumps(item, default=str)
    assert "blue" in text
    for secret in (SECRET, KEY, KEY[10:], "cookie"):
        assert secret not in text


@pytest.mark.parametrize(
    ("key", "body", "status", "code"),
    [
        pytest.param(
            NARROW, {"model": "up/big"}, 403, "model_not_allowed", id="a model that the key may not use"
        ),
        pytest.param(KEY, {"model": "nobody"}, 404, "model_not_found", id="no such model"),
        pytest.param(
            KEY, {"model": "azure/gpt-5"}, 503, "no_candidate", id="a provider without a credential"
        ),
    ],
)
async def test_a_refusal_becomes_a_sample(
    gateway: RunningGateway, key: str, body: Any, status: int, code: str
) -> None:
    response = await settled(gateway, gateway.chat(key=key, **body))
    assert response.status == status
    [sample] = await samples_of(gateway)
    assert (sample.refused, sample.model, sample.served, sample.usage) == (code, None, None, {})


async def test_what_was_not_decided_is_no_sample(gateway: RunningGateway) -> None:
    await settled(gateway, gateway.get("/health"))
    await settled(gateway, gateway.post("/v1/explain", {"messages": [], "model": "nobody"}))
    await settled(gateway, gateway.chat(key="sk-sluice-" + "x" * 43))
    await settled(gateway, gateway.chat(messages=[]))
    assert await samples_of(gateway) == []


async def test_with_0_nothing_is_stored(upstream: Upstream, client: InlineClient) -> None:
    running = start(upstream, client, SLUICE_SAMPLES="0")
    upstream.script("small", whole())
    await settled(running, running.chat(model="up/small"))
    assert await samples_of(running) == []
    assert running.gateway._samples is None
    await running.gateway.aclose()


async def test_a_day_that_is_full_costs_a_request_nothing(upstream: Upstream, client: InlineClient) -> None:
    running = start(upstream, client, SLUICE_SAMPLES="2")
    upstream.script("small", *[whole()] * 5)
    for _ in range(5):
        await settled(running, running.chat(model="up/small"))
    assert len(await samples_of(running)) == 2
    opened = running.gateway._samples
    assert opened is not None
    assert running.gateway.next_sample == opened.pause_until > now()
    await running.gateway.aclose()


async def test_state_that_fails_is_reported_once_and_touches_no_request(upstream: Upstream) -> None:
    running = start_gateway([provider(upstream.url), model("up/small")], now=now, SLUICE_SAMPLES="500")
    state: Any = running.tables.state
    state.down = StoreError("throttled")
    upstream.script("small", *[whole()] * 5)
    responses = await asyncio.gather(*(running.chat(model="up/small") for _ in range(5)))
    await running.gateway.settle()
    assert {response.status for response in responses} == {200}
    lines = [line for line in running.lines if line["message"] == "request samples not written"]
    assert [line["problem"] for line in lines] == ["throttled"]
    await running.gateway.aclose()


async def test_a_replay_under_the_same_rules_changes_nothing(
    upstream: Upstream, client: InlineClient
) -> None:
    """And under others it says what the gateway then does."""
    before = [{"kind": "route", "id": "r", "model": "up/small", "scope": {"project": "support"}}]
    after = [
        {**before[0], "model": "up/big"},
        {"kind": "access", "id": "ops", "scope": {"project": "ops"}, "models": []},
    ]
    running = start(upstream, client, *before)
    for name in ("small", "big"):
        upstream.script(name, *[whole({**completion(), "usage": used(10**6, 10**6)})] * 4)
    requests: tuple[Any, ...] = ({}, {}, {"model": "up/small"})
    for fields in requests:
        await settled(running, running.chat(**fields))
    await settled(running, running.chat(key=MANAGE, model="up/big"))
    records = [dict(record) for record in running.tables.records]
    old = RuleSet.read(records)
    new = RuleSet.read([*records[:3], *after])
    same = await replay_rules(client, SETTINGS, old, old, now=running.gateway.now())
    assert (same["samples"], same["same"], same["changes"], same["cost"]["difference"]) == (4, 4, [], 0)
    report = await replay_rules(client, SETTINGS, old, new, now=running.gateway.now(), since="1m")
    assert (report["same"], report["moved"], report["refused"]) == (1, 2, 1)
    assert report["cost"]["difference"] == pytest.approx(-3.0)  # what the refused one cost
    running.tables.records = [*records[:3], *after]
    running.gateway.policies.snapshot.invalidate()
    assert (await running.chat()).headers["x-sluice-model"] == "up/big"
    assert (await running.chat(key=MANAGE, model="up/big")).status == 403
    await running.gateway.aclose()
