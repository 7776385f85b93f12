"""Converts content blocks of Converse to parts of a chat message, and notes what a chat cannot carry.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any

from handler.errors import Json
from handler.formats.converse.fields import members
from handler.formats.losses import Losses
from handler.wire.splice import dump

_OFFICE = "application/vnd.openxmlformats-officedocument"
# The MIME types of documents that are no texts, by Converse's name of the format.
_DOCUMENTS: Mapping[str, str] = {
    "pdf": "application/pdf",
    "doc": "application/msword",
    "docx": f"{_OFFICE}.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": f"{_OFFICE}.spreadsheetml.sheet",
}
_VIDEOS: Mapping[str, str] = {
    "mkv": "x-matroska",
    "mov": "quicktime",
    "mpg": "mpeg",
    "flv": "x-flv",
    "wmv": "x-ms-wmv",
    "three_gp": "3gpp",
}
_AUDIO: Mapping[str, str] = {"x-aac": "aac", "mpeg": "mp3", "mpga": "mp3"}


def member(block: Json) -> tuple[str, Any]:
    """Return the one member of a union: its name and its value."""
    return next(members(block))


def require_bedrock(losses: Losses, path: str, what: str) -> None:
    losses.require_native(path, f"only Bedrock knows {what[:80]}")


def add_parts(parts: list[Json], block: Json, where: str, losses: Losses, *, result: bool = False) -> None:
    """Add the parts of a block; a cache point marks the part before it. result: of a tool."""
    name, value = member(block)
    convert = _RESULTS.get(name) if result else _CONVERTERS.get(name)
    if name == "cachePoint":
        if parts:
            parts[-1]["cache_control"] = cache_mark(value)
    elif convert is None:
        require_bedrock(losses, f"{where}.{name}", f"`{name}` here")
    else:
        parts += convert(value, losses)


def cache_mark(point: Json) -> Json:
    return {"type": "ephemeral", **({"ttl": point["ttl"]} if point.get("ttl") else {})}


def text_parts(*texts: str | None) -> list[Json]:
    """Return one part of those texts that are not empty."""
    joined = "\n\n".join(text for text in texts if text)
    return [{"type": "text", "text": joined}] if joined else []


def content_of(parts: list[Json]) -> str | list[Json]:
    """Return parts as the content of a message. A single text is plain text, which every host accepts."""
    match parts:
        case []:
            return ""
        case [{"type": "text", "text": str(text), **rest}] if not rest:
            return text
    return parts


def citation_text(block: Json) -> str:
    """Return the text of a block with citations."""
    return "".join(one.get("text") or "" for one in block.get("content") or ())


def _text(text: str, _: Losses) -> list[Json]:
    return text_parts(text)


def _image(image: Json, _: Losses) -> list[Json]:
    return _linked("image_url", image, f"image/{image['format']}")


def _video(video: Json, _: Losses) -> list[Json]:
    return _linked("video_url", video, f"video/{_VIDEOS.get(video['format'], video['format'])}")


def _linked(kind: str, media: Json, mime_type: str) -> list[Json]:
    url = f"data:{mime_type};base64,{media['source'].get('bytes') or ''}"
    return [{"type": kind, kind: {"url": url}}]


def _audio(audio: Json, _: Losses) -> list[Json]:
    name = _AUDIO.get(audio["format"], audio["format"])
    return [
        {"type": "input_audio", "input_audio": {"data": audio["source"].get("bytes") or "", "format": name}}
    ]


def _document(document: Json, losses: Losses) -> list[Json]:
    """Convert a document to text, with its name and context before it, or to a file."""
    _drop_citations(document, losses)
    name, context = document.get("name") or "document", document.get("context")
    extension = document.get("format") or "txt"
    match document["source"]:
        case {"text": str(text)}:
            return text_parts(name, context, text)
        case {"content": list(texts)}:
            return text_parts(name, context, *(one["text"] for one in texts))
        case {"bytes": str(data)} if extension in _DOCUMENTS:
            file_data = f"data:{_DOCUMENTS[extension]};base64,{data}"
        case {"bytes": str(data)}:
            try:
                return text_parts(name, context, b64decode(data, validate=True).decode())
            except ValueError:
                file_data = f"data:application/octet-stream;base64,{data}"
        case _:
            return []
    return [
        *text_parts(context),
        {"type": "file", "file": {"filename": f"{name}.{extension}", "file_data": file_data}},
    ]


def _search_result(found: Json, losses: Losses) -> list[Json]:
    _drop_citations(found, losses)
    return text_parts(found["title"], found["source"], *(one["text"] for one in found["content"]))


def _drop_citations(block: Json, losses: Losses) -> None:
    if (block.get("citations") or {}).get("enabled"):
        losses.drop("citations")


def _guarded(block: Json, losses: Losses) -> list[Json]:
    """Convert content that a guardrail looks at, which only the request's guardrail makes special."""
    match block:
        case {"text": {"text": str(text)}}:
            return text_parts(text)
        case {"image": dict(image)}:
            return _image(image, losses)
    return []


# Of a tool's result. A source of bytes that is none is left to the provider that gets it.
_RESULTS: Mapping[str, Callable[[Any, Losses], list[Json]]] = {
    "text": _text,
    "json": lambda value, _: text_parts(dump(value)),
    "image": _image,
    "document": _document,
    "searchResult": _search_result,
}
_CONVERTERS: Mapping[str, Callable[[Any, Losses], list[Json]]] = {
    **{name: convert for name, convert in _RESULTS.items() if name != "json"},
    "video": _video,
    "audio": _audio,
    "guardContent": _guarded,
    "citationsContent": lambda block, _: text_parts(citation_text(block)),
}
