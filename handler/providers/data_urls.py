"""Bytes that a chat request carries inside itself: `data:` URLs, read and put right.

Nothing is fetched: an address is never followed. https://www.rfc-editor.org/rfc/rfc2397
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, unquote_to_bytes

# How files begin; what is declared is often wrong.
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
# By the end of a name. The table of `mimetypes` is read from the machine, so it is not the same everywhere.
_ENDINGS: Mapping[str, str] = {
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
    type: str  # of MIME, lower case, without parameters
    data: str  # standard base64, padded


def parse_data_url(url: str, *, otherwise: str = "application/octet-stream") -> Media:
    """What a `data:` URL holds. `otherwise` is its type where nothing tells it. Raises ValueError."""
    head, comma, body = url[len("data:") :].partition(",")
    if not comma:
        raise ValueError("the data: URL has no data")
    declared, *parameters = (part.strip().lower() for part in head.split(";"))
    if "base64" in parameters:
        data = normalise_base64(unquote(body) if "%" in body else body)
    else:
        data = base64.b64encode(unquote_to_bytes(body)).decode()
    return Media(_type(declared, data) or otherwise, data)


def normalise_base64(data: str) -> str:
    """The base64 in its standard letters, padded and on one line. Raises ValueError."""
    plain = "".join(data.split()).replace("-", "+").replace("_", "/").rstrip("=")
    plain += "=" * (-len(plain) % 4)
    try:
        binascii.a2b_base64(plain, strict_mode=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("the data is not base64") from error
    return plain


def type_from_name(name: str) -> str | None:
    """The type that the end of a file's name or of an address tells."""
    path = name.split("?", 1)[0].split("#", 1)[0]
    return _ENDINGS.get(path.rpartition(".")[2].lower())


def _type(declared: str, data: str) -> str | None:
    """What the bytes are known by, else what is declared."""
    begins = base64.b64decode(data[:24])
    if begins.startswith(b"RIFF") and begins[8:12] == b"WEBP":
        return "image/webp"
    if not declared or declared.startswith("image/") or declared == "application/octet-stream":
        for magic, kind in _MAGIC:
            if begins.startswith(magic):
                return kind
    return _ALIASES.get(declared, declared) or None
