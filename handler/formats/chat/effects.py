"""Prepare the body of a chat request: remove Sluice's own fields, apply hints and the effects of a rule.

The result shares every part that does not change with the client's body, so that the client's bytes can be
relayed as they are (handler/wire/splice.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handler.errors import Json
from handler.formats.chat.foreign_fields import BODY
from handler.formats.chat.request import Chat
from handler.formats.effort_cap import cap_effort
from rules import Effects

# Sluice's own fields: no provider receives them.
OWN = frozenset({"hints", "route", "fallback_models", "models", "output_schema", "tags", "usage", *BODY})
MAX_TOKENS = ("max_tokens", "max_completion_tokens")  # two names of one field


def prepare_body(chat: Chat, effects: Effects) -> Json:
    """Return the body to send, in chat format. `chat.body` is not changed."""
    body = {name: value for name, value in chat.body.items() if name not in OWN}
    if (schema := chat.body.get("output_schema")) is not None:
        json_schema = {"name": "output", "schema": schema}
        body["response_format"] = {"type": "json_schema", "json_schema": json_schema}
    hints = {name: value for name, value in (chat.body.get("hints") or {}).items() if name != "prefer"}
    _set_defaults(body, hints)
    _set_defaults(body, effects.defaults)
    _override(body, effects.set)
    _apply_cap(body, effects.cap)
    most = effects.cap.get("reasoning_effort")
    return body if most is None else cap_effort(body, most)


def _set_defaults(body: Json, values: Mapping[str, Any]) -> None:
    """Put `values` where the body has none."""
    has_limit = any(body.get(name) is not None for name in MAX_TOKENS)
    for name, value in values.items():
        if value is not None and body.get(name) is None and not (has_limit and name in MAX_TOKENS):
            body[name] = value


def _override(body: Json, values: Mapping[str, Any]) -> None:
    """Put `values` in place of the body's own; null removes a field."""
    limits = dict.fromkeys(MAX_TOKENS) if not values.keys().isdisjoint(MAX_TOKENS) else {}
    for name, value in {**limits, **values}.items():
        if value is None:
            body.pop(name, None)
        else:
            body[name] = value


def _apply_cap(body: Json, cap: Mapping[str, Any]) -> None:
    """Lower values that are over a cap. Unlimited output is over it; an absent `n` is not."""
    if (most := cap.get("max_tokens")) is not None:
        _set_defaults(body, {"max_tokens": most})
        for name in MAX_TOKENS:
            _lower(body, name, most)
    if (most := cap.get("n")) is not None:
        _lower(body, "n", most)


def _lower(body: Json, name: str, most: float) -> None:
    if body.get(name) is not None and body[name] > most:
        body[name] = most
