"""Embeddings and rerank at providers of other formats, and limits and budgets of operations besides chat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.support.canned_answers import Act, Reply, whole
from tests.support.gateways import KEY, Json, RunningGateway, model, provider, start_gateway
from tests.support.state import InlineItems
from tests.support.tables import dynamodb
from tests.support.upstream import Upstream
from tests.support.virtual_clock import now

TITAN = "aws/amazon.titan-embed-text-v2:0"
PRICE = {"input": 1, "output": 0}
UNNAMED = "None"  # the script of a body without `model`
JSON_TYPE = {"content-type": "application/json"}
VECTOR = {"embedding": [0.5, -1.0], "inputTextTokenCount": 3}


def records(upstream: Upstream) -> list[Json]:
    root = upstream.url.removesuffix("/v1")
    return [
        provider(root, id="aws", dialect="bedrock", auth="bearer"),
        provider(root, id="goo", dialect="google"),
        provider(f"{root}/compatibility/v1", id="cohere", dialect="openai"),
        provider(upstream.url),
        model(TITAN, can=["embeddings"], price=PRICE),
        model("goo/vectors", can=["embeddings"], price=PRICE),
        model("cohere/embed-v4.0", can=["embeddings"], price=PRICE),
        model("cohere/rerank-v3.5", can=["rerank"], price={"input": 0, "output": 0, "searches": 2000}),
        model("up/e", can=["embeddings"], price=PRICE),
    ]


@pytest.fixture
async def gateway(upstream: Upstream) -> AsyncIterator[RunningGateway]:
    made = start_gateway(records(upstream))
    yield made
    await made.gateway.aclose()


async def embed(gateway: RunningGateway, model: str = TITAN, **fields: Any) -> Any:
    return await gateway.post("/v1/embeddings", {"model": model, "input": "hello", **fields})


async def test_many_texts_are_many_requests_a_few_at_a_time(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    upstream.script(UNNAMED, Reply(headers=JSON_TYPE, pieces=(b'{"embedding":', 0.01, b"[1]}")))
    response = await embed(gateway, input=[str(index) for index in range(30)], user="u")
    assert response.status == 200
    assert [each["index"] for each in response.json["data"]] == list(range(30))
    assert {request.json["inputText"] for request in upstream.requests} == {str(index) for index in range(30)}
    assert response.json["model"] == response.headers["x-sluice-model"] == TITAN
    assert response.headers["x-sluice-dropped"] == "user"
    assert gateway.lines[-1]["usage"]["estimated"]


async def test_the_usage_is_the_sum_of_the_requests(gateway: RunningGateway, upstream: Upstream) -> None:
    upstream.script(UNNAMED, whole(VECTOR))
    response = await embed(gateway, input=["a", "b"], encoding_format="base64")
    assert [each["embedding"] for each in response.json["data"]] == ["AAAAPwAAgL8="] * 2
    assert response.json["usage"] == {"prompt_tokens": 6, "total_tokens": 6}
    assert (gateway.lines[-1]["usage"], gateway.lines[-1]["cost"]) == ({"input": 6}, 0.000006)
    (path,) = {request.path for request in upstream.requests}
    assert path == "/model/amazon.titan-embed-text-v2%3A0/invoke"
    assert upstream.requests[0].header("authorization") == "Bearer up-secret"


async def test_one_request_that_fails_ends_all_and_those_that_answered_count(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    slow = Reply(headers=JSON_TYPE, pieces=(b"{", Act.STALL), chunked=True)
    refused = Reply(status=400, headers=JSON_TYPE, pieces=(0.05, b'{"message":"No."}'))
    upstream.script(UNNAMED, whole(VECTOR), refused, slow)
    response = await embed(gateway, input=["aaaa", "bbbb", "cccc"])
    assert response.status == 400
    await upstream.until("busy", 0)
    line = gateway.lines[-1]
    assert (line["usage"], line["attempts"][0]["class"]) == (
        {"input": 1, "estimated": True},
        "invalid_request",
    )


async def test_a_failure_of_the_host_is_tried_again(gateway: RunningGateway, upstream: Upstream) -> None:
    upstream.script(UNNAMED, whole(status=500), whole({"embeddings": [{"values": [1]}]}))
    response = await embed(gateway, "goo/vectors")
    assert (response.status, response.headers["x-sluice-attempts"]) == (200, "2")
    assert upstream.requests[-1].path == "/models/vectors:batchEmbedContents"


async def test_what_a_format_cannot_carry_is_refused_without_a_request(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    response = await embed(gateway, input=[[1, 2]])
    error = response.json["error"]
    assert (response.status, error["code"], error["param"]) == (400, "unsupported_parameter", "input[0]")
    assert upstream.requests == []


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(whole({"embedding": "x"}), id="no vector"),
        pytest.param(whole("[]"), id="a list"),
        pytest.param(whole("nonsense"), id="no JSON"),
        pytest.param(whole({"error": {"message": "No."}}), id="an error as an answer"),
    ],
)
async def test_an_answer_that_is_none_is_a_failure(
    gateway: RunningGateway, upstream: Upstream, reply: Reply
) -> None:
    upstream.script(UNNAMED, reply)
    assert (await embed(gateway)).status == 502


async def test_a_client_that_leaves_cancels_all_requests(gateway: RunningGateway, upstream: Upstream) -> None:
    leave = asyncio.Event()
    upstream.script(UNNAMED, Reply(headers=JSON_TYPE, pieces=(b"{", Act.STALL), chunked=True))
    body = {"model": TITAN, "input": ["a"] * 20}
    sending = asyncio.create_task(gateway.post("/v1/embeddings", body, key=KEY, leave=leave))
    await upstream.until("busy", 8)
    leave.set()
    await sending
    await upstream.until("busy", 0)
    assert len(upstream.requests) == 8


@pytest.mark.parametrize("name", [TITAN, "up/e"])
@pytest.mark.parametrize(
    "connected", [True, False], ids=["is charged", "has used nothing before a connection"]
)
async def test_a_request_whose_client_leaves(upstream: Upstream, name: str, connected: bool) -> None:
    started = asyncio.Event()

    async def never_answer(request: httpx.Request) -> httpx.Response:
        if connected:
            request.extensions["on_sent"]()
        started.set()
        return await asyncio.Future()

    gateway = start_gateway(records(upstream), upstream=httpx.MockTransport(never_answer))
    await gateway.post("/v1/embeddings", {"model": name, "input": "hello"}, leave=started)
    assert bool(gateway.lines[-1]["usage"]) is connected
    await gateway.gateway.aclose()


async def test_coheres_own_api_is_not_below_its_compatible_one(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    upstream.script("embed-v4.0", whole({"embeddings": {"float": [[1]]}}))
    upstream.script("rerank-v3.5", whole({"results": []}))
    assert (await embed(gateway, "cohere/embed-v4.0")).status == 200
    body = {"model": "cohere/rerank-v3.5", "query": "q", "documents": ["a"]}
    assert (await gateway.post("/v1/rerank", body)).status == 200
    assert [request.path for request in upstream.requests] == ["/v2/embed", "/v2/rerank"]


async def test_limits_and_budgets_count_operations_besides_chat(upstream: Upstream) -> None:
    upstream.script("e", whole({"data": [], "usage": {"prompt_tokens": 7, "total_tokens": 7}}))
    upstream.script("rerank-v3.5", whole({"results": [], "meta": {"billed_units": {"search_units": 1}}}))
    counted = [
        {"kind": "limit", "id": "few", "when": {"operation": "embeddings"}, "tokens": 15, "per": "minute"},
        {"kind": "budget", "id": "money", "usd": 0.003, "per": "day"},
    ]
    with dynamodb() as client:
        gateway = start_gateway([*records(upstream), *counted], state=InlineItems(client), now=now)
        first = await embed(gateway, "up/e")
        await embed(gateway, "up/e")
        await gateway.gateway.settle()
        assert (await embed(gateway, "up/e")).status == 429
        assert first.headers["x-ratelimit-remaining-tokens"] == "13"
        body = {"model": "cohere/rerank-v3.5", "query": "q", "documents": ["a"]}
        ranked = await gateway.post("/v1/rerank", body)
        await gateway.gateway.settle()
        refused = await gateway.post("/v1/rerank", body)
        assert [ranked.status, refused.status] == [200, 402]
        assert refused.json["error"]["code"] == "budget_exceeded"
        await gateway.gateway.aclose()
