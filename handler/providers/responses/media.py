"""Converts the content of chat messages to content parts of OpenAI's Responses.

https://platform.openai.com/docs/guides/images-vision, /file-inputs
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from handler.errors import Json
from handler.providers.data_urls import type_from_name
from handler.providers.unsupported import unsupported


def input_content(content: Any, where: str) -> str | list[Json]:
    """Convert the content of a message or of a tool's result: a text, unless a part is no text.

    A text with a breakpoint of the prompt cache stays a part of its own, too.
    """
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    parts = [_part(part, f"{where}.content[{index}]") for index, part in enumerate(content)]
    if all(part.keys() == {"type", "text"} for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def _part(part: Json, where: str) -> Json:
    match part:
        case {"type": "text", "text": str(text)} | {"type": "refusal", "refusal": str(text)}:
            new: Json = {"type": "input_text", "text": text}
        case {"type": str(kind)} if kind in _PARTS and isinstance(part.get(kind), dict):
            new = _PARTS[kind](part[kind], f"{where}.{kind}")
        case _:
            raise unsupported(f"{where}.type", f"the provider does not accept {part.get('type')}")
    mark = part.get("prompt_cache_breakpoint")
    return {**new, "prompt_cache_breakpoint": mark} if isinstance(mark, dict) else new


def _image(given: Json, where: str) -> Json:
    return {"type": "input_image", "image_url": given["url"], "detail": given.get("detail") or "auto"}


def _file(file: Json, where: str) -> Json:
    data, id, name = file.get("file_data"), file.get("file_id"), file.get("filename") or "document.pdf"
    if isinstance(id, str) and id and not data:
        return {"type": "input_file", "file_id": id}
    if not isinstance(data, str) or not data:
        raise unsupported(where, "`file_data` or `file_id` is required")
    if data[:8].lower().startswith(("http://", "https://")):
        return {"type": "input_file", "file_url": data}
    if data[:5].lower() != "data:":
        data = f"data:{type_from_name(name) or 'application/octet-stream'};base64,{data}"
    return {"type": "input_file", "filename": name, "file_data": data}


_PARTS: Mapping[str, Callable[[Json, str], Json]] = {"image_url": _image, "file": _file}
