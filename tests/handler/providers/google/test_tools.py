"""Tests of handler/providers/google/tools.py."""

from __future__ import annotations

from typing import Any

import pytest

from handler.errors import Json
from tests.handler.providers.google.gemini import FORMAT, OTHER, TOOL, translate


@pytest.mark.parametrize(
    ("choice", "config", "declared"),
    [
        pytest.param(None, None, 2, id="no choice"),
        pytest.param({}, None, 2, id="an empty object"),
        pytest.param("auto", {"mode": "AUTO"}, 2, id="auto"),
        pytest.param("none", {"mode": "NONE"}, 2, id="none"),
        pytest.param("required", {"mode": "ANY"}, 2, id="required"),
        pytest.param("any", {"mode": "ANY"}, 2, id="any"),
        pytest.param(
            {"type": "function", "function": {"name": "2see"}},
            {"mode": "ANY", "allowedFunctionNames": ["_:2see"]},
            2,
            id="a named function",
        ),
        pytest.param(
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [TOOL]}},
            {"mode": "ANY", "allowedFunctionNames": ["look"]},
            2,
            id="one of the allowed tools is required",
        ),
        pytest.param(
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TOOL]}},
            {"mode": "AUTO"},
            1,
            id="the allowed tools, with auto",
        ),
    ],
)
def test_tool_choice(choice: Any, config: Json | None, declared: int) -> None:
    body, dropped = translate({"tools": [TOOL, OTHER, TOOL], "tool_choice": choice})
    assert body.get("toolConfig", {}).get("functionCallingConfig") == config
    assert len(body["tools"][0]["functionDeclarations"]) == declared
    assert dropped == []


def test_strict_tools_are_validated_unless_the_answer_has_a_schema() -> None:
    strict = {"type": "function", "function": {**TOOL["function"], "strict": True}}
    validated = {"functionCallingConfig": {"mode": "VALIDATED"}}
    assert translate({"tools": [strict]})[0]["toolConfig"] == validated
    assert "toolConfig" not in translate({"tools": [strict], "response_format": FORMAT})[0]


def test_web_search_is_a_tool() -> None:
    body, _ = translate({"tools": [TOOL], "web_search_options": {}})
    assert [list(tool) for tool in body["tools"]] == [["functionDeclarations"], ["googleSearch"]]
