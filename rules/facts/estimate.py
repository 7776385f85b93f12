"""Estimates the input tokens of a chat request; no text can be hidden from the estimate.

It is the UTF-8 bytes of text / 4, 4 for each message, 1000 for each image, audio part, video and file, and
the bytes of a file's content / 4. What is not known to be anything else counts as text, names included, so a
text in an odd place cannot evade a rule about `input_tokens`. More text never lowers the estimate.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, NamedTuple

BYTES_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
TOKENS_PER_PART = 1000  # an image, an audio part, a video, a file; a file's content counts too

# Where in a content part, under the name of its type, the bytes of a medium stand.
DATA = {"image_url": "url", "video_url": "url", "input_audio": "data", "file": "file_data"}
# Images, audio and video by their declared type; a PDF under such a type is sent on as the PDF it is.
SEEN = re.compile(
    r"[\x00-\x20]*data:(?:image|audio|video)/(?!svg)[^,]*;[\x00-\x20]*base64[\x00-\x20]*,"
    r"(?!JVBER)(?=[\w+/=-]{24}|[\w+/=-]*\Z)",
    re.IGNORECASE | re.ASCII,
)
LOOKED_AT = 24  # characters of such bytes, which count all the same
PACKED = re.compile(
    r"[\x00-\x20]*data:(?!(?:image|audio|video)/)[^,]*;[\x00-\x20]*base64[\x00-\x20]*,", re.IGNORECASE
)
TEXTUAL = re.compile(r"[\x00-\x20]*data:(?:text/|application/(?:json|xml|[\w.-]+\+))", re.IGNORECASE)
# Fields that no model reads; `messages` are measured by themselves. Any other counts by its bytes.
NO_TEXT = frozenset(
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
TEXTS = frozenset(
    (
        *("tools", "functions", "tool_choice", "function_call", "response_format", "output_schema"),
        *("prediction",),
    )
)
# The names of a message's own fields, its parts' and its calls'. Any other is as good as text.
NAMES = frozenset(
    (
        *("role", "content", "name", "type", "text", "refusal", "reasoning_content", "reasoning", "thinking"),
        *("image_url", "video_url", "url", "detail", "input_audio", "data", "format", "file", "file_data"),
        *("file_id", "filename", "tool_calls", "id", "index", "function", "arguments", "custom", "input"),
        *("tool_call_id", "function_call", "audio", "cache_control", "thought_signature", "signature"),
    )
)
LONGEST_WORD = 16  # characters of a role or a type, which are no text


class Medium(NamedTuple):
    """The bytes of one content part."""

    size: int = 0  # what they count for
    written: int = 0  # the size of the text that they stand in
    pages: int = 0  # of `size`: what only a provider can count, a PDF


class Estimate(NamedTuple):
    """Tokens. `pages`: of `tokens`, those of documents, which may be far fewer."""

    tokens: int
    pages: int


def estimate(
    body: Mapping[str, Any], messages: Sequence[Any], parts: Iterable[tuple[str, Mapping[str, Any]]]
) -> Estimate:
    """The tokens of a body. `parts`: the content parts of its messages, each with its type."""
    media = [_medium(kind, part) for kind, part in parts if kind in DATA]
    size = _messages_size(messages) + sum(one.size - one.written for one in media)
    for field, value in body.items():
        if value and field not in NO_TEXT:
            size += _json_size(value) + (0 if field in TEXTS else _size(field))
    counted = TOKENS_PER_MESSAGE * len(messages) + TOKENS_PER_PART * len(media)
    return Estimate(
        tokens=-(-size // BYTES_PER_TOKEN) + counted,
        pages=sum(one.pages for one in media) // BYTES_PER_TOKEN,
    )


def _messages_size(messages: Sequence[Any]) -> int:
    """The size of every text in messages, and of every name that is none of NAMES."""
    size = 0
    nested: list[Any] = [messages]
    for one in nested:  # it grows on the way
        for name, inner in one.items() if type(one) is dict else zip(repeat("content"), one):
            kind = type(inner)
            if kind is str:
                size += len(inner) if inner.isascii() else _size(inner)
                if name == "role" or name == "type":
                    size -= min(len(inner), LONGEST_WORD)
            elif kind is dict or kind is list or kind is tuple:
                nested.append(inner)
            elif kind is int or kind is float:
                size += len(repr(inner))
            if name not in NAMES:
                size += _size(str(name))
    return size


def _medium(kind: str, part: Mapping[str, Any]) -> Medium:
    holder = part.get(kind)
    data = holder.get(DATA[kind]) if type(holder) is dict else None
    if type(data) is not str:
        return Medium()
    written = _size(data)
    if kind == "input_audio":
        return Medium(written=written)
    if (head := SEEN.match(data)) is not None:
        return Medium(size=head.end() + min(len(data) - head.end(), LOOKED_AT), written=written)
    if (head := PACKED.match(data)) is None:
        return Medium(size=written, written=written)
    size = head.end() + (written - head.end()) * 3 // 4
    return Medium(size=size, written=written, pages=0 if TEXTUAL.match(data) else size)


def _json_size(value: Any) -> int:
    return _size(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str))


def _size(text: str) -> int:
    """The length of a text in UTF-8 bytes."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
