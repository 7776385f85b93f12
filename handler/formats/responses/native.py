"""Edits of a request that is relayed to a provider with OpenAI's Responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handler.errors import Json
from handler.formats.client_format import Effect
from handler.formats.opaque_state import is_state


def native_body(body: Json) -> Json:
    """Return the body without the reasoning items that only Sluice can read; `body` itself if it has none."""
    items = body.get("input")
    if not isinstance(items, list) or not any(map(_is_ours, items)):
        return body
    return {**body, "input": [item for item in items if not _is_ours(item)]}


def _is_ours(item: Any) -> bool:
    return (
        isinstance(item, dict) and item.get("type") == "reasoning" and is_state(item.get("encrypted_content"))
    )


def _set(*path: str) -> Effect:
    """Return the effect that sets the member at `path`, or removes it."""
    first, *rest = path

    def apply(body: Json, value: Any) -> Json:
        if rest:
            inner = body.get(first)
            value = _set(*rest)(inner if isinstance(inner, dict) else {}, value) or None
        if value is not None:
            return {**body, first: value}
        return {name: one for name, one in body.items() if name != first}

    return apply


# See ClientFormat. A parameter without an entry has no counterpart.
EFFECTS: Mapping[str, Effect] = {
    **dict.fromkeys(("max_tokens", "max_completion_tokens"), _set("max_output_tokens")),
    **{
        name: _set(name)
        for name in (
            *("temperature", "top_p", "parallel_tool_calls", "service_tier", "prompt_cache_key", "metadata"),
            *("prompt_cache_retention", "prompt_cache_options", "safety_identifier", "store", "user"),
        )
    },
    "reasoning_effort": _set("reasoning", "effort"),
    "verbosity": _set("text", "verbosity"),
}
