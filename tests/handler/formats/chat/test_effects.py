"""The body that is sent: without Sluice's own fields, with hints and the effects of a rule."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handler.formats.chat.effects import OWN, prepare_body
from rules import Effects
from tests.support.chat_requests import SCHEMA, USER, chat

BODIES = [
    pytest.param(
        {"model": "a", **dict.fromkeys(OWN)},
        Effects(),
        {"model": "a"},
        id="Sluice's own fields are removed, null or not",
    ),
    pytest.param(
        {"hints": {"prefer": "cheap", "temperature": 0.5, "top_p": None}},
        Effects(),
        {"temperature": 0.5},
        id="a hint sets a parameter that the body lacks",
    ),
    pytest.param(
        {"temperature": 1, "hints": {"temperature": 0.5}},
        Effects(),
        {"temperature": 1},
        id="the body's own parameter wins over a hint",
    ),
    pytest.param(
        {"temperature": None, "hints": {"temperature": 0.5}},
        Effects(),
        {"temperature": 0.5},
        id="a hint replaces null",
    ),
    pytest.param(
        {"max_completion_tokens": 5, "hints": {"max_tokens": 9}},
        Effects(),
        {"max_completion_tokens": 5},
        id="a limit under its other name wins over a hint",
    ),
    pytest.param(
        {"output_schema": SCHEMA},
        Effects(),
        {"response_format": {"type": "json_schema", "json_schema": {"name": "output", "schema": SCHEMA}}},
        id="output_schema becomes a response_format",
    ),
    pytest.param(
        {"tool_choice": {}}, Effects(), {"tool_choice": {}}, id="an empty tool_choice is sent on unchanged"
    ),
    pytest.param(
        {"hints": {"temperature": 0.5}},
        Effects(defaults={"temperature": 1, "top_p": 0.9}),
        {"temperature": 0.5, "top_p": 0.9},
        id="defaults come after hints",
    ),
    pytest.param(
        {"max_tokens": 5},
        Effects(defaults={"max_completion_tokens": 9}),
        {"max_tokens": 5},
        id="a limit wins over a default limit of the other name",
    ),
    pytest.param(
        {"temperature": 1, "hints": {"top_p": 1}},
        Effects(set={"temperature": 0, "top_p": 0.5, "seed": 1}),
        {"temperature": 0, "top_p": 0.5, "seed": 1},
        id="set wins over body and hints",
    ),
    pytest.param({"seed": 1}, Effects(set={"seed": None}), {}, id="set to null removes a field"),
    pytest.param(
        {"max_completion_tokens": 9},
        Effects(set={"max_tokens": 5}),
        {"max_tokens": 5},
        id="a limit that is set replaces both names",
    ),
    pytest.param({"max_tokens": 9}, Effects(cap={"max_tokens": 5}), {"max_tokens": 5}, id="a cap lowers"),
    pytest.param(
        {"max_tokens": 4}, Effects(cap={"max_tokens": 5}), {"max_tokens": 4}, id="a cap never raises"
    ),
    pytest.param(
        {"max_tokens": 9, "max_completion_tokens": 9},
        Effects(cap={"max_tokens": 5}),
        {"max_tokens": 5, "max_completion_tokens": 5},
        id="a cap lowers both names",
    ),
    pytest.param(
        {}, Effects(cap={"max_tokens": 5}), {"max_tokens": 5}, id="a cap bounds output without a bound"
    ),
    pytest.param(
        {"hints": {"max_tokens": 9}},
        Effects(cap={"max_tokens": 5}),
        {"max_tokens": 5},
        id="a cap lowers a hint",
    ),
    pytest.param({"n": 4}, Effects(cap={"n": 2}), {"n": 2}, id="a cap on n"),
    pytest.param(
        {}, Effects(cap={"n": 2, "reasoning_effort": "low"}), {}, id="an absent n or effort is not capped"
    ),
    pytest.param(
        {"reasoning_effort": "high"},
        Effects(cap={"reasoning_effort": "low"}),
        {"reasoning_effort": "low"},
        id="a cap on the effort",
    ),
    pytest.param(
        {"reasoning_effort": "minimal"},
        Effects(cap={"reasoning_effort": "low"}),
        {"reasoning_effort": "minimal"},
        id="an effort under the cap",
    ),
    pytest.param(
        {"reasoning_effort": "ludicrous"},
        Effects(cap={"reasoning_effort": "max"}),
        {"reasoning_effort": "max"},
        id="an unknown effort is over every cap",
    ),
]


@pytest.mark.parametrize(("fields", "effects", "expected"), BODIES)
def test_hints_and_effects_change_the_body(
    fields: dict[str, Any], effects: Effects, expected: dict[str, Any]
) -> None:
    accepted = chat(**fields)
    before = json.dumps(accepted.body)
    assert prepare_body(accepted, effects) == {"messages": [USER], **expected}
    assert json.dumps(accepted.body) == before, "the client's body is never changed"


def test_members_keep_their_order() -> None:
    accepted = chat(top_p=None, tags={"a": "b"}, seed=1, model="m", hints={"top_p": 0.5, "max_tokens": 3})
    body = prepare_body(accepted, Effects(set={"seed": 2}))
    assert list(body) == ["messages", "top_p", "seed", "model", "max_tokens"]
