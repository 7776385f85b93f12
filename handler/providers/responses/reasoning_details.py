"""Converts reasoning items to the items of `reasoning_details`, and back when a client returns them.

The provider keeps nothing (`store: false`), so its reasoning comes encrypted and goes back with the history.
https://platform.openai.com/docs/guides/reasoning#encrypted-reasoning-items
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from handler.errors import Json

FORMAT = "openai-responses-v1"  # the `format` of reasoning that only OpenAI's Responses can read


def reasoning_details(item: Mapping[str, Any], first: int) -> list[Json]:
    """Return the details of a reasoning item: its summaries and its encrypted content. `first`: their index.

    An item without encrypted content has none, because the provider would not find it again.
    """
    data, id = item.get("encrypted_content"), item.get("id")
    if not isinstance(data, str) or not data:
        return []
    summaries = [{"type": "reasoning.summary", "summary": text} for text in texts(item.get("summary"))]
    details: list[Json] = [*summaries, {"type": "reasoning.encrypted", "data": data}]
    named: Json = {"id": id} if isinstance(id, str) and id else {}
    return [{**one, **named, "format": FORMAT, "index": first + at} for at, one in enumerate(details)]


def reasoning_items(message: Mapping[str, Any]) -> Iterator[Json]:
    """Yield the reasoning items that a client sent back in an assistant message."""
    details, summary = message.get("reasoning_details"), list[tuple[Any, Json]]()
    for one in details if isinstance(details, list) else ():
        if not isinstance(one, dict) or one.get("format") != FORMAT:
            continue
        id = one.get("id")
        match one:
            case {"type": "reasoning.summary", "summary": str(text)}:
                summary.append((id, {"type": "summary_text", "text": text}))
            case {"type": "reasoning.encrypted", "data": str(data)} if data:
                own = [part for of, part in summary if of == id]
                named = {"id": id} if isinstance(id, str) and id else {}
                yield {"type": "reasoning", **named, "summary": own, "encrypted_content": data}
                summary = []


def reasoning_texts(item: Mapping[str, Any]) -> list[str]:
    """Return the texts of a reasoning item that are shown: its summaries, else the reasoning itself."""
    return texts(item.get("summary")) or texts(item.get("content"))


def texts(parts: Any) -> list[str]:
    """Return the texts of a list of parts, without empty ones."""
    found = (one.get("text") for one in parts if isinstance(one, dict)) if isinstance(parts, list) else ()
    return [text for text in found if isinstance(text, str) and text]
