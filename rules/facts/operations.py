"""Adds what rules may ask of a request that is no chat: embeddings, a rerank, speech, ... Never raises.

The estimate of the input is that of a chat, one token for each 4 bytes of text, and one for each token id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rules.facts.facts import Facts
from rules.facts.token_estimate import BYTES_PER_TOKEN, TOKENS_PER_PART

Json = Mapping[str, Any]

DOCUMENTS_PER_SEARCH = 100  # of a rerank, https://cohere.com/pricing
BYTES_PER_SECOND = 4000  # of audio: 32 kbit/s
TOKENS_PER_SECOND = 10  # of audio, https://platform.openai.com/docs/guides/speech-to-text


def facts_of_operation(
    facts: Facts, operation: str, body: Json, *, file_bytes: int = 0, default_model: str | None = None
) -> Facts:
    """Return the facts of a chat request with those of the operation. file_bytes: of the files with it."""
    tokens, units = _ESTIMATES[operation](body)
    media = 0
    if operation == "transcription":
        seconds = -(-file_bytes // BYTES_PER_SECOND)
        units, media = {"seconds": seconds}, seconds * TOKENS_PER_SECOND
    elif file_bytes:
        media = TOKENS_PER_PART
    return facts.replaced(
        operation=operation,
        input_tokens=tokens + media,
        document_tokens=media,
        default_model=default_model,
        units=units,
    )


def _tokens(value: object) -> int:
    """Return the estimate of texts and token ids, and of lists and objects of them."""
    tokens, values = 0, [value]
    while values:
        match values.pop():
            case str(text):
                size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
                tokens += -(-size // BYTES_PER_TOKEN)
            case {"type": "image_url"}:
                tokens += TOKENS_PER_PART
            case dict(members):
                values += members.values()
            case list(items):
                values += items
            case int() | float():
                tokens += 1
    return tokens


def _of_fields(*names: str) -> Callable[[Json], tuple[int, Mapping[str, int]]]:
    return lambda body: (sum(_tokens(body.get(name)) for name in names), {})


def _rerank(body: Json) -> tuple[int, Mapping[str, int]]:
    """Count the query with each document, as providers do that charge for tokens."""
    documents = body.get("documents")
    count = len(documents) if isinstance(documents, Sequence) else 0
    tokens = _tokens(documents) + count * _tokens(body.get("query"))
    return tokens, {"searches": -(-count // DOCUMENTS_PER_SEARCH)}


def _image(body: Json) -> tuple[int, Mapping[str, int]]:
    n = body.get("n")
    return _tokens(body.get("prompt")), {"images": n if type(n) is int and n > 0 else 1}


def _speech(body: Json) -> tuple[int, Mapping[str, int]]:
    text = body.get("input")
    characters = len(text) if isinstance(text, str) else 0
    return _tokens(text) + _tokens(body.get("instructions")), {"characters": characters}


# By operation, returns the estimate of the input tokens and of other units.
_ESTIMATES: Mapping[str, Callable[[Json], tuple[int, Mapping[str, int]]]] = {
    "embeddings": _of_fields("input"),
    "completion": _of_fields("prompt", "suffix"),
    "rerank": _rerank,
    "moderation": _of_fields("input"),
    "image": _image,
    "speech": _speech,
    "transcription": _of_fields("prompt"),
}
