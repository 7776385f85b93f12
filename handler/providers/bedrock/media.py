"""Converts images, documents, audio and video of chat messages to Converse's blocks of bytes.

Addresses are refused: Sluice fetches none, and Bedrock would read `s3:` addresses with the gateway's role.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

from __future__ import annotations

from collections.abc import Mapping

from handler.errors import Json
from handler.providers.content_blocks.blocks import PartConverter
from handler.providers.data_urls import parse_data_url, type_from_name
from handler.providers.unsupported import unsupported

_OFFICE = "application/vnd.openxmlformats-officedocument"
# The type of block and Converse's name of the format, by MIME type.
_FORMATS: Mapping[str, tuple[str, str]] = {
    **{f"image/{name}": ("image", name) for name in ("png", "jpeg", "gif", "webp")},
    "application/pdf": ("document", "pdf"),
    "application/msword": ("document", "doc"),
    f"{_OFFICE}.wordprocessingml.document": ("document", "docx"),
    "application/vnd.ms-excel": ("document", "xls"),
    f"{_OFFICE}.spreadsheetml.sheet": ("document", "xlsx"),
    "text/csv": ("document", "csv"),
    "text/html": ("document", "html"),
    "text/markdown": ("document", "md"),
    **{f"video/{name}": ("video", name) for name in ("mp4", "webm", "mpeg", "x-flv", "x-matroska")},
    "video/x-flv": ("video", "flv"),
    "video/x-matroska": ("video", "mkv"),
    "video/quicktime": ("video", "mov"),
    "video/3gpp": ("video", "three_gp"),
    "audio/mpeg": ("audio", "mp3"),
    **{f"audio/{name}": ("audio", name) for name in ("mp3", "wav", "flac", "ogg", "aac", "opus", "mp4")},
}
_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/yaml")  # or their beginnings


def _image_or_video(given: Json, where: str) -> Json:
    """Convert an image or a video, which chat sends as an address."""
    return _data(given["url"], f"{where}.url")


def _file(given: Json, where: str) -> Json:
    data, name = given.get("file_data"), given.get("filename") or ""
    if not isinstance(data, str) or not data:
        raise unsupported(where, "the model requires `file_data`; it cannot read a file stored elsewhere")
    if data[:5].lower() != "data:" and "://" not in data[:16]:
        data = f"data:{type_from_name(name) or ''};base64,{data}"
    block = _data(data, f"{where}.file_data")
    if block["type"] == "document" and name:
        block["document"] = {**block["document"], "name": name}
    return block


def _audio(given: Json, where: str) -> Json:
    kind = type_from_name(f".{given['format']}") or f"audio/{given['format']}"
    return _data(f"data:{kind};base64,{given['data'].rpartition(',')[2]}", f"{where}.data")


def _data(url: str, where: str) -> Json:
    if url[:5].lower() != "data:":
        raise unsupported(where, "must be a data: URL: neither Sluice nor Bedrock fetches an address")
    try:
        media = parse_data_url(url)
    except ValueError as error:
        raise unsupported(where, str(error)) from None
    is_text = media.type.startswith(_TEXT_TYPES)
    kind, name = _FORMATS.get(media.type) or ("document", "txt" if is_text else "")
    if not name:
        raise unsupported(where, f"the model does not accept {media.type}")
    return {"type": kind, kind: {"format": name, "source": {"bytes": media.data}}}


CONVERTERS: Mapping[str, PartConverter] = {
    "image_url": _image_or_video,
    "video_url": _image_or_video,
    "input_audio": _audio,
    "file": _file,
}
