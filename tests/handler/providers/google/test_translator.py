"""Tests of Gemini's translator: its paths, corrupted answers, and requests through the gateway."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from handler.errors import UpstreamError
from handler.providers.google.translator import Google
from rules.catalog.catalog import unlisted_model
from tests.handler.providers.google.gemini import PNG, QUIRKS, SIGNATURE, chat_part, chunks_of, message
from tests.support.canned_answers import Reply, whole
from tests.support.gateways import RunningGateway, provider, start_gateway
from tests.support.upstream import Upstream

WIRE = Path(__file__).parents[1] / "wire" / "google"
ANSWER = json.loads((WIRE / "logprobs" / "whole.json").read_text(encoding="utf-8"))
ANSWER |= {"promptFeedback": {"blockReason": "x"}}
ANSWER["candidates"][0]["content"]["parts"] += [
    {"functionCall": {"id": "a", "name": "x", "args": {"a": 1}}, "thoughtSignature": SIGNATURE},
    {"inlineData": {"mimeType": "image/png", "data": PNG}},
]
ERROR = {
    "error": {"code": 1, "message": "x", "status": "x", "details": [{"reason": "x", "violations": [{}]}]}
}
REPLACEMENTS: tuple[Any, ...] = (None, 7, -1.5, True, "x", [], {}, [1], [None], {"x": 1})
NO_MODEL = "None"  # the model is in the path, not in the body


@pytest.mark.parametrize(
    ("name", "stream", "path"),
    [
        pytest.param("gemini-x", False, "/models/gemini-x:generateContent", id="a whole answer"),
        pytest.param("gemini-x", True, "/models/gemini-x:streamGenerateContent?alt=sse", id="a stream"),
        pytest.param(
            "models/gemini-x", False, "/models/gemini-x:generateContent", id="a name with its collection"
        ),
        pytest.param("tunedModels/mine", False, "/tunedModels/mine:generateContent", id="a tuned model"),
        pytest.param("a/b", False, "/models/a/b:generateContent", id="a name with a slash"),
    ],
)
def test_the_path_names_the_model(name: str, stream: bool, path: str) -> None:
    assert Google().path(unlisted_model("gemini", name), stream=stream) == path


def corrupted(value: Any) -> Iterator[Any]:
    """Yield copies of the value, in each of which one part is replaced by a value of another type."""
    yield from REPLACEMENTS
    places = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place, inner in places:
        for other in corrupted(inner):
            copy: Any = dict(value) if isinstance(value, dict) else list(value)
            copy[place] = other
            yield copy


def test_a_corrupted_body_is_an_answer_or_a_failure() -> None:
    for body in (*corrupted(ANSWER), *corrupted(ERROR)):
        assert Google().error(500, {}, json.dumps(body).encode()).failure_class
        with suppress(UpstreamError):
            chunks_of(body)
        if isinstance(body, dict):
            with suppress(UpstreamError):
                assert json.dumps(Google().response(body, QUIRKS))


@pytest.fixture
async def gateway(upstream: Upstream) -> AsyncIterator[RunningGateway]:
    started = start_gateway([provider(upstream.url, dialect="google")])
    yield started
    await started.gateway.aclose()


async def test_a_whole_answer_through_the_gateway(upstream: Upstream, gateway: RunningGateway) -> None:
    upstream.script(NO_MODEL, whole((WIRE / "tools" / "whole.json").read_bytes()))
    tool = {"type": "function", "function": {"name": "weather"}}
    reply = await gateway.chat(model="up/gemini-x", seed=3, tools=[tool])
    completion = json.loads(reply.body)
    assert upstream.requests[0].path == "/v1/models/gemini-x:generateContent"
    assert upstream.requests[0].json["generationConfig"] == {"seed": 3}
    assert completion["model"] == "up/gemini-x"
    assert completion["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "weather"
    assert completion["usage"]["completion_tokens"] == 51


async def test_a_stream_through_the_gateway(upstream: Upstream, gateway: RunningGateway) -> None:
    events = (WIRE / "text" / "stream.sse").read_bytes()
    upstream.script(NO_MODEL, Reply(headers={"content-type": "text/event-stream"}, pieces=(events,)))
    reply = await gateway.chat(model="up/gemini-x", stream=True, stream_options={"include_usage": True})
    *lines, done = reply.body.decode().removesuffix("\n\n").split("\n\n")
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert upstream.requests[0].path == "/v1/models/gemini-x:streamGenerateContent?alt=sse"
    assert done == "data: [DONE]"
    texts = [one["delta"].get("content", "") for chunk in chunks for one in chunk["choices"]]
    assert "".join(texts) == "Hello, Zoë 👋."
    assert chunks[-1]["usage"]["total_tokens"] == 15
    assert {chunk["model"] for chunk in chunks} == {"up/gemini-x"}


async def test_an_unsupported_part_is_400_and_no_request_is_sent(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    upstream.script(NO_MODEL, whole((WIRE / "text" / "whole.json").read_bytes()))
    reply = await gateway.chat(
        model="up/gemini-x", messages=[message("user", [chat_part("image_url", url="http://10.0.0.1/a.png")])]
    )
    error = json.loads(reply.body)["error"]
    assert (reply.status, error["code"]) == (400, "unsupported_parameter")
    assert error["param"] == "messages[0].content[0].image_url.url"
    assert upstream.requests == []
