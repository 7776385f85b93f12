"""Rerank at Voyage and at Bedrock."""

from __future__ import annotations

from typing import Any

import pytest

from handler.errors import Unsupported, UpstreamError
from handler.providers.operations.format import Part, Reply
from handler.providers.operations.rerank import FORMATS
from rules import Model

BODY = {"model": "x", "query": "q", "documents": ["a", {"text": "b"}], "top_n": 2, "rank_fields": ["text"]}
RANKING = [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]


@pytest.mark.parametrize(
    ("format", "name", "expected"),
    [
        pytest.param(
            *("voyage", "rerank-2.5"),
            Part({"model": "rerank-2.5", "query": "q", "documents": ["a", "b"], "top_k": 2}),
            id="Voyage",
        ),
        pytest.param(
            *("fireworks", "f/reranker"),
            Part({"model": "f/reranker", "query": "q", "documents": ["a", "b"], "top_n": 2}),
            id="Fireworks",
        ),
        pytest.param(
            *("bedrock", "cohere.rerank-v3-5:0"),
            Part(
                {"query": "q", "documents": ["a", "b"], "top_n": 2, "api_version": 2},
                "/model/cohere.rerank-v3-5%3A0/invoke",
            ),
            id="Cohere at Bedrock",
        ),
        pytest.param(
            *("bedrock", "amazon.rerank-v1:0"),
            Part({"query": "q", "documents": ["a", "b"], "top_n": 2}, "/model/amazon.rerank-v1%3A0/invoke"),
            id="Amazon at Bedrock",
        ),
    ],
)
def test_a_request(format: str, name: str, expected: Part) -> None:
    made = FORMATS[format].request(BODY, Model(provider="p", name=name))
    assert (list(made[0]), made[1]) == ([expected], ("rank_fields",))


@pytest.mark.parametrize(
    ("answer", "more", "expected"),
    [
        pytest.param({"results": RANKING}, {}, {"results": RANKING}, id="results"),
        pytest.param(
            {"data": RANKING, "usage": {"total_tokens": 9}},
            {},
            {"results": RANKING, "usage": {"prompt_tokens": 9, "total_tokens": 9}},
            id="Voyage's",
        ),
        pytest.param(
            {"results": RANKING},
            {"return_documents": True},
            {
                "results": [
                    {**each, "document": {"text": text}} for each, text in zip(RANKING, "ba", strict=True)
                ]
            },
            id="with documents",
        ),
    ],
)
def test_an_answer(answer: Any, more: Any, expected: Any) -> None:
    made = FORMATS["voyage"].answer([Reply(answer, {})], {**BODY, **more}, Model(provider="p", name="m"))
    assert made == expected


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"results": {}}, id="an object"),
        pytest.param({"results": [None]}, id="null"),
        pytest.param({"results": [{"index": 2, "relevance_score": 1}]}, id="an index that is too large"),
        pytest.param({"results": [{"index": -1, "relevance_score": 1}]}, id="a negative index"),
        pytest.param({"results": [{"index": 0}]}, id="no score"),
        pytest.param({"results": [{"index": 0, "relevance_score": "1"}]}, id="a score that is a text"),
        pytest.param({"results": [{"index": 0, "relevance_score": True}]}, id="a score that is true"),
        pytest.param({"results": [{"index": 0, "relevance_score": 1e999}]}, id="an infinite score"),
        pytest.param({"results": [{"index": False, "relevance_score": 1}]}, id="an index that is false"),
        pytest.param({"results": [*RANKING, RANKING[0]]}, id="a document twice"),
    ],
)
def test_an_answer_without_a_ranking_is_an_error(answer: Any) -> None:
    with pytest.raises(UpstreamError) as failed:
        FORMATS["voyage"].answer([Reply(answer, {})], BODY, Model(provider="p", name="m"))
    assert failed.value.failure_class == "protocol"


@pytest.mark.parametrize("tokens", [-1, 10**12, True, "9", 1e999, None])
def test_impossible_usage_is_left_out(tokens: Any) -> None:
    reply = Reply({"results": RANKING, "usage": {"total_tokens": tokens}}, {})
    assert FORMATS["voyage"].answer([reply], BODY, Model(provider="p", name="m")) == {"results": RANKING}


def test_the_work_grows_linearly_with_the_documents() -> None:
    results = [{"index": index, "relevance_score": 0.5} for index in range(10_000)]
    body = {**BODY, "documents": ["a"] * 10_000, "return_documents": True}
    answer = FORMATS["voyage"].answer([Reply({"results": results}, {})], body, Model(provider="p", name="m"))
    assert len(answer["results"]) == 10_000


def test_a_document_without_text_is_named() -> None:
    with pytest.raises(Unsupported) as refused:
        FORMATS["voyage"].request({**BODY, "documents": ["a", {"title": "b"}]}, Model(provider="p", name="m"))
    assert refused.value.param == "documents[1]"
