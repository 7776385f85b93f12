"""Stories of structured output: whatever a provider makes of it, a client gets what fits or an error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.asgi import Response, call
from tests.support.canned_answers import Act, chunk, completion, finish, role, stream, usage, whole
from tests.support.gateways import KEY, RunningGateway, model, provider, start_gateway
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
WAYS = {"native": "native", "tools": "tool", "plain": "prompt"}  # by model

Start = Callable[..., RunningGateway]


@pytest.fixture
async def start(upstream: Upstream) -> AsyncIterator[Start]:
    started: list[RunningGateway] = []

    def begin(*records: Json, dialect: str = "openai") -> RunningGateway:
        row = provider(upstream.url, dialect=dialect)
        started.append(start_gateway([row, *MODELS, *records]))
        return started[-1]

    yield begin
    for one in started:
        await one.gateway.aclose()


def calling(arguments: str) -> Json:
    call = {"id": "c1", "type": "function", "function": {"name": "answer", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return completion(choices=[{"index": 0, "message": message, "finish_reason": "tool_calls"}])


def said(name: str, text: str) -> Json:
    """An answer of this text on the model's way."""
    return calling(text) if name == "tools" else completion(text)


def content(response: Response) -> str:
    assert response.status == 200, response.body
    if response.headers["content-type"].startswith("application/json"):
        return str(response.json["choices"][0]["message"]["content"])
    chunks = [event for event in response.events if isinstance(event, dict)]
    deltas = [choice["delta"] for one in chunks for choice in one.get("choices", ())]
    return "".join(delta.get("content") or "" for delta in deltas)


def schema(value: Any = CITY) -> Json:
    return {"type": "json_schema", "json_schema": {"name": "place", "schema": value}}


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", WAYS)
async def test_an_answer_that_fits(upstream: Upstream, start: Start, name: str, streams: bool) -> None:
    live = streams and name == "native"
    reply = stream(role(), chunk(GOOD), finish(), usage()) if live else whole(said(name, GOOD))
    upstream.script(name, reply)
    response = await start().chat(model=f"up/{name}", response_format=schema(), stream=streams)
    assert content(response) == GOOD
    assert response.headers["x-sluice-schema"] == WAYS[name]
    assert bool(upstream.requests[0].json.get("stream")) is live
    if streams:
        assert response.events[-1] == "[DONE]"


@pytest.mark.parametrize("name", WAYS)
async def test_an_answer_that_does_not_fit_is_asked_for_again(
    upstream: Upstream, start: Start, name: str
) -> None:
    upstream.script(name, whole(said(name, BAD)), whole(said(name, GOOD)))
    gateway = start()
    response = await gateway.chat(model=f"up/{name}", response_format=schema())
    assert content(response) == GOOD
    assert response.headers["x-sluice-attempts"] == "2"
    again = upstream.requests[1].json["messages"]
    assert again[-2] == {"role": "assistant", "content": BAD}
    assert "$.city: expected string" in again[-1]["content"]
    assert gateway.lines[-1]["usage"]["input"] == 14, "both rounds are counted"


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
async def test_twice_amiss_the_next_candidate_is_asked(
    upstream: Upstream, start: Start, streams: bool
) -> None:
    upstream.script("plain", whole(completion(BAD)))
    upstream.script("tools", whole(calling(GOOD)))
    asked: Json = {"model": "up/plain", "fallback_models": ["up/tools"], "output_schema": CITY}
    response = await start().chat(**asked, stream=streams)
    assert content(response) == GOOD
    assert (response.headers["x-sluice-schema"], response.headers["x-sluice-attempts"]) == ("tool", "3")
    assert len(upstream.requests_for("plain")) == 2
    assert len(upstream.requests_for("tools")[0].json["messages"]) == 1, (
        "it knows nothing of the other's answers"
    )


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", ["tools", "plain"])
async def test_when_nobody_can_the_error_says_where(
    upstream: Upstream, start: Start, name: str, streams: bool
) -> None:
    upstream.script(name, whole(said(name, BAD)))
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
async def test_a_client_that_leaves_while_it_is_asked_again_leaves_nothing_behind(
    upstream: Upstream, start: Start, streams: bool, n: int
) -> None:
    silent = whole("{").but(Act.STALL)
    silent = replace(silent, headers={**silent.headers, "content-length": "99"})
    all_asked, bad = asyncio.Event(), whole(calling(BAD))
    upstream.script("tools", *[replace(bad, pieces=(all_asked, *bad.pieces))] * n, silent)
    alone = provider(upstream.url, "one", quirks={"unable": ["n"]})
    gateway, leave = start(alone, model("one/tools", can=["tools"])), asyncio.Event()
    hi = {"role": "user", "content": "hi"}
    body = {"model": "one/tools", "messages": [hi], "output_schema": CITY, "n": n, "stream": streams}
    asking = call(
        gateway.app,
        "POST",
        "/v1/chat/completions",
        headers={"authorization": f"Bearer {KEY}"},
        body=json.dumps(body).encode(),
        leave=leave,
    )
    task = asyncio.create_task(asking)
    await upstream.until("requests", n)
    all_asked.set()
    await upstream.until("requests", 2 * n)
    leave.set()
    await task
    await upstream.until("gone", n)
    assert upstream.busy == 0
    assert gateway.lines[-1]["left"] is True
    assert gateway.lines[-1]["usage"]["output"] >= 3, "the first round is paid for too"


async def test_a_stream_that_went_on_live_ends_in_an_error_when_it_does_not_fit(
    upstream: Upstream, start: Start
) -> None:
    upstream.script("native", stream(role(), chunk(BAD), finish(), usage()))
    gateway = start()
    response = await gateway.chat(model="up/native", response_format=schema(), stream=True)
    assert content(response) == BAD
    assert response.events[-1]["error"]["metadata"]["class"] == "schema"
    assert "$.city: expected string" in response.events[-1]["error"]["message"]
    assert "[DONE]" not in response.events
    told = [choice["finish_reason"] for one in response.events[:-1] for choice in one["choices"]]
    assert set(told) == {None}, "nor does it say that it has ended"
    assert len(upstream.requests) == 1
    assert gateway.lines[-1]["usage"] == {"input": 7, "output": 3}


async def test_a_buffered_stream_is_held_until_it_is_known_to_fit(upstream: Upstream, start: Start) -> None:
    upstream.script("native", stream(role(), chunk(BAD), finish(), usage()), whole(completion(BAD)))
    upstream.script("other", stream(role(), chunk(GOOD), finish(), usage()))
    route = {"kind": "route", "id": "held", "recovery": "buffer"}
    asked: Json = {"model": "up/native", "fallback_models": ["up/other"], "response_format": schema()}
    response = await start(route).chat(**asked, stream=True)
    assert content(response) == GOOD
    assert response.events[-1] == "[DONE]"
    assert response.headers["x-sluice-model"] == "up/other"
    assert [bool(one.json.get("stream")) for one in upstream.requests] == [True, False, True]


async def test_natively_the_bytes_are_the_providers(upstream: Upstream, start: Start) -> None:
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


async def test_a_stream_made_of_a_whole_answer_is_one(upstream: Upstream, start: Start) -> None:
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


async def test_another_root_is_wrapped_and_unwrapped(upstream: Upstream, start: Start) -> None:
    upstream.script("tools", whole(calling('{"value": [1, 2]}')))
    response = await start().chat(model="up/tools", output_schema=LIST)
    assert content(response) == "[1,2]"


async def test_a_fence_is_taken_off(upstream: Upstream, start: Start) -> None:
    upstream.script("plain", whole(completion(FENCED)))
    for form in (schema(), {"type": "json_object"}):
        response = await start().chat(model="up/plain", response_format=form)
        assert content(response) == GOOD
        assert response.headers["x-sluice-schema"] == "prompt"


async def test_claudes_objects_come_without_their_fence(upstream: Upstream, start: Start) -> None:
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
    assert content(response) == GOOD
    assert "JSON object" in upstream.requests[0].json["system"][0]["text"]


async def test_the_providers_own_json_mode_is_left_alone(upstream: Upstream, start: Start) -> None:
    upstream.script("native", whole(completion("no object")))
    response = await start().chat(model="up/native", response_format={"type": "json_object"})
    assert content(response) == "no object"
    assert "x-sluice-schema" not in response.headers


async def test_a_dialect_without_several_choices_is_asked_once_for_each(
    upstream: Upstream, start: Start
) -> None:
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


async def test_calls_of_a_whole_answer_are_numbered_by_their_place_in_its_stream(
    upstream: Upstream, start: Start
) -> None:
    """Some providers number the calls of a whole answer too, and all of them 0."""
    calls = [{**CALL, "id": id, "index": 0} for id in ("a", "b")]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    upstream.script("mute", whole(completion(choices=[choice])))
    tools = [{"type": "function", "function": {"name": "look"}}]
    mute = model("up/mute", can=["tools"])
    response = await start(mute).chat(model="up/mute", response_format=schema(), tools=tools, stream=True)
    told = [call for one in response.events[:-1] for call in one["choices"][0]["delta"].get("tool_calls", ())]
    assert [(call["index"], call["id"]) for call in told] == [(0, "a"), (1, "b")]


@pytest.mark.parametrize("second", [GOOD, BAD])
async def test_each_of_several_choices_has_to_fit(upstream: Upstream, start: Start, second: str) -> None:
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
async def test_what_is_no_answer_goes_through(
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


async def test_who_cannot_be_forced_after_all_is_asked_in_words(upstream: Upstream, start: Start) -> None:
    refusal = whole({"error": {"message": "tool_choice is not supported while thinking"}}, status=400)
    upstream.script("tools", refusal, whole(completion(GOOD)))
    response = await start().chat(model="up/tools", response_format=schema())
    assert content(response) == GOOD
    assert response.headers["x-sluice-schema"] == "prompt"
    upstream.script("tools", refusal)
    response = await start().chat(model="up/tools", response_format=schema())
    assert (response.status, response.error["type"]) == (400, "invalid_request_error"), (
        "and then it is the caller's"
    )


STRICT = [{"type": "function", "function": {"name": "look", "strict": True, "parameters": CITY}}]
REFUSALS = [
    pytest.param({}, ["native", "tool"], id="natively: by the tool"),
    pytest.param({}, ["native", "tool", "json", "prompt"], id="every mode but the prompt: by the prompt"),
    pytest.param({"tools": STRICT}, ["strict", "native"], id="strict tools: with plain ones"),
    pytest.param(
        {"tools": STRICT},
        ["strict", "native", "json", "prompt"],
        id="and strict tools too: by the prompt beside them",
    ),
]


def mode_of(body: Json) -> str:
    """The mode in which a provider was asked."""
    functions = [tool["function"] for tool in body.get("tools", ())]
    kind = body.get("response_format", {}).get("type")
    if any("strict" in function for function in functions):
        return "strict"
    forced = [function["name"] for function in functions] == ["answer"]
    return "tool" if forced else {"json_schema": "native", "json_object": "json"}.get(kind, "prompt")


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("fields", "modes"), REFUSALS)
async def test_where_a_mode_is_refused_the_next_one_is_asked(
    upstream: Upstream, start: Start, fields: Json, modes: list[str], streams: bool, status: int
) -> None:
    refusal = whole({"error": {"message": "The compiled grammar is too large."}}, status=status)
    last = calling(GOOD) if modes[-1] == "tool" else completion(GOOD)
    live = streams and modes[-1] == "native"
    answer = stream(role(), chunk(GOOD), finish(), usage()) if live else whole(last)
    upstream.script("native", *[refusal] * (len(modes) - 1), answer)
    gateway = start()
    response = await gateway.chat(model="up/native", response_format=schema(), stream=streams, **fields)
    assert content(response) == GOOD
    assert [mode_of(request.json) for request in upstream.requests] == modes
    assert not gateway.gateway.cooldown.cooling()


@pytest.mark.parametrize("fields", [{}, {"tools": STRICT}], ids=["alone", "beside strict tools"])
async def test_what_is_refused_in_every_mode_is_the_callers_to_mend(
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


async def test_a_refusal_that_names_another_field_is_the_callers_at_once(
    upstream: Upstream, start: Start
) -> None:
    error = {"error": {"message": "Invalid 'messages[0].content'", "param": "messages[0].content"}}
    upstream.script("native", whole(error, status=400))
    response = await start().chat(model="up/native", response_format=schema(), tools=STRICT)
    assert (response.status, response.error["param"]) == (400, "messages[0].content")
    assert len(upstream.requests) == 1


async def test_strict_tools_that_are_refused_go_without_it(upstream: Upstream, start: Start) -> None:
    refusal = whole({"error": {"message": "Invalid schema for function"}}, status=400)
    upstream.script("native", refusal, whole(completion("Hi")))
    response = await start().chat(model="up/native", tools=STRICT)
    assert content(response) == "Hi"
    assert [mode_of(request.json) for request in upstream.requests] == ["strict", "prompt"]


async def test_an_answer_is_still_mended_after_a_mode_was_refused(upstream: Upstream, start: Start) -> None:
    refusal = whole({"error": {"message": "too many states"}}, status=400)
    upstream.script("native", refusal, whole(calling(BAD)), whole(calling(GOOD)))
    response = await start().chat(model="up/native", response_format=schema())
    assert content(response) == GOOD
    assert [mode_of(request.json) for request in upstream.requests] == ["native", "tool", "tool"]


async def test_a_schema_of_draft_4_is_held_to(upstream: Upstream, start: Start) -> None:
    old = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "type": "object",
        "properties": {"n": {"$ref": "#/definitions/n"}},
        "definitions": {"n": {"type": "integer", "minimum": 0, "exclusiveMinimum": True}},
    }
    upstream.script("native", whole(completion('{"n": 0}')), whole(completion('{"n": 1}')))
    response = await start().chat(model="up/native", response_format=schema(old))
    assert content(response) == '{"n": 1}'
    assert upstream.requests[0].json["response_format"] == schema(old), "as the client wrote it"
    assert "$.n: `exclusiveMinimum`" in upstream.requests[1].json["messages"][-1]["content"]


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
async def test_a_model_that_streams_no_tools_is_asked_whole(
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
        told = [
            call for one in response.events[:-1] for call in one["choices"][0]["delta"].get("tool_calls", ())
        ]
        assert [(call["index"], call["id"], call["function"]["arguments"]) for call in told] == [
            (0, "t", '{"a":1}')
        ]
        assert response.events[-1] == "[DONE]"


async def test_what_is_put_right_is_still_known_when_the_provider_fails_in_between(
    upstream: Upstream, start: Start
) -> None:
    refusal = whole({"error": {"message": "tool_choice is not supported"}}, status=400)
    gateway = start({"kind": "route", "id": "again", "retries": 1})
    for first, good in ((whole(calling(BAD)), calling(GOOD)), (refusal, completion(GOOD))):
        upstream.requests.clear()
        upstream.script("tools", first, whole(status=503, headers={"retry-after": "0"}), whole(good))
        response = await gateway.chat(model="up/tools", response_format=schema())
        assert content(response) == GOOD
        _, second, third = upstream.requests
        assert second.body == third.body


def deep(levels: int) -> Json:
    value: Json = {"type": "string"}
    for _ in range(levels):
        value = {"items": value}
    return value


HOSTILE = [
    pytest.param({"description": "x" * (64 * 1024)}, id="64 KB and more"),
    pytest.param(deep(33), id="33 deep"),
    pytest.param({"$ref": "https://sluice.test/schema"}, id="a reference elsewhere"),
    pytest.param({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, id="a file"),
    pytest.param({"type": "strin"}, id="a type nobody knows"),
    pytest.param({"$ref": "#/$defs/none"}, id="a reference to nothing"),
    pytest.param({"pattern": "("}, id="a pattern that is none"),
    pytest.param(
        {"$id": "https://sluice.test/", "$ref": "#", "$schema": "file:///etc/passwd"}, id="a metaschema"
    ),
]


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("hostile", HOSTILE)
async def test_a_schema_nobody_can_be_held_to_is_refused(
    upstream: Upstream, start: Start, hostile: Json, streams: bool
) -> None:
    said: list[tuple[Json, str]] = [
        ({"output_schema": hostile}, "output_schema"),
        ({"response_format": schema(hostile)}, "response_format.json_schema.schema"),
    ]
    for fields, param in said:
        response = await start().chat(model="up/native", stream=streams, **fields)
        assert (response.status, response.error["code"], response.error["param"]) == (
            400,
            "invalid_value",
            param,
        )
    assert not upstream.requests


async def test_a_pattern_that_would_run_for_ever_does_not(upstream: Upstream, start: Start) -> None:
    upstream.script("native", whole(completion(json.dumps("a" * 50_000 + "!"))))
    for pattern in (r"^(a+)+$", r"^(?=a)((a+)+)+\1$"):
        response = await start().chat(model="up/native", output_schema={"pattern": pattern})
        assert (response.status, response.error["metadata"]["class"]) == (502, "schema")


async def test_a_rules_schema_is_held_to_as_well(upstream: Upstream, start: Start) -> None:
    upstream.script("native", whole(completion(BAD)))
    route = {"kind": "route", "id": "shaped", "set": {"response_format": schema()}}
    response = await start(route).chat(model="up/native")
    assert (response.status, response.error["metadata"]["class"]) == (502, "schema")
