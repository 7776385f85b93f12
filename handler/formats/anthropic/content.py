"""Converts content blocks of Messages to parts of a chat message, and notes what a chat cannot carry.

https://platform.claude.com/docs/en/api/messages, .../build-with-claude/pdf-support, .../search-results
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from handler.errors import Json

_MOST_DROPPED = 50  # that are named


class Losses:
    """The parts of a request that its chat does not have. See NativeRequest."""

    def __init__(self) -> None:
        self.only: tuple[str, str] | None = None
        self._dropped: dict[str, None] = {}

    @property
    def dropped(self) -> tuple[str, ...]:
        return tuple(self._dropped)

    def needs_anthropic(self, path: str, what: str) -> None:
        """Note a part that changes the answer, so that no provider of another format can answer."""
        if self.only is None:
            self.only = path, f"only Anthropic knows {what}"

    def drop(self, name: str) -> None:
        """Note a part that only tunes the answer."""
        if len(self._dropped) < _MOST_DROPPED:
            self._dropped[name[:100]] = None


def quoted(value: Any) -> str:
    """Return a name of the client's for a sentence."""
    return f"`{str(value)[:60]}`"


def blocks_of(content: Any) -> list[Json]:
    """Return content as blocks; text is one block, and empty text none."""
    if isinstance(content, str):
        return [text_part(content)] if content else []
    return content or []


def text_part(text: str) -> Json:
    return {"type": "text", "text": text}


def content_of(parts: list[Json]) -> str | list[Json]:
    """Return parts as the content of a message. A single text is plain text, which every host accepts."""
    match parts:
        case []:
            return ""
        case [{"type": "text", "text": str(text), **rest}] if not rest:
            return text
    return parts


def parts_of(blocks: Iterable[Json], where: str, losses: Losses) -> list[Json]:
    """Convert the blocks of a user, of a tool's result or of a document."""
    parts: list[Json] = []
    for index, block in enumerate(blocks):
        parts += block_parts(block, f"{where}[{index}]", losses)
    return parts


def block_parts(block: Json, where: str, losses: Losses) -> list[Json]:
    convert = _CONVERTERS.get(block["type"])
    if convert is None:
        losses.needs_anthropic(f"{where}.type", f"content of the type {quoted(block['type'])} here")
        return []
    return mark_last(convert(block, where, losses), block)


def mark_last(parts: list[Json], block: Json) -> list[Json]:
    """Move the cache mark of a block to the last of its parts."""
    mark = block.get("cache_control")
    return [*parts[:-1], {**parts[-1], "cache_control": mark}] if parts and mark else parts


def _text(block: Json, where: str, losses: Losses) -> list[Json]:
    return [text_part(block["text"])] if block["text"] else []


def _image(block: Json, where: str, losses: Losses) -> list[Json]:
    match block["source"]:
        case {"type": "base64", "media_type": str(kind), "data": str(data)}:
            url = f"data:{kind};base64,{data}"
        case {"type": "url", "url": str(url)}:
            pass
        case source:
            _unknown_source(source, where, losses)
            return []
    return [{"type": "image_url", "image_url": {"url": url}}]


def _document(block: Json, where: str, losses: Losses) -> list[Json]:
    """Convert a PDF to a file, and any other document to text with its title."""
    if (block.get("citations") or {}).get("enabled"):
        losses.drop("citations")
    title, context = block.get("title"), block.get("context")
    match block["source"]:
        case {"type": "base64", "media_type": str(kind), "data": str(data)}:
            file = {"filename": title or "document.pdf", "file_data": f"data:{kind};base64,{data}"}
            return [*_texts(context), {"type": "file", "file": file}]
        case {"type": "text", "data": str(data)}:
            return _texts(title, context, data)
        case {"type": "content", "content": content}:
            found = parts_of(blocks_of(content), f"{where}.source.content", losses)
            return [*_texts(title, context), *found]
        case source:
            _unknown_source(source, where, losses)
            return []


def _unknown_source(source: Json, where: str, losses: Losses) -> None:
    losses.needs_anthropic(f"{where}.source.type", f"the source {quoted(source['type'])} here")


def _search_result(block: Json, where: str, losses: Losses) -> list[Json]:
    if (block.get("citations") or {}).get("enabled"):
        losses.drop("citations")
    return _texts(block["title"], block["source"], *(one["text"] for one in block["content"]))


def _tool_reference(block: Json, where: str, losses: Losses) -> list[Json]:
    """Name a tool that a search found. The chat has it among its tools."""
    return [text_part(block["tool_name"])]


def _texts(*texts: str | None) -> list[Json]:
    """Return one part of those texts that are not empty."""
    joined = "\n\n".join(text for text in texts if text)
    return [text_part(joined)] if joined else []


_CONVERTERS: Mapping[str, Callable[[Json, str, Losses], list[Json]]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
    "tool_reference": _tool_reference,
}
