"""Chat messages become messages of Converse: turns, ids, cache points, thinking."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.errors import Json
from tests.handler.providers.bedrock.builders import CLAUDE, MISTRAL, NOVA, function_tool, messages, request
from tests.handler.providers.bedrock.service_model import operation, violations
from tests.handler.providers.content_blocks.builders import assistant, call, text, tool_message, user


@pytest.mark.parametrize(
    ("chat_messages", "expected"),
    [
        pytest.param([user(" \n")], [("user", [{"text": "."}])], id="a blank text becomes a placeholder"),
        pytest.param(
            [user("a"), user("b")],
            [("user", [{"text": "a"}, {"text": "b"}])],
            id="two user messages become one turn",
        ),
        pytest.param(
            [{"role": "system", "content": "S"}],
            [("user", [{"text": "S"}])],
            id="a system message alone becomes the user's",
        ),
        pytest.param(
            [user("a"), {"role": "system", "content": "S"}, user("b")],
            [("user", [{"text": "a"}, {"text": "<system>\nS\n</system>"}, {"text": "b"}])],
            id="a later system message stays in its place",
        ),
        pytest.param(
            [user("a"), assistant("", call("x"))],
            [
                ("user", [{"text": "a"}]),
                ("assistant", [{"toolUse": {"toolUseId": "x", "name": "look", "input": {}}}]),
                (
                    "user",
                    [
                        {
                            "toolResult": {
                                "toolUseId": "x",
                                "content": [{"text": "No result provided."}],
                                "status": "error",
                            }
                        }
                    ],
                ),
            ],
            id="a call without a result gets an error",
        ),
    ],
)
def test_turns(chat_messages: list[Json], expected: list[Any]) -> None:
    assert messages(*chat_messages) == expected


def test_results_come_first_in_the_order_of_the_calls() -> None:
    calls = assistant(None, call("1"), call("2"))
    results = tool_message("2", ""), tool_message("1")
    sent = messages(user("a"), calls, user("wait"), *results, tools=[function_tool()])
    kinds = [next(iter(block)) for block in sent[-1][1]]
    assert kinds == ["toolResult", "toolResult", "text"]
    assert [block["toolResult"]["toolUseId"] for block in sent[-1][1][:2]] == ["1", "2"]
    assert sent[-1][1][1]["toolResult"]["content"] == [{"text": "(no output)"}]


@pytest.mark.parametrize(
    ("id", "name", "is_valid"),
    [
        pytest.param("tooluse_x-1", NOVA, True, id="a valid id is unchanged"),
        pytest.param("x" * 64, NOVA, True, id="the longest valid id"),
        pytest.param("x" * 65, NOVA, False, id="an id that is too long"),
        pytest.param("call 1/ä", NOVA, False, id="an id with other characters"),
        pytest.param("abcDEF123", MISTRAL, True, id="nine characters for Mistral"),
        pytest.param("call_abcdef", MISTRAL, False, id="another length for Mistral"),
    ],
)
def test_call_ids(id: str, name: str, is_valid: bool) -> None:
    chat = (user("a"), assistant(None, call(id)), tool_message(id))
    blocks = [block for _, content in messages(*chat, name=name) for block in content]
    sent_ids = {
        block[kind]["toolUseId"] for block in blocks for kind in ("toolUse", "toolResult") if kind in block
    }
    assert len(sent_ids) == 1
    assert (sent_ids == {id}) is is_valid
    assert messages(*chat, name=name) == messages(*chat, name=name), "the id is the same in every request"


def test_a_repeated_id_is_replaced_for_mistral_too() -> None:
    call_and_result = assistant(None, call("call_0")), tool_message("call_0")
    body = request({"messages": [user("a"), *call_and_result, *call_and_result]}, MISTRAL)[0]
    ids = [
        block["toolUse"]["toolUseId"]
        for one in body["messages"]
        for block in one["content"]
        if "toolUse" in block
    ]
    assert len(set(ids)) == 2
    assert all(len(id) == 9 and id.isalnum() for id in ids)


@settings(deadline=None)  # the first example loads the service model
@given(st.text(max_size=70), st.text(max_size=40))
def test_any_ids_and_names_make_a_valid_request(id: str, name: str) -> None:
    names = dict.fromkeys(["x", *([name] if name.isalnum() and len(name) < 9 else [])])
    messages = [user("a"), assistant(None, call(id, name=name or "x")), tool_message(id)]
    body = request({"messages": messages, "tools": [function_tool(one) for one in names]}, MISTRAL)[0]
    found = violations(body, operation("Converse").input_shape)
    assert [one for one in found if ".toolUse.name" not in one or name] == []


def test_the_last_four_cache_marks_are_kept() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    parts = [{**text(str(number)), **mark} for number in range(6)]
    content = request({"messages": [user(parts)]}, CLAUDE)[0]["messages"][0]["content"]
    assert sum("cachePoint" in block for block in content) == 4
    assert content[:2] == [{"text": "0"}, {"text": "1"}]


def test_nova_gets_no_cache_point_in_tools() -> None:
    body = request({"tools": [{**function_tool(), "cache_control": {"type": "ephemeral"}}]}, NOVA)[0]
    assert len(body["toolConfig"]["tools"]) == 1


def test_thinking_of_another_model_is_left_out() -> None:
    def sent(author: str) -> Any:
        detail = {"type": "reasoning.text", "text": "t", "signature": "s", "model": author}
        answer = assistant("a", reasoning_details=[detail])
        return messages(user("q"), answer, user("r"), name=CLAUDE, reasoning_effort="low")[1][1]

    thinking = {"reasoningContent": {"reasoningText": {"text": "t", "signature": "s"}}}
    assert sent("claude-opus-5-5") == [{"text": "a"}]
    assert sent("claude-sonnet-4-6") == [thinking, {"text": "a"}]
