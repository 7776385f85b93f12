"""Whole requests to a provider of Anthropic's Messages, with a fallback of OpenAI's format."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.canned_answers import Reply, completion, whole
from tests.support.gateways import RunningGateway, model, provider, start_gateway
from tests.support.upstream import Upstream

WIRE = Path(__file__).parents[1] / "handler" / "providers" / "wire" / "anthropic"
TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}
TIME = {"type": "function", "function": {"name": "time"}}
ABLE = {"can": ["tools", "images", "json_schema", "reasoning"], "price": {"input": 3, "output": 15}}
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


@pytest.fixture
async def gateway(upstream: Upstream) -> AsyncIterator[RunningGateway]:
    records = [
        provider(upstream.url),
        provider(upstream.url, "ant", dialect="anthropic", headers={"anthropic-version": "2023-06-01"}),
        model("ant/claude-opus-5-5", **ABLE),
    ]
    started = start_gateway(records)
    yield started
    await started.gateway.aclose()


def captured(case: str) -> Reply:
    return whole(json.loads((WIRE / case / "whole.json").read_text(encoding="utf-8")))


def streamed(case: str) -> Reply:
    data = (WIRE / case / "stream.sse").read_bytes()
    return Reply(headers={"content-type": "text/event-stream"}, pieces=(data[:300], data[300:]), chunked=True)


def events(body: bytes) -> list[Any]:
    lines = body.decode().split("\n\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


async def test_an_answer(upstream: Upstream, gateway: RunningGateway) -> None:
    upstream.script("claude-opus-5-5", captured("text"))
    response = await gateway.chat(model="ant/claude-opus-5-5", seed=1, usage={"include": True})
    assert response.status == 200
    body = json.loads(response.body)
    assert body["choices"][0]["message"]["content"].startswith("Grüezi!")
    assert body["model"] == "ant/claude-opus-5-5"
    assert body["usage"]["cost"] == pytest.approx((12 * 3 + 14 * 15) / 1e6)
    assert response.headers["x-sluice-dropped"] == "seed"
    request = upstream.requests_for("claude-opus-5-5")[0]
    assert (request.path, request.header("anthropic-version")) == ("/v1/messages", "2023-06-01")
    assert request.json["messages"] == [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]


async def test_a_stream(upstream: Upstream, gateway: RunningGateway) -> None:
    upstream.script("claude-opus-5-5", streamed("tools"))
    response = await gateway.chat(
        model="ant/claude-opus-5-5", stream=True, stream_options={"include_usage": True}, tools=[TOOL, TIME]
    )
    chunks = events(response.body)
    calls = [
        call
        for chunk in chunks
        for piece in chunk["choices"]
        for call in piece["delta"].get("tool_calls", ())
    ]
    assert [call["id"] for call in calls if "id" in call] == ["toolu_01", "toolu_02"]
    assert {chunk["model"] for chunk in chunks} == {"ant/claude-opus-5-5"}
    assert chunks[-1]["usage"]["total_tokens"] == 481
    assert response.body.endswith(b"data: [DONE]\n\n")


async def test_an_error_before_the_first_content_has_its_status(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    upstream.script("claude-opus-5-5", streamed("stream-error-at-once"))
    upstream.script("m", whole(OVERLOADED, status=529))
    response = await gateway.chat(model="ant/claude-opus-5-5", stream=True)
    assert response.status in (502, 503)
    attempts = json.loads(response.body)["error"]["metadata"]["attempts"]
    assert {attempt["class"] for attempt in attempts} == {"overloaded"}


async def test_a_stream_that_breaks_off_ends_with_an_error(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    upstream.script("claude-opus-5-5", streamed("stream-error"))
    response = await gateway.chat(model="ant/claude-opus-5-5", stream=True)
    assert events(response.body)[-1]["error"]
    assert b"[DONE]" not in response.body


async def test_a_conversation_with_tools_continues_at_the_fallback(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    upstream.script("claude-opus-5-5", whole(OVERLOADED, status=529))
    upstream.script("m", whole(completion("It rains.")))
    call = {"id": "call:1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call:1", "content": "Rain"},
    ]
    response = await gateway.chat(
        model="ant/claude-opus-5-5", fallback_models=["up/m"], messages=messages, tools=[TOOL]
    )
    assert json.loads(response.body)["choices"][0]["message"]["content"] == "It rains."
    assert upstream.requests_for("m")[0].json["messages"] == messages
    assert (
        upstream.requests_for("claude-opus-5-5")[0].json["messages"][2]["content"][0]["type"] == "tool_result"
    )


async def test_an_unsupported_prefill_is_refused_without_a_request(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    response = await gateway.chat(
        model="ant/claude-opus-5-5",
        messages=[{"role": "user", "content": "A"}, {"role": "assistant", "content": "B"}],
    )
    error = json.loads(response.body)["error"]
    assert (response.status, error["code"], error["param"]) == (400, "unsupported_parameter", "messages")
    assert upstream.requests == []
