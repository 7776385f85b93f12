"""Secrets, refused models and wrong records, in whole requests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.canned_answers import chunk, completion, finish, stream, whole
from tests.support.gateways import RunningGateway, provider, start_gateway
from tests.support.upstream import Upstream

CANARY = "canary-SECRET-value-12345"
REFUSE = {"refuse": ["model=*:online", "model=@preset/*"]}


async def chat(upstream: Upstream, *records: Any, **fields: Any) -> tuple[int, Any, RunningGateway]:
    """The status and body of the response to a chat with `fields`, and its gateway."""
    gateway = start_gateway([provider(upstream.url, quirks=REFUSE), *records], UP_API_KEY=CANARY)
    try:
        answer = await gateway.chat(**{"model": "up/m", **fields})
        return answer.status, answer.body if fields.get("stream") else answer.json, gateway
    finally:
        await gateway.gateway.aclose()


@pytest.mark.parametrize("status", [400, 401, 404, 422, 429, 500])
async def test_no_part_of_a_providers_error_contains_the_credential(upstream: Upstream, status: int) -> None:
    error = {"message": f"Bearer {CANARY} no", "type": CANARY, "code": CANARY, "param": CANARY}
    upstream.script("m", *[whole(json.dumps({"error": error}), status=status)] * 2)
    _, body, gateway = await chat(upstream, {"kind": "route", "id": "once", "retries": 0})
    assert upstream.requests_for("m")[0].header("authorization") == f"Bearer {CANARY}"
    assert "SECRET" not in f"{body} {gateway.lines}"


async def test_the_log_has_the_providers_message_but_no_text_of_the_request(upstream: Upstream) -> None:
    upstream.script("m", whole('{"error":{"message":"The value is bad.","param":"n"}}', status=400))
    _, body, gateway = await chat(upstream)
    line = gateway.lines[-1]
    assert body["error"]["message"] == line["error"]["message"] == "up/m: The value is bad."
    assert (line["attempts"][0]["detail"], line["error"]["param"]) == ("The value is bad.", "n")
    _, body, other = await chat(upstream, messages=[{"role": "my prompt", "content": "my prompt"}])
    assert other.lines[-1]["error"]["code"] == "invalid_value"
    assert "my prompt" not in str(other.lines)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"model": "up/a:online"}, id="requested"),
        pytest.param({"model": "up/A:ONLINE"}, id="in capitals"),
        pytest.param({"model": "up/@preset/mine"}, id="a preset"),
        pytest.param({"fallback_models": ["up/a:online"]}, id="as a fallback"),
        pytest.param({"models": ["up/m", "up/a:online"]}, id="among several"),
    ],
)
async def test_a_model_that_the_provider_record_refuses(upstream: Upstream, fields: dict[str, Any]) -> None:
    status, body, _ = await chat(upstream, **fields)
    assert (status, body["error"]["code"], body["error"]["param"]) == (400, "unsupported_parameter", "model")
    assert not upstream.requests


async def test_a_rule_can_allow_a_refused_model(upstream: Upstream) -> None:
    upstream.script("a:online", whole(completion()))
    rule = {"kind": "route", "id": "searching", "allow_fields": ["model"]}
    status, *_ = await chat(upstream, rule, model="up/a:online")
    assert status == 200


@pytest.mark.parametrize("wrong", ["x", 5, [1]])
async def test_invalid_stream_options_of_a_rule_stop_no_stream(upstream: Upstream, wrong: Any) -> None:
    upstream.script("m", stream(chunk("Hello"), finish()))
    status, body, _ = await chat(
        upstream, {"kind": "route", "id": "r", "set": {"stream_options": wrong}}, stream=True
    )
    assert (status, b"Hello" in body) == (200, True)
