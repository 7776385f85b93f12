"""Finds the usage of an operation in its answer, and brings it into the form that a chat has.

An answer may be large, and is relayed as it is; so only the object behind `"usage"` is parsed. A text in the
answer cannot imitate it, because its quotation marks are escaped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import ceil
from typing import Any

from handler.errors import Json

LONGEST_USAGE = 4000  # bytes that are parsed
_MEMBERS = (b'"usage"', b'"meta"')  # Cohere's rerank has `meta.billed_units`
_DECODER = json.JSONDecoder()


def find_usage(data: bytes) -> Json:
    """Return the usage object of a JSON answer as the provider gave it; empty if there is none."""
    for name in _MEMBERS:
        at = data.rfind(name)
        text = data[at + len(name) : at + LONGEST_USAGE].decode("utf-8", "replace").lstrip(" \t\r\n:")
        if at >= 0 and text.startswith("{"):
            try:
                found = _DECODER.raw_decode(text)[0]
            except (ValueError, RecursionError):
                continue
            billed = found.get("billed_units")
            return billed if isinstance(billed, dict) else found
    return {}


def as_chat_usage(usage: Mapping[str, Any], operation: str) -> Json:
    """Return a usage object with the names that a chat's has; empty without token counts."""
    get = usage.get
    tokens_in = next((get(name) for name in ("prompt_tokens", "input_tokens") if name in usage), None)
    tokens_out = next((get(name) for name in ("completion_tokens", "output_tokens") if name in usage), 0)
    if tokens_in is None and operation in ("embeddings", "rerank"):
        tokens_in = get("total_tokens")
    if tokens_in is None:
        return {}
    inner = get("input_tokens_details") or get("input_token_details") or get("prompt_tokens_details")
    made = {"image": "image_tokens", "speech": "audio_tokens"}.get(operation)
    outer = get("output_tokens_details") or ({made: tokens_out} if made else {})
    return {
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "prompt_tokens_details": inner,
        "completion_tokens_details": outer,
    }


def units_of(usage: Mapping[str, Any]) -> dict[str, int]:
    """Return the units besides tokens that a provider reports."""
    counts: dict[str, Any] = {"searches": usage.get("search_units"), "seconds": usage.get("seconds")}
    return {
        name: ceil(count)
        for name, count in counts.items()
        if type(count) in (int, float) and 0 <= count < 10**9
    }
