"""Embeddings at providers of other formats: the requests, and the answer that is made of theirs."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from handler.errors import Unsupported, UpstreamError
from handler.providers.operations.embeddings import (
    COHERE_BATCH,
    FORMATS,
    GOOGLE_BATCH,
    JINA_BATCH,
    VOYAGE_BATCH,
)
from handler.providers.operations.format import Part, Reply
from rules import Model

TEXTS = ["one", "two"]
VECTORS = [[0.5, -1.0], [0.25, 2.0]]
TITAN = "amazon.titan-embed-text-v2:0"
COHERE_ON_BEDROCK = "cohere.embed-v4:0"
JSON = dict[str, Any]


def model(name: str) -> Model:
    return Model(provider="p", name=name)


def requests(format: str, name: str = "m", **body: Any) -> tuple[list[Part], tuple[str, ...]]:
    parts, dropped = FORMATS[format].request({"model": "x", "input": TEXTS, **body}, model(name))
    return list(parts), dropped


def answer(format: str, *bodies: JSON, name: str = "m", headers: JSON | None = None, **body: Any) -> JSON:
    replies = [Reply(each, headers or {}) for each in bodies]
    return FORMATS[format].answer(replies, {"model": "x", "input": TEXTS, **body}, model(name))


@pytest.mark.parametrize(
    ("format", "name", "body", "path", "expected", "dropped"),
    [
        pytest.param(
            *("voyage", "m", {"dimensions": 256, "input_type": "query", "user": "u"}, ""),
            {"model": "m", "input": TEXTS, "output_dimension": 256, "input_type": "query"},
            ("user",),
            id="Voyage",
        ),
        pytest.param(
            *("jina", "m", {"dimensions": 64, "task": "retrieval.query", "encoding_format": "base64"}, ""),
            {"model": "m", "input": TEXTS, "dimensions": 64, "task": "retrieval.query"},
            (),
            id="Jina",
        ),
        pytest.param(
            *("cohere", "m", {"dimensions": 512}, ""),
            {
                "model": "m",
                "texts": TEXTS,
                "input_type": "search_document",
                "embedding_types": ["float"],
                "output_dimension": 512,
            },
            (),
            id="Cohere, which needs a type of input",
        ),
        pytest.param(
            *(
                "google",
                "m",
                {"dimensions": 768, "task_type": "RETRIEVAL_QUERY"},
                "/models/m:batchEmbedContents",
            ),
            {
                "requests": [
                    {
                        "content": {"parts": [{"text": text}]},
                        "model": "models/m",
                        "taskType": "RETRIEVAL_QUERY",
                        "outputDimensionality": 768,
                    }
                    for text in TEXTS
                ]
            },
            (),
            id="Gemini",
        ),
        pytest.param(
            *("bedrock", COHERE_ON_BEDROCK, {"input_type": "search_query"}),
            "/model/cohere.embed-v4%3A0/invoke",
            {"texts": TEXTS, "input_type": "search_query", "embedding_types": ["float"]},
            (),
            id="Cohere at Bedrock, where the path has the model",
        ),
    ],
)
def test_a_request_in_another_format(
    format: str, name: str, body: JSON, path: str, expected: JSON, dropped: tuple[str, ...]
) -> None:
    assert requests(format, name, **body) == ([Part(expected, path)], dropped)


def test_titan_takes_one_text_in_a_request() -> None:
    parts, _ = requests("bedrock", TITAN, dimensions=256)
    path = "/model/amazon.titan-embed-text-v2%3A0/invoke"
    assert parts == [Part({"inputText": text, "dimensions": 256}, path) for text in TEXTS]


@pytest.mark.parametrize(
    ("format", "name", "size", "texts_of"),
    [
        pytest.param("voyage", "m", VOYAGE_BATCH, lambda body: body["input"], id="Voyage"),
        pytest.param("jina", "m", JINA_BATCH, lambda body: body["input"], id="Jina"),
        pytest.param("cohere", "m", COHERE_BATCH, lambda body: body["texts"], id="Cohere"),
        pytest.param("bedrock", COHERE_ON_BEDROCK, COHERE_BATCH, lambda body: body["texts"], id="Bedrock"),
        pytest.param("google", "m", GOOGLE_BATCH, lambda body: body["requests"], id="Gemini"),
    ],
)
def test_many_texts_are_several_requests(format: str, name: str, size: int, texts_of: Any) -> None:
    parts, _ = requests(format, name, input=["a"] * (2 * size + 1))
    assert [len(texts_of(part.body)) for part in parts] == [size, size, 1]


@pytest.mark.parametrize("format", ["voyage", "cohere", "google", "bedrock"])
@pytest.mark.parametrize(
    ("given", "param"),
    [
        pytest.param([[1, 2]], "input[0]", id="token ids in a list"),
        pytest.param([1, 2], "input[0]", id="token ids"),
        pytest.param(["a", {"image": "x"}], "input[1]", id="an object"),
    ],
)
def test_what_a_format_cannot_carry_is_named(format: str, given: Any, param: str) -> None:
    with pytest.raises(Unsupported) as refused:
        requests(format, TITAN, input=given)
    assert refused.value.param == param


def test_an_unknown_model_of_bedrock_is_refused() -> None:
    with pytest.raises(Unsupported, match=r"acme\.embed"):
        requests("bedrock", "acme.embed")


ANSWERS: dict[str, tuple[str, str, list[JSON], JSON | None, int | None]] = {
    "Voyage, in any order": (
        *("voyage", "m"),
        [
            {
                "data": [{"index": 1, "embedding": VECTORS[1]}, {"index": 0, "embedding": VECTORS[0]}],
                "usage": {"total_tokens": 9},
            }
        ],
        *(None, 9),
    ),
    "Jina": (
        "jina",
        "m",
        [{"data": [{"embedding": each} for each in VECTORS], "usage": {"total_tokens": 9}}],
        None,
        9,
    ),
    "Cohere in two requests": (
        *("cohere", "m"),
        [
            {"embeddings": {"float": [each]}, "meta": {"billed_units": {"input_tokens": tokens}}}
            for each, tokens in zip(VECTORS, (4, 5), strict=True)
        ],
        *(None, 9),
    ),
    "Cohere at Bedrock, with a header": (
        *("bedrock", COHERE_ON_BEDROCK, [{"embeddings": VECTORS}]),
        *({"x-amzn-bedrock-input-token-count": "9"}, 9),
    ),
    "Titan": (
        *("bedrock", TITAN),
        [{"embedding": each, "inputTextTokenCount": n} for each, n in zip(VECTORS, (4, 5), strict=True)],
        *(None, 9),
    ),
    "Gemini, without a count": (
        "google",
        "m",
        [{"embeddings": [{"values": each} for each in VECTORS]}],
        None,
        None,
    ),
    "Gemini, with one": (
        *("google", "m"),
        [{"embeddings": [{"values": each} for each in VECTORS], "usageMetadata": {"promptTokenCount": 9}}],
        *(None, 9),
    ),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_in_another_format(case: str) -> None:
    format, name, bodies, headers, tokens = ANSWERS[case]
    made = answer(format, *bodies, name=name, headers=headers)
    assert [each["embedding"] for each in made["data"]] == VECTORS
    assert [each["index"] for each in made["data"]] == [0, 1]
    assert (made["object"], {each["object"] for each in made["data"]}) == ("list", {"embedding"})
    assert made.get("usage") == (tokens and {"prompt_tokens": tokens, "total_tokens": tokens})


def test_vectors_are_base64_where_that_was_asked_for() -> None:
    format, name, bodies, _, _ = ANSWERS["Titan"]
    made = answer(format, *bodies, name=name, encoding_format="base64")
    assert [each["embedding"] for each in made["data"]] == ["AAAAPwAAgL8=", "AACAPgAAAEA="]


def _damaged(value: Any, dice: random.Random) -> Any:
    """Return the value with something in it replaced or left out."""
    if dice.random() < 0.2 or not value or not isinstance(value, dict | list):
        return dice.choice([None, 0, "x", [], {}, [None], True, 1e400])
    copy = json.loads(json.dumps(value))
    place = dice.choice(list(copy) if isinstance(copy, dict) else range(len(copy)))
    if dice.random() < 0.3:
        del copy[place]
    else:
        copy[place] = _damaged(copy[place], dice)
    return copy


@pytest.mark.parametrize("case", ANSWERS)
def test_a_damaged_answer_is_an_answer_or_a_protocol_error(case: str) -> None:
    format, name, bodies, headers, _ = ANSWERS[case]
    dice, classes = random.Random(case), set[str]()
    for _ in range(300):
        damaged = [_damaged(each, dice) for each in bodies]
        damaged = [each if isinstance(each, dict) else {} for each in damaged]
        try:
            made = answer(format, *damaged, name=name, headers=headers)
        except UpstreamError as error:
            classes.add(error.failure_class)
        else:
            assert len(made["data"]) == len(TEXTS)
    assert classes == {"protocol"}


def test_jina_takes_images_but_no_token_ids() -> None:
    parts, _ = requests("jina", input=["a", {"image": "AA=="}])
    assert parts[0].body["input"] == ["a", {"image": "AA=="}]
    with pytest.raises(Unsupported) as refused:
        requests("jina", input=[[1, 2]])
    assert refused.value.param == "input[0]"
