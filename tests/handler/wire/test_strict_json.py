"""Tests of handler/wire/strict_json.py: refused texts with their places, and accepted ones."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.errors import InvalidRequest
from handler.wire.strict_json import MAX_DIGITS, is_deeper, loads

REFUSED = [
    pytest.param(b"", "empty", id="an empty body"),
    pytest.param(b" \r\n\t", "empty", id="a body of white space"),
    pytest.param(b'{"a": 1', "line 1, column 8 (character 7)", id="an object without an end"),
    pytest.param(b'{"a": 1,}', "character", id="a trailing comma"),
    pytest.param(b"{'a': 1}", "line 1, column 2 (character 1)", id="single quotes"),
    pytest.param(b"{} {}", "extra data at line 1, column 4 (character 3)", id="two documents"),
    pytest.param(b"{}\x00", "extra data", id="a NUL after the object"),
    pytest.param(b'{"a": 01}', "line 1, column 8", id="a number with a leading zero"),
    pytest.param(b'{"a": +1}', "line 1, column 7", id="a number with a plus"),
    pytest.param(b'{"a": .5}', "line 1, column 7", id="a number without its first digit"),
    pytest.param(b'{"a": 0x10}', "line 1, column 8", id="a hexadecimal number"),
    pytest.param(b'{"a": "x\ny"}', "control character", id="a line end in a string"),
    pytest.param(b'{"a": "\\x41"}', "escape", id="an unknown escape"),
    pytest.param(b'{"a": "\\u12"}', "escape", id="an incomplete unicode escape"),
    pytest.param(b'{"a": True}', "line 1, column 7", id="Python's true"),
    pytest.param(b"// no\n{}", "line 1, column 1", id="a comment"),
    pytest.param(b'{\n  "a": NaN}', "NaN is not a JSON value at line 2, column 8 (character 9)", id="NaN"),
    pytest.param(b'{"a": [1, Infinity]}', "Infinity is not a JSON value at line 1, column 11", id="Infinity"),
    pytest.param(b'{"a": -Infinity}', "-Infinity is not a JSON value at line 1, column 7", id="-Infinity"),
    pytest.param(b'{"s": "NaN", "a": NaN}', "character 18", id="NaN after a string NaN"),
    pytest.param(
        b'{"a": 1, "a": 1}', '"a" appears twice in one object, at line 1, column 10', id="a name twice"
    ),
    pytest.param(b'{"a": 1, "\\u0061": 2}', '"a" appears twice', id="a name twice, once escaped"),
    pytest.param(
        b'{"a": [{"b": {"c": 1,\n"c": 2}}]}',
        '"c" appears twice in one object, at line 2',
        id="a name twice in an inner object",
    ),
    pytest.param(
        b'{"x": {"a": 1}, "y": {"a": 1, "a": 2}}', "character 30", id="a name twice in the second object"
    ),
    pytest.param(
        b'{"k": "\\"a\\": {", "a": 1, "a": 2}', "character 26", id="a name twice after escaped quotes"
    ),
    pytest.param(
        '{"\ud800": 1, "\ud800": 2}'.encode("utf-8", "surrogatepass"), "not UTF-8", id="raw surrogates"
    ),
    pytest.param(
        b'{"\\ud800": 1, "\\ud800": 2}', '"\\ud800" appears twice', id="half a surrogate pair twice as a name"
    ),
    pytest.param(b'{"a": "\xff"}', "byte 0xff at position 7", id="a byte that is not used in UTF-8"),
    pytest.param(b'{"a": "\xc0\xaf"}', "not UTF-8", id="an overlong form"),
    pytest.param(b'{"a": "\xe6\xbc', "not UTF-8", id="an incomplete character"),
    pytest.param('{"a": 1}'.encode("utf-16"), "not UTF-8", id="UTF-16"),
    pytest.param(b"\xef\xbb\xbf{}", "byte order mark", id="a byte order mark"),
    pytest.param(b"\x1f\x8b\x08\x00", "not UTF-8", id="a compressed body"),
    pytest.param(b'{"a": %s}' % (b"[" * 100 + b"]" * 100), "nested more than 100 deep", id="101 levels"),
    pytest.param(b"[" * 5_000 + b"]" * 5_000, "nested more than 100 deep", id="5,000 levels"),
    pytest.param(b"[" * 3_000_000 + b"]" * 3_000_000, "nested more than 100 deep", id="three million levels"),
    pytest.param(b'{"a":' * 200 + b"1" + b"}" * 200, "(character 500)", id="200 objects"),
    pytest.param(
        b'{"seed": %s}' % (b"9" * 4301),
        "more than 4300 digits at line 1, column 10",
        id="an integer of 4301 digits",
    ),
    pytest.param(
        b'{"seed": -%s}' % (b"9" * 4301), "more than 4300 digits", id="a negative integer of 4301 digits"
    ),
]


@pytest.mark.parametrize(("body", "message"), REFUSED)
def test_anything_else_is_refused_with_its_place(body: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        loads(body)
    assert caught.value.code == "invalid_json"
    assert message in caught.value.message
    assert caught.value.message.isascii()


ACCEPTED = [
    pytest.param(b' {"a" : [1, 2.0, null, true] }\r\n', {"a": [1, 2.0, None, True]}, id="white space around"),
    pytest.param(b'"text"', "text", id="a string alone"),
    pytest.param(b'{"": 1}', {"": 1}, id="an empty name"),
    pytest.param(b'{"a": {"a": {"a": 1}}}', {"a": {"a": {"a": 1}}}, id="one name at three depths"),
    pytest.param(b'[{"a": 1}, {"a": 1}]', [{"a": 1}, {"a": 1}], id="one name in two objects"),
    pytest.param(b'"\\ud800"', "\ud800", id="half a surrogate pair"),
    pytest.param('"é漢😀\u2028"'.encode(), "é漢😀\u2028", id="any script, and U+2028"),
    pytest.param(b'"\\u0000"', "\0", id="an escaped NUL"),
    pytest.param(b"9007199254740993", 2**53 + 1, id="an integer that a float cannot represent"),
    pytest.param(b"9" * MAX_DIGITS, int("9" * MAX_DIGITS), id="the longest integer"),
    pytest.param(b"1e999", math.inf, id="a float that overflows"),
    pytest.param(b'"%s"' % (b"[{" * 500), "[{" * 500, id="brackets in a string are not nesting"),
    pytest.param(b"[%s]" % b",".join([b"[]"] * 500), [[] for _ in range(500)], id="many lists side by side"),
    pytest.param(b"[" * 100 + b"]" * 100, json.loads("[" * 100 + "]" * 100), id="100 levels"),
]


@pytest.mark.parametrize(("body", "value"), ACCEPTED)
def test_strict_json_is_accepted(body: bytes, value: Any) -> None:
    assert loads(body) == (body.decode(), value)


def test_a_float_of_any_length_is_accepted_and_hides_no_repeated_name() -> None:
    digits = b"1" * 200_000 + b".5"
    assert loads(digits)[1] == math.inf
    with pytest.raises(InvalidRequest, match='"a" appears twice'):
        loads(b'{"a": %s, "a": 1}' % digits)


def test_with_little_stack_left_the_result_is_the_value_or_invalid_json() -> None:
    def deepest() -> Any:
        try:
            return deepest()
        except RecursionError:  # the innermost frame that has room to call loads
            return loads(b"[" * 90 + b"]" * 90)

    with suppress(InvalidRequest):  # since 3.12 frames of Python do not count for the scanner
        assert is_deeper(deepest()[1], 89)


@pytest.mark.parametrize(
    ("value", "limit", "deeper"),
    [
        pytest.param(1, 0, False, id="a number has no depth"),
        pytest.param([], 0, True, id="an empty list is one level"),
        pytest.param([], 1, False, id="an empty list is not two levels"),
        pytest.param({"a": [{"b": 1}], "c": 2}, 2, True, id="three levels are deeper than two"),
        pytest.param({"a": [{"b": 1}], "c": 2}, 3, False, id="three levels are not deeper than three"),
    ],
)
def test_depth(value: Any, limit: int, deeper: bool) -> None:
    assert is_deeper(value, limit) is deeper


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None)
@given(JSON, st.booleans())
def test_any_value_is_read_back(value: Any, ascii_only: bool) -> None:
    assert loads(json.dumps(value, ensure_ascii=ascii_only).encode())[1] == value


@settings(deadline=None)
@given(st.binary() | st.text(alphabet='{}[]":,\\u0aN-1e. ').map(str.encode))
def test_any_bytes_are_read_as_json_reads_them_or_refused(body: bytes) -> None:
    with suppress(InvalidRequest):
        assert loads(body)[1] == json.loads(body)


def object_of(members: list[tuple[str, Any]]) -> str:
    """Writes an object, also with repeated names."""
    return f"{{{','.join(f'{json.dumps(name)}:{value}' for name, value in members)}}}"


FEW = st.sampled_from(
    ["a", "b", '"', "\\", '\\"', "\\\\", "é", ":", ""]
)  # few names and strings, so that they repeat
OBJECTS = st.recursive(
    st.integers(0, 9).map(str) | FEW.map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(FEW, inner), max_size=4).map(object_of)
    ),
)


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(members)) < len(members):
        raise LookupError
    return dict(members)


@given(OBJECTS)
def test_a_repeated_name_is_refused_everywhere(text: str) -> None:
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except LookupError:
        with pytest.raises(InvalidRequest, match="appears twice"):
            loads(text.encode())
    else:
        assert loads(text.encode()) == (text, value)
