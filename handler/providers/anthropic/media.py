"""Images and documents of chat messages as blocks of Anthropic's Messages.

An address is passed on, and Anthropic fetches it; nothing is fetched here.
https://platform.claude.com/docs/en/build-with-claude/vision, /pdf-support
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from handler.providers.content_blocks.blocks import Part
from handler.providers.data_urls import media_of, type_of_name
from handler.providers.translator import Json
from handler.providers.unsupported import unsupported

_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_TEXTS = ("text/", "application/json", "application/xml", "application/yaml")


def _image(given: Json, where: str) -> Json:
    url, where = given["url"], f"{where}.url"
    if url[:5].lower() == "data:":
        return _data(url, where)
    if not url.lower().startswith(("http://", "https://")):
        raise unsupported(where, "neither a data: URL nor one that Anthropic can fetch")
    return {"type": "image", "source": {"type": "url", "url": url}}


def _file(file: Json, where: str) -> Json:
    data, id, name = file.get("file_data"), file.get("file_id"), file.get("filename")
    if isinstance(data, str) and data:
        if data[:5].lower() != "data:":
            data = f"data:{type_of_name(name or '') or ''};base64,{data}"
        block = _data(data, f"{where}.file_data")
        return {**block, "title": name} if name and block["type"] == "document" else block
    if isinstance(id, str) and id.startswith("file_"):  # OpenAI's begin with `file-`
        return {"type": "document", "source": {"type": "file", "file_id": id}}
    raise unsupported(where, "Claude needs its data; a file kept at OpenAI is out of its reach")


def _data(url: str, where: str) -> Json:
    try:
        media = media_of(url)
    except ValueError as error:
        raise unsupported(where, str(error)) from None
    source = {"type": "base64", "media_type": media.type, "data": media.data}
    if media.type in _IMAGES:
        return {"type": "image", "source": source}
    if media.type == "application/pdf":
        return {"type": "document", "source": source}
    if not media.type.startswith(_TEXTS):
        raise unsupported(where, "Claude takes JPEG, PNG, GIF and WebP images, PDF and plain text")
    text = base64.b64decode(media.data).decode("utf-8", "replace")
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}}


PARTS: Mapping[str, Part] = {"image_url": _image, "file": _file}
