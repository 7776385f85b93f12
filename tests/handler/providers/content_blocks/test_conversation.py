"""Chat messages become turns of content blocks."""

from __future__ import annotations

from typing import Any

import pytest

from handler.errors import Json
from tests.handler.providers.content_blocks.builders import (
    BUDGET,
    assistant,
    call,
    text,
    tool_message,
    tool_result,
    tool_use,
    turns,
    user,
)

SCREENSHOT = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}

PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}

MISSING = {"content": "No result provided.", "is_error": True}


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param(
            [user("A"), assistant(""), user("B")],
            [("user", [text("A"), text("B")])],
            id="an empty assistant message is left out, and the user's turns around it are merged",
        ),
        pytest.param([user("A"), user([text(" \n")])], [("user", "A")], id="blank text is left out"),
        pytest.param([user("  ")], [("user", ".")], id="an empty user message becomes a placeholder"),
        pytest.param(
            [user("A"), assistant("B"), assistant("C", call("1")), tool_message("1")],
            [
                ("user", "A"),
                ("assistant", [text("B"), text("C"), tool_use("1")]),
                ("user", [tool_result("1", content="ok")]),
            ],
            id="two assistant messages become one turn",
        ),
        pytest.param(
            [assistant("Welcome."), user("A")],
            [("user", "."), ("assistant", "Welcome."), ("user", "A")],
            id="a placeholder of the user's comes before an assistant that is first",
        ),
        pytest.param(
            [{"role": "system", "content": "Tell a joke."}],
            [("user", "Tell a joke.")],
            id="a system message alone becomes the user's",
        ),
        pytest.param(
            [user("A"), assistant([{"type": "refusal", "refusal": "No."}]), user("B")],
            [("user", "A"), ("assistant", "No."), ("user", "B")],
            id="a refusal part in the history becomes text",
        ),
        pytest.param(
            [user("A"), assistant(None, refusal="No."), user("B")],
            [("user", "A"), ("assistant", "No."), ("user", "B")],
            id="the field `refusal` in the history becomes text",
        ),
        pytest.param(
            [user("A"), assistant(None, call("1"), call("2"))],
            [
                ("user", "A"),
                ("assistant", [tool_use("1"), tool_use("2")]),
                ("user", [tool_result("1", **MISSING), tool_result("2", **MISSING)]),
            ],
            id="calls without a result get an error as their result",
        ),
        pytest.param(
            [
                user("A"),
                assistant(None, call("1")),
                user("Wait"),
                tool_message("1", "late"),
                tool_message("1", "last"),
            ],
            [
                ("user", "A"),
                ("assistant", [tool_use("1")]),
                ("user", [tool_result("1", content="last"), text("Wait")]),
            ],
            id="results come first in their turn, and the last of two for one call counts",
        ),
        pytest.param(
            [
                user("A"),
                assistant(None, call("1"), call("1")),
                tool_message("1", "x"),
                tool_message("1", "y"),
            ],
            [
                ("user", "A"),
                ("assistant", [tool_use("1"), tool_use("1_1")]),
                ("user", [tool_result("1", content="x"), tool_result("1_1", content="y")]),
            ],
            id="two calls with one id get different ids, and so do their results",
        ),
        pytest.param(
            [
                user("A"),
                assistant(None, call("0")),
                tool_message("0", "x"),
                assistant(None, call("0")),
                tool_message("0", "y"),
            ],
            [
                ("user", "A"),
                ("assistant", [tool_use("0")]),
                ("user", [tool_result("0", content="x")]),
                ("assistant", [tool_use("0_1")]),
                ("user", [tool_result("0_1", content="y")]),
            ],
            id="an id that repeats in a later turn",
        ),
        pytest.param(
            [user("A"), assistant(None, call("0_1"), call("0_2"), call("0"), call("0"))],
            [
                ("user", "A"),
                ("assistant", [tool_use("0_1"), tool_use("0_2"), tool_use("0"), tool_use("0_3")]),
                ("user", [tool_result(id, **MISSING) for id in ("0_1", "0_2", "0", "0_3")]),
            ],
            id="an id that repeats, with its numbered forms in use",
        ),
        pytest.param(
            [user("A"), tool_message("9", "stray")],
            [("user", [text("A"), text("[tool result 9]"), text("stray")])],
            id="a result without a call becomes text",
        ),
        pytest.param(
            [user("A"), assistant(None, call("1")), tool_message("1", "", is_error=True)],
            [("user", "A"), ("assistant", [tool_use("1")]), ("user", [tool_result("1", is_error=True)])],
            id="an empty result has no content but keeps its error flag",
        ),
        pytest.param(
            [
                user("A"),
                assistant(None, call("1")),
                tool_message("1", [text("Crashed"), SCREENSHOT], is_error=True),
            ],
            [
                ("user", "A"),
                ("assistant", [tool_use("1")]),
                ("user", [tool_result("1", content=[text("Crashed")], is_error=True), PICTURE]),
            ],
            id="the image of an error result follows the result",
        ),
        pytest.param(
            [user("A"), assistant(None, call("1")), tool_message("1", [SCREENSHOT])],
            [("user", "A"), ("assistant", [tool_use("1")]), ("user", [tool_result("1", content=[PICTURE])])],
            id="a result that is not an error contains its image",
        ),
        pytest.param(
            [user("A"), assistant([{"type": "thinking", "thinking": []}, text("B")]), user("C")],
            [("user", "A"), ("assistant", "B"), ("user", "C")],
            id="Mistral's thinking is left out",
        ),
    ],
)
def test_turns(messages: list[Json], expected: list[tuple[str, Any]]) -> None:
    assert turns(*messages) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param("", {}, id="empty"),
        pytest.param("  ", {}, id="blank"),
        pytest.param(None, {}, id="null"),
        pytest.param({"a": 1}, {"a": 1}, id="an object"),
        pytest.param('{"a": 1}', {"a": 1}, id="JSON"),
        pytest.param("[1]", {"value": [1]}, id="a list is wrapped as `value`"),
        pytest.param('{"a": ', {"_raw": '{"a": '}, id="text that is not JSON is wrapped as `_raw`"),
        pytest.param('{"a": NaN}', {"_raw": '{"a": NaN}'}, id="NaN is not JSON"),
    ],
)
def test_arguments_become_objects(arguments: Any, expected: Json) -> None:
    sent = turns(user("A"), assistant(None, call("1", arguments)), tool_message("1"))
    assert sent[1] == ("assistant", [tool_use("1", expected)])


def test_trailing_whitespace_is_removed_from_a_prefill() -> None:
    assert turns(user("A"), assistant("It begins \n"), name=BUDGET)[-1] == ("assistant", "It begins")


def test_a_cache_mark_inside_a_result_moves_to_the_result() -> None:
    part = {**text("x"), "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    sent = turns(user("A"), assistant(None, call("1")), tool_message("1", [part]))
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    assert sent[-1] == ("user", [tool_result("1", content=[text("x")], **mark)])
