"""Arguments of strict tools match the tools' schemas, for every provider."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.support.asgi import Response
from tests.support.canned_answers import Reply, chunk, completion, finish, role, stream, whole
from tests.support.gateways import RunningGateway, model, provider, start_gateway
from tests.support.upstream import Upstream

Json = dict[str, Any]
Start = Callable[..., RunningGateway]
MAP: Json = {
    "type": "object",
    "properties": {"sizes": {"type": "object", "additionalProperties": {"type": "integer"}}},
    "required": ["sizes"],
}
GOOD, BAD = '{"sizes": {"a": 1}}', '{"sizes": {"a": "one"}}'
ANSWERS = pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])


def tool(*, strict: bool = True) -> Json:
    return {"type": "function", "function": {"name": "pack", "parameters": MAP, "strict": strict}}


def calling(arguments: str, *, streams: bool, ended: str = "tool_calls") -> Reply:
    call = {"id": "c1", "type": "function", "function": {"name": "pack", "arguments": arguments}}
    if not streams:
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        return whole(completion(choices=[{"index": 0, "message": message, "finish_reason": ended}]))
    function = {"name": "pack", "arguments": arguments[:5]}
    more = {"index": 0, "function": {"arguments": arguments[5:]}}
    first = chunk(tool_calls=[{"index": 0, **call, "function": function}])
    return stream(role(), first, chunk(tool_calls=[more]), finish(ended))


@pytest.fixture
async def start(upstream: Upstream) -> AsyncIterator[Start]:
    """A gateway with two providers: `plain` takes no `strict`, `up` does."""
    plain = provider(upstream.url, "plain", quirks={"tool_drop": ["strict"]})
    run = start_gateway(
        [plain, provider(upstream.url), model("plain/m", can=["tools"]), model("up/m", can=["tools"])]
    )
    yield lambda: run
    await run.gateway.aclose()


async def ask(run: RunningGateway, name: str, *, streams: bool, strict: bool = True) -> Response:
    return await run.chat(model=name, tools=[tool(strict=strict)], stream=streams)


def arguments(response: Response, *, streams: bool) -> str:
    assert response.status == 200, response.body
    if not streams:
        return str(response.json["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"])
    deltas = [c["delta"] for one in response.events if isinstance(one, dict) for c in one.get("choices", ())]
    calls = [call for delta in deltas for call in delta.get("tool_calls") or ()]
    return "".join(call["function"].get("arguments") or "" for call in calls)


@ANSWERS
@pytest.mark.parametrize(
    ("name", "strict", "text", "ended"),
    [
        pytest.param("plain/m", True, GOOD, "tool_calls", id="arguments that match"),
        pytest.param("plain/m", False, BAD, "tool_calls", id="a tool that is not strict"),
        pytest.param(
            "plain/m", True, BAD[:9], "length", id="arguments that are cut off with finish reason length"
        ),
        pytest.param("up/m", True, BAD, "tool_calls", id="a provider that enforces the schema"),
    ],
)
async def test_an_answer_is_passed_on(
    upstream: Upstream, start: Start, name: str, strict: bool, text: str, ended: str, streams: bool
) -> None:
    upstream.script("m", calling(text, streams=streams, ended=ended))
    response = await ask(start(), name, streams=streams, strict=strict)
    assert arguments(response, streams=streams) == text
    assert len(upstream.requests) == 1


async def test_arguments_that_do_not_match_are_corrected_once(upstream: Upstream, start: Start) -> None:
    upstream.script("m", calling(BAD, streams=False), calling(GOOD, streams=False))
    response = await ask(start(), "plain/m", streams=False)
    assert arguments(response, streams=False) == GOOD
    last = upstream.requests[1].json["messages"][-1]["content"]
    assert "the arguments of pack: $.sizes.a: expected integer" in last


async def test_a_second_mismatch_is_a_failure_of_class_schema(upstream: Upstream, start: Start) -> None:
    upstream.script("m", calling(BAD, streams=False))
    response = await ask(start(), "plain/m", streams=False)
    assert (response.status, response.json["error"]["metadata"]["class"]) == (502, "schema")
    assert len(upstream.requests) == 2


async def test_a_stream_of_such_arguments_ends_with_an_error(upstream: Upstream, start: Start) -> None:
    upstream.script("m", calling(BAD, streams=True))
    response = await ask(start(), "plain/m", streams=True)
    assert response.events[-1]["error"]["metadata"]["class"] == "schema"
    assert "[DONE]" not in response.events
    assert '"finish_reason": "tool_calls"' not in json.dumps(response.events)
