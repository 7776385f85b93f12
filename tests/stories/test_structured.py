"""Structured output: whatever a provider answers, the client gets a matching answer or an error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.canned_answers import Act, chunk, completion, finish, role, stream, usage, whole
from tests.support.gateways import RunningGateway, model, provider, start_gateway
from tests.support.upstream import Upstream

Json = dict[str, Any]
CITY: Json = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
LIST: Json = {"type": "array", "items": {"type": "integer"}}
GOOD, BAD, FENCED = '{"city": "Paris"}', '{"city": 3}', '```json\n{"city": "Paris"}\n```'
PRICE = {"input": 1, "output": 2}
MODELS = (
    model("up/native", can=["json_schema", "json_object", "tools"], price=PRICE),
    model("up/other", can=["json_schema", "json_object", "tools"], price=PRICE),
    model("up/tools", can=["tools"], price=PRICE),
    model("up/plain", can=[], price=PRICE),
)
MODES = {"native": "native", "tools": "tool", "plain": "prompt"}  # by model

Start = Callable[..., RunningGateway]


@pytest.fixture
async def start(upstream: Upstream) -> AsyncIterator[Start]:
    started: list[RunningGateway] = []

    def run(*records: Json, dialect: str = "openai") -> RunningGateway:
        row = provider(upstream.url, dialect=dialect)
        started.append(start_gateway([row, *MODELS, *records]))
        return started[-1]

    yield run
    for one in started:
        await one.gateway.aclose()


def calling(arguments: str) -> Json:
    call = {"id": "c1", "type": "function", "function": {"name": "answer", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return completion(choices=[{"index": 0, "message": message, "finish_reason": "tool_calls"}])


def answer_in_mode(name: str, text: str) -> Json:
    """An answer with this text in the model's mode."""
    return calling(text) if name == "tools" else completion(text)


def schema(value: Any = CITY) -> Json:
    return {"type": "json_schema", "json_schema": {"name": "place", "schema": value}}


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", MODES)
async def test_a_matching_answer(upstream: Upstream, start: Start, name: str, streams: bool) -> None:
    live = streams and name == "native"
    reply = stream(role(), chunk(GOOD), finish(), usage()) if live else whole(answer_in_mode(name, GOOD))
    upstream.script(name, reply)
    response = await start().chat(model=f"up/{name}", response_format=schema(), stream=streams)
    assert response.content == GOOD
    assert response.headers["x-sluice-schema"] == MODES[name]
    assert bool(upstream.requests[0].json.get("stream")) is live
    if streams:
        assert response.events[-1] == "[DONE]"


@pytest.mark.parametrize("name", MODES)
async def test_a_mismatch_is_corrected_by_another_request(
    upstream: Upstream, start: Start, name: str
) -> None:
    upstream.script(name, whole(answer_in_mode(name, BAD)), whole(answer_in_mode(name, GOOD)))
    gateway = start()
    response = await gateway.chat(model=f"up/{name}", response_format=schema())
    assert response.content == GOOD
    assert response.headers["x-sluice-attempts"] == "2"
    again = upstream.requests[1].json["messages"]
    assert again[-2] == {"role": "assistant", "content": BAD}
    assert "$.city: expected string" in again[-1]["content"]
    assert gateway.lines[-1]["usage"]["input"] == 14, "both rounds are counted"


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
async def test_after_a_second_mismatch_the_next_candidate_answers(
    upstream: Upstream, start: Start, streams: bool
) -> None:
    upstream.script("plain", whole(completion(BAD)))
    upstream.script("tools", whole(calling(GOOD)))
    fields: Json = {"model": "up/plain", "fallback_models": ["up/tools"], "output_schema": CITY}
    response = await start().chat(**fields, stream=streams)
    assert response.content == GOOD
    assert (response.headers["x-sluice-schema"], response.headers["x-sluice-attempts"]) == ("tool", "3")
    assert len(upstream.requests_for("plain")) == 2
    assert len(upstream.requests_for("tools")[0].json["messages"]) == 1, (
        "it gets no other candidate's answers"
    )


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", ["tools", "plain"])
async def test_without_another_candidate_the_error_names_the_mismatch(
    upstream: Upstream, start: Start, name: str, streams: bool
) -> None:
    upstream.script(name, whole(answer_in_mode(name, BAD)))
    gateway = start()
    response = await gateway.chat(model=f"up/{name}", response_format=schema(), stream=streams)
    assert (response.status, response.error["type"], response.error["code"]) == (
        502,
        "upstream_error",
        "upstream_error",
    )
    assert response.error["metadata"]["class"] == "schema"
    attempts = response.error["metadata"]["attempts"]
    assert [(one["class"], one["status"]) for one in attempts] == [("schema", 200)] * 2
    assert "$.city: expected string" in response.error["message"]
    assert "city" not in json.dumps(gateway.lines), "neither schema nor answer are logged"
    line = gateway.lines[-1]
    assert (line["usage"], line["cost"]) == ({"input": 14, "output": 6}, 2.6e-05), "both rounds are paid for"
    assert not gateway.gateway.cooldown.cooling(), "the provider is not down"


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
async def test_a_client_that_disconnects_during_the_correction_releases_everything(
    upstream: Upstream, start: Start, streams: bool, n: int
) -> None:
    silent = whole("{").but(Act.STALL)
    silent = replace(silent, headers={**silent.headers, "content-length": "99"})
    all_received, bad = asyncio.Event(), whole(calling(BAD))
    upstream.script("tools", *[replace(bad, pieces=(all_received, *bad.pieces))] * n, silent)
    alone = provider(upstream.url, "one", quirks={"unable": ["n"]})
    gateway, leave = start(alone, model("one/tools", can=["tools"])), asyncio.Event()
    chat = gateway.chat(model="one/tools", output_schema=CITY, n=n, stream=streams, leave=leave)
    request = asyncio.create_task(chat)
    await upstream.until("requests", n)
    all_received.set()
    await upstream.until("requests", 2 * n)
    leave.set()
    await request
    await upstream.until("gone", n)
    assert upstream.busy == 0
    assert gateway.lines[-1]["left"] is True
    assert gateway.lines[-1]["usage"]["output"] >= 3, "the first round is paid for too"


async def test_a_live_stream_that_does_not_match_ends_with_an_error(upstream: Upstream, start: Start) -> None:
    upstream.script("native", stream(role(), chunk(BAD), finish(), usage()))
    gateway = start()
    response = await gateway.chat(model="up/native", response_format=schema(), stream=True)
    assert response.content == BAD
    assert response.events[-1]["error"]["metadata"]["class"] == "schema"
    assert "$.city: expected string" in response.events[-1]["error"]["message"]
    assert "[DONE]" not in response.events
    reasons = [choice["finish_reason"] for one in response.events[:-1] for choice in one["choices"]]
    assert set(reasons) == {None}, "it has no finish reason"
    assert len(upstream.requests) == 1
    assert gateway.lines[-1]["usage"] == {"input": 7, "output": 3}


async def test_a_buffered_stream_is_sent_once_it_matches(upstream: Upstream, start: Start) -> None:
    upstream.script("native", stream(role(), chunk(BAD), finish(), usage()), whole(completion(BAD)))
    upstream.script("other", stream(role(), chunk(GOOD), finish(), usage()))
    route = {"kind": "route", "id": "held", "recovery": "buffer"}
    fields: Json = {"model": "up/native", "fallback_models": ["up/other"], "response_format": schema()}
    response = await start(route).chat(**fields, stream=True)
    assert response.content == GOOD
    assert response.events[-1] == "[DONE]"
    assert response.headers["x-sluice-model"] == "up/other"
    assert [bool(one.json.get("stream")) for one in upstream.requests] == [True, False, True]


async def test_a_native_answer_is_relayed_unchanged(upstream: Upstream, start: Start) -> None:
    text = json.dumps(completion(GOOD), indent=1).replace('"m"', '"native"')
    upstream.script("native", whole(text))
    response = await start().chat(model="up/native", response_format=schema())
    assert response.body.decode() == text.replace('"native"', '"up/native"')
    events = [
        '{ "choices":[{"delta":{"content":"{\\u0022city\\u0022: 1.0}","role":"assistant"},"index":0}],'
        '"id":"1","created" : 1,"object":"chat.completion.chunk", "model":"native"}'
    ]
    loose = schema({"type": "object"})
    upstream.script("native", stream(*events, finish()))
    response = await start().chat(model="up/native", response_format=loose, stream=True)
    assert events[0].replace('"native"', '"up/native"') in response.body.decode()
    assert response.events[-1] == "[DONE]"


async def test_a_whole_answer_is_replayed_as_a_stream(upstream: Upstream, start: Start) -> None:
    upstream.script("tools", whole(calling(GOOD)))
    gateway = start()
    response = await gateway.chat(
        model="up/tools",
        response_format=schema(),
        stream=True,
        usage={"include": True},
        headers={"x-sluice-explain": "1"},
    )
    *chunks, done = response.events
    assert done == "[DONE]"
    assert {(one["id"], one["object"], one["model"]) for one in chunks} == {
        ("chatcmpl-1", "chat.completion.chunk", "up/tools")
    }
    first, text, last, used = chunks
    assert first["choices"][0]["delta"]["role"] == "assistant"
    assert (text["choices"][0]["delta"], text["choices"][0]["finish_reason"]) == ({"content": GOOD}, None)
    assert (last["choices"][0]["delta"], last["choices"][0]["finish_reason"]) == ({}, "stop")
    assert used["choices"] == []
    assert used["usage"]["cost"] > 0
    assert used["sluice"]["schema"] == "tool"
    plain = await gateway.chat(model="up/tools", response_format=schema(), stream=True)
    assert not any(one.get("usage") for one in plain.events[:-1])


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
async def test_the_client_sees_the_usage_and_the_cost_of_both_rounds_once(
    upstream: Upstream, start: Start, streams: bool
) -> None:
    upstream.script("plain", whole(answer_in_mode("plain", BAD)), whole(answer_in_mode("plain", GOOD)))
    gateway = start()
    asked: Json = {"model": "up/plain", "response_format": schema(), "usage": {"include": True}}
    response = await gateway.chat(**asked, stream=streams)
    used = response.events[-2]["usage"] if streams else response.json["usage"]
    assert (used["prompt_tokens"], used["completion_tokens"], used["cost"]) == (14, 6, 2.6e-05)
    assert used["cost"] == gateway.lines[-1]["cost"]
    assert used["cost_details"] == gateway.lines[-1]["costs"] == {"input": 1.4e-05, "output": 1.2e-05}


async def test_a_root_that_is_not_an_object_is_wrapped_and_unwrapped(
    upstream: Upstream, start: Start
) -> None:
    upstream.script("tools", whole(calling('{"value": [1, 2]}')))
    response = await start().chat(model="up/tools", output_schema=LIST)
    assert response.content == "[1,2]"


async def test_a_code_fence_is_removed(upstream: Upstream, start: Start) -> None:
    upstream.script("plain", whole(completion(FENCED)))
    for form in (schema(), {"type": "json_object"}):
        response = await start().chat(model="up/plain", response_format=form)
        assert response.content == GOOD
        assert response.headers["x-sluice-schema"] == "prompt"


async def test_a_code_fence_of_claude_is_removed(upstream: Upstream, start: Start) -> None:
    body = {
        "id": "msg_1",
        "model": "m",
        "content": [{"type": "text", "text": FENCED}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 4},
    }
    upstream.script("claude", whole(body))
    response = await start(dialect="anthropic").chat(
        model="up/claude", response_format={"type": "json_object"}
    )
    assert response.content == GOOD
    assert "JSON object" in upstream.requests[0].json["system"][0]["text"]


async def test_an_answer_in_the_providers_json_mode_is_not_checked(upstream: Upstream, start: Start) -> None:
    upstream.script("native", whole(completion("no object")))
    response = await start().chat(model="up/native", response_format={"type": "json_object"})
    assert response.content == "no object"
    assert "x-sluice-schema" not in response.headers


async def test_a_dialect_without_n_gets_one_request_for_each_choice(upstream: Upstream, start: Start) -> None:
    body = {
        "id": "msg_1",
        "model": "m",
        "content": [{"type": "text", "text": GOOD}],
        "stop_reason": "end_turn",
    }
    upstream.script("claude", whole(body))
    quirked: list[Json] = [{}, {"unable": []}]
    for quirks in quirked:
        record = provider(upstream.url, "mine", dialect="anthropic", quirks=quirks)
        response = await start(record).chat(model="mine/claude", response_format=schema(), n=2)
        assert [one["message"]["content"] for one in response.json["choices"]] == [GOOD, GOOD]
        assert "x-sluice-dropped" not in response.headers


async def test_calls_of_a_replayed_answer_are_numbered_by_their_position(
    upstream: Upstream, start: Start
) -> None:
    """Some providers number every call of a whole answer 0."""
    calls = [{**CALL, "id": id, "index": 0} for id in ("a", "b")]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    upstream.script("mute", whole(completion(choices=[choice])))
    tools = [{"type": "function", "function": {"name": "look"}}]
    mute = model("up/mute", can=["tools"])
    response = await start(mute).chat(model="up/mute", response_format=schema(), tools=tools, stream=True)
    calls = [
        call for one in response.events[:-1] for call in one["choices"][0]["delta"].get("tool_calls", ())
    ]
    assert [(call["index"], call["id"]) for call in calls] == [(0, "a"), (1, "b")]


@pytest.mark.parametrize("second", [GOOD, BAD])
async def test_each_of_several_choices_must_match(upstream: Upstream, start: Start, second: str) -> None:
    texts = [GOOD, second]
    choices = [
        {"index": at, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for at, text in enumerate(texts)
    ]
    upstream.script("native", whole(completion(choices=choices)))
    response = await start().chat(model="up/native", response_format=schema(), n=2)
    assert response.status == (200 if second == GOOD else 502)
    both = [chunk(text, index=at) for at, text in enumerate(texts)]
    upstream.script("native", stream(*both, finish(), finish(index=1)))
    response = await start().chat(model="up/native", response_format=schema(), n=2, stream=True)
    assert (response.events[-1] == "[DONE]") is (second == GOOD)
    if second == BAD:
        assert response.events[-1]["error"]["metadata"]["class"] == "schema"


CALL = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
OTHER = [
    pytest.param({"content": '{"cit'}, "length", id="cut off"),
    pytest.param({"content": None, "refusal": "I will not."}, "stop", id="a refusal"),
    pytest.param({"content": ""}, "content_filter", id="filtered"),
    pytest.param({"content": None, "tool_calls": [CALL]}, "tool_calls", id="a call of the client's tool"),
]


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", ["native", "tools"])
@pytest.mark.parametrize(("message", "reason"), OTHER)
async def test_an_answer_without_output_is_passed_on(
    upstream: Upstream, start: Start, name: str, message: Json, reason: str, streams: bool
) -> None:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    if streams and name == "native":
        delta = {**message, "tool_calls": [{"index": 0, **CALL}]} if "tool_calls" in message else message
        upstream.script(name, stream(role(), chunk(**delta), finish(reason)))
    else:
        upstream.script(name, whole(completion(choices=[choice])))
    tools = [{"type": "function", "function": {"name": "look"}}]
    response = await start().chat(model=f"up/{name}", response_format=schema(), tools=tools, stream=streams)
    assert response.status == 200
    assert upstream.requests[0].json["tools"] == tools
    if not streams:
        assert response.json["choices"][0]["finish_reason"] == reason
        return
    assert response.events[-1] == "[DONE]"
    choices = [choice for event in response.events[:-1] for choice in event["choices"]]
    assert [one["finish_reason"] for one in choices if one["finish_reason"]] == [reason]
    calls = [call for one in choices for call in one["delta"].get("tool_calls", ())]
    assert calls == ([{"index": 0, **CALL}] if reason == "tool_calls" else [])


async def test_after_a_refused_tool_choice_the_prompt_asks_for_the_schema(
    upstream: Upstream, start: Start
) -> None:
    refusal = whole({"error": {"message": "tool_choice is not supported while thinking"}}, status=400)
    upstream.script("tools", refusal, whole(completion(GOOD)))
    response = await start().chat(model="up/tools", response_format=schema())
    assert response.content == GOOD
    assert response.headers["x-sluice-schema"] == "prompt"
    upstream.script("tools", refusal)
    response = await start().chat(model="up/tools", response_format=schema())
    assert (response.status, response.error["type"]) == (400, "invalid_request_error"), (
        "and then it is the caller's"
    )


STRICT = [{"type": "function", "function": {"name": "look", "strict": True, "parameters": CITY}}]
REFUSALS = [
    pytest.param({}, ["native", "tool"], id="native refused: the tool"),
    pytest.param(
        {}, ["native", "tool", "json", "prompt"], id="every mode but the prompt refused: the prompt"
    ),
    pytest.param({"tools": STRICT}, ["strict", "native"], id="strict tools refused: plain ones"),
    pytest.param(
        {"tools": STRICT},
        ["strict", "native", "json", "prompt"],
        id="strict tools and every other mode refused: the prompt",
    ),
]


def mode_of(body: Json) -> str:
    """The mode of a request."""
    functions = [tool["function"] for tool in body.get("tools", ())]
    kind = body.get("response_format", {}).get("type")
    if any("strict" in function for function in functions):
        return "strict"
    forced = [function["name"] for function in functions] == ["answer"]
    return "tool" if forced else {"json_schema": "native", "json_object": "json"}.get(kind, "prompt")


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("fields", "modes"), REFUSALS)
async def test_after_a_refused_mode_the_next_one_is_tried(
    upstream: Upstream, start: Start, fields: Json, modes: list[str], streams: bool, status: int
) -> None:
    refusal = whole({"error": {"message": "The compiled grammar is too large."}}, status=status)
    last = calling(GOOD) if modes[-1] == "tool" else completion(GOOD)
    live = streams and modes[-1] == "native"
    answer = stream(role(), chunk(GOOD), finish(), usage()) if live else whole(last)
    upstream.script("native", *[refusal] * (len(modes) - 1), answer)
    gateway = start()
    response = await gateway.chat(model="up/native", response_format=schema(), stream=streams, **fields)
    assert response.content == GOOD
    assert [mode_of(request.json) for request in upstream.requests] == modes
    assert not gateway.gateway.cooldown.cooling()


@pytest.mark.parametrize("fields", [{}, {"tools": STRICT}], ids=["alone", "with strict tools"])
async def test_a_refusal_of_every_mode_is_the_callers_error(
    upstream: Upstream, start: Start, fields: Json
) -> None:
    upstream.script("native", whole({"error": {"message": "no such parameter"}}, status=400))
    upstream.script("other", whole(completion(GOOD)))
    response = await start().chat(
        model="up/native", fallback_models=["up/other"], response_format=schema(), **fields
    )
    assert (response.status, response.error["type"]) == (400, "invalid_request_error")
    assert "no such parameter" in response.error["message"]
    assert [one["class"] for one in response.error["metadata"]["attempts"]] == [
        *["schema"] * 3,
        "invalid_request",
    ]


async def test_a_refusal_that_names_another_field_is_the_callers_error_at_once(
    upstream: Upstream, start: Start
) -> None:
    error = {"error": {"message": "Invalid 'messages[0].content'", "param": "messages[0].content"}}
    upstream.script("native", whole(error, status=400))
    response = await start().chat(model="up/native", response_format=schema(), tools=STRICT)
    assert (response.status, response.error["param"]) == (400, "messages[0].content")
    assert len(upstream.requests) == 1


async def test_refused_strict_tools_are_sent_without_strict(upstream: Upstream, start: Start) -> None:
    refusal = whole({"error": {"message": "Invalid schema for function"}}, status=400)
    upstream.script("native", refusal, whole(completion("Hi")))
    response = await start().chat(model="up/native", tools=STRICT)
    assert response.content == "Hi"
    assert [mode_of(request.json) for request in upstream.requests] == ["strict", "prompt"]


async def test_a_mismatch_is_corrected_after_a_refused_mode(upstream: Upstream, start: Start) -> None:
    refusal = whole({"error": {"message": "too many states"}}, status=400)
    upstream.script("native", refusal, whole(calling(BAD)), whole(calling(GOOD)))
    response = await start().chat(model="up/native", response_format=schema())
    assert response.content == GOOD
    assert [mode_of(request.json) for request in upstream.requests] == ["native", "tool", "tool"]


async def test_a_schema_of_draft_4_is_enforced(upstream: Upstream, start: Start) -> None:
    old = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "type": "object",
        "properties": {"n": {"$ref": "#/definitions/n"}},
        "definitions": {"n": {"type": "integer", "minimum": 0, "exclusiveMinimum": True}},
    }
    upstream.script("native", whole(completion('{"n": 0}')), whole(completion('{"n": 1}')))
    response = await start().chat(model="up/native", response_format=schema(old))
    assert response.content == '{"n": 1}'
    assert upstream.requests[0].json["response_format"] == schema(old), "as the client wrote it"
    assert "$.n: `exclusiveMinimum`" in upstream.requests[1].json["messages"][-1]["content"]


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
async def test_a_model_that_streams_no_tools_gets_a_whole_request(
    upstream: Upstream, start: Start, streams: bool
) -> None:
    reply = {
        "output": {
            "message": {"content": [{"toolUse": {"toolUseId": "t", "name": "look", "input": {"a": 1}}}]}
        },
        "stopReason": "tool_use",
        "usage": {"inputTokens": 1, "outputTokens": 1},
    }
    upstream.script("None", whole(reply))  # the model is in the path
    llama = model("up/llama", like="bedrock/meta.llama4-maverick-17b-instruct-v1:0")
    tools = [{"type": "function", "function": {"name": "look"}}]
    response = await start(llama, dialect="bedrock").chat(model="up/llama", tools=tools, stream=streams)
    assert response.status == 200, response.body
    assert upstream.requests[0].path.endswith("/converse")
    if streams:
        calls = [
            call for one in response.events[:-1] for call in one["choices"][0]["delta"].get("tool_calls", ())
        ]
        assert [(call["index"], call["id"], call["function"]["arguments"]) for call in calls] == [
            (0, "t", '{"a":1}')
        ]
        assert response.events[-1] == "[DONE]"


async def test_a_correction_survives_a_failure_of_the_provider(upstream: Upstream, start: Start) -> None:
    refusal = whole({"error": {"message": "tool_choice is not supported"}}, status=400)
    gateway = start({"kind": "route", "id": "again", "retries": 1})
    for first, good in ((whole(calling(BAD)), calling(GOOD)), (refusal, completion(GOOD))):
        upstream.requests.clear()
        upstream.script("tools", first, whole(status=503, headers={"retry-after": "0"}), whole(good))
        response = await gateway.chat(model="up/tools", response_format=schema())
        assert response.content == GOOD
        _, second, third = upstream.requests
        assert second.body == third.body


def deep(levels: int) -> Json:
    value: Json = {"type": "string"}
    for _ in range(levels):
        value = {"items": value}
    return value


HOSTILE = [
    pytest.param({"description": "x" * (64 * 1024)}, id="over 64 KB"),
    pytest.param(deep(33), id="33 levels deep"),
    pytest.param({"$ref": "https://sluice.test/schema"}, id="a reference to a URL"),
    pytest.param({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, id="a reference to a file"),
    pytest.param({"type": "strin"}, id="an unknown type"),
    pytest.param({"$ref": "#/$defs/none"}, id="a reference to nothing"),
    pytest.param({"pattern": "("}, id="an invalid pattern"),
    pytest.param(
        {"$id": "https://sluice.test/", "$ref": "#", "$schema": "file:///etc/passwd"}, id="a metaschema"
    ),
]


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("hostile", HOSTILE)
async def test_a_schema_that_cannot_be_enforced_is_refused(
    upstream: Upstream, start: Start, hostile: Json, streams: bool
) -> None:
    requests: list[tuple[Json, str]] = [
        ({"output_schema": hostile}, "output_schema"),
        ({"response_format": schema(hostile)}, "response_format.json_schema.schema"),
    ]
    for fields, param in requests:
        response = await start().chat(model="up/native", stream=streams, **fields)
        assert (response.status, response.error["code"], response.error["param"]) == (
            400,
            "invalid_value",
            param,
        )
    assert not upstream.requests


async def test_a_pattern_of_exponential_time_is_stopped(upstream: Upstream, start: Start) -> None:
    upstream.script("native", whole(completion(json.dumps("a" * 50_000 + "!"))))
    for pattern in (r"^(a+)+$", r"^(?=a)((a+)+)+\1$"):
        response = await start().chat(model="up/native", output_schema={"pattern": pattern})
        assert (response.status, response.error["metadata"]["class"]) == (502, "schema")


async def test_the_schema_of_a_rule_is_enforced(upstream: Upstream, start: Start) -> None:
    upstream.script("native", whole(completion(BAD)))
    route = {"kind": "route", "id": "shaped", "set": {"response_format": schema()}}
    response = await start(route).chat(model="up/native")
    assert (response.status, response.error["metadata"]["class"]) == (502, "schema")
