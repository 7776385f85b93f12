"""The check of providers' credentials by one free call each."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.canned_answers import Reply, whole
from tests.support.gateways import KEYS, RunningGateway, Tables, key_item, provider, start_gateway
from tests.support.upstream import Upstream

ADMIN = "sk-sluice-" + "a" * 43


def start(*records: dict[str, Any], **settings: Any) -> RunningGateway:
    keys = [*KEYS, key_item(ADMIN, id="a1", project="ops", scopes=["admin"])]
    return start_gateway(store=Tables(records, keys), **settings)


async def results(gateway: RunningGateway) -> dict[str, Any]:
    response = await gateway.get("/console/api/providers/check", key=ADMIN)
    assert response.status == 200
    assert "up-secret" not in str(response.json)
    return {each["name"]: each for each in response.json["data"]}


@pytest.mark.parametrize(
    ("reply", "ok", "problem"),
    [
        pytest.param(whole({"data": []}), True, None, id="it lists its models"),
        pytest.param(whole(status=429), True, None, id="the account is over its limit"),
        pytest.param(whole(status=401), False, "refused the credential UP_API_KEY", id="it refuses"),
        pytest.param(whole(status=404), None, "no list of models", id="it has no such list"),
        pytest.param(whole(status=503), False, "it answered 503", id="it is down"),
        pytest.param(Reply(status=None, pieces=(60.0,)), False, "cannot be reached", id="it is silent"),
    ],
)
async def test_a_provider_is_asked_for_its_models(
    upstream: Upstream, reply: Reply, ok: bool | None, problem: str | None
) -> None:
    upstream.script("", reply)
    gateway = start(provider(upstream.url))
    found = (await results(gateway))["up"]
    assert (found["ok"], found["credential"]) == (ok, "UP_API_KEY")
    assert found["problem"] is problem is None or problem in found["problem"]
    (asked,) = upstream.requests
    assert (asked.method, asked.path) == ("GET", "/v1/models")
    assert asked.header("authorization") == "Bearer up-secret"
    await gateway.gateway.aclose()


async def test_the_results_are_kept_for_a_minute(upstream: Upstream) -> None:
    upstream.script("", whole({}))
    gateway = start(provider(upstream.url))
    for _ in range(3):
        await results(gateway)
    assert len(upstream.requests) == 1
    await asyncio.sleep(60)
    await results(gateway)
    assert len(upstream.requests) == 2
    await gateway.gateway.aclose()


async def test_of_several_calls_at_once_one_checks(upstream: Upstream) -> None:
    upstream.script("", whole({}))
    gateway = start(provider(upstream.url))
    first, second = await asyncio.gather(results(gateway), results(gateway))
    assert first == second
    assert len(upstream.requests) == 1
    await gateway.gateway.aclose()


async def test_each_credential_of_a_provider_is_checked(upstream: Upstream) -> None:
    upstream.script("", whole({}))
    gateway = start(provider(upstream.url, credential=["UP_API_KEY", "UP2_API_KEY"]), UP2_API_KEY="up-second")
    response = await gateway.get("/console/api/providers/check", key=ADMIN)
    checked = {each["credential"]: each["ok"] for each in response.json["data"]}
    assert checked == {"UP_API_KEY": True, "UP2_API_KEY": True}
    sent = sorted(str(one.header("authorization")) for one in upstream.requests)
    assert sent == ["Bearer up-second", "Bearer up-secret"]
    await gateway.gateway.aclose()


async def test_bedrock_is_not_checked_with_the_functions_role() -> None:
    aws = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_REGION": "us-east-1"}
    gateway = start(SLUICE_PROVIDERS="bedrock", **aws)
    assert (await results(gateway))["bedrock"]["ok"] is None
    await gateway.gateway.aclose()


async def test_the_session_shows_no_headers_of_the_collector() -> None:
    gateway = start(SLUICE_OTLP_ENDPOINT="https://otlp.example", SLUICE_OTLP_HEADERS="authorization=canary")
    response = await gateway.get("/console/api/session", key=ADMIN)
    assert response.json["settings"]["SLUICE_OTLP_ENDPOINT"] == "https://otlp.example"
    assert "canary" not in str(response.json)
    await gateway.gateway.aclose()
