"""A cap on the effort holds for every field that asks a model to think."""

from __future__ import annotations

from typing import Any

import pytest

from handler.formats.effort_cap import cap_effort


def thinking(tokens: Any) -> dict[str, Any]:
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


OFF = {"type": "disabled"}


@pytest.mark.parametrize(
    ("body", "most", "expected"),
    [
        pytest.param({"reasoning_effort": "high"}, "low", {"reasoning_effort": "low"}, id="an effort"),
        pytest.param({"reasoning_effort": "ultra"}, "max", {"reasoning_effort": "max"}, id="an unknown one"),
        pytest.param(
            {"reasoning": {"effort": "high", "summary": "auto"}},
            "minimal",
            {"reasoning": {"effort": "minimal", "summary": "auto"}},
            id="an effort of OpenRouter or Responses",
        ),
        pytest.param(
            {"reasoning": {"max_tokens": 50_000}},
            "medium",
            {"reasoning": {"max_tokens": 2048}},
            id="a budget of OpenRouter",
        ),
        pytest.param(thinking(50_000), "high", thinking(4096), id="a budget of Claude"),
        pytest.param(thinking(50_000), "minimal", thinking(1024), id="the least budget that Claude takes"),
        pytest.param(
            {**thinking(50_000), "output_config": {"effort": "low"}},
            "low",
            {**thinking(1024), "output_config": {"effort": "low"}},
            id="a budget beside an effort",
        ),
        pytest.param(
            {"output_config": {"effort": "xhigh"}},
            "minimal",
            {"output_config": {"effort": "low"}},
            id="the least effort that Claude takes",
        ),
        pytest.param(
            {"enable_thinking": True, "thinking_budget": 9000},
            "low",
            {"enable_thinking": True, "thinking_budget": 1024},
            id="a budget of Qwen",
        ),
        pytest.param(
            {
                "additionalModelRequestFields": {
                    "reasoning_config": {"type": "enabled", "budget_tokens": 9000},
                    "k": 1,
                }
            },
            "low",
            {
                "additionalModelRequestFields": {
                    "reasoning_config": {"type": "enabled", "budget_tokens": 1024},
                    "k": 1,
                }
            },
            id="a budget in Converse",
        ),
        pytest.param(
            {
                "additionalModelRequestFields": {
                    "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}
                }
            },
            "low",
            {
                "additionalModelRequestFields": {
                    "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}
                }
            },
            id="an effort of Nova",
        ),
        pytest.param(
            {"additionalModelRequestFields": {"output_config": {"effort": "ultra"}}},
            "high",
            {"additionalModelRequestFields": {"output_config": {"effort": "high"}}},
            id="an unknown effort in Converse",
        ),
        pytest.param(
            {**thinking(9000), "reasoning_effort": "low"},
            "none",
            {"thinking": OFF, "reasoning_effort": "none"},
            id="no thinking",
        ),
        pytest.param(
            {"thinking": {"type": "adaptive"}, "enable_thinking": True, "reasoning": {"enabled": True}},
            "none",
            {"thinking": OFF, "enable_thinking": False, "reasoning": {"effort": "none"}},
            id="no thinking without an amount",
        ),
    ],
)
def test_what_is_over_the_cap_is_lowered(body: Any, most: str, expected: Any) -> None:
    before = repr(body)
    assert cap_effort(body, most) == expected
    assert repr(body) == before, "the client's body is not changed"
    again = cap_effort(body, most)
    assert cap_effort(again, most) is again


@pytest.mark.parametrize(
    ("body", "most"),
    [
        pytest.param({}, "none", id="nothing"),
        pytest.param({"reasoning_effort": "low"}, "low", id="an effort at the cap"),
        pytest.param({"reasoning_effort": None}, "low", id="an effort that is null"),
        pytest.param(thinking(1024), "low", id="a budget at the cap"),
        pytest.param(thinking(60_000), "max", id="a budget without a limit"),
        pytest.param(thinking("many"), "low", id="a budget of a wrong type"),
        pytest.param(
            {"thinking": True, "reasoning": [], "output_config": "x"}, "none", id="fields of wrong types"
        ),
        pytest.param({"thinking": OFF, "enable_thinking": False}, "none", id="no thinking"),
        pytest.param({"reasoning": {"summary": "auto"}}, "none", id="reasoning without an amount"),
        pytest.param({"additionalModelRequestFields": [1]}, "low", id="fields of Converse that are none"),
    ],
)
def test_everything_else_is_the_same_object(body: Any, most: str) -> None:
    assert cap_effort(body, most) is body
