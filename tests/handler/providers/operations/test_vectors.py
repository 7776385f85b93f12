"""Vectors as lists of numbers and as base64."""

from __future__ import annotations

import json
import random

import pytest

from handler.providers.operations.vectors import decode, encode, is_vector, with_encoding


def test_both_forms_mean_the_same() -> None:
    dice = random.Random(1)
    vector = [dice.uniform(-1, 1) for _ in range(1536)]
    once = decode(encode(vector).encode())
    assert once == pytest.approx(vector, abs=1e-7)
    assert decode(encode(once).encode()) == once


@pytest.mark.parametrize(
    ("answer", "encoding", "expected"),
    [
        pytest.param(
            b'{"embedding" : [ 0.5 , -1 ] , "x":1.0}',
            "base64",
            b'{"embedding":"AAAAPwAAgL8=" , "x":1.0}',
            id="numbers",
        ),
        pytest.param(b'{"embedding":"AAAAPwAAgL8="}', "float", b'{"embedding":[0.5, -1.0]}', id="base64"),
        pytest.param(
            b'{"embedding":"AAAAPwAAgL8="}', "base64", b'{"embedding":"AAAAPwAAgL8="}', id="as it is"
        ),
        pytest.param(
            b'{"embedding":[[1,2],[3]]}', "base64", b'{"embedding":[[1,2],[3]]}', id="several vectors"
        ),
        pytest.param(b'{"embedding":"AAA"}', "float", b'{"embedding":"AAA"}', id="no whole number of floats"),
        pytest.param(b'{"embedding":[1e999]}', "base64", b'{"embedding":"AACAfw=="}', id="infinity"),
        pytest.param(
            b'{"embedding":"AACAfwAAwH8="}', "float", b'{"embedding":"AACAfwAAwH8="}', id="infinity and NaN"
        ),
        pytest.param(b'{"embedding":[]}', "base64", b'{"embedding":""}', id="nothing"),
        pytest.param(
            rb'{"t":"\"embedding\":[1]"}', "base64", rb'{"t":"\"embedding\":[1]"}', id="a text that looks so"
        ),
    ],
)
def test_only_vectors_are_rewritten(answer: bytes, encoding: str, expected: bytes) -> None:
    assert with_encoding(answer, encoding) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param([0.5, -1, 0], True, id="numbers"),
        pytest.param([3.4028235e38], True, id="the largest float"),
        pytest.param([], False, id="an empty list"),
        pytest.param(None, False, id="null"),
        pytest.param("AAAA", False, id="a text"),
        pytest.param([0.5, None], False, id="a list with null"),
        pytest.param(["1"], False, id="a list of texts"),
        pytest.param([True], False, id="a list with true"),
        pytest.param([[1.0]], False, id="a list of lists"),
        pytest.param([1e999], False, id="infinity"),
        pytest.param([-1e39], False, id="a number that is no float of 32 bits"),
        pytest.param([10**400], False, id="a huge integer"),
    ],
)
def test_a_vector_is_a_list_of_numbers(value: object, expected: bool) -> None:
    assert is_vector(value) is expected


def test_a_large_answer_is_rewritten_in_a_short_time() -> None:
    row = {"object": "embedding", "embedding": [0.123456] * 1536}
    answer = json.dumps({"data": [row] * 200}).encode()
    assert len(with_encoding(answer, "base64")) < len(answer)
    hostile = b'"embedding":[' * 100_000
    assert with_encoding(hostile, "base64") == hostile
