"""Converts images and documents of chat messages to content blocks of Anthropic's Messages.

Sluice fetches no URL: Anthropic does.
https://platform.claude.com/docs/en/build-with-claude/vision, /pdf-support
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from handler.errors import Json
from handler.providers.content_blocks.blocks import PartConverter
from handler.providers.data_urls import parse_data_url, type_from_name
from handler.providers.unsupported import unsupported

_IMAGE_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/yaml")  # or their beginnings


def _image(given: Json, where: str) -> Json:
    url, where = given["url"], f"{where}.url"
    if url[:5].lower() == "data:":
        return _data(url, where)
    if not url.lower().startswith(("http://", "https://")):
        raise unsupported(where, "must be a data: URL, or an HTTP address for Anthropic to fetch")
    return {"type": "image", "source": {"type": "url", "url": url}}


def _file(file: Json, where: str) -> Json:
    data, id, name = file.get("file_data"), file.get("file_id"), file.get("filename")
    if isinstance(data, str) and data:
        if data[:5].lower() != "data:":
            data = f"data:{type_from_name(name or '') or ''};base64,{data}"
        block = _data(data, f"{where}.file_data")
        return {**block, "title": name} if name and block["type"] == "document" else block
    if isinstance(id, str) and id.startswith("file_"):  # OpenAI's begin with `file-`
        return {"type": "document", "source": {"type": "file", "file_id": id}}
    raise unsupported(where, "Claude requires `file_data`; it cannot read a file stored at OpenAI")


def _data(url: str, where: str) -> Json:
    try:
        media = parse_data_url(url)
    except ValueError as error:
        raise unsupported(where, str(error)) from None
    source = {"type": "base64", "media_type": media.type, "data": media.data}
    if media.type in _IMAGE_TYPES:
        return {"type": "image", "source": source}
    if media.type == "application/pdf":
        return {"type": "document", "source": source}
    if not media.type.startswith(_TEXT_TYPES):
        raise unsupported(where, "Claude accepts JPEG, PNG, GIF and WebP images, PDF and plain text")
    text = base64.b64decode(media.data).decode("utf-8", "replace")
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}}


CONVERTERS: Mapping[str, PartConverter] = {"image_url": _image, "file": _file}
