"""Gives Gemini's thought signatures to clients, and puts each back at its own part.

A call carries its own signature. Those of text, images and thoughts come together at the end of an answer:
`extra_content.google.thought_signature` is the last one. Where there are several, `thought_signatures` lists
each with the number of characters of text before its end, because one text is all that most clients keep.
https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from handler.providers.translator import Json

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{4,}={0,2}")


class Signed(NamedTuple):
    """A signature, and the number of characters of the answer's text up to the end of its part."""

    characters: int
    signature: str


def signatures_of(found: Sequence[Signed]) -> Json:
    """`extra_content` of an answer with these signatures; nothing where there are none.

    Each entry of the list has an `index`: OpenAI's libraries put the lists of a stream together by it.
    """
    if not found:
        return {}
    google: Json = {"thought_signature": found[-1].signature}
    if len(found) > 1:
        google["thought_signatures"] = [
            {"index": place, "characters": characters, "signature": signature}
            for place, (characters, signature) in enumerate(found)
        ]
    return {"extra_content": {"google": google}}


def signature_of(holder: Json) -> str | None:
    """The signature of a call, from where clients keep it; None for one that is not base64."""
    match holder:
        case {"thought_signature": str(found)}:
            return base64_text(found)
        case {"extra_content": {"google": {"thought_signature": str(found)}}}:
            return base64_text(found)
        case {"provider_specific_fields": {"thought_signature": str(found)}}:
            return base64_text(found)
    return None


def base64_text(text: str) -> str | None:
    """The text if it is base64, else None."""
    return text if _BASE64.fullmatch(text) else None


def signed(parts: list[Json], message: Json) -> list[Json]:
    """The parts of an assistant's message with the signatures that it had."""
    listed = _listed(message)
    if listed and len(parts) == 1 and "text" in parts[0]:
        return list(_cut(parts[0]["text"], listed))
    signature = signature_of({"extra_content": message.get("extra_content")})
    if signature is None:
        return parts
    *before, last = parts or [{"text": ""}]
    return [*before, {**last, "thoughtSignature": signature}]


def _listed(message: Json) -> list[Signed]:
    """Reads the list of `signatures_of`, in order; empty where a client changed any of it."""
    match message.get("extra_content"):
        case {"google": {"thought_signatures": list(entries)}}:
            found = [_entry(entry) for entry in entries]
            return sorted(one for one in found if one) if all(found) else []
    return []


def _entry(entry: Any) -> Signed | None:
    match entry:
        case {"characters": int(characters), "signature": str(text)} if characters >= 0 and base64_text(text):
            return Signed(characters, text)
    return None


def _cut(text: str, signatures: Sequence[Signed]) -> Iterator[Json]:
    """Yields one part for each signature, and one for the text after the last."""
    begin = 0
    for characters, signature in signatures:
        yield {"text": text[begin:characters], "thoughtSignature": signature}
        begin = min(characters, len(text))
    if begin < len(text):
        yield {"text": text[begin:]}
