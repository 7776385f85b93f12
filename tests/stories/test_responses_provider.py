"""Chats with models that OpenAI serves only by Responses, through a whole gateway."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.handler.providers.wire_cases import WIRE, read_file, stream_bytes
from tests.support.canned_answers import completion
from tests.support.gateways import Json, RunningGateway, start_gateway

PRO, CODEX, LUNA = "openai/gpt-5-pro", "openai/gpt-5.3-codex", "openai/gpt-5.6-luna"
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class Service(httpx.AsyncBaseTransport):
    """OpenAI: Responses give these replies or cases, one after the other; Chat Completions say `Hello`."""

    def __init__(self, *replies: str | httpx.Response | Callable[[Json], httpx.Response]) -> None:
        self._replies = list(replies)
        self.requests: list[tuple[str, Json]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(await request.aread())
        self.requests.append((request.url.path, body))
        if request.url.path == "/v1/chat/completions":
            return httpx.Response(200, json=completion())
        assert request.url.path == "/v1/responses"
        assert body["store"] is False
        reply = self._replies.pop(0)
        if not isinstance(reply, str):
            return reply if isinstance(reply, httpx.Response) else reply(body)
        case = WIRE / "responses" / reply
        if body.get("stream"):
            kind = {"content-type": "text/event-stream"}
            return httpx.Response(200, headers=kind, content=stream_bytes(case))
        return httpx.Response(200, json=read_file(case, "whole.json"))


def served(service: Service, *records: Any) -> RunningGateway:
    return start_gateway(records, upstream=service, OPENAI_API_KEY="key", SLUICE_PRIVATE_UPSTREAMS="0")


async def test_a_whole_answer() -> None:
    service = Service("text")
    response = await served(service).chat(model=PRO, max_tokens=500, stop=["\n"])
    assert response.status == 200, response.json
    assert response.content == "Bern is the capital of Switzerland."
    assert (response.json["model"], response.json["usage"]["total_tokens"]) == (PRO, 30)
    assert response.headers["x-sluice-dropped"] == "stop"
    assert float(response.headers["x-sluice-cost"]) == pytest.approx(21 * 15e-6 + 9 * 120e-6)
    assert service.requests[0][1]["max_output_tokens"] == 500


@pytest.mark.parametrize(
    "body", [b"", b"<html>no</html>", b'{"detail": "Not Found"}', b'{"error": {"message": "Invalid URL"}}']
)
@pytest.mark.parametrize("status", [404, 405, 410])
async def test_a_host_without_responses_is_a_missing_model_and_the_next_candidate_answers(
    status: int, body: bytes
) -> None:
    missing = [httpx.Response(status, content=body) for _ in range(2)]
    gateway = served(Service(*missing))
    answer = await gateway.chat(model=PRO, fallback_models=["openai/gpt-4.1"])
    assert (answer.status, answer.headers["x-sluice-model"]) == (200, "openai/gpt-4.1")
    assert gateway.lines[-1]["attempts"][0]["class"] == "not_found"
    alone = await gateway.chat(model=PRO)
    assert (alone.status, alone.error["code"]) == (404, "model_not_found")


async def test_a_stream() -> None:
    service = Service("reasoning")
    options = {"include_usage": True}
    response = await served(service).chat(model=CODEX, stream=True, stream_options=options)
    assert response.content == "9.9 is larger."
    assert response.events[-1] == "[DONE]"
    assert response.events[-2]["usage"]["completion_tokens_details"] == {"reasoning_tokens": 128}
    assert {event["model"] for event in response.events[:-1]} == {CODEX}
    assert service.requests[0][1]["stream"] is True


async def test_a_model_that_does_not_stream_is_asked_for_a_whole_answer() -> None:
    service = Service("text")
    response = await served(service).chat(model=PRO, stream=True)
    assert response.content == "Bern is the capital of Switzerland."
    assert response.events[-1] == "[DONE]"
    assert "stream" not in service.requests[0][1]


async def test_reasoning_returns_with_the_results_of_tools() -> None:
    service = Service("tool", "text")
    gateway = served(service)
    asked = {"role": "user", "content": "How is the weather in Zürich?"}
    first = await gateway.chat(model=CODEX, messages=[asked], tools=[WEATHER])
    message = first.json["choices"][0]["message"]
    (call,) = message["tool_calls"]
    result = {"role": "tool", "tool_call_id": call["id"], "content": "Sunny"}
    second = await gateway.chat(model=CODEX, messages=[asked, message, result], tools=[WEATHER])
    assert second.status == 200, second.json
    items = service.requests[1][1]["input"]
    assert [item["type"] for item in items] == [
        *("message", "reasoning", "function_call", "function_call_output"),
    ]
    output = read_file(WIRE / "responses" / "tool", "whole.json")["output"]
    assert items[1]["encrypted_content"] == output[0]["encrypted_content"]
    assert items[2]["call_id"] == items[3]["call_id"] == call["id"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        pytest.param(
            {"tools": [WEATHER], "reasoning_effort": "low"}, "/v1/responses", id="tools and an effort"
        ),
        pytest.param({"tools": [WEATHER]}, "/v1/chat/completions", id="tools"),
        pytest.param({"reasoning_effort": "low"}, "/v1/chat/completions", id="an effort"),
    ],
)
async def test_tools_beside_an_effort_go_where_both_are_taken(fields: Json, path: str) -> None:
    service = Service("tool")
    response = await served(service).chat(model=LUNA, **fields)
    assert response.status == 200, response.json
    assert "x-sluice-dropped" not in response.headers
    assert service.requests[0][0] == path
    assert response.json["model"] == LUNA


async def test_several_choices_are_several_requests() -> None:
    service = Service("text", "text")
    response = await served(service).chat(model=PRO, n=2)
    assert [choice["index"] for choice in response.json["choices"]] == [0, 1]
    assert response.json["usage"]["total_tokens"] == 60
    assert [body.get("n") for _, body in service.requests] == [None, None]


def refusal(param: str | None, status: int = 400) -> httpx.Response:
    error = {"message": "It is refused.", "type": "invalid_request_error", "param": param, "code": None}
    return httpx.Response(status, json={"error": error})


def call_the_tool(request: Json) -> httpx.Response:
    body = read_file(WIRE / "responses" / "tool", "whole.json")
    (tool,) = request["tools"]
    output = [{**item, "name": tool["name"]} for item in body["output"] if item["type"] == "function_call"]
    return httpx.Response(200, json={**body, "output": output})


async def test_a_schema_is_enforced_natively_and_by_a_tool_if_it_is_refused() -> None:
    output = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA, "strict": True}}
    service = Service("structured")
    response = await served(service).chat(model=PRO, response_format=output)
    assert json.loads(response.content) == {"city": "Bern"}
    assert response.headers["x-sluice-schema"] == "native"
    assert service.requests[0][1]["text"]["format"]["schema"] == SCHEMA
    service = Service(refusal("text.format.schema"), call_the_tool)
    response = await served(service).chat(model=PRO, response_format=output)
    assert json.loads(response.content) == {"city": "Zürich"}
    assert response.headers["x-sluice-schema"] == "tool"
    assert "text" not in service.requests[1][1]


@pytest.mark.parametrize(
    ("reply", "status", "param"),
    [
        pytest.param(refusal("input[0].content"), 400, "messages", id="the input"),
        pytest.param(refusal("max_output_tokens"), 400, "max_tokens", id="a parameter"),
        pytest.param(refusal(None, 401), 502, None, id="the key"),
    ],
)
async def test_an_error_names_the_field_of_the_chat(
    reply: httpx.Response, status: int, param: str | None
) -> None:
    response = await served(Service(reply)).chat(model=PRO)
    assert (response.status, response.json["error"]["param"]) == (status, param)


async def test_another_model_answers_after_a_failure() -> None:
    failed = read_file(WIRE / "responses" / "text", "whole.json") | {
        "status": "failed",
        "error": {"code": "server_is_overloaded", "message": "Later."},
    }
    service = Service(*(httpx.Response(200, json=failed) for _ in range(3)))
    response = await served(service).chat(model=PRO, fallback_models=["openai/gpt-4o-mini"])
    assert (response.status, response.json["model"]) == (200, "openai/gpt-4o-mini"), response.json
    assert service.requests[-1][0] == "/v1/chat/completions"


async def test_audio_has_no_candidate() -> None:
    part = {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "mp3"}}
    response = await served(Service()).chat(model=PRO, messages=[{"role": "user", "content": [part]}])
    assert (response.status, response.json["error"]["code"]) == (400, "unsupported_parameter")
