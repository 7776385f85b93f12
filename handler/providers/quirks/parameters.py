"""Fields of a chat that tune an answer, read for the formats that are not OpenAI's."""

from __future__ import annotations

from typing import Any

from handler.providers.quirks.request import NEUTRAL
from handler.providers.translator import Json
from rules import Model

MOST = 32_000  # tokens of output, where the catalogue knows no bound


def asked_tokens(chat: Json, model: Model, dropped: list[str]) -> int | None:
    """The most tokens of output that were asked for, but no more than the model can."""
    for name in ("max_completion_tokens", "max_tokens"):
        if (asked := chat.get(name)) is not None:
            if model.max_output and asked > model.max_output:
                dropped.append(name)
                return model.max_output
            return int(asked)
    return None


def stops_of(value: Any, dropped: list[str]) -> list[str]:
    """The sequences to stop at. Blank ones are refused."""
    asked = [value] if isinstance(value, str) else value
    if any(one and not one.strip() for one in asked):
        dropped.append("stop")
    return [one for one in asked if one.strip()]


def format_of(response_format: Any) -> Any:
    return response_format.get("type") if isinstance(response_format, dict) else None


def is_neutral(name: str, value: Any) -> bool:
    """Whether a field says nothing, so that leaving it out is not worth a word."""
    return value is None or (name in NEUTRAL and value == NEUTRAL[name]) or value == ["text"]
