"""Converts thinking and effort of Messages to the effort of a chat.

The budgets are those that chat's efforts have at Claude (handler/providers/content_blocks/thinking.py).
https://platform.claude.com/docs/en/build-with-claude/effort, .../extended-thinking, .../adaptive-thinking
"""

from __future__ import annotations

from typing import Any

from handler.errors import Json
from handler.formats.anthropic.content import Losses
from handler.formats.effort_cap import BUDGETS

_ADAPTIVE = "medium"  # of adaptive thinking without an effort


def chat_effort(body: Json, losses: Losses) -> Json:
    """Return `reasoning_effort` of the chat, if the request sets thinking or effort."""
    effort, thinking = _requested_effort(body), body.get("thinking") or {}
    match thinking.get("type"):
        case "disabled" | "between_tools":
            if effort:
                losses.drop("output_config.effort")
            effort = "none"
        case "enabled":
            effort = effort or effort_of_budget(int(thinking["budget_tokens"]))
        case "adaptive":
            effort = effort or _ADAPTIVE
        case None:
            pass
        case _:
            losses.drop("thinking")
    return {"reasoning_effort": effort} if effort else {}


def _requested_effort(body: Json) -> Any:
    """Return the effort of the last message that has one, else that of the request."""
    for message in reversed(body["messages"]):
        config = message.get("output_config") if message["role"] == "system" else None
        if config and config.get("effort"):
            return config["effort"]
    return (body.get("output_config") or {}).get("effort")


def effort_of_budget(tokens: int) -> str:
    """Return the lowest effort whose budget is at least this large."""
    return next((effort for effort, budget in BUDGETS.items() if budget >= tokens), "max")


def hides_thinking(body: Json) -> bool:
    """True if the client does not want the text of the thinking, only what continues it."""
    return (body.get("thinking") or {}).get("display") == "omitted"
