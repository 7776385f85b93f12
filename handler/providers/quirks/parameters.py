"""Reads, renames and drops the fields of a chat request that tune the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handler.errors import Json
from rules import Model

SAMPLING = frozenset({"temperature", "top_p", "top_k", "logprobs", "top_logprobs"})
PENALTIES = frozenset({"frequency_penalty", "presence_penalty", "logit_bias"})

# Values equal to the default: dropping one is not reported in x-sluice-dropped.
DEFAULTS: Mapping[str, Any] = {
    "n": 1,
    "logprobs": False,
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "logit_bias": {},
    "store": False,
    "parallel_tool_calls": True,
    "service_tier": "auto",
}
MAX_OUTPUT = 32_000  # tokens, for a model whose limit the catalogue does not know


def is_default(name: str, value: Any) -> bool:
    """True if the value changes nothing, so that dropping it need not be reported."""
    return value is None or (name in DEFAULTS and value == DEFAULTS[name])


def is_negligible(name: str, value: Any) -> bool:
    """True if a format without this field loses nothing: a default, or `modalities` of text alone."""
    return is_default(name, value) or value == ["text"]


def rename(body: Json, names: Mapping[str, str]) -> Json:
    """Rename fields. A field that already has the new name wins over the old one."""
    if names.keys().isdisjoint(body):
        return body
    others = {name: value for name, value in body.items() if name not in names}
    return others | {
        new: body[old] for old, new in names.items() if body.get(old) is not None and new not in others
    }


def drop(body: Json, fields: frozenset[str], dropped: list[str]) -> Json:
    """Remove fields. The names of those that were not at their default are added to `dropped`."""
    if fields.isdisjoint(body):
        return body
    dropped += [name for name in body if name in fields and not is_default(name, body[name])]
    return {name: value for name, value in body.items() if name not in fields}


def max_tokens_of(chat: Json, model: Model, dropped: list[str]) -> int | None:
    """The requested limit of output tokens, lowered to the model's own; None if the request has none."""
    for name in ("max_completion_tokens", "max_tokens"):
        if (limit := chat.get(name)) is not None:
            if model.max_output and limit > model.max_output:
                dropped.append(name)
                return model.max_output
            return int(limit)
    return None


def stop_sequences(value: Any, dropped: list[str]) -> list[str]:
    """The stop sequences of `stop`, without blank ones, which the other formats refuse."""
    sequences = [value] if isinstance(value, str) else value
    if any(text and not text.strip() for text in sequences):
        dropped.append("stop")
    return [text for text in sequences if text.strip()]


def response_format_type(response_format: Any) -> Any:
    return response_format.get("type") if isinstance(response_format, dict) else None
