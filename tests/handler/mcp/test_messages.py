"""The calls in a message, results as text, tools as functions, and the streams of several steps as one."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from handler.content.completion import completion_of
from handler.formats.tool_servers import NamedServer
from handler.gateway.tool_servers import ToolServer
from handler.mcp.messages import arguments_of, calls_to_run, handed_back, sent_back
from handler.mcp.results import result_text
from handler.mcp.step_stream import Sent, StepStream
from handler.mcp.toolbox import TooManyTools, make_tools, own_names
from rules import McpRecord, read_record
from tests.support.tool_servers import calls, says, tool

TEXT = {"type": "text", "text": "hello"}


@pytest.mark.parametrize(
    ("result", "text"),
    [
        pytest.param({"content": [TEXT, TEXT]}, "hello\nhello", id="texts"),
        pytest.param({"content": [TEXT], "isError": True}, "Error: hello", id="an error"),
        pytest.param({}, "", id="nothing"),
        pytest.param({"content": None}, "", id="null"),
        pytest.param({"content": "hello"}, "", id="content of a wrong type"),
        pytest.param(
            {"content": [None, 7, {}, {"type": 1}, {"type": "text", "text": 7}]}, "", id="wrong parts"
        ),
        pytest.param(
            {"content": [], "structuredContent": {"é": 1}}, '{"é": 1}', id="structured content alone"
        ),
        pytest.param(
            {"content": [TEXT], "structuredContent": {}}, "hello", id="structured content beside text"
        ),
        pytest.param(
            {"content": [{"type": "audio", "data": "AAAA"}]},
            "[audio, of an unknown type, 3 bytes: not shown]",
            id="audio",
        ),
        pytest.param(
            {"content": [{"type": "resource", "resource": {"uri": "a:b", "text": "x"}}]},
            "x",
            id="a text resource",
        ),
        pytest.param(
            {
                "content": [
                    {"type": "resource", "resource": {"uri": "a:b", "mimeType": "a/b", "blob": "AAAA"}}
                ]
            },
            "[resource, a/b, 3 bytes: not shown]",
            id="a binary resource",
        ),
        pytest.param(
            {"content": [{"type": "resource_link", "uri": "a:b", "name": "n"}]}, "[n: a:b]", id="a link"
        ),
        pytest.param(
            {"content": [{"type": "text", "text": "abcdefgh"}]},
            "abcde\n[The result has 8 characters; these are the first 5.]",
            id="too long",
        ),
    ],
)
def test_a_result_is_a_text(result: Any, text: str) -> None:
    assert result_text(result, 5 if "abcde" in text else 1000) == text


def server(record: Any = None, **named: Any) -> ToolServer:
    read = read_record({"kind": "mcp", "id": "s", "url": "https://s.example", **(record or {})})
    assert isinstance(read, McpRecord)
    return ToolServer(read, NamedServer("tools[0]", **named))


@pytest.mark.parametrize(
    ("given", "names"),
    [
        pytest.param(server(), ["s__a", "s__b"], id="all"),
        pytest.param(server(excluded=frozenset("a")), ["s__b"], id="but one"),
        pytest.param(server(tools=frozenset("ax")), ["s__a"], id="those that are named"),
        pytest.param(server({"tools": ["*b"]}), ["s__b"], id="those of a pattern"),
        pytest.param(
            server({"id": "my server/é"}),
            ["my_server____a", "my_server____b"],
            id="an id of other characters",
        ),
        pytest.param(server({"id": "x" * 80}), ["x" * 64, "x" * 60 + "_2"], id="a long id"),
    ],
)
def test_tools_get_the_names_of_functions(given: ToolServer, names: list[str]) -> None:
    assert list(make_tools([(given, [tool("a"), tool("b")])], ())) == names


def test_a_name_of_the_clients_is_not_used_again() -> None:
    own = own_names({"tools": [{"type": "function", "function": {"name": "s__a"}}, {"type": "x"}]})
    assert list(make_tools([(server(), [tool("a")])], own)) == ["s__a_2"]


def test_too_many_tools() -> None:
    with pytest.raises(TooManyTools):
        make_tools([(server(), [tool(f"t{number}") for number in range(65)])], ())


def message(*made: Any, **how: Any) -> Any:
    return calls(*made, **how)["choices"][0]["message"]


@pytest.mark.parametrize(
    ("given", "count"),
    [
        pytest.param(message(("s", {}), ("s", {})), 2, id="of servers"),
        pytest.param(message(("s", {}), ("own", {})), 0, id="of both"),
        pytest.param(message(("own", {})), 0, id="the client's"),
        pytest.param({"content": "x"}, 0, id="none"),
        pytest.param({"tool_calls": None}, 0, id="null"),
        pytest.param({"tool_calls": [{}]}, 0, id="a call without a function"),
        pytest.param({"tool_calls": [{"function": {"name": 7}}]}, 0, id="a name of a wrong type"),
    ],
)
def test_calls_are_run_if_all_are_of_servers(given: Any, count: int) -> None:
    assert len(calls_to_run(given, {"s"})) == count


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [("{}", {}), ("", {}), (None, {}), ('{"a": 1}', {"a": 1}), ("[]", None), ("{", None), (7, None)],
)
def test_arguments(arguments: Any, expected: Any) -> None:
    assert arguments_of({"function": {"name": "s", "arguments": arguments}}) == expected


def test_a_message_is_sent_back_with_its_reasoning_and_signatures() -> None:
    given = {**message(("s", {})), "reasoning_content": "hm", "refusal": None, "annotations": []}
    given["tool_calls"][0]["thought_signature"] = "sig"
    assert sent_back(given) == {
        "role": "assistant",
        "content": None,
        "reasoning_content": "hm",
        "tool_calls": given["tool_calls"],
    }


def test_the_texts_of_earlier_answers_come_first() -> None:
    last = handed_back(
        says("end", reasoning_content="b"), {"s"}, {"content": "begin", "reasoning_content": "a"}
    )
    assert last["choices"][0]["message"]["content"] == "begin\n\nend"
    assert last["choices"][0]["message"]["reasoning_content"] == "a\n\nb"


def test_the_reasoning_of_earlier_answers_comes_first() -> None:
    last = says("end", reasoning_details=[{"index": 0, "signature": "b"}])
    given = handed_back(last, {"s"}, {}, [{"index": 0, "signature": "a"}])
    assert given["choices"][0]["message"]["reasoning_details"] == [
        {"index": 0, "signature": "a"},
        {"index": 1, "signature": "b"},
    ]


# Streams.


def chunk(**delta: Any) -> Any:
    finish = delta.pop("finish", None)
    return {
        "id": "i",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


def call(index: int, name: str | None = None, arguments: str = "") -> Any:
    start = {"id": f"c{index}", "type": "function"} if name else {}
    named = {"name": name} if name else {}
    return {"index": index, **start, "function": {**named, "arguments": arguments}}


def bytes_of(*chunks: Any) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(each).encode() for each in chunks) + b"data: [DONE]\n\n"


def visible(data: bytes, cuts: random.Random | None = None, **how: Any) -> tuple[StepStream, Any]:
    step, out, at = StepStream(Sent(), {"s"}, **{"holds_text": False, **how}), b"", 0
    while at < len(data):
        size = cuts.randint(1, 40) if cuts else len(data)
        out += step.feed(data[at : at + size])
        at += size
    return step, completion_of(out + step.last())


BOTH = bytes_of(
    chunk(role="assistant", content=""),
    chunk(content="a"),
    chunk(tool_calls=[call(0, "s"), call(1, "own", "{")]),
    chunk(tool_calls=[call(1, None, "}"), call(0, None, "{}")]),
    chunk(content="b", finish="tool_calls"),
    {"id": "i", "choices": [], "usage": {"total_tokens": 3}},
)


@pytest.mark.parametrize("seed", range(5))
def test_a_client_sees_its_own_calls_however_the_bytes_are_cut(seed: int) -> None:
    step, seen = visible(BOTH, random.Random(seed))
    assert not step.runs_tools
    assert seen["choices"][0]["message"] == {
        "role": "assistant",
        "content": "ab",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "own", "arguments": "{}"}}],
    }
    assert seen["choices"][0]["finish_reason"] == "tool_calls"
    assert seen["usage"] == {"total_tokens": 3}


def test_calls_of_servers_alone_are_not_shown() -> None:
    step = StepStream(Sent(), {"s"}, holds_text=False)
    out = step.feed(bytes_of(chunk(tool_calls=[call(0, "s", "{}")]), chunk(finish="tool_calls")))
    assert step.runs_tools
    assert out == b""


def test_the_reasoning_of_each_step_has_indexes_of_its_own() -> None:
    sent, out = Sent(), b""
    for signature in ("a", "b"):
        step = StepStream(sent, {"s"}, holds_text=False)
        details = [{"index": place, "signature": signature} for place in range(2)]
        out += step.feed(bytes_of(*(chunk(reasoning_details=[one]) for one in details)))
    seen = completion_of(out) or {}
    found = [(one["index"], one["signature"]) for one in seen["choices"][0]["message"]["reasoning_details"]]
    assert found == [(0, "a"), (1, "a"), (2, "b"), (3, "b")]


def test_text_is_withheld_until_a_step_is_the_last() -> None:
    step = StepStream(Sent(), {"s"}, holds_text=True)
    assert b'"content":"a"' not in step.feed(
        bytes_of(chunk(role="assistant"), chunk(content="a"), chunk(finish="stop"))
    )
    assert b'"content":"a"' in step.last()


def test_an_error_is_the_last_event() -> None:
    step = StepStream(Sent(), {"s"}, holds_text=False)
    assert step.feed(b'data: {"error": {"message": "gone"}}\n\n') == b""
    assert step.error() == b'data: {"error":{"message":"gone"}}\n\n'
