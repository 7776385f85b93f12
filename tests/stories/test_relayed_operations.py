"""Completions, rerank, moderations, images and audio through a whole gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.asgi import Response
from tests.support.canned_answers import Act, Reply, whole
from tests.support.gateways import KEY, Json, RunningGateway, model, provider, start_gateway
from tests.support.upstream import Upstream

FREE = {"input": 0, "output": 0}
MODELS = (
    model("up/instruct", can=["completion"], price={"input": 1, "output": 2}),
    model("up/rank", can=["rerank"], price={**FREE, "searches": 2000}),
    model("up/guard", can=["moderation"], price=FREE),
    model("up/draw", can=["image"], price={"input": 5, "output": 0, "image_output": 30}),
    model("up/pictures", can=["image"], price={**FREE, "images": 20_000}),
    model("up/voice", can=["speech"], price={**FREE, "characters": 15}),
    model("up/tokens-voice", can=["speech"], price={"input": 1, "output": 1, "audio_output": 10}),
    model("up/listen", can=["transcription"], price={**FREE, "seconds": 100}),
    model("up/talk", can=["tools"], price=FREE),
)
FORM: dict[str, Any] = {"content_type": "multipart/form-data; boundary=b"}


@pytest.fixture
async def gateway(upstream: Upstream) -> AsyncIterator[RunningGateway]:
    made = start_gateway([provider(upstream.url), *MODELS])
    yield made
    await made.gateway.aclose()


def reply(*pieces: Any, media_type: str = "application/json", chunked: bool = False) -> Reply:
    return Reply(headers={"content-type": media_type}, pieces=pieces, chunked=chunked)


def form(**fields: bytes) -> bytes:
    parts = [
        b'--b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
        % (name.encode(), b'; filename="a.mp3"' if name == "file" else b"", content)
        for name, content in fields.items()
    ]
    return b"".join(parts) + b"--b--\r\n"


async def post(gateway: RunningGateway, path: str, body: Any) -> Response:
    return await gateway.post(f"/v1{path}", body)


# By path: the request, the bytes of the answer, the usage in the log line, and the cost.
RELAYED: dict[str, tuple[Json, bytes, Json, float]] = {
    "/completions": (
        {"model": "up/instruct", "prompt": "Say", "suffix": "!", "echo": True, "logprobs": 2, "best_of": 1},
        b'{"choices" : [{"text": "hi"}], "usage": {"prompt_tokens": 2, "completion_tokens": 3}}',
        {"input": 2, "output": 3},
        0.000008,
    ),
    "/rerank": (
        {"model": "up/rank", "query": "q", "documents": ["a", "b"], "top_n": 1},
        b'{"results":[{"index":1,"relevance_score":0.9}],"meta":{"billed_units":{"search_units":1}}}',
        {"input": 4, "searches": 1, "estimated": True},
        0.002,
    ),
    "/v2/rerank": (
        {"model": "up/rank", "query": "q", "documents": ["a", "b"]},
        b'{"results":[],"usage":{"total_tokens":9}}',
        {"input": 9, "searches": 1},
        0.002,
    ),
    "/moderations": (
        {"model": "up/guard", "input": ["bad"]},
        b'{"results":[{"flagged":true}]}',
        {"input": 1, "estimated": True},
        0.0,
    ),
    "/images/generations": (
        {"model": "up/draw", "prompt": "cat", "n": 2},
        b'{"data":[{"b64_json":"AA=="}],"usage":{"input_tokens":10,"output_tokens":100}}',
        {"input": 10, "output": 100, "image_output": 100, "images": 2},
        0.00305,
    ),
    "/images/edits": (
        {"model": "up/pictures", "prompt": "cat", "n": 2},
        b'{"data":[]}',
        {"input": 1, "images": 2, "estimated": True},
        0.04,
    ),
    "/audio/transcriptions": (
        {"model": "up/listen"},
        b'{"text":"hi","usage":{"type":"duration","seconds":2.5}}',
        {"seconds": 3, "estimated": True},
        0.0003,
    ),
}


@pytest.mark.parametrize("path", RELAYED)
async def test_a_request_is_relayed_byte_for_byte_and_counted(
    gateway: RunningGateway, upstream: Upstream, path: str
) -> None:
    body, answer, usage, cost = RELAYED[path]
    sent = json.dumps(body).encode().replace(b": ", b" :")
    name = body["model"].removeprefix("up/")
    upstream.script(name, reply(answer))
    response = await post(gateway, path, sent)
    assert (response.status, response.body) == (200, answer)
    (request,) = upstream.requests
    assert request.path == "/v1" + path.replace("/v2", "")
    assert request.body == sent.replace(body["model"].encode(), name.encode())
    line = gateway.lines[-1]
    assert (line["usage"], line["cost"]) == (usage, cost)
    assert response.headers["x-sluice-model"] == body["model"]


@pytest.mark.parametrize("count", ["-1", "1e999", "1" + "0" * 30, "0", '"5"', "null", "[1]"])
@pytest.mark.parametrize(
    ("path", "body", "usage"),
    [
        pytest.param(
            "/completions",
            {"model": "up/instruct", "prompt": "Say"},
            b'{"prompt_tokens": N, "completion_tokens": N}',
            id="tokens",
        ),
        pytest.param(
            "/rerank",
            {"model": "up/rank", "query": "a", "documents": ["a"]},
            b'{"search_units": N, "total_tokens": N}',
            id="searches",
        ),
        pytest.param(
            "/images/generations",
            {"model": "up/draw", "prompt": "A hat"},
            b'{"input_tokens": N, "output_tokens": N, "input_tokens_details": N}',
            id="tokens of an image",
        ),
    ],
)
async def test_impossible_usage_is_replaced_by_the_estimate(
    gateway: RunningGateway, upstream: Upstream, path: str, body: Json, usage: bytes, count: str
) -> None:
    answer = b'{"data": [], "usage": %b}' % usage.replace(b"N", count.encode())
    upstream.script(body["model"].removeprefix("up/"), reply(answer))
    response = await post(gateway, path, body)
    assert (response.status, response.body) == (200, answer)
    line = gateway.lines[-1]
    assert line["usage"]["estimated"]
    assert line["usage"]["input"] > 0
    assert line["cost"] > 0 or count == "0"


async def test_speech_is_streamed_as_it_comes(gateway: RunningGateway, upstream: Upstream) -> None:
    pieces = [b"ID3\x00\xff", b"\r\n\r\ndata: [DONE]\n\n", b"\x00"]
    upstream.script("voice", reply(*pieces, media_type="audio/mpeg", chunked=True))
    response = await post(gateway, "/audio/speech", {"model": "up/voice", "input": "Hello", "voice": "a"})
    assert (response.status, response.body) == (200, b"".join(pieces))
    assert response.headers["content-type"] == "audio/mpeg"
    line = gateway.lines[-1]
    assert (line["usage"]["characters"], line["cost"]) == (5, 0.000075)
    assert line["attempts"][0]["class"] == "ok"


async def test_speech_by_tokens_is_estimated_unless_its_events_tell(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    body = {"model": "up/tokens-voice", "input": "x" * 100, "voice": "a"}
    upstream.script("tokens-voice", reply(b"RIFF", media_type="audio/wav"))
    await post(gateway, "/audio/speech", body)
    assert gateway.lines[-1]["usage"]["audio_output"] == 140
    events = (
        b'data: {"type":"speech.audio.delta","audio":"AA=="}\n\n',
        b'data: {"type":"speech.audio.done","usage":{"input_tokens":20,"output_tokens":50}}\n\n',
    )
    upstream.script("tokens-voice", reply(*events, media_type="text/event-stream", chunked=True))
    response = await post(gateway, "/audio/speech", {**body, "stream_format": "sse"})
    assert response.body == b"".join(events)
    assert gateway.lines[-1]["usage"] == {"input": 20, "output": 50, "audio_output": 50, "characters": 100}


async def test_a_stream_of_events_is_relayed_byte_for_byte(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    events = [
        b': comment\r\n\r\ndata: {"choices":[{"text":"Hel"',
        b'}]}\r\n\r\nid: 7\ndata: {"choices":[{"text":"lo"}],"x":1.0}\n\n',
        b"data: [DONE]\n\n",
    ]
    upstream.script("instruct", reply(*events, media_type="text/event-stream", chunked=True))
    body = {"model": "up/instruct", "prompt": "Say it", "stream": True}
    response = await post(gateway, "/completions", body)
    assert (response.body, response.headers["content-type"]) == (b"".join(events), "text/event-stream")
    assert gateway.lines[-1]["usage"] == {"input": 2, "output": 2, "estimated": True}
    assert gateway.lines[-1]["stream"]


@pytest.mark.parametrize(
    "field",
    [pytest.param(b"up/listen", id="another name"), pytest.param(b"listen", id="a bare name")],
)
async def test_a_form_is_relayed_but_for_the_model(
    gateway: RunningGateway, upstream: Upstream, field: bytes
) -> None:
    audio = bytes(range(256)) * 64
    upstream.script("", reply(b'{"text":"hi"}'))
    sent = form(file=audio, model=field, response_format=b"json")
    response = await gateway.post("/v1/audio/transcriptions", sent, **FORM)
    assert (response.status, response.body) == (200, b'{"text":"hi"}')
    (request,) = upstream.requests
    assert request.body == form(file=audio, model=b"listen", response_format=b"json")
    assert request.header("content-type") == 'multipart/form-data; boundary="b"'
    assert gateway.lines[-1]["usage"]["seconds"] == -(-len(audio) // 4000)


async def test_a_transcription_may_be_a_text(gateway: RunningGateway, upstream: Upstream) -> None:
    upstream.script("", reply(b"1\n00:00 --> 00:01\nhi\n", media_type="text/plain"))
    sent = form(model=b"up/listen", response_format=b"srt", file=b"x")
    response = await gateway.post("/v1/audio/transcriptions", sent, **FORM)
    assert response.body.endswith(b"hi\n")
    assert response.headers["content-type"] == "text/plain"


@pytest.mark.parametrize(
    ("sent", "headers", "param"),
    [
        pytest.param(form(model=b"up/listen") + form(model=b"up/draw")[:-7], FORM, None, id="two forms"),
        pytest.param(form(file=b"x"), FORM, "model", id="no model"),
        pytest.param(form(model=b"\xff"), FORM, "model", id="a model that is not UTF-8"),
        pytest.param(form(model=b"x" * 100_001), FORM, "model", id="a long field"),
        pytest.param(
            form(model=b"up/listen"),
            {"content_type": "multipart/form-data"},
            "content-type",
            id="no boundary",
        ),
        pytest.param(b"--b\r\nnonsense", FORM, None, id="no form"),
        pytest.param(form(model=b"up/listen"), {}, None, id="a form that says it is JSON"),
    ],
)
async def test_a_form_that_is_wrong_is_refused(
    gateway: RunningGateway, sent: bytes, headers: dict[str, Any], param: str | None
) -> None:
    response = await gateway.post("/v1/audio/transcriptions", sent, **headers)
    assert (response.status, response.json["error"]["param"]) == (400, param)


async def test_two_models_in_a_form_are_refused(gateway: RunningGateway) -> None:
    sent = form(model=b"up/listen").removesuffix(b"--b--\r\n") + form(model=b"up/talk")
    response = await gateway.post("/v1/audio/transcriptions", sent, **FORM)
    assert (response.status, response.json["error"]["param"]) == (400, "model")


BROKEN = [
    pytest.param((b'data: {"choices":[{"text":"Hel"}]}\n\n', Act.CUT), "text/event-stream", id="events"),
    pytest.param((b"ID3", Act.CUT), "audio/mpeg", id="audio"),
]


@pytest.mark.parametrize(("pieces", "media_type"), BROKEN)
async def test_a_stream_that_breaks_off_does_not_look_complete(
    gateway: RunningGateway, upstream: Upstream, pieces: tuple[Any, ...], media_type: str
) -> None:
    upstream.script("instruct", reply(*pieces, media_type=media_type, chunked=True))
    body = {"model": "up/instruct", "prompt": "Say", "stream": True}
    response = await post(gateway, "/completions", body)
    if media_type == "audio/mpeg":
        assert (response.body, response.ended) == (b"ID3", False)
    else:
        assert response.events[-1]["error"]["code"] == "upstream_error"
    assert gateway.lines[-1]["error"]["metadata"]["class"] == "network"


async def test_an_error_event_before_any_content_is_a_failure(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    error = b'data: {"error":{"message":"busy","type":"server_error"}}\n\n'
    good = b'data: {"choices":[{"text":"hi"}]}\n\ndata: [DONE]\n\n'
    replies = [reply(each, media_type="text/event-stream", chunked=True) for each in (error, good)]
    upstream.script("instruct", *replies)
    response = await post(gateway, "/completions", {"model": "up/instruct", "prompt": "Say", "stream": True})
    assert (response.status, response.body) == (200, good)
    assert [each["class"] for each in gateway.lines[-1]["attempts"]] == ["server", "ok"]


async def test_a_client_that_leaves_a_stream_closes_it(gateway: RunningGateway, upstream: Upstream) -> None:
    leave = asyncio.Event()
    upstream.script("voice", reply(b"ID3", Act.STALL, media_type="audio/mpeg", chunked=True))
    body = {"model": "up/voice", "input": "Hello", "voice": "a"}
    sending = asyncio.create_task(gateway.post("/v1/audio/speech", body, key=KEY, leave=leave))
    await upstream.until("busy", 1)
    await asyncio.sleep(0.05)
    leave.set()
    await sending
    await upstream.until("gone", 1)
    assert gateway.lines[-1]["left"]
    assert gateway.lines[-1]["usage"]["characters"] == 5


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        pytest.param("/completions", {"prompt": "a"}, "it does chat, not completion", id="a completion"),
        pytest.param("/rerank", {"query": "a", "documents": ["a"]}, "not rerank", id="a rerank"),
        pytest.param("/images/generations", {"prompt": "a"}, "not image", id="an image"),
    ],
)
async def test_a_chat_model_is_refused(gateway: RunningGateway, path: str, body: Json, words: str) -> None:
    response = await post(gateway, path, {"model": "up/talk", **body})
    assert (response.status, response.json["error"]["code"]) == (400, "unsupported_operation")
    assert words in response.json["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        pytest.param("/rerank", {"query": "a"}, "documents", id="no documents"),
        pytest.param("/rerank", {"query": "a", "documents": []}, "documents", id="an empty list"),
        pytest.param("/rerank", {"query": "a", "documents": ["a", 1]}, "documents[1]", id="a number"),
        pytest.param("/rerank", {"query": "a", "documents": ["a"], "top_n": 0}, "top_n", id="none of them"),
        pytest.param("/completions", {"prompt": None}, "prompt", id="no prompt"),
        pytest.param("/completions", {"prompt": "a", "n": 99}, "n", id="too many choices"),
        pytest.param("/completions", {"prompt": "a", "stream": 1}, "stream", id="a number for a flag"),
        pytest.param("/images/generations", {"prompt": 1}, "prompt", id="a number for a text"),
        pytest.param("/audio/speech", {"voice": "a"}, "input", id="nothing to say"),
        pytest.param("/moderations", {"input": 1}, "input", id="a number to moderate"),
        pytest.param("/moderations", {"input": "a", "tags": {"a": []}}, "tags.a", id="a tag that is a list"),
    ],
)
async def test_a_wrong_field_is_named(gateway: RunningGateway, path: str, body: Json, param: str) -> None:
    response = await post(gateway, path, {"model": "up/m", **body})
    assert (response.status, response.json["error"]["param"]) == (400, param)


async def test_a_cap_applies_to_completions_and_no_parameter_of_a_chat_to_images(upstream: Upstream) -> None:
    route = {"kind": "route", "id": "r", "cap": {"max_tokens": 5}, "set": {"temperature": 0}}
    gateway = start_gateway([provider(upstream.url), *MODELS, route])
    upstream.script("instruct", reply(b"{}"))
    upstream.script("draw", reply(b"{}"))
    await post(gateway, "/completions", {"model": "up/instruct", "prompt": "a", "max_tokens": 50})
    await post(gateway, "/images/generations", {"model": "up/draw", "prompt": "a"})
    assert [request.json for request in upstream.requests] == [
        {"model": "instruct", "prompt": "a", "max_tokens": 5, "temperature": 0},
        {"model": "draw", "prompt": "a"},
    ]
    await gateway.gateway.aclose()


async def test_sluices_own_fields_are_not_sent_and_count(gateway: RunningGateway, upstream: Upstream) -> None:
    upstream.script("guard", whole(status=500))
    upstream.script("spare", whole({"results": []}))
    body = {"model": "up/guard", "input": "a", "fallback_models": ["up/spare"], "tags": {"team": "x"}}
    response = await post(gateway, "/moderations", body)
    assert (response.status, response.headers["x-sluice-model"]) == (200, "up/spare")
    assert upstream.requests[-1].json == {"model": "spare", "input": "a"}
    assert gateway.lines[-1]["tags"] == {"team": "x"}


async def test_a_moderation_without_a_model_goes_to_the_default(gateway: RunningGateway) -> None:
    response = await post(gateway, "/moderations", {"input": "a"})
    assert (response.status, response.json["error"]["code"]) == (503, "no_candidate")
    assert "openai/omni-moderation-latest" in response.json["error"]["message"]


async def test_the_models_say_what_they_are_for(gateway: RunningGateway) -> None:
    listed = {each["id"]: each for each in (await gateway.get("/v1/models")).json["data"]}
    assert listed["up/voice"]["operations"] == ["speech"]
    assert "operations" not in listed["up/talk"]
    google = (await gateway.get("/v1beta/models")).json["models"]
    assert "models/up/talk" in {each["name"] for each in google}
    assert "models/up/voice" not in {each["name"] for each in google}
    assert (await gateway.get("/v1beta/models/up/voice")).json["supportedGenerationMethods"] == []


async def test_a_form_without_a_model_gets_the_one_of_the_rule(upstream: Upstream) -> None:
    route = {"kind": "route", "id": "r", "when": {"operation": "transcription"}, "model": "up/listen"}
    gateway = start_gateway([provider(upstream.url), *MODELS, route])
    upstream.script("", reply(b'{"text":"hi"}'))
    response = await gateway.post("/v1/audio/transcriptions", form(file=b"x"), **FORM)
    assert (response.status, response.headers["x-sluice-rule"]) == (200, "r")
    (request,) = upstream.requests
    assert b'name="model"\r\n\r\nlisten\r\n' in request.body
    assert request.body.endswith(form(file=b"x"))
    await gateway.gateway.aclose()


async def test_a_model_whose_streams_break_off_cools_down(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    upstream.script("voice", reply(b"ID3", Act.CUT, media_type="audio/mpeg", chunked=True))
    for _ in range(8):
        await post(gateway, "/audio/speech", {"model": "up/voice", "input": "a", "voice": "b"})
    assert "up/voice" in gateway.gateway.cooldown.cooling()
