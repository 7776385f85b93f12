"""Translates the images, audio, video and files of a chat message into Gemini's parts.

Google fetches the addresses that it accepts; Sluice fetches nothing. https://ai.google.dev/api/caching#Part
"""

from __future__ import annotations

from urllib.parse import urlsplit

from handler.errors import Json, UpstreamError
from handler.providers.data_urls import parse_data_url, type_from_name
from handler.providers.unsupported import unsupported

_YOUTUBE = ("www.youtube.com", "youtube.com", "youtu.be")


def media_part(part: Json, where: str) -> Json:
    """The Gemini part for a chat part that is not text. Raises UpstreamError for one that Gemini cannot take.

    `where`: the path of the part in the request, for `param`.
    """
    match part:
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return _from_url(url, f"{where}.image_url.url", default_type="image/jpeg")
        case {"type": "video_url", "video_url": {"url": str(url)}}:
            return _from_url(url, f"{where}.video_url.url", default_type="video/mp4")
        case {"type": "input_audio", "input_audio": {"data": str(data), "format": str(name)}}:
            kind = type_from_name(f".{name}") or f"audio/{name}"
            return _inline_data(f"data:{kind};base64,{data.rpartition(',')[2]}", f"{where}.input_audio.data")
        case {"type": "file", "file": dict(file)}:
            return _file(file, f"{where}.file")
    raise unsupported(f"{where}.type", "this model does not take such a part")


def _file(file: Json, where: str) -> Json:
    """The part for a file by its bytes or its address. An OpenAI file id is unknown to Google."""
    data, id_ = file.get("file_data"), file.get("file_id")
    default_type = type_from_name(file.get("filename") or "") or "application/pdf"
    if isinstance(data, str):
        if _scheme(data) in ("data", "https", "gs"):
            return _from_url(data, f"{where}.file_data", default_type=default_type)
        return _inline_data(f"data:{default_type};base64,{data}", f"{where}.file_data")
    if isinstance(id_, str) and _scheme(id_) in ("https", "gs"):
        return _from_url(id_, f"{where}.file_id", default_type=default_type)
    raise unsupported(f"{where}.file_id", "this model takes a file as data or as a https: or gs: address")


def _from_url(url: str, where: str, *, default_type: str) -> Json:
    """`inlineData` for a `data:` URL, `fileData` for an address that Google fetches."""
    scheme = _scheme(url)
    if scheme == "data":
        return _inline_data(url, where, default_type=default_type)
    if scheme not in ("https", "gs"):
        raise unsupported(where, "Google fetches only https: and gs: addresses, and Sluice fetches none")
    file: Json = {"fileUri": url}
    if urlsplit(url).hostname not in _YOUTUBE:
        file = {"mimeType": type_from_name(url) or default_type, **file}
    return {"fileData": file}


def _scheme(url: str) -> str:
    return url[:16].partition(":")[0].strip().lower()


def _inline_data(url: str, where: str, *, default_type: str = "application/octet-stream") -> Json:
    try:
        media = parse_data_url(url.strip(), default=default_type)
    except ValueError as error:
        raise UpstreamError(
            f"{where}: {error}",
            failure_class="invalid_request",
            status=400,
            type="invalid_request_error",
            code="invalid_value",
            param=where,
        ) from None
    return {"inlineData": {"mimeType": media.type, "data": media.data}}
