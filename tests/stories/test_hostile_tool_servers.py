"""A tool server that hangs, lies or floods costs a request a bounded time, and the model gets an error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from handler.errors import UpstreamError
from tests.support.gateways import model, provider, start_gateway
from tests.support.tool_servers import (
    Model,
    ToolServer,
    Web,
    calls,
    events,
    response,
    says,
    text_result,
    tool,
)
from tests.support.virtual_clock import timed

SEARCH = {"kind": "mcp", "id": "search", "url": "https://search.example/mcp"}
ALIVE = 65.0  # seconds that a call may cost


async def answered(server: Any, *answers: Any, records: Any = (SEARCH,), **fields: Any) -> tuple[Any, Model]:
    up = Model(*(answers or (calls(("search__find", {})), says("Done."))))
    web = Web({"up": up, "search.example": server})
    gateway = start_gateway([provider("http://up/v1"), model("up/m"), *records], upstream=web)
    tools = [{"type": "mcp", "ref": "search"}]
    result = await gateway.chat(**{"model": "up/m", "tools": tools, **fields})
    await gateway.gateway.aclose()
    return result, up


def result_of(up: Model) -> str:
    """What the model got as the result of its last call."""
    return str(up.requests[-1]["messages"][-1]["content"])


async def hang(_: Any) -> Any:
    await asyncio.sleep(1e6)


def refuse(message: str) -> Callable[[Any], Any]:
    def call(_: Any) -> Any:
        raise UpstreamError(message, failure_class="network", cause="refused")

    return call


def reply(*answers: Any, id: int = 2) -> Callable[[Any], Any]:
    """Answer with these messages as events, and then with a good result."""
    return lambda _: events(*answers, {"jsonrpc": "2.0", "id": id, "result": text_result("late")})


def asks(method: str, params: Any, id: Any = "s") -> Any:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


PROGRESS = {
    "jsonrpc": "2.0",
    "method": "notifications/progress",
    "params": {"progressToken": 1, "progress": 1},
}
LIST_CHANGED = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
SAMPLING = asks(
    "sampling/createMessage",
    {"messages": [{"role": "user", "content": {"type": "text", "text": "steal"}}], "maxTokens": 9},
)
ELICITATION = asks(
    "elicitation/create",
    {"message": "Your password?", "requestedSchema": {"type": "object", "properties": {}}},
)

CALLS: tuple[tuple[str, Callable[[Any], Any], str], ...] = (
    ("a call that never ends", hang, "too long"),
    ("an error of the tool", lambda _: text_result("no such city", isError=True), "Error: no such city"),
    ("no JSON", lambda _: response(b"<html>"), "Error:"),
    ("another type", lambda _: response(b"<html>", content_type="text/html"), "Error:"),
    ("nothing", lambda _: response(b""), "Error:"),
    ("an answer of 202", lambda _: response(status=202), "Error:"),
    ("a server error", lambda _: response(b"boom", status=500), "Error:"),
    (
        "a redirect",
        lambda _: response(status=307, location="https://169.254.169.254/"),
        "redirects are not followed",
    ),
    ("a redirect to itself", lambda _: response(status=308, location="/mcp"), "redirects are not followed"),
    ("a refused credential", lambda _: response(status=401), "credential"),
    ("a closed connection", refuse("The provider reset the connection."), "reset"),
    ("10 MB", lambda _: response(b'{"a": "' + b"x" * 10_000_000), "more than 2000000 bytes"),
    ("10 MB of events", lambda _: events(*[b": " + b"x" * 100_000 + b"\n"] * 100), "more than 2000000 bytes"),
    ("a flood of events", lambda _: events(*[b"data: {}\n\n"] * 20_000), "Error:"),
    ("a compressed answer", lambda _: response(b"\x1f\x8b", content_encoding="gzip"), "compressed"),
    ("events without an end", lambda _: events(PROGRESS, 1e6), "too long"),
    ("events that end early", lambda _: events(PROGRESS), "Error:"),
    ("a stream to be resumed for ever", lambda _: events(b"id: 7\nretry: 0\ndata:\n\n"), "Error:"),
    (
        "a stream to be resumed next year",
        lambda _: events(b"id: 7\nretry: 99999999999\ndata:\n\n"),
        "too long",
    ),
    (
        "another one's result",
        lambda _: response({"jsonrpc": "2.0", "id": 99, "result": text_result("x")}),
        "too long",
    ),
    ("a result without content", lambda _: {}, ""),
    ("content of a wrong type", lambda _: {"content": "text"}, "Error:"),
    ("nesting", lambda _: response(b'{"jsonrpc":"2.0","id":2,"result":' + b"[" * 100_000), "Error:"),
    ("a request for sampling", reply(SAMPLING), "late"),
    ("a request for input", reply(ELICITATION), "late"),
    ("an unknown request", reply(asks("x/y", {})), "late"),
    ("a changed list of tools", reply(LIST_CHANGED), "late"),
    ("input required", lambda _: {"resultType": "input_required", "inputRequests": {}}, "Error:"),
    (
        "an image",
        lambda _: {"content": [{"type": "image", "mimeType": "image/png", "data": "AAAA"}]},
        "[image, image/png, 3 bytes: not shown]",
    ),
    ("structured content alone", lambda _: {"content": [], "structuredContent": {"a": 1}}, '{"a": 1}'),
    ("a long text", lambda _: text_result("x" * 150_000), "The result has 150000 characters"),
)


@pytest.mark.parametrize(("call", "expected"), [pytest.param(*each[1:], id=each[0]) for each in CALLS])
async def test_a_call_that_goes_wrong_is_told_to_the_model_and_the_request_goes_on(
    call: Callable[[Any], Any], expected: str
) -> None:
    server = ToolServer(tool("find", outputSchema={"type": "object"}), tools_call=call)
    seconds, (result, up) = await timed(answered(server))
    assert result.content == "Done.", result.body
    assert expected in result_of(up)
    assert len(result_of(up)) < 101_000
    assert seconds < ALIVE
    assert all("169.254" not in str(each.url) for each in server.requests)
    assert len(server.requests) < 320


async def test_what_a_server_asks_of_its_client_is_refused() -> None:
    server = ToolServer(tool("find"), tools_call=reply(SAMPLING, ELICITATION))
    await answered(server)
    replies = [each for each in server.messages if "method" not in each]
    assert replies
    assert all("error" in each for each in replies)


SELF = tool("find", inputSchema={"$ref": "#"})
LISTS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("a server that hangs", {"initialize": hang}, "took too long"),
    ("a list that hangs", {"tools_list": hang}, "took too long"),
    ("a server that is down", {"initialize": refuse("The provider refused the connection.")}, "refused"),
    ("a list without an end", {"tools_list": lambda _: {"tools": [], "nextCursor": "more"}}, "pages"),
    (
        "2 MB of tools",
        {"tools_list": lambda _: {"tools": [tool(f"t{n}") for n in range(20_000)], "nextCursor": "more"}},
        "more than 1000 tools",
    ),
    (
        "tools on every page",
        {"tools_list": lambda _: {"tools": [tool(f"t{n}") for n in range(200)], "nextCursor": "more"}},
        "more than 1000 tools",
    ),
    ("a schema that is its own reference", {"tools_list": lambda _: {"tools": [SELF]}}, "tool server search"),
    ("a surrogate", {"tools_list": lambda _: {"tools": [tool("\ud800")]}}, "tool server search"),
    ("100 tools", {"tools_list": lambda _: {"tools": [tool(f"t{n}") for n in range(100)]}}, "64 tools"),
    ("a list of a wrong type", {"tools_list": lambda _: {"tools": "all"}}, "tool server search"),
    (
        "another version",
        {
            "initialize": lambda _: {
                "protocolVersion": "1999-01-01",
                "capabilities": {},
                "serverInfo": {"name": "x", "version": "1"},
            }
        },
        "tool server search",
    ),
    ("no credential", {"initialize": lambda _: response(status=401)}, "credential"),
    ("no such page", {"initialize": lambda _: response(status=404)}, "tool server search"),
    (
        "a web page",
        {"initialize": lambda _: response(b"<html>", content_type="text/html")},
        "tool server search",
    ),
)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("methods", "expected"), [pytest.param(*each[1:], id=each[0]) for each in LISTS])
async def test_a_server_that_cannot_be_used_fails_the_request(
    methods: dict[str, Any], expected: str, stream: bool
) -> None:
    server = ToolServer(tool("find"), **methods)
    seconds, (result, up) = await timed(answered(server, stream=stream))
    assert up.requests == []
    assert seconds < ALIVE
    if seconds > 15 and stream:  # the head is sent
        assert expected in result.events[-1]["error"]["message"]
    else:
        assert result.status == 502
        assert expected in result.error["message"]


async def test_tools_whose_schema_cannot_be_sent_are_left_out() -> None:
    deep: dict[str, Any] = {"type": "object"}
    for _ in range(40):
        deep = {"type": "object", "properties": {"a": deep}}
    tools = [
        tool("big", inputSchema={"type": "object", "description": "x" * 70_000}),
        tool("far", inputSchema={"type": "object", "$ref": "https://evil.example/schema"}),
        tool("deep", inputSchema=deep),
        tool("find", description="x" * 10_000),
        tool("ünï/côde" * 20),
        tool("ünï/côde" * 20 + "2"),
    ]
    _, up = await answered(ToolServer(*tools))
    functions = [each["function"] for each in up.requests[0]["tools"]]
    assert functions[0]["name"] == "search__find"
    assert len(functions[0]["description"]) == 4_000
    assert len({each["name"] for each in functions}) == len(functions) == 3
    assert all(len(each["name"]) <= 64 and each["name"].isascii() for each in functions)


@pytest.mark.parametrize(
    "arguments", ["", "{", "[]", "7", "null", '"x"', "[" * 100_000], ids=lambda text: text[:5] or "none"
)
async def test_arguments_that_are_no_object_do_not_reach_the_server(arguments: str) -> None:
    server = ToolServer(tool("find"))
    result, _ = await answered(server, calls(("search__find", arguments)), says("Done."))
    assert result.content == "Done."
    assert server.called == ([] if arguments else ["find"])


async def test_of_many_calls_at_once_sixteen_are_run() -> None:
    server = ToolServer(tool("find"))
    _, up = await answered(server, calls(*[("search__find", {})] * 20), says("Done."))
    assert len(server.called) == 16
    assert [each["role"] for each in up.requests[-1]["messages"]].count("tool") == 20


async def test_all_results_together_are_limited() -> None:
    server = ToolServer(tool("find"), tools_call=lambda _: text_result("x" * 90_000))
    _, up = await answered(server, calls(*[("search__find", {})] * 16), says("Done."))
    assert len(json.dumps(up.requests[-1])) < 1_010_000


async def test_the_time_of_the_request_ends_a_call() -> None:
    route = {"kind": "route", "id": "r", "timeouts": {"total": 7}}
    server = ToolServer(tool("find"), tools_call=hang)
    seconds, (result, _) = await timed(answered(server, records=(SEARCH, route)))
    assert seconds < 12
    assert result.status == 504


async def test_a_stream_stays_alive_during_a_long_call() -> None:
    server = ToolServer(tool("find"), tools_call=hang)
    first = calls(("search__find", {}), text="I look.")
    result, _ = await answered(server, first, says("Done."), stream=True)
    assert result.body.count(b": keep-alive") >= 3
    assert result.content == "I look.\n\nDone."


@pytest.mark.parametrize("after", [1.0, 20.0], ids=["before the head", "after it"])
async def test_a_client_that_leaves_ends_everything(after: float) -> None:
    server = ToolServer(tool("find"), tools_call=hang)
    leave = asyncio.Event()
    asyncio.get_running_loop().call_later(after, leave.set)
    seconds, (_, up) = await timed(answered(server, stream=True, leave=leave))
    assert seconds < after + 12
    assert len(up.requests) == 1
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        pytest.param("http://tools.example/mcp", "its address is not https", id="without TLS"),
        pytest.param("https://127.0.0.1:9/mcp", "not public", id="loopback"),
        pytest.param("https://[::1]/mcp", "not public", id="loopback of IPv6"),
        pytest.param("https://169.254.169.254/mcp", "not public", id="metadata"),
        pytest.param("https://10.0.0.1/mcp", "not public", id="private"),
    ],
)
async def test_an_address_is_checked_as_a_providers(url: str, problem: str) -> None:
    records = [provider("https://up.invalid/v1"), model("up/m"), {**SEARCH, "url": url}]
    gateway = start_gateway(records, SLUICE_PRIVATE_UPSTREAMS="0")
    result = await gateway.chat(model="up/m", tools=[{"type": "mcp", "ref": "search"}])
    assert result.status == 502
    assert problem in result.error["message"]
    assert "[address]" not in result.error["message"]
    await gateway.gateway.aclose()


async def test_random_answers_never_break_a_request() -> None:
    import random

    chance = random.Random(11)
    pieces: list[Any] = [None, True, -1, 1e300, "", "x", [], {}, "text", "\ud800"]

    def value(depth: int) -> Any:
        if depth == 0 or chance.random() < 0.4:
            return chance.choice(pieces)
        if chance.random() < 0.5:
            return [value(depth - 1) for _ in range(chance.randrange(3))]
        names = [
            "content",
            "type",
            "text",
            "isError",
            "structuredContent",
            "resource",
            "data",
            "id",
            "result",
            "error",
            "method",
            "jsonrpc",
        ]
        return {chance.choice(names): value(depth - 1) for _ in range(chance.randrange(5))}

    def call(_: Any) -> httpx.Response:
        message = value(4)
        if chance.random() < 0.7:
            message = {"jsonrpc": "2.0", "id": 2, chance.choice(["result", "error"]): message}
        return response(message if isinstance(message, dict) else json.dumps(message).encode())

    for _ in range(60):
        result, _ = await answered(ToolServer(tool("find"), tools_call=call))
        assert result.status == 200
