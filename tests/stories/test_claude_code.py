"""What Claude Code asks of a gateway, check by check.

https://code.claude.com/docs/en/llm-gateway-protocol
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.asgi import Response, call
from tests.support.canned_answers import Reply, chunk, completion, finish, stream, usage, whole
from tests.support.gateways import KEY, MANAGE, RunningGateway, model, provider, start_gateway
from tests.support.upstream import Request, Upstream

Json = dict[str, Any]

BETAS = (
    "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,"
    "per-turn-control-2026-07-01,mid-conversation-tool-changes-2026-07-01"
)
HEADERS = {
    "anthropic-version": "2023-06-01",
    "anthropic-beta": BETAS,
    "anthropic-future": "yes",
    "anthropic-workspace-id": "wrkspc_1",
    "x-claude-code-session-id": "session-1",
    "x-claude-code-agent-id": "agent-1",
    "x-stainless-lang": "js",
    "user-agent": "claude-cli/2.1.332",
}
ATTRIBUTION = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.332"}
BODY: Json = {
    "model": "claude-opus-5-5",
    "max_tokens": 128000,
    "system": [
        ATTRIBUTION,
        {"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "The directory is /w.", "cache_control": {"type": "ephemeral"}},
    ],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "say hello"}]},
        {
            "role": "system",
            "content": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            "output_config": {"effort": "low"},
        },
    ],
    "tools": [
        {"name": "Read", "description": "Reads.", "input_schema": {"type": "object"}, "strict": True},
        {"name": "Edit", "description": "Edits.", "input_schema": {"type": "object"}, "defer_loading": True},
    ],
    "metadata": {"user_id": '{"device_id": "d", "account_uuid": "", "session_id": "session-1"}'},
    "thinking": {"type": "adaptive", "display": "omitted"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "output_config": {"effort": "medium"},
    "future_field": {"x": [1.50]},
    "stream": True,
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5-5",
    "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 7, "output_tokens": 3},
}
EVENTS: tuple[Json, ...] = (
    {"type": "message_start", "message": {**MESSAGE, "content": []}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
)
# The wording by which Claude Code recognises that a feature was refused, and goes on without it.
REJECTIONS = {
    "thinking": "thinking.type: Input tag 'adaptive' found using 'type' does not match any expected tag",
    "a signature": "messages.1.content.0: Invalid `signature` in `thinking` block",
    "a system message": "messages.1.role: Input should be 'user' or 'assistant'",
    "too many tokens": "input length and `max_tokens` exceed context limit: 180000 + 128000 > 200000",
}


def events(*each: Json) -> bytes:
    return b"".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in each)


def streamed(*pieces: Any) -> Reply:
    return Reply(headers={"content-type": "text/event-stream"}, pieces=pieces, chunked=True)


@pytest.fixture
async def gateway(upstream: Upstream) -> AsyncIterator[RunningGateway]:
    """Anthropic's own model, another one behind an alias whose name begins with `claude`, and a budget."""
    started = start_gateway(
        [
            provider(upstream.url),
            provider(upstream.url, "anthropic", dialect="anthropic"),
            model("anthropic/claude-opus-5-5", price={"input": 3, "output": 15}),
            model("up/gpt", price={"input": 3, "output": 15}),
            {"kind": "alias", "id": "claude-any", "models": ["up/gpt"]},
            {"kind": "budget", "id": "none", "usd": 0.000001, "per": "day", "scope": {"project": "ops"}},
        ]
    )
    upstream.script("claude-opus-5-5", streamed(events(*EVENTS)))
    upstream.script("gpt", stream(chunk("hel"), chunk("lo"), finish(), usage()))
    yield started
    await started.gateway.aclose()


async def ask(
    gateway: RunningGateway, *, key: str = KEY, headers: Json | None = None, **changes: Any
) -> Response:
    body = {name: value for name, value in {**BODY, **changes}.items() if value is not None}
    given = {"authorization": f"Bearer {key}"} if headers is None else headers
    return await call(
        gateway.app,
        "POST",
        "/v1/messages?beta=true",
        headers={**HEADERS, **given},
        body=json.dumps(body).encode(),
    )


async def sent(gateway: RunningGateway, upstream: Upstream, **changes: Any) -> Request:
    response = await ask(gateway, **changes)
    assert response.status == 200, response.body
    return upstream.requests[-1]


async def test_requests_with_beta_in_the_query_are_answered(gateway: RunningGateway) -> None:
    response = await ask(gateway)
    assert (response.status, response.body) == (200, events(*EVENTS))
    assert response.headers["content-type"].startswith("text/event-stream")


async def test_the_probe_of_the_connection_is_answered(gateway: RunningGateway) -> None:
    response = await call(gateway.app, "HEAD", "/", headers={})
    assert response.status == 200


async def test_events_are_passed_on_as_they_come(upstream: Upstream, gateway: RunningGateway) -> None:
    more = asyncio.Event()
    upstream.script("claude-opus-5-5", streamed(events(*EVENTS[:4]), more, events(*EVENTS[4:])))
    began = asyncio.Event()
    seen = bytearray()

    async def send(message: Any) -> None:
        seen.extend(message.get("body", b""))
        if b"hello" in seen:
            began.set()

    body = json.dumps(BODY).encode()
    received = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return received.pop() if received else await asyncio.Event().wait()

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/messages",
        "raw_path": b"/v1/messages",
        "query_string": b"beta=true",
        "headers": [(b"authorization", f"Bearer {KEY}".encode())],
    }
    async with asyncio.timeout(5):
        serving = asyncio.create_task(gateway.app(scope, receive, send))
        await began.wait()  # while the provider has not sent the rest
        more.set()
        await serving
    assert bytes(seen) == events(*EVENTS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("anthropic-version", "2023-06-01", id="the version"),
        pytest.param("anthropic-beta", BETAS, id="the betas, to the letter"),
        pytest.param("anthropic-future", "yes", id="a header of Anthropic's that nobody knows yet"),
        pytest.param("anthropic-workspace-id", "wrkspc_1", id="the workspace of Claude on AWS"),
    ],
)
async def test_headers_of_anthropics_are_an_open_list(
    name: str, value: str, upstream: Upstream, gateway: RunningGateway
) -> None:
    assert (await sent(gateway, upstream)).header(name) == value


async def test_the_version_of_the_client_replaces_that_of_a_record(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    record = next(one for one in gateway.tables.records if one.get("id") == "anthropic")
    record["headers"] = {"anthropic-version": "2020-01-01", "anthropic-beta": "own-beta"}
    request = await sent(gateway, upstream)
    assert request.header("anthropic-version") == "2023-06-01"
    assert request.header("anthropic-beta") == f"{BETAS},own-beta"


async def test_the_body_arrives_unchanged(upstream: Upstream, gateway: RunningGateway) -> None:
    """Fields of features in pairs with their betas, the system blocks in their order, unknown fields."""
    assert (await sent(gateway, upstream)).body == json.dumps(BODY).encode()


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"authorization": f"Bearer {KEY}"}, id="a bearer token"),
        pytest.param({"x-api-key": KEY}, id="x-api-key"),
        pytest.param({"authorization": f"Bearer {KEY}", "x-api-key": KEY}, id="both, as from a helper"),
    ],
)
async def test_a_key_is_accepted_in_either_header_and_never_forwarded(
    headers: Json, upstream: Upstream, gateway: RunningGateway
) -> None:
    request = await sent(gateway, upstream, headers=headers)
    assert KEY not in str(request.headers)
    assert request.header("x-api-key") == "up-secret"


async def test_session_and_agent_are_facts_and_in_the_log(gateway: RunningGateway) -> None:
    await ask(gateway)
    line = gateway.lines[-1]
    assert (line["session"], line["agent"]) == ("session-1", "agent-1")


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in REJECTIONS.items()])
async def test_a_rejection_keeps_its_body(text: str, upstream: Upstream, gateway: RunningGateway) -> None:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": text}, "request_id": "r"}
    upstream.script("claude-opus-5-5", whole(error, status=400))
    response = await ask(gateway)
    assert (response.status, response.json) == (400, error)


@pytest.mark.parametrize(("status", "type_"), [(429, "rate_limit_error"), (529, "overloaded_error")])
async def test_an_exhausted_provider_is_reported_in_its_words(
    status: int, type_: str, upstream: Upstream, gateway: RunningGateway
) -> None:
    error = {"type": "error", "error": {"type": type_, "message": "Later"}}
    upstream.script("claude-opus-5-5", whole(error, status=status, headers={"retry-after": "30"}))
    response = await ask(gateway)
    assert (response.status, response.json) == (status, error)
    if status == 429:
        assert response.headers["retry-after"] == "30"  # whole seconds


async def test_the_list_of_models_has_anthropics_shape_and_names_of_claude(gateway: RunningGateway) -> None:
    response = await call(
        gateway.app,
        "GET",
        "/v1/models?limit=1000",
        headers={"x-api-key": KEY, "anthropic-version": "2023-06-01"},
    )
    assert response.status == 200
    models = {item["id"]: item for item in response.json["data"]}
    assert {"claude-any", "anthropic/claude-opus-5-5", "claude-opus-5-5"} <= models.keys()
    assert models["claude-any"]["type"] == "model"
    assert models["claude-any"]["display_name"]
    assert response.json["has_more"] is False


async def test_an_alias_that_begins_with_claude_selects_any_model(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    request = await sent(gateway, upstream, model="claude-any")
    assert request.json["model"] == "gpt"


async def test_another_format_gets_neither_the_betas_nor_the_fields_that_belong_to_them(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    response = await ask(gateway, model="claude-any")
    request = upstream.requests[-1]
    assert request.header("anthropic-beta") is None
    assert not {"context_management", "thinking", "output_config", "future_field"} & request.json.keys()
    assert "context_management" in response.headers["x-sluice-dropped"]
    roles = [message["role"] for message in request.json["messages"]]
    assert roles[-1] in ("system", "developer")
    types = [event["type"] for event in response_events(response)]
    assert types[0] == "message_start"
    assert types[-1] == "message_stop"


async def test_an_answer_of_another_format_is_a_message(upstream: Upstream, gateway: RunningGateway) -> None:
    upstream.script("gpt", whole(completion("hello")))
    response = await ask(gateway, model="claude-any", stream=None)
    assert response.json["content"] == [{"type": "text", "text": "hello"}]
    assert response.json["stop_reason"] == "end_turn"
    assert response.json["usage"]["input_tokens"] == 7


async def test_a_used_up_budget_is_a_billing_error_that_is_not_retried(gateway: RunningGateway) -> None:
    response = await ask(gateway, key=MANAGE)
    assert (response.status, response.json["type"]) == (429, "error")
    assert response.json["error"]["type"] == "billing_error"
    assert response.headers["x-should-retry"] == "false"


async def test_an_unknown_key_is_anthropics_error(gateway: RunningGateway) -> None:
    response = await ask(gateway, key="sk-sluice-" + "z" * 43)
    assert (response.status, response.json["error"]["type"]) == (401, "authentication_error")
    assert response.headers["request-id"] == response.headers["x-request-id"]


async def test_tokens_are_counted_without_a_charge(upstream: Upstream, gateway: RunningGateway) -> None:
    upstream.script("gpt", whole(status=500))
    body = {name: value for name, value in BODY.items() if name not in ("stream", "max_tokens")}
    response = await gateway.post("/v1/messages/count_tokens?beta=true", {**body, "model": "claude-any"})
    assert response.status == 200
    assert response.json["input_tokens"] > 0
    assert response.headers["x-sluice-tokens"] == "estimated"
    assert upstream.requests == []


def response_events(response: Response) -> list[Json]:
    lines = response.body.decode().split("\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
