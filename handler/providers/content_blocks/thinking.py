"""How a model is asked to think, by the words of its catalogue rules, and what Claude's thinking excludes.

https://platform.claude.com/docs/en/build-with-claude/extended-thinking, .../adaptive-thinking, .../effort
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from handler.providers.content_blocks.conversation import Conversation
from handler.providers.translator import Json
from rules import EFFORTS, Model

# Claude models that the catalogue does not know are taken to be like the newest but for forced tools.
_NEWEST = ("efforts:low,medium,high,xhigh,max", "no_sampling", "adaptive")
_LEAST_BUDGET = 1024
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384}


def words_of(model: Model) -> Mapping[str, str]:
    """What is said of the model's family: each word with its argument."""
    rules = model.rules or (_NEWEST if "claude" in model.name else ())
    return {word: argument for word, _, argument in (rule.partition(":") for rule in rules)}


def think(
    chat: Json, body: Json, talk: Conversation, words: Mapping[str, str], forced: bool, dropped: list[str]
) -> None:
    """Sets `thinking` and the effort; thoughts in the history go where there is no thinking."""
    how = next((_THINKING[word] for word in words if word in _THINKING), _unasked)
    asked = chat.get("reasoning_effort")
    asked = asked if asked in EFFORTS else None
    thinking, effort = how(asked, body, talk, words)
    if forced and thinking is not None and thinking["type"] != "disabled":
        thinking = None  # a forced call and thinking exclude each other
    if thinking is not None:
        body["thinking"] = thinking
    if effort is not None:
        body["output_config"] = {"effort": effort}
    if (thinking is None or thinking["type"] == "disabled") and "thinking_on" not in words:
        talk.forget_thoughts()
    if chat.get("reasoning_effort") is not None and not _as_asked(asked, thinking, effort):
        dropped.append("reasoning_effort")


def _as_asked(asked: str | None, thinking: Json | None, effort: str | None) -> bool:
    if asked == "none":
        return effort is None
    return asked is not None and (effort == asked or (effort is None and thinking is not None))


Thinking = tuple[Json | None, str | None]


def _adaptive(asked: str | None, body: Json, talk: Conversation, words: Mapping[str, str]) -> Thinking:
    """Its thoughts are asked for in summary: without that they come empty, as does text between calls."""
    able = words.get("efforts", "low,medium,high").split(",")
    shown = {"type": "adaptive", "display": "summarized"}
    hides = "thinking_on" in words and "tools" in body
    if asked is None:
        return (shown if hides or talk.thinks() else None), None
    if asked != "none":
        return shown, nearest(asked, able)
    if "thinking_on" not in words:
        return {"type": "disabled"}, None
    if "between_tools" in words:
        return {"type": "between_tools"}, None
    return (shown if hides else None), able[0]


def nearest(asked: str, able: list[str]) -> str:
    lower = [effort for effort in EFFORTS[: EFFORTS.index(asked) + 1] if effort in able]
    return lower[-1] if lower else able[0]


def _budget(asked: str | None, body: Json, talk: Conversation, _: Mapping[str, str]) -> Thinking:
    """Thinking by a number of tokens, which `max_tokens` includes, as in OpenAI's meaning of it.

    It cannot begin in the middle of a turn: not after calls made without it, nor behind a prefill.
    """
    if asked in (None, "none") or talk.prefilled or talk.thoughtless_calls():
        return None, None
    most = body["max_tokens"]
    budget = _BUDGETS[str(asked)]
    budget = budget if budget < most else max(_LEAST_BUDGET, most // 2)
    return ({"type": "enabled", "budget_tokens": budget} if budget < most else None), None


def _effort(asked: str | None, body: Json, talk: Conversation, words: Mapping[str, str]) -> Thinking:
    """An effort alone: gpt-oss, for one, on Bedrock."""
    able = words.get("efforts", "low,medium,high").split(",")
    return None, asked and nearest(asked, able)


def _nova(asked: str | None, body: Json, talk: Conversation, words: Mapping[str, str]) -> Thinking:
    """An effort that switches thinking on: https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html"""
    return (None, None) if asked == "none" else _effort(asked, body, talk, words)


def _unasked(asked: str | None, body: Json, talk: Conversation, words: Mapping[str, str]) -> Thinking:
    return None, None


_THINKING: Mapping[str, Callable[[str | None, Json, Conversation, Mapping[str, str]], Thinking]] = {
    "adaptive": _adaptive,
    "budget": _budget,
    "effort_at": _effort,
    "nova_effort": _nova,
}
