"""Parses `data:` URLs in chat requests, and corrects their media type and base64. Nothing is ever fetched.

https://www.rfc-editor.org/rfc/rfc2397
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, unquote_to_bytes

# The first bytes of files: the declared type is often wrong.
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
)
_ALIASES: Mapping[str, str] = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
}
# By file extension. The table of `mimetypes` depends on the machine.
_EXTENSIONS: Mapping[str, str] = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "webp": "image/webp",
    "heic": "image/heic",
    "heif": "image/heif",
    "avif": "image/avif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html",
    "htm": "text/html",
    "xml": "text/xml",
    "json": "application/json",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "m4a": "audio/mp4",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mpeg": "video/mpeg",
}


class Media(NamedTuple):
    type: str  # the MIME type, in lower case, without parameters
    data: str  # standard base64, padded


def parse_data_url(url: str, *, default: str = "application/octet-stream") -> Media:
    """Parse a `data:` URL. `default`: the type if neither URL nor bytes tell it. Raises ValueError."""
    head, comma, body = url[len("data:") :].partition(",")
    if not comma:
        raise ValueError("the data: URL has no data")
    declared, *parameters = (part.strip().lower() for part in head.split(";"))
    if "base64" in parameters:
        data = normalise_base64(unquote(body) if "%" in body else body)
    else:
        data = base64.b64encode(unquote_to_bytes(body)).decode()
    return Media(_media_type(declared, data) or default, data)


def normalise_base64(data: str) -> str:
    """Return base64 in the standard alphabet, padded and on one line. Raises ValueError."""
    plain = "".join(data.split()).replace("-", "+").replace("_", "/").rstrip("=")
    plain += "=" * (-len(plain) % 4)
    try:
        binascii.a2b_base64(plain, strict_mode=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("the data is not base64") from error
    return plain


def type_from_name(name: str) -> str | None:
    """The media type by the extension of a file name or URL; None if it is unknown."""
    path = name.split("?", 1)[0].split("#", 1)[0]
    return _EXTENSIONS.get(path.rpartition(".")[2].lower())


def _media_type(declared: str, data: str) -> str | None:
    """The type that the first bytes show, else the declared one."""
    head = base64.b64decode(data[:24])
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if not declared or declared.startswith("image/") or declared == "application/octet-stream":
        for magic, media_type in _MAGIC:
            if head.startswith(magic):
                return media_type
    return _ALIASES.get(declared, declared) or None
