"""Whole requests of a client to a provider on loopback."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.canned_answers import Act, Reply, chunk, completion, finish, stream, usage, whole
from tests.support.gateways import KEY, RunningGateway, model, provider, start_gateway
from tests.support.upstream import Upstream

PATH = "/v1/chat/completions"
PRICE = {"input": 1, "output": 2}


Start = Callable[..., RunningGateway]


@pytest.fixture
async def start(upstream: Upstream) -> AsyncIterator[Start]:
    """Starts gateways whose provider is `upstream`, and closes them at the end."""
    started: list[RunningGateway] = []

    def run(*records: Any, **settings: Any) -> RunningGateway:
        priced = model("up/priced", price=PRICE, quality=3)
        started.append(start_gateway([provider(upstream.url), priced, *records], **settings))
        return started[-1]

    yield run
    for one in started:
        await one.gateway.aclose()


def digest(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


# Requests that no library writes: odd order, escapes, unknown fields, large integers, nulls, white space.
ODD = [
    pytest.param('{"messages":[{"content":"hi","role":"user"}],"model":"up/m"}', id="the model last"),
    pytest.param(
        '{ "zeta" : [1 , 2.50, 1e2, -0, 1E+05] ,\n "model":"up/m", "messages":[{"role":"user","content":"\\u00e9\\u2028\\ud83d\\ude00/\\/"}]}',
        id="white space, number text and escapes",
    ),
    pytest.param(
        '{"model":"up/m","user":null,"temperature":null,"messages":[{"role":"user","content":"é😀","name":null}],"x":{"b":null,"a":[]}}',
        id="nulls and unknown objects",
    ),
    pytest.param(
        '{"nonce":12345678901234567890123456789,"model":"up/m","messages":[{"role":"user","content":"n"}],"big":0.1000000000000000055511151231257827}',
        id="large integers and long fractions",
    ),
    pytest.param(
        '{"model":"up/m","messages":[{"role":"user","content":"\\ud800 alone"}],"logit_bias":{"50256":-100}}',
        id="half a surrogate pair",
    ),
]


@pytest.mark.parametrize("text", ODD)
async def test_a_request_is_relayed_unchanged_except_for_the_model(
    upstream: Upstream, start: Start, text: str
) -> None:
    upstream.script("m", whole(completion()))
    response = await start().post(PATH, text.encode())
    assert response.status == 200
    assert digest(upstream.requests_for("m")[0].body) == digest(text.replace('"up/m"', '"m"'))


@pytest.mark.parametrize("text", ODD)
async def test_a_streamed_request_is_relayed_with_include_usage(
    upstream: Upstream, start: Start, text: str
) -> None:
    upstream.script("m", stream(chunk("Hello"), finish(), usage()))
    streamed = text.rstrip()[:-1] + ', "stream" : true}'
    await start().post(PATH, streamed.encode())
    sent = upstream.requests_for("m")[0].body.decode()
    expected = streamed.replace('"up/m"', '"m"')[:-1] + ',"stream_options":{"include_usage":true}}'
    assert digest(sent) == digest(expected)


ODD_ANSWERS = [
    pytest.param(
        '{"choices":[{"message":{"content":"a","role":"assistant"},"index":0,"finish_reason":"stop"}],"model":"m","x":[1.0,2E3],'
        '"created":1,"object":"chat.completion","id":"1"}',
        id="the model late",
    ),
    pytest.param(
        '{\n  "id":"1", "created" : 1,"object":"chat.completion", "model" : "m-2026" , "choices":[{"index":0,"message":{"role":"assistant","content":"\\u00e9\\/ é","refusal":null},"finish_reason":"stop"}],\n "n":123456789012345678901234567890 }',
        id="white space, escapes, large integers",
    ),
]


@pytest.mark.parametrize("text", ODD_ANSWERS)
async def test_an_answer_is_relayed_unchanged_except_for_the_model(
    upstream: Upstream, start: Start, text: str
) -> None:
    upstream.script("m", whole(text))
    response = await start().chat(model="up/m")
    named = json.loads(text)["model"]
    assert digest(response.body) == digest(text.replace(f'"{named}"', '"up/m"'))


async def test_events_are_relayed_unchanged_except_for_the_model(upstream: Upstream, start: Start) -> None:
    events = [
        '{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"obfuscation":"xY"}',
        '{ "choices":[{"delta":{"content":"\\u00e9\\u2028 é"},"index":0}], "model":"m" ,"id":"c1","object":"chat.completion.chunk","created":1,"z":1.50}',
        '{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}',
    ]
    upstream.script("m", stream(*events, cut_every=7))
    gateway = start()
    response = await gateway.chat(model="up/m", stream=True)
    assert not gateway.lines[-1]["left"], "the end of the answer is not the client's leaving"
    expected = "".join(f"data: {event}\n\n" for event in events).replace('"model":"m"', '"model":"up/m"')
    assert digest(response.body) == digest(expected + "data: [DONE]\n\n")


async def test_the_usage_chunk_is_sent_if_requested(upstream: Upstream, start: Start) -> None:
    for requested, expected in [(False, 0), (True, 1)]:
        upstream.script("priced", stream(chunk("Hello"), finish(), usage()))
        options = {"include_usage": requested}
        response = await start().chat(model="up/priced", stream=True, stream_options=options)
        assert response.events[-1] == "[DONE]"
        assert sum("usage" in event and bool(event["usage"]) for event in response.events[:-1]) == expected
    response = await _costed(upstream, start)
    assert response.events[-2]["usage"]["cost"] > 0


async def _costed(upstream: Upstream, start: Start) -> Any:
    upstream.script("priced", stream(chunk("Hello"), finish(), usage()))
    return await start().chat(model="up/priced", stream=True, usage={"include": True})


async def test_the_headers_describe_the_decision(upstream: Upstream, start: Start) -> None:
    upstream.script("priced", whole(completion()))
    route = {"kind": "route", "id": "all", "model": "up/priced"}
    response = await start(route).chat(usage={"include": True})
    headers = {name: value for name, value in response.headers.items() if name.startswith("x-sluice")}
    assert headers["x-sluice-model"] == "up/priced"
    assert (headers["x-sluice-reason"], headers["x-sluice-rule"], headers["x-sluice-attempts"]) == (
        "rule",
        "all",
        "1",
    )
    assert float(headers["x-sluice-cost"]) == response.json["usage"]["cost"] > 0
    assert response.json["model"] == "up/priced"


async def test_an_answer_has_an_explanation_if_requested(upstream: Upstream, start: Start) -> None:
    headers = {"x-sluice-explain": "1"}
    upstream.script("m", whole(completion()))
    whole_answer = await start().chat(model="up/m", headers=headers)
    assert whole_answer.json["sluice"]["reason"] == "requested"
    upstream.script("m", stream(chunk("Hello"), finish()))
    streamed = await start().chat(model="up/m", headers=headers, stream=True)
    assert [event["sluice"]["reason"] for event in streamed.events[:-1] if "sluice" in event] == ["requested"]
    assert "sluice" in streamed.events[-2], "in the last chunk"


@pytest.mark.parametrize("streams", [False, True])
async def test_a_second_provider_answers_if_the_first_is_down(
    upstream: Upstream, start: Start, streams: bool
) -> None:
    good = stream(chunk("Hello"), finish()) if streams else whole(completion())
    upstream.script("down", whole(status=503))
    upstream.script("m", good)
    response = await start().chat(model="up/down", fallback_models=["up/m"], stream=streams)
    assert response.status == 200
    assert (response.headers["x-sluice-model"], response.headers["x-sluice-reason"]) == ("up/m", "fallback")
    assert response.headers["x-sluice-attempts"] == "3", "one retry, then the next"


@pytest.mark.parametrize("streams", [False, True])
async def test_a_fallback_that_gets_the_first_attempt_is_still_a_fallback(
    upstream: Upstream, start: Start, streams: bool
) -> None:
    upstream.script("m", stream(chunk("Hello"), finish()) if streams else whole(completion()))
    gateway = start()
    response = await gateway.chat(model="openai/gpt-4o", fallback_models=["up/m"], stream=streams)
    assert (response.headers["x-sluice-model"], response.headers["x-sluice-reason"]) == ("up/m", "fallback")
    assert response.headers["x-sluice-attempts"] == "1", "the requested model has no credential"
    assert gateway.lines[-1]["reason"] == "fallback"


async def test_a_failure_before_the_first_content_has_its_status(upstream: Upstream, start: Start) -> None:
    upstream.script("m", whole(status=429, headers={"retry-after": "60"}))
    response = await start().chat(model="up/m", stream=True)
    assert (response.status, response.error["code"], response.headers["retry-after"]) == (
        429,
        "rate_limit_exceeded",
        "60",
    )
    assert "x-should-retry" not in response.headers


@pytest.mark.parametrize(
    ("headers", "seconds", "milliseconds"),
    [
        pytest.param({"retry-after": "25.25"}, "26", "25250", id="a fraction is rounded up"),
        pytest.param(
            {"retry-after": "1234567"},
            "1234567",
            "1234567000",
            id="a large number is not written as a power of ten",
        ),
        pytest.param({"retry-after-ms": "21500"}, "22", "21500", id="milliseconds"),
    ],
)
async def test_retry_after_is_sent_in_whole_seconds(
    upstream: Upstream, start: Start, headers: dict[str, str], seconds: str, milliseconds: str
) -> None:
    upstream.script("m", whole(status=429, headers=headers))
    response = await start().chat(model="up/m")
    assert (response.headers["retry-after"], response.headers["retry-after-ms"]) == (seconds, milliseconds)


async def test_a_credential_goes_only_to_the_host_of_the_decision(upstream: Upstream, start: Start) -> None:
    """A person who may edit rules, but not credentials, changes a provider while a request waits to retry."""
    gateway = start(UP_API_KEY="up-canary", OPENAI_API_KEY="openai-canary", SLUICE_RULES_TTL="0")
    redirected = provider(upstream.url, credential="OPENAI_API_KEY")
    upstream.script("m", whole(status=503), whole(completion()))
    request = asyncio.create_task(gateway.chat(model="up/m"))
    await upstream.until("requests", 1)
    gateway.tables.records = [redirected]
    for _ in range(3):
        await gateway.get("/v1/models")
    assert (await request).status == 200
    assert [one.header("authorization") for one in upstream.requests_for("m")] == ["Bearer up-canary"] * 2
    assert (await gateway.chat(model="up/m")).error["code"] == "no_candidate"


async def test_a_stream_that_breaks_off_never_looks_complete(upstream: Upstream, start: Start) -> None:
    upstream.script("m", stream(chunk("Hel"), done=False))
    response = await start().chat(model="up/m", stream=True)
    assert response.status == 200
    assert "[DONE]" not in response.events
    assert response.events[-1]["error"]["metadata"]["attempts"][0]["model"] == "up/m"


async def test_keep_alives_are_sent_during_silence_and_failures_as_events(
    upstream: Upstream, start: Start
) -> None:
    gateway = start()
    upstream.script("m", stream(20.0, chunk("Hello"), finish()))
    response = await gateway.chat(model="up/m", stream=True)
    assert response.status == 200
    assert response.body.startswith(b": keep-alive\n\n")
    assert response.events[-1] == "[DONE]"
    assert "x-sluice-model" not in response.headers
    refusal = whole(status=400)
    upstream.script("m", replace(refusal, pieces=(20.0, *refusal.pieces)))
    response = await gateway.chat(model="up/m", stream=True)
    assert response.status == 200
    assert response.events[-1]["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("streams", [False, True])
async def test_the_upstream_request_is_closed_when_the_client_disconnects(
    upstream: Upstream, start: Start, streams: bool
) -> None:
    upstream.script(
        "m", stream(chunk("Hel"), Act.STALL) if streams else Reply(pieces=(Act.STALL,), chunked=True)
    )
    gateway, leave = start(), asyncio.Event()
    request = asyncio.create_task(gateway.chat(model="up/m", stream=streams, leave=leave))
    await upstream.until("requests", 1)
    await asyncio.sleep(1)
    leave.set()
    await request
    await upstream.until("gone", 1)
    line = gateway.lines[-1]
    assert line["left"] is True
    assert line["status"] in (200, 499), "499 where no head had left"
    assert line["usage"]["estimated"] is True, "what was used so far, for who pays"


async def test_no_secret_is_sent_or_logged(upstream: Upstream, start: Start) -> None:
    gateway = start(UP_API_KEY="up-canary-0123456789")
    upstream.script("m", whole('{"error":{"message":"bad key up-canary-0123456789"}}', status=401))
    response = await gateway.chat(model="up/m")
    assert response.status == 502
    assert upstream.requests_for("m")[0].header("authorization") == "Bearer up-canary-0123456789"
    for text in [response.body.decode(), str(response.headers), str(gateway.lines)]:
        assert "canary" not in text
        assert KEY not in text
        assert "127.0.0.1" not in text


def single_choice_records(upstream: Upstream) -> list[Any]:
    """The records of a provider that takes no `n`, and of its model."""
    quirks = {"unable": ["n"]}
    return [provider(upstream.url, "lone", quirks=quirks), model("lone/m", price=PRICE)]


@pytest.mark.parametrize("streams", [False, True])
async def test_several_choices_of_a_provider_that_takes_no_n(
    upstream: Upstream, start: Start, streams: bool
) -> None:
    upstream.script("m", stream(chunk("Hello"), finish(), usage()) if streams else whole(completion()))
    gateway = start(*single_choice_records(upstream))
    response = await gateway.chat(model="lone/m", n=3, stream=streams)
    assert (response.status, response.headers["x-sluice-attempts"]) == (200, "1")
    bodies = response.events[:-1] if streams else [response.json]
    assert {choice["index"] for body in bodies for choice in body["choices"]} == {0, 1, 2}
    assert gateway.lines[-1]["usage"] == {**gateway.lines[-1]["usage"], "input": 21, "output": 9}
    assert gateway.lines[-1]["cost"] == pytest.approx((21 * 1 + 9 * 2) / 1e6)
    assert len(upstream.requests_for("m")) == 3


@pytest.mark.parametrize("streams", [False, True])
async def test_every_subcall_is_closed_when_the_client_disconnects(
    upstream: Upstream, start: Start, streams: bool
) -> None:
    silent = stream(chunk("Hel"), Act.STALL) if streams else Reply(pieces=(Act.STALL,), chunked=True)
    upstream.script("m", silent)
    gateway, leave = start(*single_choice_records(upstream)), asyncio.Event()
    request = asyncio.create_task(gateway.chat(model="lone/m", stream=streams, n=3, leave=leave))
    await upstream.until("requests", 3)
    leave.set()
    await request
    await upstream.until("gone", 3)
    assert gateway.lines[-1]["left"] is True


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_request_leaves_no_reference_cycle(upstream: Upstream, start: Start, streamed: bool) -> None:
    """Its memory, a large answer for instance, is free at once and does not wait for the garbage collector."""
    gateway = start()
    upstream.script("m", stream(chunk("Hello"), finish()) if streamed else whole())
    await gateway.chat(model="up/m", stream=streamed)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        await gateway.chat(model="up/m", stream=streamed)
        gc.collect()
        ours = [type(each) for each in gc.garbage if type(each).__module__.startswith(("handler.", "rules."))]
    finally:
        gc.set_debug(0)
        gc.enable()
        gc.garbage.clear()
    assert ours == []
