"""Translates the media of a request into chat parts, and the images of an answer into Gemini's parts.

Nothing is ever fetched. https://ai.google.dev/api/caching#Part
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from handler.errors import Json
from handler.formats.gemini.fields import member, written
from handler.formats.gemini.untranslated import Untranslated

_GOOGLE_HOSTS = ("generativelanguage.googleapis.com", "storage.cloud.google.com")  # they need a key
_YOUTUBE_HOSTS = ("www.youtube.com", "youtube.com", "youtu.be", "m.youtube.com")
_AUDIO_FORMATS = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "mp4": "m4a", "x-m4a": "m4a"}
_EXTENSIONS = {"plain": "txt", "markdown": "md", "javascript": "js", "x-python": "py"}
_DATA_URL = re.compile(r"data:([^;,]{1,200});base64,", re.IGNORECASE)


def media_part(part: Json, where: str, notes: Untranslated) -> Json | None:
    """Return the chat part for `inlineData` or `fileData`; None if a chat cannot say it."""
    if (blob := member(part, "inlineData")) is not None:
        return _inline(blob)
    file = member(part, "fileData") or {}
    uri, kind = member(file, "fileUri"), (member(file, "mimeType") or "").lower()
    if not _is_public(uri):
        path = f"{where}.{written(part, 'fileData')}.{written(file, 'fileUri')}"
        notes.require(path, "only Google can read this file")
    elif kind.startswith("audio/"):
        path = f"{where}.{written(part, 'fileData')}.{written(file, 'mimeType')}"
        notes.require(path, "other models take audio only as data")
    else:
        return _by_url(uri, kind, member(file, "displayName"))
    return None


def _inline(blob: Json) -> Json:
    kind = member(blob, "mimeType").lower()
    data = blob["data"].replace("-", "+").replace("_", "/")  # clients use both alphabets
    family, _, subtype = kind.partition(";")[0].strip().partition("/")
    url = f"data:{kind};base64,{data}"
    match family:
        case "image":
            return {"type": "image_url", "image_url": {"url": url}}
        case "audio":
            format_ = _AUDIO_FORMATS.get(subtype, subtype)
            return {"type": "input_audio", "input_audio": {"data": data, "format": format_}}
        case "video":
            return {"type": "video_url", "video_url": {"url": url}}
    name = member(blob, "displayName") or f"file.{_EXTENSIONS.get(subtype, subtype or 'bin')}"
    return {"type": "file", "file": {"filename": name, "file_data": url}}


def _by_url(uri: str, kind: str, name: str | None) -> Json:
    if kind.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": uri}}
    if kind.startswith("video/") or _host(uri) in _YOUTUBE_HOSTS:
        return {"type": "video_url", "video_url": {"url": uri}}
    return {"type": "file", "file": {**({"filename": name} if name else {}), "file_data": uri}}


def _is_public(uri: str) -> bool:
    """True for an address that anyone can fetch: not one of Google's own stores."""
    return uri.lower().startswith(("https://", "http://")) and _host(uri) not in (*_GOOGLE_HOSTS, None)


def _host(uri: str) -> str | None:
    try:
        return urlsplit(uri).hostname
    except ValueError:
        return None


def image_part(image: object) -> Json | None:
    """Return the part for an image of an answer; None for one that cannot be read."""
    match image:
        case {"image_url": {"url": str(url)}} if url:
            if found := _DATA_URL.match(url):
                return {"inlineData": {"mimeType": found[1], "data": url[found.end() :]}}
            return {"fileData": {"fileUri": url}}
    return None
