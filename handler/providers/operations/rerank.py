"""Rerank at providers whose format is neither Cohere's nor Jina's, which are almost the same.

https://docs.cohere.com/reference/rerank, https://jina.ai/reranker, https://docs.voyageai.com/reference/reranker-api,
https://docs.fireworks.ai/api-reference/rerank-documents,
https://docs.aws.amazon.com/bedrock/latest/userguide/rerank-supported.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from handler.errors import Json, UpstreamError
from handler.providers.operations.format import Format, Part, Reply
from handler.providers.unsupported import unsupported
from rules import Model

Made = tuple[Sequence[Part], tuple[str, ...]]

_COMMON = frozenset({"model", "query", "documents", "top_n", "return_documents"})
_COHERE_VERSION = 2  # of the API, as Bedrock asks for it
MAX_TOKENS = 10**12  # that a provider may report


def documents_of(body: Json) -> list[str]:
    """Return the texts of the documents. Raises Unsupported for a document without one."""
    texts = []
    for index, document in enumerate(body["documents"]):
        text = document.get("text") if isinstance(document, dict) else document
        if not isinstance(text, str):
            raise unsupported(f"documents[{index}]", "the provider of this model takes texts only")
        texts.append(text)
    return texts


def _voyage_request(body: Json, model: Model) -> Made:
    top = {} if body.get("top_n") is None else {"top_k": body["top_n"]}
    more = {} if body.get("truncation") is None else {"truncation": body["truncation"]}
    request = {"model": model.name, "query": body["query"], "documents": documents_of(body), **top, **more}
    return [Part(request)], _dropped(body, "truncation")


def _fireworks_request(body: Json, model: Model) -> Made:
    top = {} if body.get("top_n") is None else {"top_n": body["top_n"]}
    request = {"model": model.name, "query": body["query"], "documents": documents_of(body), **top}
    return [Part(request)], _dropped(body)


def _bedrock_request(body: Json, model: Model) -> Made:
    top = {} if body.get("top_n") is None else {"top_n": body["top_n"]}
    version = {"api_version": _COHERE_VERSION} if "cohere." in model.name else {}
    request = {"query": body["query"], "documents": documents_of(body), **top, **version}
    return [Part(request, f"/model/{quote(model.name, safe='')}/invoke")], _dropped(body)


def _dropped(body: Json, *taken: str) -> tuple[str, ...]:
    return tuple(sorted(name for name in body.keys() - _COMMON - set(taken) if body[name] is not None))


def _answer(replies: Sequence[Reply], body: Json, model: Model) -> Json:
    (reply,) = replies
    found = reply.body.get("results", reply.body.get("data"))
    if not isinstance(found, list):
        raise _no_ranking()
    texts = documents_of(body)
    results = [_result(item, texts, shown=bool(body.get("return_documents"))) for item in found]
    if len({result["index"] for result in results}) != len(results):
        raise _no_ranking()  # it ranks a document twice
    usage = reply.body.get("usage")
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
    if type(tokens) is not int or not 0 <= tokens < MAX_TOKENS:
        return {"results": results}
    return {"results": results, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}


def _result(item: Any, texts: Sequence[str], *, shown: bool) -> Json:
    match item:
        case {"index": index, "relevance_score": score} if (
            type(index) is int
            and 0 <= index < len(texts)
            and type(score) in (int, float)
            and abs(score) < float("inf")
        ):
            text = {"document": {"text": texts[index]}} if shown else {}
            return {"index": index, "relevance_score": score, **text}
    raise _no_ranking()


def _no_ranking() -> UpstreamError:
    return UpstreamError("The provider's answer holds no ranking of the documents.", failure_class="protocol")


FORMATS: Mapping[str, Format] = {
    "voyage": Format(_voyage_request, _answer),
    "bedrock": Format(_bedrock_request, _answer),
    "fireworks": Format(_fireworks_request, _answer),
}
