"""State in the opaque texts of a format, which clients send back."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.formats.opaque_state import LARGEST, PREFIX, decode_state, encode_state, is_state

SCALARS = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=50)
LEAVES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=8), SCALARS, max_size=3)
DETAIL = {"type": "reasoning.text", "text": "t", "signature": "s" * 40, "format": "anthropic-claude-v1"}


@given(st.dictionaries(st.text(max_size=12), LEAVES, max_size=6))
def test_every_state_is_read_as_it_was_written(state: dict[str, Any]) -> None:
    text = encode_state(state)
    assert is_state(text)
    assert decode_state(text) == state


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({}, id="an empty state"),
        pytest.param({"v": [DETAIL] * 50}, id="many items with the same names"),
        pytest.param({"text": "a" * 1_000_000}, id="a text that compresses better than is allowed"),
        pytest.param({"text": '{"a":[1,2,{}],"b":"\\""}' * 500}, id="JSON within a text"),
        pytest.param({"half": "\ud83d"}, id="half a surrogate pair"),
        pytest.param(
            {"signature": base64.b64encode(bytes(range(256)) * 200).decode()}, id="a long signature"
        ),
    ],
)
def test_a_state_survives_a_client_that_decodes_the_base64(state: dict[str, Any]) -> None:
    data = base64.b64decode(encode_state(state), validate=True)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for text in (encode(data).decode(), encode(data).decode().rstrip("=")):
            assert decode_state(text) == state


def test_a_long_signature_grows_by_less_than_a_tenth() -> None:
    signature = base64.b64encode(zlib.compress(str(list(range(5000))).encode())).decode()
    assert len(encode_state({"signature": signature})) < 1.1 * len(signature)


def state_of(data: bytes) -> str:
    return PREFIX + base64.b64encode(data).decode()


FOREIGN = [
    pytest.param("", id="an empty text"),
    pytest.param("EqQBCkYIARgCKkDtEXAMPLE==", id="a signature of Anthropic"),
    pytest.param(PREFIX, id="only the prefix"),
    pytest.param(PREFIX + "!!!!", id="characters outside base64"),
    pytest.param(PREFIX + "\u00e9", id="a character outside ASCII"),
    pytest.param(PREFIX + "A", id="half a byte"),
    pytest.param(state_of(b'{"a":'), id="JSON that is cut off"),
    pytest.param(state_of(b'{"a":1,"a":2}'), id="a name that repeats"),
    pytest.param(state_of(b'{"a":NaN}'), id="not a JSON value"),
    pytest.param(state_of(b"{\xff}"), id="bytes that are not UTF-8"),
    pytest.param(state_of(b"[1]"), id="a list"),
    pytest.param(state_of(zlib.compress(b"[1]")), id="a compressed list"),
    pytest.param(state_of(zlib.compress(b'{"a":1}')[:-2]), id="compressed data that is cut off"),
    pytest.param(state_of(zlib.compress(b'{"a":"' + b"x" * 10_000_000 + b'"}')), id="a compression bomb"),
    pytest.param(state_of(b'{"a":' + b"[" * 200 + b"]" * 200 + b"}"), id="deep nesting"),
    pytest.param(state_of(b'{"a":' + b"[" * 90_000), id="very deep nesting"),
    pytest.param(state_of(b'{"a":[' + b"{}," * 100_000 + b"0]}"), id="many values for its size"),
    pytest.param(PREFIX + "A" * LARGEST, id="a text that is too long"),
]


@pytest.mark.parametrize("text", FOREIGN)
def test_any_other_text_is_not_a_state(text: str) -> None:
    assert decode_state(text) is None


@given(st.binary(max_size=60))
def test_random_bytes_are_never_an_error(data: bytes) -> None:
    decode_state(state_of(data))


@pytest.mark.parametrize("value", [None, 1, [], {}, "", "signature"])
def test_other_values_are_not_states(value: object) -> None:
    assert not is_state(value)
