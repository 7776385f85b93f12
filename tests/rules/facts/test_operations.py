"""The estimates of operations besides chat."""

from __future__ import annotations

from typing import Any

import pytest

from rules import Facts, facts_of_operation


@pytest.mark.parametrize(
    ("operation", "body", "file_bytes", "tokens", "units"),
    [
        pytest.param("embeddings", {"input": "12345"}, 0, 2, {}, id="a text"),
        pytest.param("embeddings", {"input": ["1234", "é", "1"]}, 0, 3, {}, id="a list of texts"),
        pytest.param("embeddings", {"input": [5, 6, 7]}, 0, 3, {}, id="token ids"),
        pytest.param("embeddings", {"input": [[5, 6], [7]]}, 0, 3, {}, id="lists of token ids"),
        pytest.param(
            "embeddings", {"input": [{"t": "1234"}, {"type": "image_url"}]}, 0, 1001, {}, id="items"
        ),
        pytest.param("completion", {"prompt": "1234", "suffix": "12"}, 0, 2, {}, id="a suffix"),
        pytest.param(
            *("rerank", {"query": "1234", "documents": ["12345678", {"text": "1234"}]}, 0, 5),
            {"searches": 1},
            id="each document with the query",
        ),
        pytest.param("rerank", {"query": "1", "documents": ["1"] * 101}, 0, 202, {"searches": 2}, id="two"),
        pytest.param("moderation", {"input": ["1234", {"type": "image_url"}]}, 0, 1001, {}, id="a picture"),
        pytest.param("image", {"prompt": "1234", "n": 3}, 0, 1, {"images": 3}, id="images"),
        pytest.param("image", {"prompt": "1234"}, 500, 1001, {"images": 1}, id="an image of an image"),
        pytest.param("speech", {"input": "ééé"}, 0, 2, {"characters": 3}, id="characters"),
        pytest.param("transcription", {"prompt": "1234"}, 8001, 31, {"seconds": 3}, id="audio"),
    ],
)
def test_an_estimate(
    operation: str, body: dict[str, Any], file_bytes: int, tokens: int, units: dict[str, int]
) -> None:
    facts = facts_of_operation(Facts(user="u"), operation, body, file_bytes=file_bytes, default_model="d")
    assert (facts.operation, facts.input_tokens, dict(facts.units)) == (operation, tokens, units)
    assert (facts.user, facts.default_model) == ("u", "d")


@pytest.mark.parametrize(
    "operation", ["embeddings", "completion", "rerank", "moderation", "image", "speech", "transcription"]
)
@pytest.mark.parametrize("value", [None, 1, "x", [], {}, [None], {"a": [[{}]]}, True])
def test_a_body_of_the_wrong_shape_has_an_estimate(operation: str, value: Any) -> None:
    names = ("input", "prompt", "query", "documents", "n", "suffix", "instructions")
    assert facts_of_operation(Facts(), operation, dict.fromkeys(names, value)).input_tokens >= 0
