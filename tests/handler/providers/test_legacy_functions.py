"""The legacy fields `functions` and `function_call`, for providers that take only tools."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from handler.providers.legacy_functions import functions_to_tools, to_legacy_chunk, to_legacy_completion

F = {"name": "f", "description": "d", "parameters": {"type": "object"}}
TOOL = {"type": "function", "function": F}
USER = {"role": "user", "content": "Hi"}
CALL = {"name": "f", "arguments": "{}"}
ONE_ONLY = {"parallel_tool_calls": False}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(
            {"functions": [F]},
            {"tools": [TOOL], **ONE_ONLY},
            id="functions become tools without parallel calls",
        ),
        pytest.param(
            {"functions": [F], "function_call": "auto"},
            {"tools": [TOOL], "tool_choice": "auto", **ONE_ONLY},
            id="a choice by name stays",
        ),
        pytest.param(
            {"functions": [F], "function_call": {"name": "f"}},
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}, **ONE_ONLY},
            id="a named function becomes a named tool",
        ),
        pytest.param(
            {"functions": [], "function_call": "none"}, {}, id="no functions, no tools and no choice"
        ),
        pytest.param({"functions": None, "function_call": None}, {}, id="null counts as absent"),
        pytest.param(
            {"functions": [F], "tools": [{"x": 1}]}, {"tools": [{"x": 1}]}, id="tools win over functions"
        ),
    ],
)
def test_functions_become_tools(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    body = {"model": "m", "messages": [USER], **fields}
    before = copy.deepcopy(body)
    assert functions_to_tools(body) == {"model": "m", "messages": [USER], **expected}
    assert body == before


def test_a_request_without_the_legacy_form_is_the_same_object() -> None:
    body = {"model": "m", "messages": [USER], "tools": [TOOL]}
    assert functions_to_tools(body) is body


def test_calls_and_results_of_the_history_share_an_id() -> None:
    answer = {"role": "assistant", "content": None}
    history = [
        USER,
        {**answer, "function_call": CALL},
        {"role": "function", "name": "f", "content": "1"},
        {**answer, "function_call": {**CALL, "name": "g"}},
        {"role": "function", "name": "g", "content": None},
        {**answer, "function_call": CALL},
        {"role": "function", "name": "f", "content": "2"},
    ]
    new = functions_to_tools({"messages": history})["messages"]
    assert new[0] is USER
    assert [message["tool_calls"][0]["id"] for message in new[1::2]] == ["call_1", "call_3", "call_5"]
    assert [message["tool_call_id"] for message in new[2::2]] == ["call_1", "call_3", "call_5"]
    assert [message["content"] for message in new[2::2]] == ["1", "", "2"]
    assert new[1] == {**answer, "tool_calls": [{"id": "call_1", "type": "function", "function": CALL}]}
    assert not any("name" in message for message in new)


def test_a_result_without_a_call_still_has_an_id() -> None:
    message = {"role": "function", "name": "f", "content": "1"}
    assert functions_to_tools({"messages": [message]})["messages"] == [
        {"role": "tool", "tool_call_id": "call_0", "content": "1"}
    ]


def test_a_function_call_of_null_is_dropped() -> None:
    message = {"role": "assistant", "content": "Hi", "function_call": None}
    assert functions_to_tools({"messages": [message]})["messages"] == [{"role": "assistant", "content": "Hi"}]


def calling(id_: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": CALL, **more}


def test_an_answer_becomes_legacy() -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [calling("a"), calling("b")]}
    answer = {"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    legacy = {"role": "assistant", "content": None, "function_call": CALL}
    choice = {"index": 0, "message": legacy, "finish_reason": "function_call"}
    assert to_legacy_completion(answer) == {"id": "1", "choices": [choice]}


@pytest.mark.parametrize("calls", [{}, {"tool_calls": None}, {"tool_calls": []}])
def test_an_answer_without_a_call_is_the_same_object(calls: dict[str, Any]) -> None:
    answer = {"choices": [{"message": {"content": "Hi", **calls}, "finish_reason": "stop"}]}
    assert to_legacy_completion(answer) is answer


def test_the_finish_reason_length_stays() -> None:
    answer = {"choices": [{"message": {"tool_calls": [calling("a")]}, "finish_reason": "length"}]}
    assert to_legacy_completion(answer)["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("delta", "finish", "expected", "ending"),
    [
        pytest.param(
            {"role": "assistant", "tool_calls": [calling("a", index=0)]},
            None,
            {"role": "assistant", "function_call": CALL},
            None,
            id="the first piece of a call",
        ),
        pytest.param(
            {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]},
            None,
            {"function_call": {"arguments": "{"}},
            None,
            id="a piece of its arguments",
        ),
        pytest.param({"tool_calls": [calling("b", index=1)]}, None, {}, None, id="another call is dropped"),
        pytest.param({}, "tool_calls", {}, "function_call", id="the finish reason"),
    ],
)
def test_a_chunk_becomes_legacy(
    delta: dict[str, Any], finish: str | None, expected: dict[str, Any], ending: str | None
) -> None:
    chunk = {"id": "1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    assert to_legacy_chunk(chunk) == {
        "id": "1",
        "choices": [{"index": 0, "delta": expected, "finish_reason": ending}],
    }


@pytest.mark.parametrize(
    "chunk", [{"choices": []}, {"choices": [{"delta": {"content": "x"}, "finish_reason": None}]}, {}]
)
def test_a_chunk_without_a_call_is_the_same_object(chunk: dict[str, Any]) -> None:
    assert to_legacy_chunk(chunk) is chunk
