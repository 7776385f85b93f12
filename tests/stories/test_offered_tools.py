"""No answer contains a call of a tool that its request does not offer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any

import pytest

from handler.errors import SchemaMismatch
from handler.structured.offered_tools import check_calls
from tests.support.canned_answers import Reply, chunk, completion, finish, role, stream, whole
from tests.support.gateways import RunningGateway, model, provider, start_gateway
from tests.support.upstream import Upstream

Json = dict[str, Any]
LOOK: Json = {"type": "function", "function": {"name": "look"}}
RUN: Json = {"type": "custom", "custom": {"name": "run"}}
SEARCH: Json = {"type": "web_search"}


def called(name: str, *, content: str | None = None) -> Reply:
    """A whole answer that calls this tool."""
    message = {"role": "assistant", "content": content, "tool_calls": [a_call(name)]}
    return whole(completion(choices=[{"index": 0, "message": message, "finish_reason": "tool_calls"}]))


def a_call(name: str, kind: str = "function") -> Json:
    fields: Json = {"name": name, "arguments": "{}"} if kind == "function" else {"name": name, "input": "x"}
    return {"id": "c1", "type": kind, kind: fields}


def streamed_call(name: str, *before: Json) -> Reply:
    return stream(role(), *before, chunk(tool_calls=[{"index": 0, **a_call(name)}]), finish("tool_calls"))


@pytest.fixture
async def gateway(upstream: Upstream) -> AsyncIterator[RunningGateway]:
    row = provider(upstream.url)
    run = start_gateway([row, *(model(f"up/{name}", can=["tools"]) for name in ("a", "b"))])
    yield run
    await run.gateway.aclose()


@pytest.mark.parametrize(
    ("chat", "call", "offers"),
    [
        pytest.param({"tools": [LOOK]}, a_call("look"), True, id="a function that is offered"),
        pytest.param({"tools": [LOOK]}, a_call("peek"), False, id="a function of another name"),
        pytest.param({"tools": [RUN]}, a_call("run", "custom"), True, id="a custom tool that is offered"),
        pytest.param({"tools": [RUN]}, a_call("walk", "custom"), False, id="a custom tool of another name"),
        pytest.param({}, a_call("look"), False, id="a call where no tool is offered"),
        pytest.param({"tools": []}, a_call("look"), False, id="a call where the list of tools is empty"),
        pytest.param(
            {"tools": [LOOK], "tool_choice": "none"},
            a_call("look"),
            False,
            id="a call although tool_choice is none",
        ),
        pytest.param(
            {"tools": [LOOK, SEARCH]}, a_call("peek"), True, id="any call if the provider runs a tool"
        ),
        pytest.param({"functions": [{"name": "look"}]}, a_call("look"), True, id="a legacy function"),
        pytest.param({"functions": [{"name": "look"}]}, a_call("peek"), False, id="another legacy function"),
        pytest.param(
            {"tools": [{"type": "function", "function": {"name": "a.b"}}]},
            a_call("a_b"),
            False,
            id="a function of a similar name",
        ),
        pytest.param(
            {"tools": [LOOK]}, {"index": 0, "function": {"arguments": "{}"}}, True, id="a later delta"
        ),
        pytest.param({"tools": [LOOK]}, {**a_call("look"), "type": [[]]}, True, id="a type that is a list"),
        pytest.param({"tools": [LOOK]}, {**a_call("peek"), "type": {}}, False, id="a type that is an object"),
        pytest.param(
            {"tools": [LOOK]}, {**a_call("peek"), "type": "x"}, False, id="a function of an unknown type"
        ),
    ],
)
def test_an_offered_call(chat: Json, call: Json, offers: bool) -> None:
    legacy = {"function_call": call["function"]} if "functions" in chat else {"tool_calls": [call]}
    with nullcontext() if offers else pytest.raises(SchemaMismatch, match="not offered") as raised:
        check_calls({"choices": [{"message": legacy}]}, chat)
    assert raised is None or raised.value.failure_class == "protocol"


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
async def test_a_message_asks_for_a_correction(
    upstream: Upstream, gateway: RunningGateway, streams: bool
) -> None:
    upstream.script(
        "a",
        streamed_call("peek") if streams else called("peek", content="Let me see."),
        stream(role(), chunk("Sunny"), finish()) if streams else whole(completion("Sunny")),
    )
    response = await gateway.chat(model="up/a", tools=[LOOK], stream=streams)
    assert "Sunny" in response.content
    assert response.headers["x-sluice-attempts"] == "2"
    again = upstream.requests[1].json["messages"]
    assert again[-2]["role"] == "assistant"
    assert "a tool that was not offered" in again[-1]["content"]


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
async def test_after_a_second_such_call_the_next_candidate_answers(
    upstream: Upstream, gateway: RunningGateway, streams: bool
) -> None:
    upstream.script("a", streamed_call("peek") if streams else called("peek"))
    upstream.script("b", stream(role(), chunk("Sunny"), finish()) if streams else whole(completion("Sunny")))
    response = await gateway.chat(model="up/a", fallback_models=["up/b"], stream=streams)
    assert "Sunny" in response.content
    assert (response.headers["x-sluice-model"], response.headers["x-sluice-attempts"]) == ("up/b", "3")


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
async def test_without_another_candidate_it_is_a_failure_of_class_protocol(
    upstream: Upstream, gateway: RunningGateway, streams: bool
) -> None:
    upstream.script("a", streamed_call("peek") if streams else called("peek"))
    response = await gateway.chat(model="up/a", stream=streams)
    assert response.status == 502
    assert response.json["error"]["metadata"]["class"] == "protocol"
    assert [one["class"] for one in response.json["error"]["metadata"]["attempts"]] == ["protocol"] * 2


async def test_after_content_it_ends_the_stream_with_an_error(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    upstream.script("a", streamed_call("peek", chunk("Let me see.")))
    response = await gateway.chat(model="up/a", stream=True)
    assert (response.status, "peek" in json.dumps(response.events)) == (200, False)
    assert response.events[-1]["error"]["metadata"]["class"] == "protocol"
