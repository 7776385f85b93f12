"""Requests that are relayed in their client's own format: the provider's bytes, both ways."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from handler.wire import eventstream
from tests.support.canned_answers import Act, Reply, chunk, completion, finish, stream, whole
from tests.support.gateways import RunningGateway, model, provider, start_gateway
from tests.support.upstream import Upstream

Json = dict[str, Any]


class Wire(NamedTuple):
    """A format in which a request is relayed: its path, a request, an answer and its stream."""

    path: str
    upstream_path: str
    request: str  # with `"model": "own/m"` where the body has one
    answer: str
    events: tuple[str, ...]  # the first one has no content
    error: str
    error_event: str


# Numbers, escapes, order, white space, unknown members and repeated names stay as they are.
ODD = r'"odd": [1.0, 1e2, 0.10, "\u00e9\ud83d\ude00 \/", {"b": null, "a": {}}], "futureFeature": {"x": true}'
MESSAGES = Wire(
    path="/v1/messages",
    upstream_path="/v1/messages",
    request='{"model": "own/m", "max_tokens": 16, "messages": [{"role": "user", "content": [{"type": "text", '
    '"text": "h\\u0069", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}], "STREAM"' + ODD + "}",
    answer='{"id": "msg_1",  "type": "message", "role": "assistant", "model": "m-2026", "content": '
    '[{"type": "thinking", "thinking": "hm", "signature": "c2ln"}, {"type": "future_block", "x": [1.50]}, '
    '{"type": "text", "text": "h\\u00e9"}], "stop_reason": "end_turn", "stop_sequence": null, "usage": '
    '{"input_tokens": 7, "output_tokens": 3, "cache_read_input_tokens": 2}, ' + ODD + "}",
    events=(
        '{"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", '
        '"model": "m-2026", "content": [], "usage": {"input_tokens": 7, "output_tokens": 1}}}',
        '{"type": "ping"}',
        '{"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}, '
        + ODD
        + "}",
        '{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "h\\u00e9"}}',
        '{"type": "future_event", "x": 1.0}',
        '{"type": "content_block_delta", "index": 0, "delta": {"type": "future_delta", "x": "y"}}',
        '{"type": "content_block_stop", "index": 0}',
        '{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}',
        '{"type": "message_stop"}',
    ),
    error='{"type": "error", "error": {"type": "invalid_request_error", "message": "thinking: Extra inputs"},'
    ' "request_id":  "req_1"}',
    error_event='{"type": "error",  "error": {"type": "overloaded_error", "message": "Overloaded"}}',
)
RESPONSES = Wire(
    path="/v1/responses",
    upstream_path="/v1/responses",
    request='{"model": "own/m", "store": false, "input": [{"role": "user", "content": [{"type": "input_text",'
    ' "text": "h\\u0069"}]}], "STREAM"' + ODD + "}",
    answer='{"id": "resp_1", "object": "response", "created_at": 1763600000, "status": "completed", "model": '
    '"m-2026", "output": [{"type": "future_item", "x": 1.50}, {"type": "message", "id": "msg_1", "role": '
    '"assistant", "status": "completed", "content": [{"type": "output_text", "text": "h\\u00e9", '
    '"annotations": []}]}], "usage": {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}, '
    + ODD
    + "}",
    events=(
        '{"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "object": '
        '"response", "created_at": 1763600000, "status": "in_progress", "model": "m-2026", "output": []}}',
        '{"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": {"type": '
        '"message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}, '
        + ODD
        + "}",
        '{"type": "response.content_part.added", "sequence_number": 2, "item_id": "msg_1", "output_index": 0,'
        ' "content_index": 0, "part": {"type": "output_text", "text": "", "annotations": []}}',
        '{"type": "response.output_text.delta", "sequence_number": 3, "item_id": "msg_1", "output_index": 0,'
        ' "content_index": 0, "delta": "h\\u00e9"}',
        '{"type": "response.future", "sequence_number": 4, "x": 1.0}',
        '{"type": "response.completed", "sequence_number": 5, "response": {"id": "resp_1", "object": '
        '"response", "created_at": 1763600000, "status": "completed", "model": "m-2026", "output": [{"type": '
        '"message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{"type": '
        '"output_text", "text": "h\\u00e9", "annotations": []}]}], "usage": {"input_tokens": 7, '
        '"output_tokens": 3, "total_tokens": 10}}}',
    ),
    error='{"error": {"message": "Unknown parameter: x",  "type": "invalid_request_error", "param": "x",'
    ' "code": "unknown_parameter"}}',
    error_event='{"type": "error", "sequence_number": 5,  "code": "server_error", "message": "Broke",'
    ' "param": null}',
)
GEMINI = Wire(
    path="/v1beta/models/own/m:generateContent",
    upstream_path="/v1/models/m:generateContent",
    request='{"contents": [{"role": "user", "parts": [{"text": "h\\u0069"}]}], ' + ODD + "}",
    answer='{"candidates": [{"content": {"role": "model", "parts": [{"text": "h\\u00e9", "future": 1.50}]}, '
    '"finishReason": "STOP", "index": 0}], "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": '
    '3, "totalTokenCount": 10}, "modelVersion": "m-2026", "responseId": "r1", ' + ODD + "}",
    events=(
        '{"responseId": "r1", "modelVersion": "m-2026", "usageMetadata": {"promptTokenCount": 7}, '
        + ODD
        + "}",
        '{"candidates": [{"content": {"role": "model", "parts": [{"text": "h\\u00e9"}]}, "index": 0}], '
        '"responseId": "r1", "future": 1.50}',
        '{"candidates": [{"content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": "STOP", '
        '"index": 0}], "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3, '
        '"totalTokenCount": 10}}',
    ),
    error='{"error": {"code": 400,  "message": "Unknown name \\"x\\"", "status": "INVALID_ARGUMENT"}}',
    error_event='{"error": {"code": 503,  "message": "Overloaded", "status": "UNAVAILABLE"}}',
)
CONVERSE = Wire(
    path="/v1/model/own%2Fm/converse",
    upstream_path="/v1/model/m/converse",
    request='{"messages": [{"role": "user", "content": [{"text": "h\\u0069"}, {"cachePoint": {"type": '
    '"default"}}]}], ' + ODD + "}",
    answer='{"output": {"message": {"role":  "assistant", "content": [{"text": "h\\u00e9"}, {"future": 1.50}]'
    '}}, "stopReason": "end_turn", "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}, '
    '"metrics": {"latencyMs": 5}, ' + ODD + "}",
    events=(
        '{"messageStart": {"role": "assistant", "p": "abc",  ' + ODD + "}}",
        '{"contentBlockDelta": {"delta": {"text": "h\\u00e9"},  "contentBlockIndex": 0}}',
        '{"contentBlockDelta": {"delta": {"future": 1.0}, "contentBlockIndex": 0}}',
        '{"contentBlockStop": {"contentBlockIndex": 0}}',
        '{"futureEvent": {"x": 1.50}}',
        '{"messageStop": {"stopReason": "end_turn"}}',
        '{"metadata": {"usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}, "metrics": {}}}',
    ),
    error='{"message":  "thinking: Extra inputs"}',
    error_event='{"modelStreamErrorException": {"message":  "Overloaded"}}',
)
WIRES = {"anthropic": MESSAGES, "responses": RESPONSES, "google": GEMINI, "bedrock": CONVERSE}
EACH = [pytest.param(dialect, id=dialect) for dialect in WIRES]


@pytest.fixture
async def gateway(upstream: Upstream) -> AsyncIterator[RunningGateway]:
    """A gateway with a provider of each format, and one of chat."""
    records = [provider(upstream.url), model("up/small", price={"input": 1, "output": 1})]
    for dialect in WIRES:
        records.append(provider(upstream.url, f"own-{dialect}", dialect=dialect))
        records.append(model(f"own-{dialect}/m", price={"input": 1, "output": 2}))
    started = start_gateway(records)
    yield started
    await started.gateway.aclose()


def path_of(dialect: str, *, streamed: bool, named: str = "own/m") -> str:
    path = WIRES[dialect].path.replace("own/m", named.replace("own/", f"own-{dialect}/"))
    path = path.replace("own%2F", f"own-{dialect}%2F").replace("converse", f"converse{'-stream' * streamed}")
    return path.replace(":generateContent", ":streamGenerateContent?alt=sse") if streamed else path


def request_of(dialect: str, *, streamed: bool, named: str = "own/m") -> bytes:
    text = WIRES[dialect].request.replace('"STREAM"', '"stream": true, ' if streamed else "")
    return text.replace("own/m", named.replace("own/", f"own-{dialect}/")).encode()


def frames_of(dialect: str) -> bytes:
    return b"".join(frame(event, dialect) for event in WIRES[dialect].events)


def frame(event: str, dialect: str = "") -> bytes:
    if dialect == "bedrock":
        _, name, payload = event[:-1].split('"', 2)
        kind = "exception" if name.endswith("Exception") else "event"
        return eventstream.encode(name, payload.removeprefix(": ").encode(), kind=kind)
    type_ = json.loads(event).get("type")
    return (f"event: {type_}\n" if type_ else "").encode() + f"data: {event}\n\n".encode()


def streamed_reply(dialect: str, *more: bytes | Act, events: int | None = None) -> Reply:
    pieces = [frame(event, dialect) for event in WIRES[dialect].events[:events]]
    kind = "application/vnd.amazon.eventstream" if dialect == "bedrock" else "text/event-stream"
    return Reply(headers={"content-type": kind}, pieces=(*pieces, *more), chunked=True)


def script(upstream: Upstream, *replies: Reply) -> None:
    """Script the model of each format: Gemini's body does not name it."""
    upstream.script("m", *replies)
    upstream.script("None", *replies)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("dialect", EACH)
async def test_a_whole_answer_is_the_providers_bytes_and_so_is_the_request(
    dialect: str, upstream: Upstream, gateway: RunningGateway
) -> None:
    script(upstream, whole(WIRES[dialect].answer))
    response = await gateway.post(path_of(dialect, streamed=False), request_of(dialect, streamed=False))
    assert (response.status, digest(response.body)) == (200, digest(WIRES[dialect].answer.encode()))
    sent = upstream.requests[0]
    assert sent.path == WIRES[dialect].upstream_path
    assert digest(sent.body) == digest(request_of(dialect, streamed=False, named="m"))
    assert response.headers["x-sluice-model"] == f"own-{dialect}/m"
    assert response.headers["x-sluice-cost"]
    assert gateway.lines[-1]["usage"]["output"] == 3


@pytest.mark.parametrize("dialect", EACH)
async def test_a_stream_is_the_providers_events(
    dialect: str, upstream: Upstream, gateway: RunningGateway
) -> None:
    script(upstream, streamed_reply(dialect))
    response = await gateway.post(path_of(dialect, streamed=True), request_of(dialect, streamed=True))
    assert response.status == 200
    assert digest(response.body) == digest(frames_of(dialect))
    assert upstream.requests[0].path.startswith(WIRES[dialect].upstream_path.split(":")[0])
    assert upstream.requests[0].path.endswith("-stream") == (dialect == "bedrock")
    assert digest(upstream.requests[0].body) == digest(request_of(dialect, streamed=True, named="m"))
    assert gateway.lines[-1]["usage"] | {"input": 7, "output": 3} == gateway.lines[-1]["usage"]
    assert "failure" not in gateway.lines[-1]


@pytest.mark.parametrize("dialect", EACH)
async def test_an_error_that_the_client_can_correct_keeps_its_bytes(
    dialect: str, upstream: Upstream, gateway: RunningGateway
) -> None:
    script(upstream, whole(WIRES[dialect].error, status=400))
    response = await gateway.post(path_of(dialect, streamed=True), request_of(dialect, streamed=True))
    assert (response.status, response.body) == (400, WIRES[dialect].error.encode())
    assert response.headers["x-sluice-model"] == f"own-{dialect}/m"


@pytest.mark.parametrize("dialect", EACH)
async def test_a_credential_in_an_error_is_removed(
    dialect: str, upstream: Upstream, gateway: RunningGateway
) -> None:
    text = WIRES[dialect].error.replace("Unknown", "up-secret").replace("thinking", "up-secret")
    script(upstream, whole(text, status=400))
    response = await gateway.post(path_of(dialect, streamed=False), request_of(dialect, streamed=False))
    assert response.status == 400
    assert b"up-secret" not in response.body


@pytest.mark.parametrize("dialect", EACH)
async def test_a_refused_credential_is_the_gateways_own_error(
    dialect: str, upstream: Upstream, gateway: RunningGateway
) -> None:
    script(upstream, whole(WIRES[dialect].error, status=401))
    response = await gateway.post(path_of(dialect, streamed=False), request_of(dialect, streamed=False))
    assert response.status == (424 if dialect == "bedrock" else 502)  # as AWS has it
    assert response.body != WIRES[dialect].error.encode()
    assert isinstance(response.json["error"]["message"], str)


@pytest.mark.parametrize("dialect", EACH)
async def test_an_error_event_after_content_keeps_its_bytes(
    dialect: str, upstream: Upstream, gateway: RunningGateway
) -> None:
    count = next(at for at, event in enumerate(WIRES[dialect].events) if "h\\u00e9" in event) + 1
    script(upstream, streamed_reply(dialect, frame(WIRES[dialect].error_event, dialect), events=count))
    response = await gateway.post(path_of(dialect, streamed=True), request_of(dialect, streamed=True))
    before = b"".join(frame(event, dialect) for event in WIRES[dialect].events[:count])
    assert response.body == before + frame(WIRES[dialect].error_event, dialect)
    assert gateway.lines[-1]["error"]


async def test_an_exception_with_a_credential_in_it_is_replaced(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    secret = frame('{"validationException": {"message": "up-secret"}}', "bedrock")
    script(upstream, streamed_reply("bedrock", secret, events=2))
    response = await gateway.post(path_of("bedrock", streamed=True), request_of("bedrock", streamed=True))
    assert b"up-secret" not in response.body
    *_, last = eventstream.Decoder().feed(response.body)  # the checksums are right
    assert next(iter(json.loads(last.data))).endswith("Exception")


async def test_the_name_of_a_bedrock_error_is_passed_on(upstream: Upstream, gateway: RunningGateway) -> None:
    name = {"x-amzn-errortype": "ValidationException:http://internal.amazon.com/"}
    script(upstream, whole(CONVERSE.error, status=400, headers=name))
    response = await gateway.post(path_of("bedrock", streamed=False), request_of("bedrock", streamed=False))
    assert response.headers["x-amzn-errortype"] == "ValidationException"


async def test_a_latency_that_costs_more_needs_a_rule(upstream: Upstream, gateway: RunningGateway) -> None:
    body = {
        **json.loads(request_of("bedrock", streamed=False)),
        "performanceConfig": {"latency": "optimized"},
    }
    response = await gateway.post(path_of("bedrock", streamed=False), body)
    assert (response.status, response.error["param"]) == (400, "performanceConfig")
    assert not upstream.requests


@pytest.mark.parametrize("dialect", EACH)
async def test_a_stream_that_is_cut_off_ends_with_the_formats_error(
    dialect: str, upstream: Upstream, gateway: RunningGateway
) -> None:
    count = next(at for at, event in enumerate(WIRES[dialect].events) if "h\\u00e9" in event) + 1
    script(upstream, streamed_reply(dialect, Act.CUT, events=count))
    response = await gateway.post(path_of(dialect, streamed=True), request_of(dialect, streamed=True))
    before = b"".join(frame(event, dialect) for event in WIRES[dialect].events[:count])
    assert response.body.startswith(before)
    assert b"broke off" in response.body[len(before) :]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", EACH)
async def test_another_format_answers_when_the_own_one_fails(
    dialect: str, streamed: bool, upstream: Upstream, gateway: RunningGateway
) -> None:
    script(upstream, whole(status=500))
    answer = completion("hello") if not streamed else None
    upstream.script("small", whole(answer) if answer else stream(chunk("hel"), chunk("lo"), finish()))
    record = {"kind": "route", "id": "r", "fallbacks": ["up/small"], "retries": 0}
    gateway.tables.records.append(record)
    response = await gateway.post(path_of(dialect, streamed=streamed), request_of(dialect, streamed=streamed))
    assert response.status == 200
    assert response.headers["x-sluice-model"] == "up/small"
    assert b"hel" in response.body
    assert "messages" in upstream.requests[-1].json


COUNTS = {
    "anthropic": ("/v1/messages/count_tokens", "/v1/messages/count_tokens", '{"input_tokens":  42}'),
    "responses": (
        "/v1/responses/input_tokens",
        "/v1/responses/input_tokens",
        '{"object": "response.input_tokens",  "input_tokens": 42}',
    ),
    "google": (
        "/v1beta/models/own-google/m:countTokens",
        "/v1/models/m:countTokens",
        '{"totalTokens":  42}',
    ),
}


@pytest.mark.parametrize("dialect", COUNTS)
async def test_tokens_are_counted_by_a_provider_of_the_format_and_cost_nothing(
    dialect: str, upstream: Upstream, gateway: RunningGateway
) -> None:
    path, upstream_path, answer = COUNTS[dialect]
    limit = {"kind": "limit", "id": "l", "requests": 1, "per": "hour", "scope": {"project": "support"}}
    gateway.tables.records.append(limit)
    script(upstream, whole(answer))
    for _ in range(3):
        response = await gateway.post(path, request_of(dialect, streamed=False))
        assert (response.status, response.body) == (200, answer.encode())
    assert upstream.requests[0].path == upstream_path
    assert "x-sluice-tokens" not in response.headers
    assert gateway.lines[-1].get("cost") is None


@pytest.mark.parametrize("dialect", COUNTS)
async def test_tokens_are_estimated_when_the_provider_does_not_count_them(
    dialect: str, upstream: Upstream, gateway: RunningGateway
) -> None:
    script(upstream, whole(status=404))
    response = await gateway.post(COUNTS[dialect][0], request_of(dialect, streamed=False))
    assert response.status == 200
    assert response.headers["x-sluice-tokens"] == "estimated"
    assert response.json.get("input_tokens", response.json.get("totalTokens")) > 0


async def test_counts_that_fail_do_not_cool_a_model_for_other_requests(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    script(upstream, *[whole(status=404)] * 4)
    for _ in range(4):
        await gateway.post(COUNTS["anthropic"][0], request_of("anthropic", streamed=False))
    assert not gateway.gateway.cooldown.cooling()


async def test_a_compaction_is_passed_on_and_paid_for(upstream: Upstream, gateway: RunningGateway) -> None:
    answer = '{"id": "resp_1",  "object": "response.compaction", "output": [], "usage": {"input_tokens": 7, '
    answer += '"output_tokens": 3, "total_tokens": 10}}'
    script(upstream, whole(answer))
    response = await gateway.post("/v1/responses/compact", request_of("responses", streamed=False))
    assert (response.status, response.body) == (200, answer.encode())
    assert upstream.requests[0].path == "/v1/responses/compact"
    assert gateway.lines[-1]["usage"]["output"] == 3


async def test_a_compaction_by_a_provider_of_another_format_is_not_found(gateway: RunningGateway) -> None:
    response = await gateway.post("/v1/responses/compact", {"model": "up/small", "input": "hi"})
    assert (response.status, response.error["code"], response.error["param"]) == (404, "unknown_url", "model")


EFFECTS = [
    pytest.param({"set": {"temperature": 0.5}}, {"temperature": 0.5}, id="a parameter that a rule sets"),
    pytest.param({"cap": {"max_tokens": 8}}, {"max_tokens": 8}, id="a limit that a rule lowers"),
    pytest.param({"defaults": {"temperature": 0.1}}, {"temperature": 0.1}, id="a default that is absent"),
]


@pytest.mark.parametrize(("effects", "expected"), EFFECTS)
async def test_a_rule_changes_the_body_of_the_clients_format(
    effects: Json, expected: Json, upstream: Upstream, gateway: RunningGateway
) -> None:
    gateway.tables.records.append({"kind": "route", "id": "r", **effects})
    script(upstream, whole(MESSAGES.answer))
    response = await gateway.post("/v1/messages", request_of("anthropic", streamed=False))
    assert (response.status, response.body) == (200, MESSAGES.answer.encode())
    sent = upstream.requests[0].json
    assert {name: sent[name] for name in expected} == expected
    assert sent["futureFeature"] == {"x": True}


THINKING = {"type": "enabled", "budget_tokens": 9000}
NULLS = dict.fromkeys(("reasoning_effort", "service_tier", "stop", "user", "top_k", "parallel_tool_calls"))
HIDDEN = [
    pytest.param(
        {"cap": {"reasoning_effort": "low"}},
        {"thinking": THINKING, "output_config": {"effort": "low"}},
        {"thinking": {**THINKING, "budget_tokens": 1024}, "output_config": {"effort": "low"}},
        id="a cap holds for a budget beside an effort",
    ),
    pytest.param(
        {"cap": {"reasoning_effort": "none"}},
        {"thinking": THINKING},
        {"thinking": {"type": "disabled"}},
        id="no thinking",
    ),
    pytest.param(
        {"set": {"service_tier": None}},
        {"service_tier": "priority"},
        {},
        id="null removes a value that a chat cannot say",
    ),
    pytest.param(
        {"set": {"reasoning_effort": None}},
        {"thinking": {"type": "future"}, "output_config": {"effort": "high"}},
        {},
        id="null removes thinking that a chat cannot say",
    ),
    pytest.param({"set": NULLS}, {}, {}, id="null removes what is not there"),
]


@pytest.mark.parametrize(("effects", "fields", "expected"), HIDDEN)
async def test_a_rule_holds_for_values_that_the_chat_does_not_have(
    effects: Json, fields: Json, expected: Json, upstream: Upstream, gateway: RunningGateway
) -> None:
    gateway.tables.records.append({"kind": "route", "id": "r", **effects})
    script(upstream, whole(MESSAGES.answer))
    body = json.loads(request_of("anthropic", streamed=False))
    response = await gateway.post("/v1/messages", {**body, "max_tokens": 20_000, **fields})
    assert (response.status, response.body) == (200, MESSAGES.answer.encode())
    sent = upstream.requests[0].json
    assert sent == {**body, "model": sent["model"], "max_tokens": 20_000, **expected}


REFUSED = [
    pytest.param(
        "alias", "temperature", id="a client that names an alias cannot know what the model refuses"
    ),
    pytest.param("own-anthropic/claude-opus-5-5", "", id="one that names the model gets the provider's word"),
]


@pytest.mark.parametrize(("named", "dropped"), REFUSED)
async def test_a_parameter_that_the_model_refuses_is_left_out_unless_the_client_named_the_model(
    named: str, dropped: str, upstream: Upstream, gateway: RunningGateway
) -> None:
    gateway.tables.records.append(
        {"kind": "alias", "id": "alias", "models": ["own-anthropic/claude-opus-5-5"]}
    )
    upstream.script("claude-opus-5-5", whole(MESSAGES.answer))
    body = {**json.loads(request_of("anthropic", streamed=False)), "model": named, "temperature": 0.5}
    response = await gateway.post("/v1/messages", body)
    sent = upstream.requests[0].json
    assert response.status == 200
    assert response.headers.get("x-sluice-dropped", "") == dropped
    assert sent == {
        name: value for name, value in {**body, "model": "claude-opus-5-5"}.items() if name != dropped
    }


TRANSLATED = [
    pytest.param({}, None, id="a host of unknown quirks does not get marks of the prompt cache"),
    pytest.param(
        {"message_drop": ["name"]}, {"type": "ephemeral"}, id="one whose record says what it refuses does"
    ),
]


@pytest.mark.parametrize(("quirks", "expected"), TRANSLATED)
async def test_a_translated_request_has_only_what_every_host_takes(
    quirks: Json, expected: Json | None, upstream: Upstream, gateway: RunningGateway
) -> None:
    next(one for one in gateway.tables.records if one.get("kind") == "provider")["quirks"] = quirks
    text = {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}
    body = {"model": "up/small", "max_tokens": 16, "messages": [{"role": "user", "content": [text]}]}
    upstream.script("small", whole(completion("Hi.")))
    response = await gateway.post("/v1/messages", body)
    assert response.status == 200
    content = upstream.requests[0].json["messages"][0]["content"]
    assert (content[0].get("cache_control") if isinstance(content, list) else None) == expected


async def test_a_rule_that_sets_what_the_format_cannot_say_makes_it_a_translation(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    gateway.tables.records.append({"kind": "route", "id": "r", "set": {"response_format": schema}})
    script(upstream, whole(MESSAGES.answer.replace("h\\u00e9", "{}")))
    response = await gateway.post("/v1/messages", request_of("anthropic", streamed=False))
    assert response.status == 200
    assert "futureFeature" not in upstream.requests[0].json
    assert response.headers["x-sluice-schema"]


async def test_a_field_that_changes_the_price_is_refused_unless_a_rule_allows_it(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    record = next(one for one in gateway.tables.records if one.get("id") == "own-anthropic")
    record["quirks"] = {"refuse": ["speed=fast"]}
    script(upstream, whole(MESSAGES.answer))
    body = {**json.loads(request_of("anthropic", streamed=False)), "speed": "fast"}
    response = await gateway.post("/v1/messages", body)
    assert (response.status, response.error["param"]) == (400, "speed")
    gateway.tables.records.append({"kind": "route", "id": "r", "allow_fields": ["speed"]})
    assert (await start_again(gateway).post("/v1/messages", body)).status == 200


def start_again(gateway: RunningGateway) -> RunningGateway:
    """Return a gateway that reads the records as they are now."""
    return start_gateway(gateway.tables.records)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_an_answer_in_the_providers_format_is_not_cached(
    streamed: bool, upstream: Upstream, gateway: RunningGateway
) -> None:
    gateway.tables.records.append({"kind": "cache", "id": "c", "ttl": 60})
    script(upstream, streamed_reply("anthropic") if streamed else whole(MESSAGES.answer))
    for _ in range(2):
        response = await gateway.post("/v1/messages", request_of("anthropic", streamed=streamed))
        assert response.status == 200
    assert len(upstream.requests) == 2


async def test_a_tool_that_only_the_own_provider_runs_is_not_sent_to_another(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    tool = {"type": "web_search_20250305", "name": "web_search"}
    body = {**json.loads(request_of("anthropic", streamed=False)), "tools": [tool]}
    script(upstream, whole(MESSAGES.answer))
    assert (await gateway.post("/v1/messages", body)).body == MESSAGES.answer.encode()
    response = await gateway.post("/v1/messages", {**body, "model": "up/small"})
    assert (response.status, response.error["type"]) == (400, "invalid_request_error")
    assert response.error["param"].startswith("tools[0]")
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="without store, which means true at OpenAI"),
        pytest.param({"store": None}, id="with a null"),
        pytest.param({"store": True}, id="with true"),
    ],
)
async def test_a_provider_of_responses_stores_nothing(
    given: Json, upstream: Upstream, gateway: RunningGateway
) -> None:
    script(upstream, whole(RESPONSES.answer))
    body = {"model": "own-responses/m", "input": "hi", **given}
    assert (await gateway.post("/v1/responses", body)).status == 200
    assert upstream.requests[0].json == {"model": "m", "input": "hi", "store": False}


async def test_other_endpoints_of_responses_get_no_field_that_they_do_not_have(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    script(upstream, whole('{"input_tokens": 3}'))
    body = {"model": "own-responses/m", "input": "hi"}
    assert (await gateway.post("/v1/responses/input_tokens", body)).status == 200
    assert upstream.requests[0].json == {"model": "m", "input": "hi"}
