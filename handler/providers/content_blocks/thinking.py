"""Sets thinking and effort of a request, as the catalogue's rules of the model's family require.

https://platform.claude.com/docs/en/build-with-claude/extended-thinking, .../adaptive-thinking, .../effort
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from handler.errors import Json
from handler.providers.content_blocks.conversation import Conversation
from handler.providers.quirks.model_rules import nearest_effort, parse_rules
from rules import EFFORTS, Model

# The rules of a Claude model that the catalogue does not list: those of the newest, except for forced tools.
_NEWEST = ("efforts:low,medium,high,xhigh,max", "no_sampling", "adaptive")
_MIN_BUDGET = 1024
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384}

Rules = Mapping[str, str]  # the argument of each rule by its name
Thinking = tuple[Json | None, str | None]  # the values of `thinking` and of `output_config.effort`


def family_rules(model: Model) -> Rules:
    """Return the rules of the model's family: each name with its argument (scripts/catalog_overlay.toml)."""
    return parse_rules(model.rules or (_NEWEST if "claude" in model.name else ()))


def set_thinking(
    chat: Json, body: Json, conversation: Conversation, rules: Rules, forced: bool, dropped: list[str]
) -> None:
    """Set `thinking` and the effort in `body`. Without thinking, remove it from the history too.

    `forced`: the model must call a tool, which excludes thinking.
    """
    set_by_rule = next((_THINKING[name] for name in rules if name in _THINKING), _no_thinking)
    requested = chat.get("reasoning_effort")
    requested = requested if requested in EFFORTS else None
    thinking, effort = set_by_rule(requested, body, conversation, rules)
    if forced and thinking is not None and thinking["type"] != "disabled":
        thinking = None
    if thinking is not None:
        body["thinking"] = thinking
    if effort is not None:
        body["output_config"] = {"effort": effort}
    if (thinking is None or thinking["type"] == "disabled") and "thinking_on" not in rules:
        conversation.remove_thinking()
    if chat.get("reasoning_effort") is not None and not _as_requested(requested, thinking, effort):
        dropped.append("reasoning_effort")


def _as_requested(requested: str | None, thinking: Json | None, effort: str | None) -> bool:
    if requested == "none":
        return effort is None
    return requested is not None and (effort == requested or (effort is None and thinking is not None))


def _adaptive(effort: str | None, body: Json, conversation: Conversation, rules: Rules) -> Thinking:
    """Request summaries of the thinking: without them it comes empty, and so does the text between calls."""
    accepted = rules.get("efforts", "low,medium,high").split(",")
    summarized = {"type": "adaptive", "display": "summarized"}
    needs_display = "thinking_on" in rules and "tools" in body
    if effort is None:
        return (summarized if needs_display or conversation.has_thinking() else None), None
    if effort != "none":
        return summarized, nearest_effort(effort, accepted)
    if "thinking_on" not in rules:
        return {"type": "disabled"}, None
    if "between_tools" in rules:
        return {"type": "between_tools"}, None
    return (summarized if needs_display else None), accepted[0]


def _budget(effort: str | None, body: Json, conversation: Conversation, rules: Rules) -> Thinking:
    """Set a budget of thinking tokens, which count towards `max_tokens`, as they do at OpenAI.

    Thinking cannot begin within a turn: neither after calls that were made without it, nor after a prefill.
    """
    if effort in (None, "none") or conversation.prefilled or conversation.continues_without_thinking():
        return None, None
    max_tokens = body["max_tokens"]
    budget = _BUDGETS[str(effort)]
    budget = budget if budget < max_tokens else max(_MIN_BUDGET, max_tokens // 2)
    return ({"type": "enabled", "budget_tokens": budget} if budget < max_tokens else None), None


def _effort(effort: str | None, body: Json, conversation: Conversation, rules: Rules) -> Thinking:
    """Set only an effort, for GPT-5 on Bedrock."""
    accepted = rules.get("efforts", "low,medium,high").split(",")
    return None, effort and nearest_effort(effort, accepted)


def _nova_effort(effort: str | None, body: Json, conversation: Conversation, rules: Rules) -> Thinking:
    """Set an effort, which switches thinking on.

    https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html
    """
    return (None, None) if effort == "none" else _effort(effort, body, conversation, rules)


def _no_thinking(effort: str | None, body: Json, conversation: Conversation, rules: Rules) -> Thinking:
    return None, None


_THINKING: Mapping[str, Callable[[str | None, Json, Conversation, Rules], Thinking]] = {
    "adaptive": _adaptive,
    "budget": _budget,
    "effort_at": _effort,
    "nova_effort": _nova_effort,
}
