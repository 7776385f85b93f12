"""Lowers the effort and the budget of thinking wherever a body has them. No I/O.

A body is relayed with fields that only its provider knows, and a rule's cap has to hold for these too:
Claude's `thinking` beside an effort, OpenRouter's `reasoning`, Qwen's `thinking_budget`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handler.errors import Json
from rules import EFFORTS

# Tokens of thinking of each effort. A budget of any size is allowed under a cap of `max`.
BUDGETS = {"low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384}

_Path = tuple[str, ...]
# Where a body may have an effort, and the lowest that this field takes.
_EFFORTS: Mapping[_Path, str] = {
    ("reasoning_effort",): "none",
    ("reasoning", "effort"): "none",
    ("output_config", "effort"): "low",
    ("reasoningConfig", "maxReasoningEffort"): "low",
}
_BUDGETS: tuple[_Path, ...] = (
    ("thinking", "budget_tokens"),
    ("reasoning_config", "budget_tokens"),
    ("reasoning", "max_tokens"),
    ("thinking_budget",),
)
_SWITCHES = ("thinking", "reasoning_config", "reasoningConfig")  # objects whose `type` turns thinking off
_INNER = "additionalModelRequestFields"  # of Converse


def cap_effort(body: Json, most: str) -> Json:
    """Return the body without an effort or a budget over this effort; the same object if it has none."""
    if most == EFFORTS[0] and (off := _turned_off(body)):
        body = {**body, **off}
    for path, least in _EFFORTS.items():
        body = _lower(body, path, max(most, least, key=EFFORTS.index), _is_over_effort)
    if most != EFFORTS[-1]:
        for path in _BUDGETS:
            body = _lower(body, path, BUDGETS.get(most, BUDGETS["low"]), _is_over_budget)
    if isinstance(inner := body.get(_INNER), dict) and (capped := cap_effort(inner, most)) is not inner:
        body = {**body, _INNER: capped}
    return body


def _turned_off(body: Json) -> Json:
    """Return the fields that ask for thinking, with values that turn it off."""
    switches = {name: body[name] for name in _SWITCHES if isinstance(body.get(name), dict)}
    off: Json = {
        name: {"type": "disabled"} for name, value in switches.items() if value.get("type") != "disabled"
    }
    match body.get("reasoning"):
        case {"max_tokens": _} | {"enabled": True}:
            off["reasoning"] = {"effort": "none"}
    return off | ({"enable_thinking": False} if body.get("enable_thinking") else {})


def _lower(body: Json, path: _Path, most: Any, is_over: Any) -> Json:
    """Return the body with `most` at the path if its value is over it."""
    name, *rest = path
    value = body.get(name)
    if rest:
        lowered = _lower(value, tuple(rest), most, is_over) if isinstance(value, dict) else value
    else:
        lowered = most if value is not None and is_over(value, most) else value
    return body if lowered is value else {**body, name: lowered}


def _is_over_effort(effort: Any, most: str) -> bool:
    """True too for an effort that is not in EFFORTS: it is over every cap."""
    return effort not in EFFORTS[: EFFORTS.index(most) + 1]


def _is_over_budget(tokens: Any, most: int) -> bool:
    return isinstance(tokens, int | float) and tokens > most
