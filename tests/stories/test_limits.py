"""Limits and budgets as callers meet them: counted, refused, replaced, announced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from handler.aws.errors import StoreError
from tests.support.canned_answers import completion, whole
from tests.support.gateways import KEY, MANAGE, Json, RunningGateway, model, provider, start_gateway
from tests.support.state import InlineItems
from tests.support.tables import dynamodb
from tests.support.upstream import Upstream
from tests.support.virtual_clock import now

PRICE = {"input": 1, "output": 2}  # dollars per million tokens


class Scene:
    """Gateways that share one State. Each answer uses 7 tokens of input and 3 of output: 13 micro-dollars."""

    def __init__(self, upstream: Upstream, items: InlineItems) -> None:
        self.upstream, self.items = upstream, items
        for name in ("main", "spare", "big"):
            upstream.script(name, whole(completion()))

    def gateway(self, *records: Json) -> RunningGateway:
        models = [model(f"up/{name}", price=PRICE) for name in ("main", "spare")]
        models.append(model("up/big", price={"input": 1000, "output": 2000}))
        return start_gateway([provider(self.upstream.url), *models, *records], state=self.items, now=now)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    with dynamodb() as client:
        async with Upstream() as upstream:
            yield Scene(upstream, InlineItems(client))


def limit(id: str = "burst", **fields: Any) -> Json:
    return {"kind": "limit", "id": id, "requests": 3, "per": "minute", **fields}


def budget(id: str = "money", **fields: Any) -> Json:
    return {"kind": "budget", "id": id, "usd": 0.0001, "per": "month", **fields}


async def chat(gateway: RunningGateway, **fields: Any) -> Any:
    return await gateway.chat(**{"model": "up/main", "max_tokens": 3, **fields})


async def test_a_limit_admits_exactly_its_requests_and_the_refusal_says_when_to_return(scene: Scene) -> None:
    gateway = scene.gateway(limit())
    responses = [await chat(gateway) for _ in range(4)]
    assert [response.status for response in responses] == [200, 200, 200, 429]
    assert [each.headers["x-ratelimit-remaining-requests"] for each in responses] == ["2", "1", "0", "0"]
    refused = responses[-1]
    assert refused.headers["x-ratelimit-limit-requests"] == "3"
    assert 0 < int(refused.headers["retry-after"]) <= 60
    error = refused.json["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert "The limit burst of 3 requests a minute is used up" in error["message"]
    await asyncio.sleep(61)
    assert (await chat(gateway)).status == 200


async def test_the_headers_of_several_limits_show_the_scarcest_of_each_unit(scene: Scene) -> None:
    records = [limit(), limit("day", requests=100, per="day"), limit("tokens", requests=None, tokens=9000)]
    gateway = scene.gateway(*({k: v for k, v in record.items() if v is not None} for record in records))
    shown = []
    for _ in range(3):
        headers = (await chat(gateway)).headers
        shown.append([headers.get(f"x-ratelimit-{name}-requests") for name in ("limit", "remaining")])
        await gateway.gateway.settle()
    assert shown[1:] == [["3", "1"], ["3", "0"]]


async def test_the_same_limit_counts_in_all_instances(scene: Scene) -> None:
    gateways = [scene.gateway(limit(requests=7)) for _ in range(3)]
    responses = await asyncio.gather(*(chat(gateways[n % 3]) for n in range(20)))
    assert sorted(response.status for response in responses) == [200] * 7 + [429] * 13


async def test_each_key_has_its_own_counter(scene: Scene) -> None:
    gateway = scene.gateway(limit(each="key"))
    statuses = {key: [(await chat(gateway, key=key)).status for _ in range(4)] for key in (KEY, MANAGE)}
    assert statuses == {KEY: [200, 200, 200, 429], MANAGE: [200, 200, 200, 429]}


async def test_a_refusal_by_one_limit_takes_nothing_from_another(scene: Scene) -> None:
    gateway = scene.gateway(limit(each="user", requests=1), limit("all", requests=3))
    users = ["a", "a", "a", "b", "c", "d"]
    statuses = [(await chat(gateway, user=user)).status for user in users]
    assert statuses == [200, 429, 429, 200, 200, 429]


async def test_a_budget_reserves_and_then_counts_what_was_used(scene: Scene) -> None:
    gateway = scene.gateway(budget(usd=0.00004))  # three answers cost 39 micro-dollars
    statuses = []
    for _ in range(5):
        statuses.append((await chat(gateway)).status)
        await gateway.gateway.settle()
    assert statuses[:2] == [200, 200]
    assert statuses[-1] == 402
    refused = await chat(gateway)
    error = refused.json["error"]
    assert (error["type"], error["code"]) == ("insufficient_quota", "budget_exceeded")
    assert refused.headers["x-should-retry"] == "false"


async def test_a_used_up_budget_leads_to_the_model_of_its_then(scene: Scene) -> None:
    gateway = scene.gateway(budget(then={"model": "up/spare", "override": True}))
    models = []
    for _ in range(12):
        response = await chat(gateway)
        assert response.status == 200
        models.append((response.headers["x-sluice-model"], response.headers["x-sluice-reason"]))
        await gateway.gateway.settle()
    assert models[0] == ("up/main", "requested")
    assert models[-1] == ("up/spare", "budget")


async def test_a_then_without_override_yields_to_a_named_model(scene: Scene) -> None:
    gateway = scene.gateway(budget(usd=1e-9, then={"model": "up/spare"}))
    assert (await chat(gateway)).status == 402
    assert (await chat(gateway, model="auto")).headers["x-sluice-model"] == "up/spare"


@pytest.mark.parametrize(
    ("record", "fields", "message"),
    [
        pytest.param(
            limit(requests=None, tokens=100),
            {"max_tokens": 200},
            "tokens a minute is less than this request may use, 205: lower max_tokens.",
            id="tokens",
        ),
        pytest.param(
            budget(),
            {"max_tokens": 200},
            "a month is less than this request may cost, $0.000405: lower max_tokens.",
            id="dollars",
        ),
    ],
)
async def test_a_request_that_never_fits_is_refused_with_the_reason(
    scene: Scene, record: Json, fields: Json, message: str
) -> None:
    gateway = scene.gateway({name: value for name, value in record.items() if value is not None})
    response = await chat(gateway, **fields)
    assert response.status in (402, 429)
    assert response.json["error"]["message"].endswith(message)
    assert response.headers["x-should-retry"] == "false"
    assert "retry-after" not in response.headers
    assert (await chat(gateway)).status == 200


async def test_the_provider_of_a_then_refuses_what_it_refuses_otherwise(scene: Scene) -> None:
    strict = provider(scene.upstream.url, id="strict", quirks={"refuse": ["plugins"]})
    then = budget(usd=1e-9, then={"model": "strict/spare", "override": True})
    gateway = scene.gateway(strict, model("strict/spare", price=PRICE), then)
    refused = await chat(gateway, plugins=[{"id": "web"}])
    assert (refused.status, refused.json["error"]["param"]) == (400, "plugins")
    assert (await chat(gateway)).headers["x-sluice-model"] == "strict/spare"


async def test_a_candidate_that_a_then_replaces_can_be_probed_by_another_request(scene: Scene) -> None:
    gateway = scene.gateway(budget(usd=1e-9, then={"model": "up/spare", "override": True}))
    cooldown = gateway.gateway.cooldown
    cooldown.observe("up/main", "auth", None)
    await asyncio.sleep(6)
    assert (await chat(gateway)).headers["x-sluice-model"] == "up/spare"
    assert cooldown.cooling() == {}


async def test_a_candidate_whose_limit_is_used_up_is_skipped(scene: Scene) -> None:
    gateway = scene.gateway(limit(requests=1, when={"model": "up/main"}))
    models = [(await chat(gateway, fallback_models=["up/spare"])).headers["x-sluice-model"] for _ in range(2)]
    assert models == ["up/main", "up/spare"]
    assert (await chat(gateway)).status == 429


async def test_alerts_are_sent_once_at_each_level(scene: Scene) -> None:
    gateways = [scene.gateway(budget(usd=0.0002)) for _ in range(2)]
    for n in range(24):
        await chat(gateways[n % 2])
        await asyncio.gather(*(gateway.gateway.settle() for gateway in gateways))
    lines = [line for gateway in gateways for line in gateway.lines if line["level"] == "WARNING"]
    assert sorted(line["percent"] for line in lines) == [50, 80, 100]


async def test_costs_in_the_log_are_what_the_budget_counted(scene: Scene) -> None:
    gateway = scene.gateway(budget(usd=1))
    for _ in range(5):
        await chat(gateway)
    await gateway.gateway.settle()
    logged = sum(round(line["cost"] * 1e9) for line in gateway.lines if line["message"] == "request")
    reservation = gateway.gateway.ledger
    assert logged == 5 * 13_000
    found = await scene.items.get(next(iter(reservation._items.known._known)), consistent=True)
    assert found is not None
    assert found["n"] == logged


@pytest.mark.parametrize(
    ("record", "status"),
    [
        pytest.param(limit(), 200, id="a limit allows"),
        pytest.param(limit(on_store_failure="refuse"), 503, id="a limit that says so refuses"),
        pytest.param(budget(), 503, id="a budget refuses"),
        pytest.param(budget(on_store_failure="allow"), 200, id="a budget that says so allows"),
    ],
)
async def test_while_the_store_fails(scene: Scene, record: Json, status: int) -> None:
    gateway = scene.gateway(record)
    scene.items.down = StoreError("update item state: throttled")
    response = await chat(gateway)
    assert response.status == status
    if status == 503:
        assert response.json["error"]["code"] == "store_unavailable"
        assert "retry-after" in response.headers
    await gateway.gateway.settle()
    scene.items.down = None
    assert (await chat(gateway)).status == 200
