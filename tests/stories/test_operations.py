"""Embeddings, rerank, images, audio and the other operations besides chat, through a whole gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.canned_answers import Reply, whole
from tests.support.gateways import KEY, RunningGateway, model, provider, start_gateway
from tests.support.upstream import Upstream

PRICE = {"input": 1, "output": 0}
VECTOR = {"object": "embedding", "index": 0, "embedding": [0.5, -1.0]}
VECTORS = {
    "object": "list",
    "data": [VECTOR],
    "model": "e",
    "usage": {"prompt_tokens": 7, "total_tokens": 7},
}
FLOATS, BASE64 = [0.5, -1.0], "AAAAPwAAgL8="


def body_reply(body: bytes, media_type: str = "application/json", status: int = 200) -> Reply:
    return Reply(status=status, headers={"content-type": media_type}, pieces=(body,))


def gateway_for(upstream: Upstream, *records: dict[str, Any]) -> RunningGateway:
    more = [
        provider(upstream.url),
        provider(upstream.url.replace("/v1", "/two/v1"), id="two"),
        model("up/e", can=["embeddings"], price=PRICE),
        model("two/e", can=["embeddings"], price={"input": 2, "output": 0}),
        model("up/other", can=["embeddings"], price=PRICE),
        model("up/talk", can=["tools"], price=PRICE),
    ]
    return start_gateway([*more, *records])


@pytest.fixture
async def gateway(upstream: Upstream) -> AsyncIterator[RunningGateway]:
    made = gateway_for(upstream)
    yield made
    await made.gateway.aclose()


async def embed(gateway: RunningGateway, model: str = "up/e", **fields: Any) -> Any:
    return await gateway.post("/v1/embeddings", {"model": model, "input": "hello", **fields})


async def test_an_embedding_is_relayed_byte_for_byte_and_counted(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    sent = b'{"input":"hello", "model" : "up/e","dimensions":2.0, "x":null}'
    answer = json.dumps(VECTORS).encode().replace(b", ", b" ,")
    upstream.script("e", body_reply(answer))
    response = await gateway.post("/v1/embeddings", sent)
    assert (response.status, response.body) == (200, answer)
    (request,) = upstream.requests
    assert (request.path, request.body) == ("/v1/embeddings", sent.replace(b"up/e", b"e"))
    assert request.header("authorization") == "Bearer up-secret"
    assert response.headers["x-sluice-model"] == "up/e"
    assert response.headers["x-sluice-cost"] == "0.000007"
    assert response.headers["cache-control"] == "no-store"
    line = gateway.lines[-1]
    assert (line["usage"], line["cost"], line["model"]) == ({"input": 7}, 0.000007, "up/e")


@pytest.mark.parametrize(
    ("asked", "given", "expected"),
    [
        pytest.param(None, FLOATS, FLOATS, id="numbers by default"),
        pytest.param("float", BASE64, FLOATS, id="numbers from base64"),
        pytest.param("base64", FLOATS, BASE64, id="base64 from numbers"),
        pytest.param("base64", BASE64, BASE64, id="base64 from base64"),
        pytest.param("base64", ["x"], ["x"], id="what is no vector stays"),
    ],
)
async def test_vectors_have_the_form_that_was_asked_for(
    gateway: RunningGateway, upstream: Upstream, asked: str | None, given: Any, expected: Any
) -> None:
    upstream.script("e", whole({**VECTORS, "data": [{**VECTOR, "embedding": given}]}))
    response = await embed(gateway, **({"encoding_format": asked} if asked else {}))
    assert response.json["data"][0]["embedding"] == expected


async def test_a_pool_fails_over_to_the_same_model_at_another_provider(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    upstream.script("e", whole(status=500), whole(status=500), whole(VECTORS))
    response = await embed(gateway, "e")
    assert (response.status, response.headers["x-sluice-model"]) == (200, "two/e")
    assert [request.path for request in upstream.requests][-1] == "/two/v1/embeddings"


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([{"kind": "alias", "id": "house", "models": ["up/e", "up/other"]}], id="an alias"),
        pytest.param([{"kind": "route", "id": "r", "fallbacks": ["up/other"]}], id="a rule's fallbacks"),
    ],
)
async def test_another_model_never_answers_in_place_of_the_first(
    upstream: Upstream, records: list[dict[str, Any]]
) -> None:
    gateway = gateway_for(upstream, *records)
    upstream.script("e", whole(status=500))
    upstream.script("other", whole(VECTORS))
    name = "house" if records[0]["kind"] == "alias" else "up/e"
    response = await embed(gateway, name)
    assert response.status == 502
    assert {request.json["model"] for request in upstream.requests} == {"e"}
    await gateway.gateway.aclose()


async def test_the_first_model_of_a_name_counts_even_while_it_cannot_answer(upstream: Upstream) -> None:
    alias = {"kind": "alias", "id": "house", "models": ["openai/text-embedding-3-small", "up/other"]}
    gateway = gateway_for(upstream, alias)
    upstream.script("other", whole(VECTORS))
    response = await embed(gateway, "house")
    assert (response.status, response.json["error"]["code"]) == (503, "no_candidate")
    assert "cannot be compared" in response.json["error"]["message"]
    await gateway.gateway.aclose()


@pytest.mark.parametrize(
    ("path", "fields", "status", "code", "param", "words"),
    [
        pytest.param("embeddings", {}, 400, "missing_required_parameter", "input", "", id="no input"),
        pytest.param("embeddings", {"input": ""}, 400, "invalid_value", "input", "", id="an empty text"),
        pytest.param("embeddings", {"input": []}, 400, "invalid_value", "input", "", id="an empty list"),
        pytest.param(
            "embeddings", {"input": ["a", 1.5]}, 400, "invalid_value", "input[1]", "", id="a number"
        ),
        pytest.param(
            "embeddings", {"input": [1, "a"]}, 400, "invalid_value", "input[1]", "", id="ids and text"
        ),
        pytest.param(
            "embeddings",
            {"input": [[1], [1, -2]]},
            400,
            "invalid_value",
            "input[1][1]",
            "",
            id="a negative id",
        ),
        pytest.param(
            "embeddings",
            {"input": "a", "encoding_format": "hex"},
            *(400, "invalid_value", "encoding_format", "float, base64"),
            id="an unknown encoding",
        ),
        pytest.param(
            "embeddings",
            {"input": "a", "model": "up/talk"},
            *(400, "unsupported_operation", "model", "it does chat, not embeddings"),
            id="a chat model",
        ),
        pytest.param(
            "chat/completions",
            {"messages": [{"role": "user", "content": "hi"}]},
            *(400, "unsupported_operation", "model", "it does embeddings, not chat"),
            id="a chat with an embedding model",
        ),
        pytest.param(
            "embeddings",
            {"input": "a", "model": "anthropic/claude-new"},
            *(400, "unsupported_operation", "model", "anthropic has no embeddings"),
            id="a provider without embeddings",
        ),
        pytest.param(
            "embeddings",
            {"input": "a", "model": None},
            *(400, "missing_required_parameter", "model", "`model` is missing"),
            id="no model",
        ),
        pytest.param(
            "embeddings",
            {"input": "a", "model": "auto"},
            *(400, "missing_required_parameter", "model", ""),
            id="auto",
        ),
        pytest.param(
            "embeddings",
            {"input": "a", "model": "none/such"},
            *(404, "model_not_found", "model", ""),
            id="no such model",
        ),
    ],
)
async def test_what_cannot_be_served_is_refused_by_name(
    gateway: RunningGateway, path: str, fields: dict[str, Any], status: int, code: str, param: str, words: str
) -> None:
    response = await gateway.post(f"/v1/{path}", {"model": "up/e", **fields})
    error = response.json["error"]
    assert (response.status, error["code"], error["param"]) == (status, code, param)
    assert words in error["message"]


async def test_the_rules_choose_the_model_of_an_operation(upstream: Upstream) -> None:
    rule = {"kind": "route", "id": "vectors", "when": {"operation": "embeddings"}, "model": "up/e"}
    gateway = gateway_for(upstream, rule)
    upstream.script("e", whole(VECTORS))
    response = await gateway.post("/v1/embeddings", {"input": "a"})
    assert (response.status, response.headers["x-sluice-rule"]) == (200, "vectors")
    await gateway.gateway.aclose()


async def test_access_is_checked(upstream: Upstream) -> None:
    gateway = gateway_for(upstream, {"kind": "access", "id": "a", "deny": ["up/e"]})
    response = await embed(gateway)
    assert (response.status, response.json["error"]["code"]) == (403, "model_not_allowed")
    await gateway.gateway.aclose()


async def test_an_error_of_the_provider_is_the_callers_if_the_caller_can_fix_it(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    upstream.script(
        "e", whole({"error": {"message": "too many dimensions", "param": "dimensions"}}, status=400)
    )
    response = await embed(gateway)
    error = response.json["error"]
    assert (response.status, error["message"], error["param"]) == (
        400,
        "up/e: too many dimensions",
        "dimensions",
    )
    upstream.script("e", whole({"error": {"message": "bad key up-secret"}}, status=401))
    response = await embed(gateway)
    assert response.status == 502
    assert "up-secret" not in response.body.decode()


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(body_reply(b"<html>", "text/html"), id="a page"),
        pytest.param(body_reply(b"", "application/octet-stream"), id="nothing"),
        pytest.param(body_reply(b"", status=302), id="a redirect"),
        pytest.param(body_reply(b"nonsense"), id="no JSON"),
        pytest.param(body_reply(b"[]"), id="a list"),
        pytest.param(
            whole({"error": {"message": "No.", "type": "server_error"}}), id="an error as an answer"
        ),
    ],
)
async def test_an_answer_that_is_none_is_a_failure(
    gateway: RunningGateway, upstream: Upstream, reply: Reply
) -> None:
    upstream.script("e", reply)
    response = await embed(gateway)
    assert response.status == 502, response.body


async def test_a_client_that_leaves_cancels_the_request(gateway: RunningGateway, upstream: Upstream) -> None:
    leave = asyncio.Event()
    upstream.script("e", Reply(headers={"content-type": "application/json"}, pieces=(b"{", asyncio.Event())))
    sending = asyncio.create_task(
        gateway.post("/v1/embeddings", {"model": "up/e", "input": "a"}, key=KEY, leave=leave)
    )
    await upstream.until("busy", 1)
    leave.set()
    await sending
    await upstream.until("gone", 1)
    assert gateway.lines[-1]["left"]
    assert gateway.lines[-1]["usage"]["estimated"]


async def test_a_decision_is_explained_without_a_request(gateway: RunningGateway, upstream: Upstream) -> None:
    body = {"model": "e", "input": "hello", "fallback_models": ["up/other"]}
    explained = (await gateway.post("/v1/explain?endpoint=/embeddings", body)).json
    assert [each["model"] for each in explained["candidates"]] == ["up/e", "two/e"]
    assert explained["facts"]["operation"] == "embeddings"
    assert [each["model"] for each in explained["rejections"]] == ["up/other"]
    assert upstream.requests == []
    response = await gateway.post("/v1/explain?endpoint=/chat", body)
    assert (response.status, response.json["error"]["param"]) == (400, "endpoint")
