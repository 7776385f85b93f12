"""A provider that reports impossible usage gets its answer through, and no count or cost is negative."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from handler.wire import sse
from handler.wire.eventstream import Decoder, encode
from tests.handler.providers.wire_cases import WIRE, events_of, read_file
from tests.support.gateways import Json, RunningGateway, model, provider, start_gateway
from tests.support.tool_servers import response

CASES = {
    "anthropic": "cached-usage",
    "bedrock": "cached-usage",
    "google": "cached-usage",
    "openai": "perplexity-usage-everywhere",
    "responses": "cached-usage",
}
FORGED = ["-1", "-1e999", "1e999", "1e308", "1" + "0" * 30, "0.5", '"7"', "true", "null", "[]", "{}"]
TEXT = [{"role": "user", "content": "Hi"}]
CLIENTS: dict[str, tuple[str, str, Json]] = {  # the paths of whole answers and of streams, and the body
    "chat": (
        "/v1/chat/completions",
        "/v1/chat/completions",
        {"messages": TEXT, "usage": {"include": True}},
    ),
    "messages": ("/v1/messages", "/v1/messages", {"messages": TEXT, "max_tokens": 9}),
    "responses": ("/v1/responses", "/v1/responses", {"input": "Hi"}),
    "google": (
        "/v1beta/models/up/m:generateContent",
        "/v1beta/models/up/m:streamGenerateContent?alt=sse",
        {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
    ),
    "bedrock": (
        "/model/up%2Fm/converse",
        "/model/up%2Fm/converse-stream",
        {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]},
    ),
}
NATIVE = {("anthropic", "messages"), *((name, name) for name in ("responses", "google", "bedrock"))}
SPOILT = "spoilt"  # where the forged value goes


def forge(value: Any, forged: str) -> str:
    """JSON in which every number of a usage is the forged text."""
    return json.dumps(_spoil(value, within=False)).replace(f'"{SPOILT}"', forged)


def _spoil(value: Any, *, within: bool) -> Any:
    if isinstance(value, dict):
        return {
            name: _spoil(one, within=within or name in ("usage", "usageMetadata"))
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [_spoil(one, within=within) for one in value]
    return SPOILT if within and isinstance(value, int | float) else value


class Forger(httpx.AsyncBaseTransport):
    """A provider of this dialect."""

    def __init__(self, dialect: str, forged: str) -> None:
        self._case, self._dialect, self._forged = WIRE / dialect / CASES[dialect], dialect, forged

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(await request.aread())
        if body.get("stream") or "tream" in request.url.path:
            return self._stream()
        return response(forge(read_file(self._case, "whole.json"), self._forged).encode())

    def _stream(self) -> httpx.Response:
        events = events_of(self._case, 1_000_000)
        pieces: list[Any] = [self._event(data if data == "[DONE]" else json.loads(data)) for data in events]
        aws = self._dialect == "bedrock"
        return response(
            pieces, content_type="application/vnd.amazon.eventstream" if aws else "text/event-stream"
        )

    def _event(self, event: Any) -> bytes:
        if self._dialect == "bedrock":
            ((name, content),) = event.items()
            return encode(name, forge(content, self._forged).encode())
        return sse.encode(event if event == "[DONE]" else forge(event, self._forged))


def counts_of(answer: Any, within: bool = False) -> Iterator[Any]:
    """Every value within a usage object of an answer."""
    if isinstance(answer, dict | list):
        for name, value in answer.items() if isinstance(answer, dict) else enumerate(answer):
            yield from counts_of(value, within or name in ("usage", "usageMetadata"))
    elif within:
        yield answer


def objects_of(body: bytes, client: str, stream: bool) -> list[Any]:
    """The JSON of an answer, or of each event."""
    events = Decoder() if client == "bedrock" else sse.Decoder()
    texts = [event.data for event in events.feed(body)] if stream else [body.decode()]
    return [json.loads(text, parse_constant=pytest.fail) for text in texts if text != "[DONE]"]


async def ask(gateway: RunningGateway, client: str, stream: bool) -> list[Any]:
    whole, streamed, body = CLIENTS[client]
    flags = {} if client in ("google", "bedrock") else {"model": "up/m", "stream": stream}
    answer = await gateway.post(streamed if stream else whole, {**body, **flags})
    assert (answer.status, answer.ended) == (200, True), answer.body
    return objects_of(answer.body, client, stream)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", CASES)
@pytest.mark.parametrize("forged", FORGED)
async def test_impossible_usage_costs_nothing_but_the_estimate(
    forged: str, dialect: str, stream: bool
) -> None:
    price = {"input": 1, "output": 2, "cached_input": 0.1, "cache_write": 2}
    records = [provider("http://up/v1", dialect=dialect, auth="bearer"), model("up/m", price=price)]
    gateway = start_gateway(records, upstream=Forger(dialect, forged))
    for client in CLIENTS:
        answers = await ask(gateway, client, stream)
        line = gateway.lines[-1]
        assert (line["message"], line["error"]) == ("request", None), gateway.lines
        assert all(value >= 0 for name, value in line["usage"].items() if name != "service_tier")
        assert 0 < line["cost"] < 1
        if (dialect, client) not in NATIVE and (dialect != "openai" or client != "chat"):
            counts = [value for value in counts_of(answers) if isinstance(value, int | float)]
            assert all(0 <= value < float("inf") for value in counts)
    await gateway.gateway.aclose()
