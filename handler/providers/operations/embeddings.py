"""Embeddings at providers whose format is not OpenAI's: Voyage, Cohere, Gemini, Bedrock, Jina.

https://docs.voyageai.com/reference/embeddings-api, https://docs.cohere.com/reference/embed,
https://ai.google.dev/api/embeddings, https://jina.ai/embeddings,
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html and
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from handler.errors import Json, UpstreamError
from handler.providers.operations.format import Format, Part, Reply
from handler.providers.operations.vectors import embeddings, is_vector
from handler.providers.unsupported import unsupported
from rules import Model

Made = tuple[Sequence[Part], tuple[str, ...]]

VOYAGE_BATCH, JINA_BATCH, COHERE_BATCH, GOOGLE_BATCH = 128, 128, 96, 100  # texts of one request
DOCUMENT = "search_document"  # Cohere needs an `input_type`; this one is for texts that are searched later
_COMMON = frozenset({"input", "model", "encoding_format", "dimensions"})
_TOKENS_HEADER = "x-amzn-bedrock-input-token-count"


def texts_of(body: Json) -> list[str]:
    """Return the texts that are to be embedded. Raises Unsupported for token ids, and for anything else."""
    given = body["input"]
    texts = [given] if isinstance(given, str) else given
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise unsupported(f"input[{index}]", "the provider of this model takes texts only")
    return list(texts)


def _batches(texts: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (texts[start : start + size] for start in range(0, len(texts), size))


def _given(body: Json, names: Mapping[str, str]) -> Json:
    """Return the fields that the client gave, under the provider's names."""
    return {theirs: body[ours] for ours, theirs in names.items() if body.get(ours) is not None}


def _dropped(body: Json, taken: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(name for name in body.keys() - _COMMON - set(taken) if body[name] is not None))


# Voyage, and Jina.

_VOYAGE = {
    **{name: name for name in ("input_type", "truncation", "output_dimension", "output_dtype")},
    "dimensions": "output_dimension",
}
_JINA = {name: name for name in ("dimensions", "task", "late_chunking", "truncate", "normalized")}


def _voyage_request(body: Json, model: Model) -> Made:
    fields = {"model": model.name, **_given(body, _VOYAGE)}
    parts = [Part({"input": texts, **fields}) for texts in _batches(texts_of(body), VOYAGE_BATCH)]
    return parts, _dropped(body, _VOYAGE)


def _jina_request(body: Json, model: Model) -> Made:
    given = body["input"] if isinstance(body["input"], list) else [body["input"]]
    for index, each in enumerate(given):
        if not isinstance(each, str | dict):  # an object is a text or an image
            raise unsupported(f"input[{index}]", "the provider of this model takes no token ids")
    fields = {"model": model.name, **_given(body, _JINA)}
    return [Part({"input": each, **fields}) for each in _batches(given, JINA_BATCH)], _dropped(body, _JINA)


def _listed_answer(replies: Sequence[Reply], body: Json, model: Model) -> Json:
    """Read the answers of hosts that list vectors as OpenAI does."""
    vectors: list[Any] = []
    for reply in replies:
        match reply.body.get("data"):
            case list(items) if all(isinstance(item, dict) and "embedding" in item for item in items):
                vectors += [item["embedding"] for item in sorted(items, key=_place)]
            case _:
                raise _not_embeddings()
    return _answer(vectors, body, _sum(_integer(reply.body, "usage", "total_tokens") for reply in replies))


def _place(item: Json) -> int:
    index = item.get("index")
    return index if type(index) is int else 0


# Cohere, at its own API and at Bedrock.

_COHERE = {
    **{name: name for name in ("input_type", "truncate", "output_dimension")},
    "dimensions": "output_dimension",
}


def _cohere_fields(body: Json) -> Json:
    return {"input_type": DOCUMENT, "embedding_types": ["float"], **_given(body, _COHERE)}


def _cohere_request(body: Json, model: Model) -> Made:
    fields = {"model": model.name, **_cohere_fields(body)}
    parts = [Part({"texts": texts, **fields}) for texts in _batches(texts_of(body), COHERE_BATCH)]
    return parts, _dropped(body, _COHERE)


def _cohere_answer(replies: Sequence[Reply], body: Json, model: Model) -> Json:
    vectors: list[Any] = []
    for reply in replies:
        match reply.body.get("embeddings"):
            case {"float": list(found)} | list(found):
                vectors += found
            case _:
                raise _not_embeddings()
    tokens = _sum(_cohere_tokens(reply) for reply in replies)
    return _answer(vectors, body, tokens)


def _cohere_tokens(reply: Reply) -> int | None:
    billed = _integer(reply.body, "meta", "billed_units", "input_tokens")
    return _header_tokens(reply) if billed is None else billed


# Gemini.

_GOOGLE = {"task_type": "taskType", "title": "title", "dimensions": "outputDimensionality"}


def _google_request(body: Json, model: Model) -> Made:
    fields = {"model": f"models/{model.name}", **_given(body, _GOOGLE)}
    path = f"/models/{quote(model.name, safe='')}:batchEmbedContents"
    parts = [
        Part({"requests": [{"content": {"parts": [{"text": text}]}, **fields} for text in texts]}, path)
        for texts in _batches(texts_of(body), GOOGLE_BATCH)
    ]
    return parts, _dropped(body, _GOOGLE)


def _google_answer(replies: Sequence[Reply], body: Json, model: Model) -> Json:
    vectors: list[Any] = []
    for reply in replies:
        match reply.body.get("embeddings"):
            case list(items) if all(isinstance(item, dict) for item in items):
                vectors += [item.get("values") for item in items]
            case _:
                raise _not_embeddings()
    tokens = _sum(_integer(reply.body, "usageMetadata", "promptTokenCount") for reply in replies)
    return _answer(vectors, body, tokens)


# Bedrock, where Titan takes one text in a request.

_TITAN = {"dimensions": "dimensions", "normalize": "normalize"}


def _bedrock_request(body: Json, model: Model) -> Made:
    path = f"/model/{quote(model.name, safe='')}/invoke"
    if "cohere." in model.name:
        fields = _cohere_fields(body)
        parts = [Part({"texts": texts, **fields}, path) for texts in _batches(texts_of(body), COHERE_BATCH)]
        return parts, _dropped(body, _COHERE)
    if "titan-embed" not in model.name:
        raise unsupported("model", f"{model.name} is neither of Titan nor of Cohere, whose formats are known")
    fields = _given(body, _TITAN)
    return [Part({"inputText": text, **fields}, path) for text in texts_of(body)], _dropped(body, _TITAN)


def _bedrock_answer(replies: Sequence[Reply], body: Json, model: Model) -> Json:
    if "cohere." in model.name:
        return _cohere_answer(replies, body, model)
    counts = (_integer(reply.body, "inputTextTokenCount") for reply in replies)
    tokens = [
        _header_tokens(reply) if count is None else count
        for count, reply in zip(counts, replies, strict=True)
    ]
    return _answer([reply.body.get("embedding") for reply in replies], body, _sum(tokens))


def _header_tokens(reply: Reply) -> int | None:
    count = reply.headers.get(_TOKENS_HEADER, "")
    return int(count) if count.isdecimal() and len(count) < 13 else None


# What all have in common.


def _answer(vectors: Sequence[Any], body: Json, tokens: int | None) -> Json:
    """Return the answer. Raises UpstreamError unless there is one vector for each input."""
    given = body["input"]
    is_one = isinstance(given, str) or isinstance(given[0], int)
    if len(vectors) != (1 if is_one else len(given)) or not all(map(is_vector, vectors)):
        raise _not_embeddings()
    return embeddings(vectors, body, tokens)


def _not_embeddings() -> UpstreamError:
    return UpstreamError("The provider's answer holds no embedding for each input.", failure_class="protocol")


def _integer(body: Json, *path: str) -> int | None:
    value: Any = body
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return int(value) if type(value) in (int, float) and 0 <= value < 10**12 else None


def _sum(counts: Iterable[int | None]) -> int | None:
    """Return the sum; None if one is unknown."""
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total


FORMATS: Mapping[str, Format] = {
    "voyage": Format(_voyage_request, _listed_answer),
    "jina": Format(_jina_request, _listed_answer),
    "cohere": Format(_cohere_request, _cohere_answer),
    "google": Format(_google_request, _google_answer),
    "bedrock": Format(_bedrock_request, _bedrock_answer),
}
