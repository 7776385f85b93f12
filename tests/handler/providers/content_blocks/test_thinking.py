"""The effort and the thinking of each family of models."""

from __future__ import annotations

import pytest

from handler.errors import Json
from tests.handler.providers.content_blocks.builders import (
    BUDGET,
    FORCEABLE,
    FORCED_CHOICE,
    NEWEST,
    OLDER,
    SUMMARIZED,
    TOOL,
    assistant,
    call,
    request,
    tool_message,
    turns,
    user,
)
from tests.handler.providers.content_blocks.test_reasoning_details import DETAIL


@pytest.mark.parametrize(
    ("name", "chat", "thinking", "effort", "left_out"),
    [
        pytest.param(NEWEST, {}, None, None, (), id="no effort"),
        pytest.param(
            NEWEST,
            {"tools": [TOOL]},
            SUMMARIZED,
            None,
            (),
            id="always on: with tools the summary is requested",
        ),
        pytest.param(
            NEWEST,
            {"reasoning_effort": "high"},
            SUMMARIZED,
            "high",
            (),
            id="an effort that the model accepts",
        ),
        pytest.param(
            NEWEST,
            {"reasoning_effort": "none"},
            None,
            "low",
            ("reasoning_effort",),
            id="none where thinking cannot be disabled",
        ),
        pytest.param(
            "claude-sonnet-5-5",
            {"reasoning_effort": "none"},
            {"type": "between_tools"},
            None,
            (),
            id="none keeps thinking between tools",
        ),
        pytest.param(
            FORCEABLE,
            {"reasoning_effort": "none"},
            {"type": "disabled"},
            None,
            (),
            id="none disables thinking",
        ),
        pytest.param(
            FORCEABLE,
            {"reasoning_effort": "minimal"},
            SUMMARIZED,
            "low",
            ("reasoning_effort",),
            id="the lowest effort that the model accepts",
        ),
        pytest.param(
            OLDER,
            {"reasoning_effort": "xhigh"},
            SUMMARIZED,
            "high",
            ("reasoning_effort",),
            id="the next lower effort",
        ),
        pytest.param(
            OLDER, {"reasoning_effort": "odd"}, None, None, ("reasoning_effort",), id="an unknown effort"
        ),
        pytest.param(
            FORCEABLE,
            {"reasoning_effort": "high", "tools": [TOOL], "tool_choice": FORCED_CHOICE},
            None,
            "high",
            (),
            id="a forced call excludes thinking",
        ),
        pytest.param(
            BUDGET,
            {"reasoning_effort": "high"},
            {"type": "enabled", "budget_tokens": 4096},
            None,
            (),
            id="a budget of tokens",
        ),
        pytest.param(
            BUDGET,
            {"reasoning_effort": "none"},
            None,
            None,
            (),
            id="a budget model does not think by default",
        ),
        pytest.param(
            BUDGET,
            {"reasoning_effort": "high", "max_tokens": 3000},
            {"type": "enabled", "budget_tokens": 1500},
            None,
            (),
            id="the budget is less than max_tokens",
        ),
        pytest.param(
            BUDGET,
            {"reasoning_effort": "high", "max_tokens": 900},
            None,
            None,
            ("reasoning_effort",),
            id="max_tokens is too low for a budget",
        ),
        pytest.param(
            BUDGET,
            {"reasoning_effort": "high", "tools": [TOOL], "tool_choice": "required"},
            None,
            None,
            ("reasoning_effort",),
            id="a forced call excludes a budget",
        ),
        pytest.param(
            "claude-next-6", {"reasoning_effort": "max"}, SUMMARIZED, "max", (), id="an unknown Claude"
        ),
        pytest.param(
            "some-model",
            {"reasoning_effort": "max"},
            None,
            None,
            ("reasoning_effort",),
            id="a model that is not a Claude",
        ),
    ],
)
def test_reasoning_effort(
    name: str, chat: Json, thinking: Json | None, effort: str | None, left_out: tuple[str, ...]
) -> None:
    sent, dropped = request(chat, name)
    assert sent.get("thinking") == thinking
    assert sent.get("output_config", {}).get("effort") == effort
    assert dropped == left_out


def test_thinking_does_not_begin_within_a_turn() -> None:
    messages = [user("A"), assistant(None, call("1")), tool_message("1")]
    sent, dropped = request({"messages": messages, "tools": [TOOL], "reasoning_effort": "low"}, BUDGET)
    assert "thinking" not in sent
    assert dropped == ("reasoning_effort",)


def test_thinking_blocks_are_removed_without_thinking() -> None:
    messages = [user("A"), assistant("B", reasoning_details=[DETAIL]), user("C")]
    assert turns(*messages, name=BUDGET)[1] == ("assistant", "B")
    sent, _ = request({"messages": messages}, OLDER)
    assert sent["thinking"] == SUMMARIZED, "a client that sends thinking back keeps it switched on"
