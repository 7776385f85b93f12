"""Requests whose tools Sluice runs: two servers, own tools, streams, money, and who may use which server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from handler.wire import sse
from tests.support.gateways import MANAGE, RunningGateway, model, provider, start_gateway
from tests.support.state import InlineItems
from tests.support.tables import dynamodb
from tests.support.tool_servers import Model, ToolServer, Web, calls, response, says, tool
from tests.support.virtual_clock import now

SEARCH = {"kind": "mcp", "id": "search", "url": "https://search.example/mcp", "credential": "SEARCH_TOKEN"}
FILES = {"kind": "mcp", "id": "files", "url": "https://files.example/mcp", "scope": {"project": "support"}}
PRICE = {"input": 1000, "output": 2000}  # dollars per million tokens: a call costs 7 * 0.001 + 3 * 0.002
COST = 0.013
OWN = {"type": "function", "function": {"name": "ask_user", "parameters": {"type": "object"}}}
BOTH = [{"type": "mcp", "ref": "search"}, {"type": "mcp", "ref": "files"}]


def start(model_: Model, *records: Any, **hosts: Any) -> RunningGateway:
    servers = {
        "search.example": ToolServer(tool("find"), tool("drop")),
        "files.example": ToolServer(tool("read")),
        **{f"{name}.example": server for name, server in hosts.items()},
    }
    web = Web({"up": model_, **servers})
    up = [provider("http://up/v1"), model("up/m", price=PRICE)]
    return start_gateway([*up, *(records or (SEARCH, FILES))], upstream=web, SEARCH_TOKEN="search-secret")


def web_of(gateway: RunningGateway) -> Any:
    return gateway.gateway.relay.services.client._transport._transport.hosts  # type: ignore[attr-defined]


async def ask(gateway: RunningGateway, **fields: Any) -> Any:
    response = await gateway.chat(**{"model": "up/m", "tools": BOTH, **fields})
    await gateway.gateway.aclose()
    return response


async def test_tools_of_two_servers_are_run_and_the_last_answer_is_given() -> None:
    up = Model(
        calls(("search__find", {"q": "x"}), ("files__read", {})),
        calls(("search__find", {})),
        says("It is x."),
    )
    gateway = start(up)
    response = await ask(gateway)
    assert response.status == 200, response.body
    assert response.content == "It is x."
    assert response.json["usage"]["total_tokens"] == 30, "the usage of three model calls"
    assert float(response.headers["x-sluice-cost"]) == pytest.approx(3 * COST)
    assert [each["function"]["name"] for each in up.requests[0]["tools"]] == [
        *("search__find", "search__drop", "files__read"),
    ]
    assert up.requests[1]["messages"][1:] == [
        {"role": "assistant", "content": None, "tool_calls": up.requests[1]["messages"][1]["tool_calls"]},
        {"role": "tool", "tool_call_id": "call_0", "content": 'find {"q": "x"}'},
        {"role": "tool", "tool_call_id": "call_1", "content": "read {}"},
    ]
    line = gateway.lines[-1]
    assert (line["model_calls"], line["tool_calls"], line["usage"]["input"]) == (3, 3, 21)
    assert line["cost"] == pytest.approx(3 * COST)
    assert len(line["attempts"]) == 3


async def test_a_credential_is_sent_to_its_server_alone_and_appears_nowhere() -> None:
    up = Model(calls(("search__find", {}), ("files__read", {})), says("Done."))
    echo = ToolServer(
        tool("find"), tools_call=lambda _: {"content": [{"type": "text", "text": "search-secret"}]}
    )
    gateway = start(up, search=echo)
    await ask(gateway)
    assert {each.headers.get("authorization") for each in echo.requests} == {"Bearer search-secret"}
    assert {each.headers.get("authorization") for each in web_of(gateway)["files.example"].requests} == {None}
    assert "search-secret" not in json.dumps([up.requests, gateway.lines])


async def test_a_credential_that_a_server_repeats_is_not_in_the_error() -> None:
    error = {"code": 1, "message": "what does search-secret mean?"}
    failing = ToolServer(initialize=lambda _: response({"jsonrpc": "2.0", "id": 2, "error": error}))
    gateway = start(Model(says("never")), search=failing)
    answer = await ask(gateway, tools=BOTH[:1])
    assert "mean" in answer.error["message"]
    assert "search-secret" not in json.dumps([answer.json, gateway.lines])


async def test_a_row_that_refuses_tools_of_this_type_gets_functions() -> None:
    up = Model(calls(("search__find", {})), says("Done."))
    web = Web({"up": up, "search.example": ToolServer(tool("find"))})
    refusing = provider("http://up/v1", quirks={"refuse": ["tools.mcp"]})
    gateway = start_gateway([refusing, model("up/m"), SEARCH], upstream=web, SEARCH_TOKEN="search-secret")
    assert (await ask(gateway, tools=BOTH[:1])).content == "Done."


async def test_the_callers_own_call_is_handed_back() -> None:
    up = Model(calls(("search__find", {})), calls(("ask_user", {"text": "sure?"})))
    response = await ask(start(up), tools=[OWN, *BOTH])
    message = response.json["choices"][0]["message"]
    assert [call["function"]["name"] for call in message["tool_calls"]] == ["ask_user"]
    assert response.json["choices"][0]["finish_reason"] == "tool_calls"


async def test_of_an_answer_with_both_kinds_of_calls_only_the_own_are_handed_back_and_none_is_run() -> None:
    gateway = start(Model(calls(("search__find", {}), ("ask_user", {}), text="One moment.")))
    response = await ask(gateway, tools=[OWN, *BOTH])
    message = response.json["choices"][0]["message"]
    assert [call["function"]["name"] for call in message["tool_calls"]] == ["ask_user"]
    assert message["content"] == "One moment."
    assert web_of(gateway)["search.example"].called == []


async def test_the_ninth_model_call_has_to_answer() -> None:
    def answer(body: Any) -> Any:
        return says("Enough.") if body["tool_choice"] == "none" else calls(("search__find", {}), text="More.")

    up = Model(answer)
    response = await ask(start(up), tool_choice="required")
    assert [each["tool_choice"] for each in up.requests] == ["required", *["auto"] * 7, "none"]
    assert response.json["choices"][0]["finish_reason"] == "stop"
    assert response.content == "\n\n".join([*["More."] * 8, "Enough."])


STREAM = {"stream": True, "stream_options": {"include_usage": True}}


async def test_a_stream_shows_the_text_of_every_step_and_no_call_of_a_server() -> None:
    up = Model(
        calls(("search__find", {"q": "x"}), text="I look."),
        calls(("files__read", {}), text="And read."),
        calls(("ask_user", {"text": "sure?"}), text="Well?"),
    )
    gateway = start(up)
    response = await ask(gateway, tools=[OWN, *BOTH], **STREAM)
    assert response.content == "I look.\n\nAnd read.\n\nWell?"
    *chunks, done = response.events
    assert done == "[DONE]"
    assert len({(each["id"], each["created"]) for each in chunks}) == 1
    deltas = [choice for each in chunks for choice in each["choices"]]
    assert sum("role" in each["delta"] for each in deltas) == 1
    own = [call for each in deltas for call in each["delta"].get("tool_calls", ())]
    assert {call["index"] for call in own} == {0}
    assert "".join(call["function"]["arguments"] for call in own) == '{"text": "sure?"}'
    assert [each["finish_reason"] for each in deltas if each["finish_reason"]] == ["tool_calls"]
    assert [each["usage"]["total_tokens"] for each in chunks if each.get("usage")] == [30]
    assert b": search__find\n\n" in response.body
    assert gateway.lines[-1]["model_calls"] == 3
    assert gateway.lines[-1]["cost"] == pytest.approx(3 * COST)


@pytest.mark.parametrize("text", [None, "I look."], ids=["silent first step", "a first step with text"])
async def test_a_stream_folded_is_the_whole_answer(text: str | None) -> None:
    def answers() -> Model:
        return Model(calls(("search__find", {}), text=text), says("Done."))

    whole, streamed = await ask(start(answers())), await ask(start(answers()), **STREAM)
    assert streamed.content == whole.content
    assert [each["usage"] for each in streamed.events[:-1] if each.get("usage")] == [whole.json["usage"]]


async def test_a_stream_that_expects_json_gets_only_the_last_text() -> None:
    up = Model(calls(("search__find", {}), text="I look."), says('{"a": 1}'))
    response = await ask(start(up), response_format={"type": "json_object"}, **STREAM)
    assert response.content == '{"a": 1}'


async def test_a_failure_before_the_client_got_anything_has_a_status() -> None:
    up = Model(calls(("search__find", {})), says("never"))
    gateway = start(up, search=ToolServer(tool("find"), tools_list=lambda _: {"tools": 7}))
    response = await ask(gateway, stream=True)
    assert response.status == 502
    assert "tool server search" in response.error["message"]


# Who may use which server.


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        pytest.param({"tools": [{"type": "mcp", "ref": "other"}]}, "tools[0].ref", id="no such record"),
        pytest.param(
            {"tools": [OWN, {"type": "mcp", "ref": "files"}], "key": MANAGE},
            "tools[1].ref",
            id="another project's record",
        ),
        pytest.param({"tools": [*BOTH, {"type": "mcp", "ref": "search"}]}, "tools[2].ref", id="named twice"),
        pytest.param({"tools": BOTH, "n": 2}, "n", id="two choices"),
        pytest.param({"tools": [{"type": "mcp", "ref": 7}]}, "tools[0].ref", id="a ref of a wrong type"),
        pytest.param(
            {"tools": [{"type": "mcp", "ref": "search", "allowed_tools": [7]}]},
            "tools[0].allowed_tools[0]",
            id="a tool of a wrong type",
        ),
        pytest.param(
            {"tools": [BOTH[0], {"type": "mcp", "server_label": "x", "server_url": "https://x.example"}]},
            "tools[1]",
            id="a server of the provider beside ours",
        ),
    ],
)
async def test_a_server_that_may_not_be_used_is_refused(fields: Any, param: str) -> None:
    response = await ask(start(Model(says("never"))), **fields)
    assert (response.status, response.error["param"]) == (400, param)


@pytest.mark.parametrize(
    ("record", "named", "offered"),
    [
        pytest.param({}, {}, ["find", "drop"], id="all"),
        pytest.param({"tools": ["f*"]}, {}, ["find"], id="those of the record"),
        pytest.param({"tools": []}, {}, [], id="none"),
        pytest.param({}, {"allowed_tools": ["drop"]}, ["drop"], id="those of the request"),
        pytest.param({"tools": ["f*"]}, {"allowed_tools": {"tool_names": ["drop"]}}, [], id="those of both"),
    ],
)
async def test_only_tools_that_record_and_request_allow_are_offered(
    record: Any, named: Any, offered: list[str]
) -> None:
    up = Model(calls(("search__drop", {})), says("Done."))
    gateway = start(up, {**SEARCH, **record})
    await ask(gateway, tools=[{"type": "mcp", "ref": "search", **named}])
    names = [each["function"]["name"] for each in up.requests[0].get("tools", ())]
    assert names == [f"search__{name}" for name in offered]
    assert web_of(gateway)["search.example"].called == (["drop"] if "drop" in offered else [])


async def test_a_server_named_by_its_address_is_that_of_a_record() -> None:
    named = {"type": "mcp", "server_label": "x", "server_url": SEARCH["url"], "require_approval": "never"}
    up = Model(calls(("search__find", {})), says("Done."))
    response = await ask(start(up), tools=[named])
    assert response.content == "Done."
    assert len(up.requests) == 2


async def test_an_explanation_lists_the_servers() -> None:
    gateway = start(Model(says("never")), {**SEARCH, "tools": ["f*"]})
    body = {"messages": [{"role": "user", "content": "hi"}], "tools": BOTH[:1]}
    response = await gateway.post("/v1/explain", body)
    assert response.json["servers"] == [{"id": "search", "tools": ["f*"]}]


@pytest.mark.parametrize(
    ("record", "settings", "status", "message"),
    [
        pytest.param({"credential": "OTHER_TOKEN"}, {}, 503, "no credential OTHER_TOKEN", id="no credential"),
        pytest.param(
            {"credential": "OPENAI_API_KEY"}, {}, 502, "may not be sent", id="a provider's credential"
        ),
    ],
)
async def test_a_credential_that_cannot_be_sent(
    record: Any, settings: Any, status: int, message: str
) -> None:
    response = await ask(start(Model(says("never")), {**SEARCH, **record}), tools=BOTH[:1])
    assert response.status == status
    assert message in response.error["message"]


# Limits and budgets. A call costs 0.006 dollars, and reserves about as much.

CHEAP_INPUT = {"input": 1, "output": 2000}
MONEY = {"kind": "budget", "id": "money", "usd": 0.03, "per": "month"}
BURST = {"kind": "limit", "id": "burst", "requests": 5, "per": "minute"}


@pytest.fixture
def state() -> Iterator[InlineItems]:
    with dynamodb() as client:
        yield InlineItems(client)


def counted(state: InlineItems, up: Model, *records: Any) -> RunningGateway:
    web = Web({"up": up, "search.example": ToolServer(tool("find"))})
    rows = [provider("http://up/v1"), model("up/m", price=CHEAP_INPUT), SEARCH, *records]
    return start_gateway(rows, upstream=web, state=state, now=now, SEARCH_TOKEN="search-secret")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_each_model_call_is_settled_and_the_request_is_counted_once(
    state: InlineItems, stream: bool
) -> None:
    find = calls(("search__find", {}))
    gateway = counted(state, Model(find, find, says("Done.")), MONEY, BURST)
    first = await gateway.chat(model="up/m", tools=BOTH[:1], max_tokens=3, stream=stream)
    assert first.content == "Done."
    await gateway.gateway.settle()
    lines = [line for line in gateway.lines if line["message"] == "request"]
    assert [line["cost"] for line in lines] == [pytest.approx(0.018021)]
    second = await gateway.chat(model="up/m", max_tokens=3)
    assert second.headers["x-ratelimit-remaining-requests"] == "3"
    assert second.headers["x-sluice-alert"] == "budget money 60%", "three calls of one request"
    await gateway.gateway.aclose()


async def test_a_budget_that_is_used_up_ends_a_request_between_its_model_calls(state: InlineItems) -> None:
    up = Model(calls(("search__find", {})))
    gateway = counted(state, up, {**MONEY, "usd": 0.015})
    response = await gateway.chat(model="up/m", tools=BOTH[:1], max_tokens=3)
    assert (response.status, response.error["code"]) == (402, "budget_exceeded")
    assert len(up.requests) == 2
    assert gateway.lines[-1]["usage"] == {"input": 14, "output": 6}
    await gateway.gateway.aclose()


async def test_a_budgets_then_keeps_the_conversation(state: InlineItems) -> None:
    find = calls(("search__find", {}))
    up = Model(find, find, says("Done."))
    then = {"model": "up/free", "override": True}
    records = [{**MONEY, "usd": 0.015, "then": then}, model("up/free", price={"input": 0, "output": 0})]
    gateway = counted(state, up, *records)
    response = await gateway.chat(model="up/m", tools=BOTH[:1], max_tokens=3)
    assert response.content == "Done."
    assert [each["model"] for each in up.requests] == ["m", "m", "free"]
    assert [len(each["messages"]) for each in up.requests] == [1, 3, 5]
    assert all(each["tools"] for each in up.requests)
    await gateway.gateway.aclose()


async def test_another_model_goes_on_when_the_first_fails_in_mid_conversation() -> None:
    up = Model(
        calls(("search__find", {})), response(b"{}", status=500), response(b"{}", status=500), says("Done.")
    )
    gateway = start(up, SEARCH, model("up/spare"))
    answer = await ask(gateway, tools=BOTH[:1], fallback_models=["up/spare"])
    assert answer.content == "Done."
    assert answer.headers["x-sluice-model"] == "up/spare"
    assert [each["model"] for each in up.requests] == ["m", "m", "m", "spare"]
    assert len(up.requests[-1]["messages"]) == 3


# The formats of other clients.

HOSTED = {"type": "mcp", "server_label": "s", "server_url": SEARCH["url"], "require_approval": "never"}
CLIENTS: dict[str, Any] = {
    "responses": ("/v1/responses", {"model": "up/m", "input": "hi", "tools": [HOSTED]}),
    "messages": (
        "/v1/messages",
        {
            "model": "up/m",
            "max_tokens": 99,
            "messages": [{"role": "user", "content": "hi"}],
            "mcp_servers": [{"type": "url", "url": SEARCH["url"], "name": "s"}],
            "tools": [{"type": "mcp_toolset", "mcp_server_name": "s"}],
        },
    ),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_of_another_format_names_a_server_in_its_own_way(client: str, stream: bool) -> None:
    async def slow(params: Any) -> Any:
        await asyncio.sleep(40)
        return {"content": [{"type": "text", "text": "found it"}]}

    up = Model(calls(("search__find", {"q": "x"}), text="I look."), says("It is x."))
    gateway = start(up, search=ToolServer(tool("find"), tools_call=slow))
    path, body = CLIENTS[client]
    answer = await gateway.post(path, {**body, "stream": stream})
    assert answer.status == 200, answer.body
    assert up.requests[1]["messages"][-1]["content"] == "found it"
    assert b"search__find" not in answer.body
    if stream:
        events = [json.loads(event.data) for event in sse.Decoder().feed(answer.body)]
        deltas = [each["delta"] for each in events if "delta" in each]
        texts = [each if isinstance(each, str) else each.get("text", "") for each in deltas]
        assert "".join(texts) == "I look.\n\nIt is x."
        alive = b"event: ping" if client == "messages" else b": keep-alive"
        assert answer.body.count(alive) >= 2
    else:
        assert b"I look.\\n\\nIt is x." in answer.body
    await gateway.gateway.aclose()


CHAT = {"model": "up/m", "messages": [{"role": "user", "content": "hi"}], "tools": BOTH[:1]}
ENDS = {"chat": b'"error":{"message"', "responses": b'"status":"failed"', "messages": b"event: error"}


@pytest.mark.parametrize("status", [400, 429, 500])
@pytest.mark.parametrize("client", ENDS)
async def test_a_model_call_that_fails_after_a_text_ends_the_stream_with_an_error(
    client: str, status: int
) -> None:
    refused = response({"error": {"message": "It cannot."}}, status=status)
    gateway = start(Model(calls(("search__find", {}), text="I look."), refused), SEARCH)
    path, body = CLIENTS.get(client, ("/v1/chat/completions", CHAT))
    answer = await gateway.post(path, {**body, "stream": True})
    assert answer.ended
    assert b"ook." in answer.body
    assert ENDS[client] in answer.body.rstrip().split(b"\n\n")[-1]
    assert b"[DONE]" not in answer.body
    line = gateway.lines[-1]
    assert (line["message"], line["status"], line["level"]) == ("request", 200, "ERROR")
    assert line["error"]["metadata"]["origin"] == "provider"
    await gateway.gateway.aclose()


async def test_an_explained_stream_names_the_servers_once() -> None:
    up = Model(calls(("search__find", {}), text="I look."), says("Done."))
    answer = await ask(start(up), tools=BOTH[:1], headers={"x_sluice_explain": "1"}, **STREAM)
    explained = [each["sluice"] for each in answer.events[:-1] if "sluice" in each]
    assert [each["servers"] for each in explained] == [[{"id": "search", "tools": None}]]
