"""Edits of a request that is relayed to a provider with the same format."""

from __future__ import annotations

from typing import Any

import pytest

from handler.errors import Json
from handler.formats.opaque_state import encode_state
from handler.formats.responses.native import EFFECTS, native_body
from tests.handler.formats.responses.requests import CODEX, USER

OURS = {"type": "reasoning", "summary": [], "encrypted_content": encode_state({})}
FOREIGN = {"type": "reasoning", "summary": [], "encrypted_content": "gAAAAAB"}


def test_a_body_without_our_state_stays_the_same_object() -> None:
    for body in (CODEX, {"input": "hi"}, {"input": [USER, FOREIGN, {"type": "reasoning"}]}, {}):
        assert native_body(body) is body


def test_our_reasoning_is_removed_and_all_else_is_shared() -> None:
    body = {"model": "m", "input": [USER, OURS, FOREIGN], "tools": []}
    edited = native_body(body)
    assert edited == {"model": "m", "input": [USER, FOREIGN], "tools": []}
    assert edited["input"][0] is USER
    assert edited["tools"] is body["tools"]


CASES: dict[str, tuple[str, Any, Json, Json]] = {
    "a limit": ("max_tokens", 5, {"model": "m"}, {"model": "m", "max_output_tokens": 5}),
    "a limit by its other name": (
        "max_completion_tokens",
        5,
        {"max_output_tokens": 9},
        {"max_output_tokens": 5},
    ),
    "a temperature": ("temperature", 0, {}, {"temperature": 0}),
    "no temperature": ("temperature", None, {"temperature": 1, "top_p": 1}, {"top_p": 1}),
    "nothing to remove": ("top_p", None, {"model": "m"}, {"model": "m"}),
    "an effort beside a summary": (
        "reasoning_effort",
        "low",
        {"reasoning": {"summary": "auto", "effort": "high"}},
        {"reasoning": {"summary": "auto", "effort": "low"}},
    ),
    "an effort where there is no reasoning": (
        "reasoning_effort",
        "low",
        {"reasoning": None},
        {"reasoning": {"effort": "low"}},
    ),
    "no effort": ("reasoning_effort", None, {"reasoning": {"effort": "high"}}, {}),
    "verbosity": ("verbosity", "low", {"text": {"format": {}}}, {"text": {"format": {}, "verbosity": "low"}}),
}


@pytest.mark.parametrize("case", CASES)
def test_an_effect_changes_the_native_body(case: str) -> None:
    name, value, body, expected = CASES[case]
    before = repr(body)
    assert EFFECTS[name](body, value) == expected
    assert repr(body) == before, "the client's body is not changed"
