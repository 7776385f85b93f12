"""Tests of handler/wire/json_memory.py: the memory of a parsed text is never underestimated."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from handler.wire.json_memory import SMALL, escape_emoji, is_too_large, takes_more_memory

PIECES = [
    pytest.param("{}", id="empty objects"),
    pytest.param("[]", id="empty lists"),
    pytest.param('{"a":0}', id="objects of one member"),
    pytest.param('{"a":[0],"b":{"c":"de"}}', id="objects in objects"),
    pytest.param("[[[[[1]]]]]", id="lists in lists"),
    pytest.param("1.5", id="fractions"),
    pytest.param("123456789", id="integers"),
    pytest.param('"ab"', id="short strings"),
    pytest.param('"\\u20ac\\"{}[],:"', id="strings with JSON in them"),
    pytest.param('{"token":" a","logprob":-1.25,"bytes":[32,97]}', id="tokens"),
]


def parsed_size(text: str) -> int:
    """Returns the bytes that the value takes, without the text."""
    tracemalloc.start()
    try:
        value = json.loads(text)
        assert value
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("piece", PIECES)
def test_a_text_takes_no_more_memory_than_estimated(piece: str) -> None:
    text = f"[{','.join([piece] * (2 * SMALL // (len(piece) + 1)))}]"
    assert takes_more_memory(text, int(parsed_size(text) - len(text)) - 1)


def test_a_repeated_name_counts_once() -> None:
    new = "{" + ",".join(f'"name{at}":0' for at in range(20_000)) + "}"
    assert takes_more_memory(new, parsed_size(new) - len(new))
    known = "[" + ",".join(['{"name":0}'] * 20_000) + "]"
    assert not takes_more_memory(known, 2 * parsed_size(known))


@pytest.mark.parametrize(
    ("text", "large"),
    [
        pytest.param('"' + "a" * 15_000_000 + '"', False, id="a long text"),
        pytest.param('"\U0001f642' + "a" * 9_000_000 + '"', False, id="an image and an emoji"),
        pytest.param('"\U0001f642' * 20_000 + "a" * 6_000_000 + '"', True, id="a long text of many emoji"),
        pytest.param('"' + "{}[],:" * 1_000_000 + '"', False, id="a text of brackets"),
        pytest.param('"' + '\\"' * 1_000_000 + '"', False, id="a text of quotes"),
        pytest.param("[" + "{}," * 400_000 + "0]", True, id="many objects"),
        pytest.param("{}" * 10, False, id="a short text"),
    ],
)
def test_a_text_of_a_provider_is_too_large_or_not(text: str, large: bool) -> None:
    assert is_too_large(escape_emoji(text)) is large


def test_an_emoji_in_a_large_text_is_escaped() -> None:
    text = json.dumps(["\U0001f642", "a" * 9_000_000], ensure_ascii=False)
    assert escape_emoji(text).isascii()
    assert json.loads(escape_emoji(text)) == json.loads(text)
    assert escape_emoji(text[:99]) == text[:99]
