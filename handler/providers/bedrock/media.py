"""Images, documents, audio and video of chat messages as Converse takes them: their bytes, and no address.

Nothing is fetched, and Bedrock is not let fetch: it would read `s3:` addresses with the gateway's own role.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

from __future__ import annotations

from collections.abc import Mapping

from handler.providers.content_blocks.blocks import Part
from handler.providers.data_urls import media_of, type_of_name
from handler.providers.translator import Json
from handler.providers.unsupported import unsupported

_OFFICE = "application/vnd.openxmlformats-officedocument"
# A type of MIME -> the sort of block, and what Converse calls the format.
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
_TEXTS = ("text/", "application/json", "application/xml", "application/yaml")


def _located(given: Json, where: str) -> Json:
    """An image or a video, which chat knows by an address."""
    return _data(given["url"], f"{where}.url")


def _file(given: Json, where: str) -> Json:
    data, name = given.get("file_data"), given.get("filename") or ""
    if not isinstance(data, str) or not data:
        raise unsupported(where, "the model needs its data; a file kept elsewhere is out of its reach")
    if data[:5].lower() != "data:" and "://" not in data[:16]:
        data = f"data:{type_of_name(name) or ''};base64,{data}"
    block = _data(data, f"{where}.file_data")
    if block["type"] == "document" and name:
        block["document"] = {**block["document"], "name": name}
    return block


def _audio(given: Json, where: str) -> Json:
    kind = type_of_name(f".{given['format']}") or f"audio/{given['format']}"
    return _data(f"data:{kind};base64,{given['data'].rpartition(',')[2]}", f"{where}.data")


def _data(url: str, where: str) -> Json:
    if url[:5].lower() != "data:":
        raise unsupported(where, "Bedrock takes the bytes of a data: URL; nobody fetches an address")
    try:
        media = media_of(url)
    except ValueError as error:
        raise unsupported(where, str(error)) from None
    sort, name = _FORMATS.get(media.type) or ("document", "txt" if media.type.startswith(_TEXTS) else "")
    if not name:
        raise unsupported(where, f"the model takes no {media.type}")
    return {"type": sort, sort: {"format": name, "source": {"bytes": media.data}}}


PARTS: Mapping[str, Part] = {
    "image_url": _located,
    "video_url": _located,
    "input_audio": _audio,
    "file": _file,
}
