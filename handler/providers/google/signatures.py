"""Sends Gemini's thought signatures to clients, and restores them in the messages that clients send back.

A call carries its own signature. Those of texts, images and thoughts are sent at the end of an answer:
`extra_content.google.thought_signature` is the last one. If there are several, `thought_signatures` lists
each with its position in the text, because most clients keep the text of an answer as one string.
https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from handler.errors import Json

_PLACES = frozenset({"thought_signature", "extra_content", "provider_specific_fields"})
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{4,}={0,2}")


class TextSignature(NamedTuple):
    """A signature, and the number of characters of the answer's text up to the end of its part."""

    characters: int
    signature: str


def extra_content_of(signatures: Sequence[TextSignature]) -> Json:
    """`extra_content` of an answer; empty without signatures.

    Each entry of the list has an `index`, by which OpenAI's libraries merge the lists of a stream.
    """
    if not signatures:
        return {}
    google: Json = {"thought_signature": signatures[-1].signature}
    if len(signatures) > 1:
        google["thought_signatures"] = [
            {"index": place, "characters": characters, "signature": signature}
            for place, (characters, signature) in enumerate(signatures)
        ]
    return {"extra_content": {"google": google}}


def signature_of(call: Json) -> str | None:
    """The signature of a call, wherever clients keep it; None if it is not base64."""
    if _PLACES.isdisjoint(call):
        return None
    match call:
        case {"thought_signature": str(found)}:
            return base64_text(found)
        case {"extra_content": {"google": {"thought_signature": str(found)}}}:
            return base64_text(found)
        case {"provider_specific_fields": {"thought_signature": str(found)}}:
            return base64_text(found)
    return None


def base64_text(text: str) -> str | None:
    """The text if it is base64."""
    return text if _BASE64.fullmatch(text) else None


def add_signatures(parts: list[Json], message: Json) -> list[Json]:
    """Add the signatures of an assistant message to its parts."""
    if "extra_content" not in message:
        return parts
    signatures = _read_list(message)
    if signatures and len(parts) == 1 and "text" in parts[0]:
        return list(_split_text(parts[0]["text"], signatures))
    signature = signature_of({"extra_content": message.get("extra_content")})
    if signature is None:
        return parts
    *before, last = parts or [{"text": ""}]
    return [*before, {**last, "thoughtSignature": signature}]


def _read_list(message: Json) -> list[TextSignature]:
    """Read the list that `extra_content_of` makes, in order; empty if a client changed it."""
    match message.get("extra_content"):
        case {"google": {"thought_signatures": list(entries)}}:
            found = [_read_entry(entry) for entry in entries]
            return sorted(one for one in found if one) if all(found) else []
    return []


def _read_entry(entry: Any) -> TextSignature | None:
    match entry:
        case {"characters": int(characters), "signature": str(text)} if characters >= 0 and base64_text(text):
            return TextSignature(characters, text)
    return None


def _split_text(text: str, signatures: Sequence[TextSignature]) -> Iterator[Json]:
    """Yield one part for each signature, and one for the text after the last."""
    begin = 0
    for characters, signature in signatures:
        yield {"text": text[begin:characters], "thoughtSignature": signature}
        begin = min(characters, len(text))
    if begin < len(text):
        yield {"text": text[begin:]}
