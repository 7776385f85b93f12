"""Estimates the input tokens of a chat request; no text can be hidden from the estimate.

The estimate is the UTF-8 bytes of text / 4, plus 4 for each message, 1000 for each image, audio part, video
and file, and the bytes of a file's content / 4. Everything unknown counts as text, names included, so that a
text in an unusual place cannot evade a rule about `input_tokens`. More text never lowers the estimate.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import repeat
from typing import Any, NamedTuple

BYTES_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
TOKENS_PER_PART = 1000  # of an image, audio, a video or a file; the content of a file counts too

# By type of content part, the field of its member of that name that holds the bytes.
DATA_FIELDS = {"image_url": "url", "video_url": "url", "input_audio": "data", "file": "file_data"}
CHECKED = 24  # characters of the bytes of media that `_media_url` looks at; they count as text
# Fields that no model reads; `messages` are measured separately. All others count by their bytes.
UNREAD_FIELDS = frozenset(
    (
        *("messages", "model", "models", "fallback_models", "hints", "route", "tags", "usage", "metadata"),
        *("user", "safety_identifier", "temperature", "top_p", "frequency_penalty", "presence_penalty"),
        *("max_tokens", "max_completion_tokens", "n", "seed", "stop", "stream", "stream_options"),
        *("logit_bias", "logprobs", "top_logprobs", "parallel_tool_calls", "modalities", "prompt_cache_key"),
        *("prompt_cache_retention", "reasoning_effort", "service_tier", "store", "verbosity"),
        *("span_uuid", "evaluate"),  # Opper's
    )
)
# Fields that a model reads; their own names do not count.
READ_FIELDS = frozenset(
    (
        *("tools", "functions", "tool_choice", "function_call", "response_format", "output_schema"),
        *("prediction",),
    )
)
# Names of the fields of messages, content parts and calls. All other names count as text.
KNOWN_NAMES = frozenset(
    (
        *("role", "content", "name", "type", "text", "refusal", "reasoning_content", "reasoning", "thinking"),
        *("image_url", "video_url", "url", "detail", "input_audio", "data", "format", "file", "file_data"),
        *("file_id", "filename", "tool_calls", "id", "index", "function", "arguments", "custom", "input"),
        *("tool_call_id", "function_call", "audio", "cache_control", "thought_signature", "signature"),
    )
)
LONGEST_NAME = 32  # characters of a name in another format that does not count as text
MAX_WORD = 16  # characters of a role or a type that do not count as text


# Patterns are compiled when the first part needs them, because most conversations have none.
@cache
def _media_url() -> re.Pattern[str]:
    """Match images, audio and video by their declared type, unless the bytes are a PDF, relayed as a PDF."""
    return re.compile(
        r"[\x00-\x20]*data:(?:image|audio|video)/(?!svg)[^,]*;[\x00-\x20]*base64[\x00-\x20]*,"
        r"(?!JVBER)(?=[\w+/=-]{24}|[\w+/=-]*\Z)",
        re.IGNORECASE | re.ASCII,
    )


@cache
def _file_url() -> re.Pattern[str]:
    return re.compile(
        r"[\x00-\x20]*data:(?!(?:image|audio|video)/)[^,]*;[\x00-\x20]*base64[\x00-\x20]*,", re.IGNORECASE
    )


@cache
def _text_file_url() -> re.Pattern[str]:
    return re.compile(r"[\x00-\x20]*data:(?:text/|application/(?:json|xml|[\w.-]+\+))", re.IGNORECASE)


class PartSize(NamedTuple):
    """Sizes in bytes of the data of one content part."""

    size: int = 0  # that count
    text_size: int = 0  # of the text that encodes the data
    document_size: int = 0  # part of `size`: a document, such as a PDF


class Estimate(NamedTuple):
    """`document_tokens`: the part of `tokens` for documents; a provider may count far fewer."""

    tokens: int
    document_tokens: int


def estimate_tokens(
    body: Mapping[str, Any], messages: Sequence[Any], parts: Iterable[tuple[str, Mapping[str, Any]]]
) -> Estimate:
    """Return the estimate of a body. `parts`: the content parts of its messages, each after its type."""
    sizes = [_measure_part(type_, part) for type_, part in parts if type_ in DATA_FIELDS]
    size = _messages_size(messages) + sum(part.size - part.text_size for part in sizes)
    for field, value in body.items():
        if value and field not in UNREAD_FIELDS:
            size += _json_size(value) + (0 if field in READ_FIELDS else _size(field))
    counted = TOKENS_PER_MESSAGE * len(messages) + TOKENS_PER_PART * len(sizes)
    return Estimate(
        tokens=-(-size // BYTES_PER_TOKEN) + counted,
        document_tokens=sum(part.document_size for part in sizes) // BYTES_PER_TOKEN,
    )


def native_tokens(body: Mapping[str, Any]) -> int:
    """Return the tokens of every text in a body in another format than chat; what shows an image has none.

    A body that is relayed in its own format may have texts that the chat it is translated to leaves out.
    """
    size = 0
    read = {name: value for name, value in body.items() if name == "messages" or name not in UNREAD_FIELDS}
    containers: list[Any] = [read]
    for container in containers:  # the list grows in the loop
        members = container.items() if type(container) is dict else zip(repeat(""), container)
        for name, inner in members:
            if len(name) > LONGEST_NAME or not (name == "" or name.isidentifier()):
                size += _size(name)
            if type(inner) is str:
                size += _native_size(container, name, inner)
            elif type(inner) is dict or type(inner) is list:
                containers.append(inner)
    return size // BYTES_PER_TOKEN


def _native_size(container: Any, name: str, text: str) -> int:
    """Return the size of a text that counts: 3/4 of base64, and none of what shows an image."""
    size = _size(text)
    if name == "role" or name == "type":
        return size - min(len(text), MAX_WORD)
    if (kind := _media_type(container, name)) is not None:
        text = f"data:{kind};base64,{text}"
    if (head := _media_url().match(text)) is not None:
        return head.end() + min(len(text) - head.end(), CHECKED)
    return size * 3 // 4 if _file_url().match(text) else size


def _media_type(container: Mapping[str, Any], name: str) -> str | None:
    """Return the type of the base64 in a member of another format than chat; None if it has none."""
    if name == "bytes" or (name == "result" and container.get("type") == "image_generation_call"):
        return "image/*"  # of Converse, whose documents are in its chat
    if name != "data":
        return None
    named = (container.get(field) for field in ("media_type", "mimeType", "mime_type"))
    return next((kind for kind in named if type(kind) is str), "audio/*" if "format" in container else None)


def _messages_size(messages: Sequence[Any]) -> int:
    """Return the size of every text in messages, and of every name that is not one of KNOWN_NAMES."""
    size = 0
    containers: list[Any] = [messages]
    for container in containers:  # the list grows in the loop
        members = container.items() if type(container) is dict else zip(repeat("content"), container)
        for name, inner in members:
            type_ = type(inner)
            if type_ is str:
                size += len(inner) if inner.isascii() else _size(inner)
                if name == "content":  # the most frequent name
                    continue
                if name == "role" or name == "type":
                    size -= len(inner) if len(inner) <= MAX_WORD else MAX_WORD
            elif type_ is dict or type_ is list or type_ is tuple:
                containers.append(inner)
            elif type_ is int or type_ is float:
                size += len(repr(inner))
            if name not in KNOWN_NAMES:
                size += _size(str(name))
    return size


def _measure_part(type_: str, part: Mapping[str, Any]) -> PartSize:
    holder = part.get(type_)
    data = holder.get(DATA_FIELDS[type_]) if type(holder) is dict else None
    if type(data) is not str:
        return PartSize()
    text_size = _size(data)
    if type_ == "input_audio":
        return PartSize(text_size=text_size)
    if (head := _media_url().match(data)) is not None:
        return PartSize(size=head.end() + min(len(data) - head.end(), CHECKED), text_size=text_size)
    if (head := _file_url().match(data)) is None:
        return PartSize(size=text_size, text_size=text_size)
    size = head.end() + (text_size - head.end()) * 3 // 4
    return PartSize(size=size, text_size=text_size, document_size=0 if _text_file_url().match(data) else size)


def _json_size(value: Any) -> int:
    return _size(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str))


def _size(text: str) -> int:
    """Return the length of a text in UTF-8 bytes."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
