"""The memory that a JSON text takes is known before it is parsed, and never underestimated."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from handler.wire.json_memory import LIGHT, escape_emoji, is_too_large, takes_more_memory

PIECES = [
    pytest.param("{}", id="empty objects"),
    pytest.param("[]", id="empty lists"),
    pytest.param('{"a":0}', id="objects of one member"),
    pytest.param('{"a":[0],"b":{"c":"de"}}', id="objects in objects"),
    pytest.param("[[[[[1]]]]]", id="lists in lists"),
    pytest.param("1.5", id="fractions"),
    pytest.param("123456789", id="integers"),
    pytest.param('"ab"', id="short texts"),
    pytest.param('"\\u20ac\\"{}[],:"', id="texts that look like more"),
    pytest.param('{"token":" a","logprob":-1.25,"bytes":[32,97]}', id="tokens"),
]


def memory(text: str) -> int:
    """Bytes that its value takes, beside the text."""
    tracemalloc.start()
    try:
        value = json.loads(text)
        assert value
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("piece", PIECES)
def test_what_is_let_through_takes_no_more_than_that(piece: str) -> None:
    text = f"[{','.join([piece] * (2 * LIGHT // (len(piece) + 1)))}]"
    assert takes_more_memory(text, int(memory(text) - len(text)) - 1)


def test_ever_new_names_count_and_known_ones_do_not() -> None:
    new = "{" + ",".join(f'"name{at}":0' for at in range(20_000)) + "}"
    assert takes_more_memory(new, memory(new) - len(new))
    known = "[" + ",".join(['{"name":0}'] * 20_000) + "]"
    assert not takes_more_memory(known, 2 * memory(known))


@pytest.mark.parametrize(
    ("text", "large"),
    [
        pytest.param('"' + "a" * 15_000_000 + '"', False, id="a long text"),
        pytest.param('"\U0001f642' + "a" * 9_000_000 + '"', False, id="an image beside an emoji"),
        pytest.param('"\U0001f642' * 20_000 + "a" * 6_000_000 + '"', True, id="a long text of many emoji"),
        pytest.param('"' + "{}[],:" * 1_000_000 + '"', False, id="a text of brackets"),
        pytest.param('"' + '\\"' * 1_000_000 + '"', False, id="a text of quotes"),
        pytest.param("[" + "{}," * 400_000 + "0]", True, id="many objects"),
        pytest.param("{}" * 10, False, id="few"),
    ],
)
def test_what_a_provider_sends_is_large_or_not(text: str, large: bool) -> None:
    assert is_too_large(escape_emoji(text)) is large


def test_an_emoji_beside_an_image_is_escaped() -> None:
    text = json.dumps(["\U0001f642", "a" * 9_000_000], ensure_ascii=False)
    assert escape_emoji(text).isascii()
    assert json.loads(escape_emoji(text)) == json.loads(text)
    assert escape_emoji(text[:99]) == text[:99]
