"""Tests of handler/providers/google/messages.py."""

from __future__ import annotations

from typing import Any

import pytest

from handler.errors import Json
from handler.providers.provider import Quirks
from tests.handler.providers.google.gemini import (
    HELLO,
    PNG,
    assistant,
    contents,
    from_model,
    from_user,
    function_call,
    function_response,
    message,
    text,
    tool_call,
    tool_result,
    translate,
)


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param([message("user", "")], [from_user(text(" "))], id="an empty user message"),
        pytest.param([message("system", "Be kind.")], [from_user(text("Be kind."))], id="instructions alone"),
        pytest.param([message("system", "")], [from_user(text(" "))], id="empty instructions alone"),
        pytest.param(
            [message("user", "a"), message("user", [{"type": "text", "text": "b"}])],
            [from_user(text("a"), text("b"))],
            id="two user messages in a row become one content",
        ),
        pytest.param(
            [message("user", "a"), message("assistant", "b"), message("assistant", "c")],
            [from_user(text("a")), from_model(text("b"), text("c"))],
            id="two assistant messages in a row become one content, which may be the last",
        ),
        pytest.param(
            [message("assistant", "b"), message("user", "a")],
            [from_user(text(" ")), from_model(text("b")), from_user(text("a"))],
            id="the first content is the user's",
        ),
        pytest.param(
            [
                message("user", "a"),
                message("assistant", "b"),
                message("developer", "c"),
                message("user", "d"),
            ],
            [from_user(text("a")), from_model(text("b")), from_user(text("c"), text("d"))],
            id="later instructions stay in place as the user's",
        ),
        pytest.param(
            [message("user", "a"), message("assistant", "", tool_calls=[]), message("user", "b")],
            [from_user(text("a"), text("b"))],
            id="an empty assistant message is left out",
        ),
        pytest.param(
            [message("user", "a"), message("assistant", None, refusal="No.")],
            [from_user(text("a")), from_model(text("No."))],
            id="a refusal without content",
        ),
        pytest.param(
            [
                message("user", "a"),
                message("assistant", [{"type": "refusal", "refusal": "No."}, {"type": "thinking"}]),
            ],
            [from_user(text("a")), from_model(text("No."))],
            id="a refusal part, and another provider's thinking part",
        ),
    ],
)
def test_messages_become_contents(messages: list[Json], expected: list[Json]) -> None:
    assert contents(*messages) == expected


def test_instructions_at_the_beginning_keep_their_order_and_parts() -> None:
    body, _ = translate({"messages": [message("system", "a"), message("developer", "b"), *HELLO]})
    assert body["systemInstruction"] == {"parts": [text("a"), text("b")]}
    assert body["contents"] == [from_user(text("Hello"))]


def test_instructions_are_the_users_for_a_model_that_takes_none() -> None:
    body, _ = translate({"messages": [message("system", "a"), *HELLO]}, "gemma-3-27b-it")
    assert body == {"contents": [from_user(text("a"), text("Hello"))]}


def test_the_last_of_instructions_alone_becomes_the_users() -> None:
    body, _ = translate({"messages": [message("system", "a"), message("system", "b")]})
    assert body == {"systemInstruction": {"parts": [text("a")]}, "contents": [from_user(text("b"))]}


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param(
            [assistant(tool_call("a"), tool_call("b", "see")), tool_result("b", "2"), tool_result("a", "1")],
            [
                from_model(function_call("a"), function_call("b", "see", signature=None)),
                from_user(
                    function_response("a", {"output": "1"}), function_response("b", {"output": "2"}, "see")
                ),
            ],
            id="results in the order of the calls",
        ),
        pytest.param(
            [assistant(tool_call("a")), message("system", "x"), tool_result("a"), message("user", "y")],
            [
                from_model(function_call("a")),
                from_user(function_response("a", {"output": "ok"})),
                from_user(text("x"), text("y")),
            ],
            id="messages between a call and its result come after the result",
        ),
        pytest.param(
            [assistant(tool_call("a")), message("user", "never mind")],
            [
                from_model(function_call("a")),
                from_user(function_response("a", {"error": "No result provided"})),
                from_user(text("never mind")),
            ],
            id="a call without a result",
        ),
        pytest.param(
            [assistant(tool_call("a"))],
            [
                from_model(function_call("a")),
                from_user(function_response("a", {"error": "No result provided"})),
            ],
            id="a call in the last message",
        ),
        pytest.param(
            [assistant(tool_call("a")), tool_result("a", "old"), tool_result("a", "new")],
            [from_model(function_call("a")), from_user(function_response("a", {"output": "new"}))],
            id="the last of two results",
        ),
        pytest.param(
            [assistant(tool_call("a"), tool_call("a")), tool_result("a", "1"), tool_result("a", "2")],
            [
                from_model(function_call("a"), function_call("a-1", signature=None)),
                from_user(function_response("a", {"output": "1"}), function_response("a-1", {"output": "2"})),
            ],
            id="two calls with the same id get different ids",
        ),
        pytest.param(
            [
                assistant(tool_call("a")),
                assistant(tool_call("b")),
                tool_result("a", "1"),
                tool_result("b", "2"),
            ],
            [
                from_model(function_call("a"), function_call("b", signature=None)),
                from_user(function_response("a", {"output": "1"}), function_response("b", {"output": "2"})),
            ],
            id="calls in two messages belong to one turn",
        ),
        pytest.param(
            [message("assistant", "Hm."), tool_result("z", "lost")],
            [from_model(text("Hm.")), from_user(text("[tool result z]"), text("lost"))],
            id="a result without a call",
        ),
        pytest.param(
            [
                assistant(tool_call("a")),
                tool_result(
                    "a", [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]
                ),
            ],
            [
                from_model(function_call("a")),
                from_user(
                    function_response(
                        "a", {"output": ""}, parts=[{"inlineData": {"mimeType": "image/png", "data": PNG}}]
                    )
                ),
            ],
            id="an image in a result",
        ),
        pytest.param(
            [assistant(tool_call("a"), content="Wait."), tool_result("a")],
            [
                from_model(text("Wait."), function_call("a")),
                from_user(function_response("a", {"output": "ok"})),
            ],
            id="text and call in one message",
        ),
    ],
)
def test_calls_and_their_results(messages: list[Json], expected: list[Json]) -> None:
    assert contents(*HELLO, *messages)[1:] == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param('{"a":1}', {"a": 1}, id="an object"),
        pytest.param("", {}, id="an empty text"),
        pytest.param("null", {}, id="a text of null"),
        pytest.param(None, {}, id="null instead of a text"),
        pytest.param({"a": 1}, {"a": 1}, id="an object instead of a text"),
        pytest.param("[1]", {"value": [1]}, id="a list"),
        pytest.param('"x"', {"value": "x"}, id="a text"),
        pytest.param('{"a":', {"_raw": '{"a":'}, id="a text that is not JSON"),
        pytest.param('{"a":NaN}', {"_raw": '{"a":NaN}'}, id="NaN, which is not JSON"),
    ],
)
def test_arguments_in_the_history_become_an_object(arguments: Any, expected: Json) -> None:
    found = contents(*HELLO, assistant(tool_call("a", arguments=arguments)))[1]["parts"][0]["functionCall"][
        "args"
    ]
    assert found == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param('{"a":1}', {"a": 1}, id="an object"),
        pytest.param("[1]", {"output": [1]}, id="a list"),
        pytest.param("12", {"output": "12"}, id="a number stays a text"),
        pytest.param("", {"output": ""}, id="an empty text"),
        pytest.param([], {"output": ""}, id="an empty list"),
        pytest.param("{broken", {"output": "{broken"}, id="a text that is not JSON"),
        pytest.param('{"$ref":"x"}', {"output": '{"$ref":"x"}'}, id="Gemini would follow a $ref"),
        pytest.param(
            [{"type": "text", "text": '{"a"'}, {"type": "text", "text": ":1}"}],
            {"a": 1},
            id="an object in two parts",
        ),
    ],
)
def test_a_result_becomes_an_object(content: Any, expected: Json) -> None:
    parts = contents(*HELLO, assistant(tool_call("a")), tool_result("a", content))[2]["parts"]
    assert parts == [function_response("a", expected)]


def test_an_error_stays_an_error() -> None:
    failed = {**tool_result("a", '{"x":1}'), "is_error": True}
    parts = contents(*HELLO, assistant(tool_call("a")), failed)[2]["parts"]
    assert parts == [function_response("a", {"error": '{"x":1}'})]


def test_a_row_can_leave_out_the_ids_of_calls() -> None:
    quirks = Quirks(legacy=False, message_drop=frozenset({"tool_call_id"}))
    body, _ = translate({"messages": [*HELLO, assistant(tool_call("a")), tool_result("a")]}, quirks=quirks)
    assert "id" not in body["contents"][1]["parts"][0]["functionCall"]
