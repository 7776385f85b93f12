"""Clients of Bedrock's Converse with any model: botocore, failures, signatures and the content log."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import uvicorn
from botocore.config import Config
from botocore.exceptions import EventStreamError

from tests.fault_injection.provider import self_signed
from tests.handler.formats.converse.bodies import SPEC, events_of, fold, user
from tests.support.canned_answers import Act, Json, chunk, completion, finish, sse, stream, usage, whole
from tests.support.gateways import KEY, RunningGateway, model, provider, start_gateway
from tests.support.upstream import Upstream

HI: Json = {"messages": [user({"text": "hi"})]}
CALL: Json = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at":"a"}'}}


@pytest.fixture
async def gateway(upstream: Upstream) -> AsyncIterator[RunningGateway]:
    started = start_gateway([provider(upstream.url), model("up/m:0", price={"input": 1, "output": 1})])
    yield started
    await started.gateway.aclose()


def path(name: str = "up/m:0", *, streamed: bool = False) -> str:
    return f"/model/{name}/converse{'-stream' if streamed else ''}"


async def test_the_model_is_in_the_path_in_any_encoding(upstream: Upstream, gateway: RunningGateway) -> None:
    upstream.script("m:0", whole(completion("Hello")))
    for each in ("/model/up%2Fm%3A0/converse", "/v1/model/up/m:0/converse"):
        response = await gateway.post(each, HI)
        assert response.status == 200
        assert response.json["output"]["message"]["content"] == [{"text": "Hello"}]
        assert response.headers["x-sluice-model"] == "up/m:0"
        assert response.headers["x-amzn-requestid"] == response.headers["x-request-id"]
    assert upstream.requests[0].json["messages"] == [{"role": "user", "content": "hi"}]


async def test_a_stream(upstream: Upstream, gateway: RunningGateway) -> None:
    upstream.script("m:0", stream(chunk("Hel"), chunk("lo"), finish(), usage()))
    response = await gateway.post(path(streamed=True), HI)
    assert response.headers["content-type"] == "application/vnd.amazon.eventstream"
    answer = fold(events_of(response.body))
    assert answer["output"]["message"]["content"] == [{"text": "Hello"}]
    assert (answer["usage"]["totalTokens"], answer["stopReason"]) == (10, "end_turn")


async def test_a_stream_that_is_cut_off_ends_with_an_exception(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    upstream.script("m:0", stream(chunk("Hel"), Act.CUT, done=False))
    events = events_of((await gateway.post(path(streamed=True), HI)).body)
    assert [name for name, _ in events] == ["messageStart", "contentBlockDelta", "modelStreamErrorException"]
    assert "broke off" in events[-1][1]["message"]


ERRORS: dict[str, tuple[str, Any, int, str]] = {
    "JSON that is none": (path(), b"{", 400, "ValidationException"),
    "a wrong field": (path(), {"messages": []}, 400, "ValidationException"),
    "an unknown model": (path("nobody/m"), HI, 404, "ResourceNotFoundException"),
    "an unknown operation": ("/model/up/m/invoke", {}, 404, "ResourceNotFoundException"),
    "a failing provider": (path("up/broken", streamed=True), HI, 424, "ModelErrorException"),
    "a busy provider": (path("up/busy"), HI, 429, "ThrottlingException"),
}


@pytest.mark.parametrize(("where", "body", "status", "name"), ERRORS.values(), ids=ERRORS)
async def test_an_error_has_the_shape_of_aws(
    where: str, body: Any, status: int, name: str, upstream: Upstream, gateway: RunningGateway
) -> None:
    gateway.tables.records.append({"kind": "route", "id": "r", "retries": 0})
    upstream.script("broken", whole(status=500))
    upstream.script("busy", whole(status=429))
    response = await gateway.post(where, body)
    assert (response.status, response.headers["x-amzn-errortype"]) == (status, name)
    assert response.json["message"] == response.error["message"]


async def test_a_signed_request_is_told_which_variable_to_set(gateway: RunningGateway) -> None:
    signature = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/bedrock/aws4_request, Signature=0"
    response = await gateway.post(path(), HI, key=None, authorization=signature)
    assert (response.status, response.headers["x-amzn-errortype"]) == (401, "AccessDeniedException")
    assert "AWS_BEARER_TOKEN_BEDROCK" in response.json["message"]
    assert "AKID" not in response.body.decode()


async def test_only_bedrock_gets_what_only_bedrock_knows(upstream: Upstream, gateway: RunningGateway) -> None:
    response = await gateway.post(path(), {**HI, "guardrailConfig": {"guardrailIdentifier": "g"}})
    assert (response.status, response.error["param"]) == (400, "guardrailConfig")
    assert not upstream.requests


async def test_a_rule_may_ask_for_the_dialect(upstream: Upstream, gateway: RunningGateway) -> None:
    upstream.script("other", whole(completion("Hello")))
    when = {"dialect": "bedrock"}
    gateway.tables.records.append(
        {"kind": "route", "id": "r", "when": when, "model": "up/other", "override": True}
    )
    assert (await gateway.post(path(), HI)).headers["x-sluice-model"] == "up/other"


class Server(uvicorn.Server):
    """The gateway behind TLS, for a client that blocks."""

    def __init__(self, gateway: RunningGateway, tls: ssl.SSLContext) -> None:
        config = uvicorn.Config(gateway.app, port=0, log_level="error", lifespan="off")
        config.load()
        config.ssl = tls
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}"


@pytest.fixture
async def bedrock(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[Any]:
    """botocore's client, as boto3 makes it, with a key of Sluice's. It sends one only by TLS."""
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", KEY)
    pem = tmp_path / "server.pem"
    server = Server(gateway, self_signed(pem))
    serving = asyncio.create_task(server.serve())
    await server.ready.wait()
    create = partial(botocore.session.get_session().create_client, "bedrock-runtime", "us-east-1")
    yield create(endpoint_url=server.url, verify=str(pem), config=Config(retries={"max_attempts": 0}))
    server.should_exit = True
    await serving


@pytest.mark.slow
async def test_botocore_runs_a_tool_over_two_turns(upstream: Upstream, bedrock: Any) -> None:
    upstream.script("m:0", whole(_called()), whole(completion("Done.")))
    tools = {"tools": [SPEC]}
    messages: list[Json] = [user({"text": "look"})]
    first = await asyncio.to_thread(bedrock.converse, modelId="up/m:0", messages=messages, toolConfig=tools)
    assert first["stopReason"] == "tool_use"
    message = first["output"]["message"]
    call = message["content"][-1]["toolUse"]
    assert call["input"] == {"at": "a"}
    result = {"toolUseId": call["toolUseId"], "content": [{"json": {"found": 1}}]}
    messages += [
        message,
        user({"toolResult": result}, {"image": {"format": "png", "source": {"bytes": b"a"}}}),
    ]
    second = await asyncio.to_thread(bedrock.converse, modelId="up/m:0", messages=messages, toolConfig=tools)
    assert second["output"]["message"]["content"] == [{"text": "Done."}]
    sent = upstream.requests[-1].json["messages"]
    assert sent[1]["tool_calls"] == [CALL]
    assert sent[1]["reasoning_content"] == "hm"
    assert sent[2]["content"] == '{"found":1}'
    assert sent[3]["content"][0]["image_url"]["url"] == "data:image/png;base64,YQ=="


def _called() -> Json:
    done = completion("")
    done["choices"][0] |= {"finish_reason": "tool_calls"}
    done["choices"][0]["message"] |= {"content": None, "reasoning_content": "hm", "tool_calls": [CALL]}
    return done


@pytest.mark.slow
async def test_botocore_reads_a_stream(upstream: Upstream, bedrock: Any) -> None:
    upstream.script(
        "m:0", stream(chunk(reasoning_content="hm"), chunk("Hel"), chunk("lo"), finish(), usage())
    )
    events = await asyncio.to_thread(_read, bedrock)
    assert next(iter(events[0])) == "messageStart"
    texts = [
        one["contentBlockDelta"]["delta"].get("text", "") for one in events if "contentBlockDelta" in one
    ]
    assert "".join(texts) == "Hello"
    assert events[-1]["metadata"]["usage"]["totalTokens"] == 10


def _read(bedrock: Any) -> list[Any]:
    answer = bedrock.converse_stream(modelId="up/m:0", **HI)
    return list(answer["stream"])


@pytest.mark.slow
async def test_botocore_raises_the_errors_of_bedrock(upstream: Upstream, bedrock: Any) -> None:
    with pytest.raises(bedrock.exceptions.ResourceNotFoundException):
        await asyncio.to_thread(bedrock.converse, modelId="nobody/m", **HI)
    upstream.script("m:0", stream(sse(chunk("Hel")), Act.CUT, done=False))
    with pytest.raises(EventStreamError, match="broke off"):
        await asyncio.to_thread(_read, bedrock)
    upstream.script("m:0", whole(status=429))
    with pytest.raises(bedrock.exceptions.ThrottlingException):
        await asyncio.to_thread(bedrock.converse, modelId="up/m:0", **HI)
