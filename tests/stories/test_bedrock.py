"""Whole requests to a Bedrock in this process, which checks every signature."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from tests.handler.providers.wire_cases import WIRE, read_file, stream_bytes
from tests.support.canned_answers import chunk, completion, finish, text_of, usage
from tests.support.event_stream import frames
from tests.support.gateways import Json, RunningGateway, start_gateway
from tests.support.signatures import signature_of

REGION, SECRET = "eu-central-1", "secret-canary"
HOST = f"bedrock-runtime.{REGION}.amazonaws.com"
NOVA, SONNET = "bedrock/amazon.nova-lite-v1:0", "bedrock/us.anthropic.claude-sonnet-4-6"
OPUS, OSS = "bedrock/global.anthropic.claude-opus-5-5", "bedrock/openai.gpt-oss-20b-1:0"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIDCANARY",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": "token-canary",
}


class Bedrock(httpx.AsyncBaseTransport):
    """A transport that answers with `answer`, and refuses a wrong signature as the real Bedrock does."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answer: Callable[[httpx.Request], httpx.Response] = lambda _: httpx.Response(500)
        self.bearer = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        assert request.url.host == HOST
        if not (self.bearer or self._signed(request)):
            kind = {"x-amzn-errortype": "InvalidSignatureException"}
            return httpx.Response(403, headers=kind, json={"message": "The request signature is wrong."})
        return self.answer(request)

    def _signed(self, request: httpx.Request) -> bool:
        given = request.headers.get("authorization", "")
        url = f"https://{HOST}{request.url.raw_path.decode()}"
        found = re.search(r"Signature=([0-9a-f]{64})$", given)
        return found is not None and found[1] == signature_of(url, request.headers, request.read(), SECRET)


def whole(case: str) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(200, json=read_file(WIRE / "bedrock" / case, "whole.json"))


def stream(data: bytes, cut: int = 7) -> Callable[[httpx.Request], httpx.Response]:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(data), cut):
            yield data[at : at + cut]

    kind = {"content-type": "application/vnd.amazon.eventstream"}
    return lambda _: httpx.Response(200, headers=kind, content=pieces())


@pytest.fixture
def bedrock() -> Bedrock:
    return Bedrock()


@pytest.fixture
async def gateway(bedrock: Bedrock, monkeypatch: pytest.MonkeyPatch) -> RunningGateway:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return served(bedrock)


def served(bedrock: Bedrock, *records: Any, **settings: Any) -> RunningGateway:
    on: Json = {"SLUICE_PROVIDERS": "bedrock", "SLUICE_PRIVATE_UPSTREAMS": "0", "AWS_REGION": REGION}
    return start_gateway(records, upstream=bedrock, **{**on, **settings})


async def test_a_whole_request_is_signed(gateway: RunningGateway, bedrock: Bedrock) -> None:
    bedrock.answer = whole("text")
    response = await gateway.chat(model=NOVA, max_tokens=5)
    assert response.status == 200, response.json
    assert response.json["model"] == NOVA
    assert response.json["choices"][0]["message"]["content"].startswith("Grüße")
    assert response.json["usage"]["total_tokens"] == 21
    (request,) = bedrock.requests
    assert request.url.raw_path == b"/model/amazon.nova-lite-v1%3A0/converse"
    assert json.loads(request.content)["inferenceConfig"] == {"maxTokens": 5}
    assert request.headers["x-amz-security-token"] == "token-canary"


async def test_a_stream_of_frames_becomes_server_sent_events(
    gateway: RunningGateway, bedrock: Bedrock
) -> None:
    bedrock.answer = stream(stream_bytes(WIRE / "bedrock" / "text"))
    response = await gateway.chat(model=NOVA, stream=True, stream_options={"include_usage": True})
    assert response.content == "Grüße, 世界 👋\u2028."
    assert response.events[-1] == "[DONE]"
    assert response.events[-2]["usage"]["total_tokens"] == 21
    assert {event["model"] for event in response.events[:-1]} == {NOVA}
    (request,) = bedrock.requests
    assert request.url.raw_path.endswith(b"/converse-stream")
    assert request.headers["accept"] == "application/vnd.amazon.eventstream"


async def test_reasoning_details_name_their_model(gateway: RunningGateway, bedrock: Bedrock) -> None:
    bedrock.answer = whole("thinking")
    first = (await gateway.chat(model=SONNET)).json["choices"][0]["message"]
    bedrock.answer = stream(stream_bytes(WIRE / "bedrock" / "thinking"))
    response = await gateway.chat(model=SONNET, stream=True)
    details = [
        one
        for event in response.events[:-1]
        for choice in event["choices"]
        for one in choice["delta"].get("reasoning_details", ())
    ]
    assert details == first["reasoning_details"]
    assert {one["model"] for one in details} == {"us.anthropic.claude-sonnet-4-6"}


async def test_a_stream_that_fails_at_once_has_the_status_of_the_failure(
    gateway: RunningGateway, bedrock: Bedrock
) -> None:
    exception = {"validationException": {"message": "Input is too long for requested model."}}
    bedrock.answer = stream(frames([exception]))
    response = await gateway.chat(model=NOVA, stream=True)
    assert response.status == 400
    assert response.error["code"] == "context_length_exceeded"


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda data: data[:-3], id="inside a message"),
        pytest.param(lambda data: data[:-1] + bytes([data[-1] ^ 1]), id="with a damaged message"),
    ],
)
async def test_a_stream_that_breaks_off_ends_in_an_error(
    gateway: RunningGateway, bedrock: Bedrock, end: Callable[[bytes], bytes]
) -> None:
    events: list[Json] = [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "Hi"}, "contentBlockIndex": 0}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
    ]
    bedrock.answer = stream(end(frames(events)))
    response = await gateway.chat(model=NOVA, stream=True)
    assert response.status == 200
    assert response.events[0]["choices"][0]["delta"]["content"] == ""
    assert response.events[-1]["error"]["code"] == "upstream_error"


async def test_no_key_and_no_signature_is_logged(gateway: RunningGateway, bedrock: Bedrock) -> None:
    canonical = "\n".join(["It does not match.", "", "x-amz-security-token:token-canary", SECRET])
    kind = {"x-amzn-errortype": "InvalidSignatureException"}
    bedrock.answer = lambda _: httpx.Response(403, headers=kind, json={"message": canonical})
    response = await gateway.chat(model=NOVA)
    assert response.status == 502
    assert response.error["metadata"]["class"] == "auth"
    text = json.dumps([gateway.lines, response.json])
    assert not [word for word in ("canary", "Signature=", "AKIDCANARY") if word in text]


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
async def test_the_security_token_is_redacted_in_bedrocks_message(
    gateway: RunningGateway, bedrock: Bedrock, streams: bool
) -> None:
    kind = {"x-amzn-errortype": "ValidationException"}
    bedrock.answer = lambda _: httpx.Response(400, headers=kind, json={"message": "Odd: token-canary."})
    response = await gateway.chat(model=NOVA, stream=streams)
    assert (response.status, response.error["message"]) == (400, f"{NOVA}: Odd: [redacted].")


async def test_the_security_token_is_redacted_in_the_error_of_a_stream(
    gateway: RunningGateway, bedrock: Bedrock
) -> None:
    content: Json = {"contentBlockDelta": {"delta": {"text": "Hi"}, "contentBlockIndex": 0}}
    ends: Json = {"validationException": {"message": "Odd: token-canary."}}
    bedrock.answer = stream(frames([{"messageStart": {"role": "assistant"}}, content, ends]))
    for n in (1, 2):
        response = await gateway.chat(model=NOVA, stream=True, n=n)
        assert response.events[-1]["error"]["message"] == f"{NOVA}: Odd: [redacted]."


async def test_a_bedrock_key_is_used_instead_of_the_role(
    bedrock: Bedrock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDCANARY")
    gateway = served(bedrock, AWS_BEARER_TOKEN_BEDROCK="bedrock-api-key")
    bedrock.bearer, bedrock.answer = True, whole("text")
    assert (await gateway.chat(model=NOVA)).status == 200
    assert bedrock.requests[0].headers["authorization"] == "Bearer bedrock-api-key"
    assert "x-amz-date" not in bedrock.requests[0].headers


IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}


async def test_an_image_url_is_refused_if_the_request_names_the_model(
    gateway: RunningGateway, bedrock: Bedrock
) -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "What?"}, IMAGE]}]
    response = await gateway.chat(model=NOVA, messages=messages)
    assert response.status == 400
    assert response.error["code"] == "unsupported_parameter"
    assert response.error["param"] == "messages[0].content[1].image_url"
    assert bedrock.requests == []


async def test_an_s3_url_is_refused_on_every_surface(gateway: RunningGateway, bedrock: Bedrock) -> None:
    """Bedrock would read it with the gateway's own role."""
    bedrock.answer = lambda _: httpx.Response(200, json=completion())
    for url in ("s3://bucket/a.png", " s3://bucket/a.png", "\nS3://bucket/a.png"):
        messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]
        response = await gateway.chat(model="bedrock/us.openai.gpt-5.6-luna", messages=messages)
        assert (response.status, response.error["code"]) == (400, "unsupported_parameter")
    assert bedrock.requests == []


async def test_an_image_url_goes_to_the_next_model_of_an_alias(bedrock: Bedrock) -> None:
    gateway = served(bedrock, {"kind": "alias", "id": "eyes", "models": [NOVA, "anthropic/claude-haiku-5-5"]})
    response = await gateway.post(
        "/v1/explain", {"model": "eyes", "messages": [{"role": "user", "content": [IMAGE]}]}
    )
    assert {"model": NOVA, "why": "does not support content given by URL"} in response.json["rejections"]


async def test_claude_on_its_own_surface_gets_anthropics_format(
    gateway: RunningGateway, bedrock: Bedrock
) -> None:
    message = read_file(WIRE / "anthropic" / "text", "whole.json")
    bedrock.answer = lambda _: httpx.Response(200, json=message)
    response = await gateway.chat(model=OPUS)
    assert response.status == 200, response.json
    assert response.json["model"] == OPUS
    (request,) = bedrock.requests
    assert request.url.raw_path == b"/anthropic/v1/messages"
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert json.loads(request.content)["model"] == "global.anthropic.claude-opus-5-5"


async def test_claude_on_its_own_surface_gets_one_request_for_each_choice(
    gateway: RunningGateway, bedrock: Bedrock
) -> None:
    message = read_file(WIRE / "anthropic" / "text", "whole.json")
    bedrock.answer = lambda _: httpx.Response(200, json=message)
    response = await gateway.chat(model=OPUS, n=2)
    assert [choice["index"] for choice in response.json["choices"]] == [0, 1]
    assert "x-sluice-dropped" not in response.headers
    assert len(bedrock.requests) == 2


NOW = {"type": "function", "function": {"name": "now"}}
THOUGHT = completion(
    "<reasoning>Hm.</reasoning>Hi",
    choices=[
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "<reasoning>Hm.</reasoning>Hi",
                "tool_calls": [
                    {"id": "call_0", "type": "function", "function": {"name": "now", "arguments": "{}"}}
                ],
            },
            "finish_reason": "tool_calls",
        }
    ],
)


async def test_gpt_oss_on_its_own_surface_gets_openais_format(
    gateway: RunningGateway, bedrock: Bedrock
) -> None:
    bedrock.answer = lambda _: httpx.Response(200, json=THOUGHT)
    response = await gateway.chat(
        model=OSS, tools=[NOW], max_tokens=9, reasoning_effort="minimal", logit_bias={"1": 1}
    )
    message = response.json["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("Hi", "Hm.")
    assert re.fullmatch(r"call_[0-9a-f]{24}", message["tool_calls"][0]["id"])
    (request,) = bedrock.requests
    assert request.url.raw_path == b"/openai/v1/chat/completions"
    sent = json.loads(request.content)
    assert (sent["model"], sent["max_completion_tokens"]) == ("openai.gpt-oss-20b-1:0", 9)
    assert sent["reasoning_effort"] == "low"
    assert "logit_bias" not in sent


async def test_a_custom_tool_is_refused_on_the_surface_of_openais_format(
    gateway: RunningGateway, bedrock: Bedrock
) -> None:
    tools = [{"type": "custom", "custom": {"name": "shell"}}]
    response = await gateway.chat(model=OSS, tools=tools)
    assert (response.status, response.error["param"]) == (400, "tools")
    assert response.error["code"] == "unsupported_parameter"
    bedrock.answer = whole("text")
    assert (await gateway.chat(model=NOVA, tools=tools)).status == 200
    assert len(bedrock.requests) == 1


@pytest.mark.parametrize("model", [NOVA, OPUS, OSS], ids=["converse", "messages", "completions"])
async def test_several_choices_are_several_requests_on_every_surface(
    gateway: RunningGateway, bedrock: Bedrock, model: str
) -> None:
    answers = {
        NOVA: read_file(WIRE / "bedrock" / "text", "whole.json"),
        OPUS: read_file(WIRE / "anthropic" / "text", "whole.json"),
        OSS: completion("Hi"),
    }
    bedrock.answer = lambda _: httpx.Response(200, json=answers[model])
    response = await gateway.chat(model=model, n=2)
    assert [choice["index"] for choice in response.json["choices"]] == [0, 1]
    assert len(bedrock.requests) == 2
    assert all("n" not in json.loads(request.content) for request in bedrock.requests)


async def test_the_thoughts_of_gpt_oss_are_extracted_from_a_stream(
    gateway: RunningGateway, bedrock: Bedrock
) -> None:
    pieces = ["\n<reas", "oning>Let me", " see.</reaso", "ning>", "Hel", "lo <b>", "you"]
    events = [*map(chunk, pieces), chunk(tool_calls=[CALL]), finish("tool_calls"), usage()]
    data = b"".join(f"data: {text_of(event)}\n\n".encode() for event in events) + b"data: [DONE]\n\n"
    kind = {"content-type": "text/event-stream"}
    bedrock.answer = lambda _: httpx.Response(200, headers=kind, content=data)
    response = await gateway.chat(model=OSS, stream=True, tools=[NOW])
    deltas = [choice["delta"] for event in response.events[:-1] for choice in event["choices"]]
    assert response.content == "Hello <b>you"
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "Let me see."
    (call,) = [one for delta in deltas for one in delta.get("tool_calls", ())]
    assert call["id"] != "call_0"


CALL = {"index": 0, "id": "call_0", "type": "function", "function": {"name": "now", "arguments": "{}"}}


async def test_a_model_id_outside_the_catalogue_uses_converse(
    gateway: RunningGateway, bedrock: Bedrock
) -> None:
    bedrock.answer = whole("text")
    assert (await gateway.chat(model="bedrock/anthropic.claude-opus-9")).status == 200
    assert unquote(bedrock.requests[0].url.raw_path.decode()) == "/model/anthropic.claude-opus-9/converse"


async def test_an_error_reports_missing_credentials(
    bedrock: Bedrock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*ENVIRONMENT, "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    response = await served(bedrock).chat(model=NOVA)
    assert response.status == 503
    assert "no AWS credentials, and no credential AWS_BEARER_TOKEN_BEDROCK" in response.error["message"]
    assert bedrock.requests == []
