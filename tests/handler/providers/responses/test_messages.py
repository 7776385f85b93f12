"""Input items of OpenAI's Responses."""

from __future__ import annotations

from typing import Any

import pytest

from handler.errors import Json
from tests.handler.providers.content_blocks.builders import assistant, call, tool_message, user
from tests.handler.providers.responses.builders import items

MARK = {"mode": "explicit"}
ENCRYPTED = {"type": "reasoning.encrypted", "data": "x", "id": "rs_1", "format": "openai-responses-v1"}


def said(role: str, content: Any, **more: Any) -> Json:
    return {"type": "message", "role": role, "content": content, **more}


def called(id: str, name: str = "look", arguments: str = "{}") -> Json:
    return {"type": "function_call", "call_id": id, "name": name, "arguments": arguments}


def output(id: str, text: Any) -> Json:
    return {"type": "function_call_output", "call_id": id, "output": text}


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param(
            [{"role": "system", "content": "A"}, user("B"), {"role": "developer", "content": "C"}],
            [said("system", "A"), said("user", "B"), said("developer", "C")],
            id="instructions stay in their place",
        ),
        pytest.param(
            [user([{"type": "text", "text": "A"}, {"type": "text", "text": "B"}], name="eve")],
            [said("user", "AB")],
            id="texts become one, without the name",
        ),
        pytest.param([user([])], [said("user", "")], id="no content"),
        pytest.param(
            [user([{"type": "text", "text": "A", "prompt_cache_breakpoint": MARK}])],
            [said("user", [{"type": "input_text", "text": "A", "prompt_cache_breakpoint": MARK}])],
            id="a breakpoint of the prompt cache",
        ),
        pytest.param(
            [user([{"type": "text", "text": "A", "cache_control": {"type": "ephemeral"}}])],
            [said("user", "A")],
            id="a cache mark of another provider",
        ),
        pytest.param(
            [user([{"type": "file", "file": {"file_id": "file-1"}}])],
            [said("user", [{"type": "input_file", "file_id": "file-1"}])],
            id="a file that is stored there",
        ),
        pytest.param(
            [user([{"type": "file", "file": {"file_data": "https://a.example/b.pdf"}}])],
            [said("user", [{"type": "input_file", "file_url": "https://a.example/b.pdf"}])],
            id="a file by its address",
        ),
        pytest.param(
            [user([{"type": "file", "file": {"file_data": "QQ==", "filename": "a.xyz"}}])],
            [
                said(
                    "user",
                    [
                        {
                            "type": "input_file",
                            "filename": "a.xyz",
                            "file_data": "data:application/octet-stream;base64,QQ==",
                        }
                    ],
                )
            ],
            id="a file of an unknown type",
        ),
        pytest.param(
            [
                assistant(
                    [{"type": "text", "text": "A"}, {"type": "refusal", "refusal": "B"}, {"type": "thinking"}]
                )
            ],
            [said("assistant", "AB")],
            id="an answer in parts",
        ),
        pytest.param([assistant(None, refusal="No.")], [said("assistant", "No.")], id="a refusal"),
        pytest.param(
            [assistant("A", phase="commentary"), assistant("B", phase="x")],
            [said("assistant", "A", phase="commentary"), said("assistant", "B")],
            id="the phase of an answer",
        ),
        pytest.param(
            [assistant("", reasoning_details=[ENCRYPTED])],
            [],
            id="reasoning that nothing follows is left out",
        ),
        pytest.param(
            [assistant("A", reasoning_content="Hm.")], [said("assistant", "A")], id="reasoning as a text"
        ),
        pytest.param(
            [assistant("A", call("1"), call("2")), tool_message("2", "b"), tool_message("1", "a")],
            [said("assistant", "A"), called("1"), called("2"), output("2", "b"), output("1", "a")],
            id="calls and their results",
        ),
        pytest.param(
            [assistant(None, call("1"), call("2")), tool_message("2", "b"), user("Go on")],
            [
                *(called("1"), called("2"), output("1", "No result provided.")),
                *(output("2", "b"), said("user", "Go on")),
            ],
            id="a call without a result",
        ),
        pytest.param(
            [assistant(None, call("1", ""))],
            [called("1"), output("1", "No result provided.")],
            id="the last call without a result, and without arguments",
        ),
        pytest.param(
            [tool_message("9", [{"type": "image_url", "image_url": {"url": "https://a.example"}}])],
            [
                said(
                    "user",
                    [
                        {"type": "input_text", "text": "[tool result 9]"},
                        {"type": "input_image", "image_url": "https://a.example", "detail": "auto"},
                    ],
                )
            ],
            id="a result without a call",
        ),
        pytest.param(
            [assistant(None, call("1")), tool_message("1", None)],
            [called("1"), output("1", "")],
            id="no output",
        ),
        pytest.param(
            [assistant(None, call("1", "not JSON")), tool_message("1")],
            [called("1", arguments="not JSON"), output("1", "ok")],
            id="arguments that are not JSON",
        ),
        pytest.param(
            [
                assistant(None, {"id": "1", "type": "custom", "custom": {"name": "run", "input": "ls"}}),
                tool_message("1"),
            ],
            [
                {"type": "custom_tool_call", "call_id": "1", "name": "run", "input": "ls"},
                {"type": "custom_tool_call_output", "call_id": "1", "output": "ok"},
            ],
            id="a call of a custom tool",
        ),
        pytest.param(
            [
                assistant(None, call("1")),
                tool_message("1", "a"),
                assistant(None, call("1")),
                tool_message("1", "b"),
            ],
            [called("1"), output("1", "a"), called("1"), output("1", "b")],
            id="an id that occurs in two turns",
        ),
    ],
)
def test_the_items_of_messages(messages: list[Json], expected: list[Json]) -> None:
    assert items(*messages) == expected


@pytest.mark.parametrize("id", ["x" * 65, "", "x" * 100_000, "\ud800" * 70])
def test_an_id_of_another_length_is_replaced_in_the_call_and_its_result(id: str) -> None:
    first, second = items(assistant(None, call(id)), tool_message(id))
    assert first["call_id"] == second["call_id"]
    assert 0 < len(first["call_id"]) <= 64
    assert items(assistant(None, call("x" * 64)))[0]["call_id"] == "x" * 64


def test_many_images_and_results_take_linear_work() -> None:
    parts = [{"type": "image_url", "image_url": {"url": "https://a.example"}}] * 3000
    calls = [call(str(at)) for at in range(3000)]
    found = items(user(parts), assistant(None, *calls), *(tool_message(str(at)) for at in range(3000)))
    assert len(found) == 6001
