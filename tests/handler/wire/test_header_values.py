"""Header values: any text becomes printable ASCII, and UTF-8 is read back."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.wire.header_values import encode_header_value


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        pytest.param("openai/gpt-5.6-sol", "openai/gpt-5.6-sol", id="a model id is unchanged"),
        pytest.param('a b, c; d="e" 50%', 'a b, c; d="e" 50%', id="printable ASCII is unchanged"),
        pytest.param("règle", "r%C3%A8gle", id="other text becomes UTF-8 bytes"),
        pytest.param("a\r\nset-cookie: b", "a%0D%0Aset-cookie: b", id="a line end cannot begin a header"),
        pytest.param("a\0b\x7f\t", "a%00b%7F%09", id="control characters are encoded"),
        pytest.param("\ud800", "%ED%A0%80", id="half a surrogate pair is encoded"),
    ],
)
def test_text_is_encoded_for_a_header(text: str, safe: str) -> None:
    assert encode_header_value(text) == safe


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="%")))
def test_an_encoded_value_is_printable_ascii_and_can_be_decoded(text: str) -> None:
    assert re.fullmatch(r"[\x20-\x7e]*", encode_header_value(text))
    assert unquote(encode_header_value(text), errors="surrogatepass") == text
