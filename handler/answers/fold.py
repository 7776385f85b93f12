"""Folds the chunks of a stream into the whole completion that they make. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from handler.errors import Json

# Texts that come in pieces, in a delta and in its calls; every other value comes once.
_TEXTS = frozenset(
    {
        *("content", "refusal", "reasoning_content", "reasoning", "thinking"),
        *("arguments", "input", "text", "summary"),
    }
)
# Members of a delta whose folding is known.
_MEMBERS = _TEXTS | {
    *("role", "tool_calls", "function_call"),
    *("images", "annotations", "reasoning_details", "extra_content"),
}
_MAX_ITEMS = 1000  # of a list with indexes
_HEAD = ("id", "created", "model", "system_fingerprint", "service_tier")


def fold(chunks: Iterable[Json]) -> Json:
    """Return the completion of a whole stream. Raises ValueError for a delta with unknown members."""
    completion: Json = {"id": None, "object": "chat.completion"}
    choices: dict[int, Json] = {}
    for chunk in chunks:
        completion |= {name: chunk[name] for name in _HEAD if chunk.get(name) is not None}
        if chunk.get("usage"):
            completion["usage"] = chunk["usage"]
        for choice in chunk.get("choices") or ():
            _add_choice(choices.setdefault(choice.get("index") or 0, {"message": {}}), choice)
    folded = [_whole_choice(index, choices[index]) for index in sorted(choices)]
    return {**completion, "choices": folded}


def _add_choice(whole: Json, choice: Json) -> None:
    delta = choice.get("delta") or {}
    if unknown := {name for name, value in delta.items() if value is not None} - _MEMBERS:
        raise ValueError(f"a delta with {min(unknown)}")
    _add(whole["message"], delta)
    if choice.get("finish_reason"):
        whole["finish_reason"] = choice["finish_reason"]
    for name, items in (choice.get("logprobs") or {}).items():
        whole.setdefault("logprobs", {}).setdefault(name, []).extend(items or ())


def _add(whole: Json, piece: Json) -> None:
    """Add a piece of an object. Its texts become lists of their pieces until `_joined`."""
    for name, value in piece.items():
        if value is None:
            continue
        if name in _TEXTS:
            whole.setdefault(name, []).append(value)
        elif isinstance(value, dict):
            _add(whole.setdefault(name, {}), value)
        elif isinstance(value, list):
            _add_items(whole.setdefault(name, []), value)
        else:
            whole[name] = value


def _add_items(whole: list[Json], items: list[Json]) -> None:
    """Add items of a list. Those of one `index` are pieces of one item."""
    for item in items:
        index = item.get("index")
        same = None if index is None else next((one for one in whole if one.get("index") == index), None)
        if same is None:
            whole.append(same := {})
        _add(same, item)
    if len(whole) > _MAX_ITEMS:
        raise ValueError(f"more than {_MAX_ITEMS} items")


def _joined(value: Any, name: str = "") -> Any:
    if name in _TEXTS:
        return "".join(value)
    if isinstance(value, dict):
        return {inner: _joined(each, inner) for inner, each in value.items()}
    return [_joined(each) for each in value] if isinstance(value, list) else value


def _whole_choice(index: int, choice: Json) -> Json:
    """Return a choice as an answer that is not streamed has it."""
    message = _joined(choice["message"])
    if calls := message.get("tool_calls"):
        message["tool_calls"] = [
            {name: value for name, value in call.items() if name != "index"} for call in calls
        ]
    return {
        "index": index,
        "message": {
            "role": "assistant",
            "refusal": None,
            **message,
            "content": message.get("content") or None,
        },
        "logprobs": choice.get("logprobs"),
        "finish_reason": choice.get("finish_reason"),
    }
