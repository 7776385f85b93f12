"""Tests of handler/wire/splice.py: an edited text keeps the sender's characters everywhere else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.wire.splice import dump, dump_unicode, dump_unicode_bytes, splice

NAMES = st.sampled_from(["model", "messages", "tools", "usage", "a", "b", "\ud800", 'quote"', "é", ""])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(10**30), max_value=10**30),
    st.floats(allow_nan=False),
    st.text(st.characters(), max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)
LAYOUTS = st.sampled_from([None, 0, 2, "\t"])


@st.composite
def json_texts(draw: st.DrawFn) -> tuple[str, Any]:
    """A JSON text in one of many layouts, and its value."""
    value = draw(VALUES)
    layout = draw(LAYOUTS)
    spaces = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\r\n", " : ")]))
    text = json.dumps(value, indent=layout, separators=spaces, ensure_ascii=draw(st.booleans()))
    text = (
        draw(st.sampled_from(["", "\n\n", " \t"]))
        + text.replace("Infinity", "1e999")
        + draw(st.sampled_from(["", "\n"]))
    )
    return text, json.loads(text)


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, Any, Any]:
    """A JSON text, its value, and a value that shares parts with it."""
    text, old = draw(json_texts())
    return text, old, _edit(draw, old)


def _edit(draw: st.DrawFn, old: Any) -> Any:
    match draw(st.sampled_from(["same", "same", "other", "deeper", "deeper"])), old:
        case "deeper", dict():
            members = {name: _edit(draw, value) for name, value in old.items() if draw(st.integers(0, 4))}
            return members | draw(
                st.dictionaries(NAMES, st.sampled_from([*old.values(), 1, None]), max_size=2)
            )
        case "deeper", list():
            return [_edit(draw, value) for value in old if draw(st.integers(0, 4))] + draw(
                st.lists(VALUES, max_size=1)
            )
        case (("same" | "deeper"), _):
            return old
    return draw(VALUES)


def with_types(value: Any) -> Any:
    """Returns the value with its types, so that True, 1 and 1.0 differ."""
    if isinstance(value, dict):
        return {name: with_types(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_types(inner) for inner in value]
    return type(value), value


@given(edits())
def test_the_result_parses_to_the_new_value(case: tuple[str, Any, Any]) -> None:
    text, old, new = case
    assert with_types(json.loads(splice(text, old, new))) == with_types(new)


@given(edits())
def test_the_result_is_json_that_encodes_to_utf8(case: tuple[str, Any, Any]) -> None:
    text, old, new = case
    result = splice(text, old, new)
    json.loads(result, parse_constant=pytest.fail)
    assert _encodes(result) or not _encodes(text)  # a text decoded from bytes always does


@given(json_texts())
def test_an_unchanged_value_keeps_its_text(case: tuple[str, Any]) -> None:
    text, value = case
    assert splice(text, value, value) == text
    assert splice(text, value, json.loads(text)) == text


@given(st.lists(st.tuples(NAMES, json_texts()), unique_by=lambda member: member[0], min_size=1), st.data())
def test_unchanged_members_keep_their_text(
    members: list[tuple[str, tuple[str, Any]]], data: st.DataObject
) -> None:
    text = "{" + ",".join(f"{json.dumps(name)}:{raw}" for name, (raw, _) in members) + "}"
    old = json.loads(text)
    changed = data.draw(st.sampled_from(sorted(old)))
    result = splice(text, old, {**old, changed: "another"})
    for name, (raw, _) in members:
        assert (f"{json.dumps(name)}:{raw}" in result) or name == changed


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(r'{"x\"model":1,"model":"a"}', id="the end of another name"),
        pytest.param('{"a":"model","model":"a"}', id="a value before it"),
        pytest.param('{"a":{"model":"b"},"model":"a"}', id="an inner object"),
        pytest.param('{"a":[{"model":"b"}],"model":"a"}', id="an object in a list"),
        pytest.param(r'{"a":"{,\"model\":","model":"a"}', id="inside a string"),
        pytest.param('{"\\u006dodel":"a"}', id="the name with an escape"),
        pytest.param('{ "b":"{[", \n "model" \t: "a"}', id="after brackets in a string"),
    ],
)
def test_the_model_is_replaced_and_nothing_that_looks_like_it(text: str) -> None:
    old = json.loads(text)
    assert json.loads(splice(text, old, {**old, "model": "new"})) == {**old, "model": "new"}


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


BODY = '{ "model" : "gpt", "heat":1e0,\n "big": 12345678901234567890, "note": "\\u00e9\\ud83d", "none":null }'


@pytest.mark.parametrize(
    ("text", "change", "expected"),
    [
        pytest.param(
            BODY,
            {"model": "x/y"},
            BODY.replace('"gpt"', '"x/y"'),
            id="every character outside the value stays",
        ),
        pytest.param(
            '{"a":-0,"b":1E+2,"c":1.50,"m":1}',
            {"m": 2},
            '{"a":-0,"b":1E+2,"c":1.50,"m":2}',
            id="the text of numbers stays",
        ),
        pytest.param('{"a":1,"m":"x"}', {"a": True}, '{"a":true,"m":"x"}', id="true is not 1"),
        pytest.param('{"a":1}', {"a": 1.0}, '{"a":1.0}', id="1 is not 1.0"),
        pytest.param('{"a":false}', {"a": 0}, '{"a":0}', id="false is not 0"),
        pytest.param('{"a":1}', {"b": 2}, '{"a":1,"b":2}', id="a new member comes last"),
        pytest.param("{}", {"b": 2}, '{"b":2}', id="a new member of an empty object"),
        pytest.param("{\n}", {"b": 2}, '{\n"b":2}', id="white space of an empty object stays"),
        pytest.param('{"a":1}', {"a": {"b": []}}, '{"a":{"b":[]}}', id="a value of another type is compact"),
        pytest.param('{"m":"a"}', {"m": "日本"}, '{"m":"日本"}', id="new text is not escaped"),
        pytest.param('{"m":"a"}', {"m": "\ud800"}, '{"m":"\\ud800"}', id="half a surrogate pair is escaped"),
        pytest.param('{"m":1}', {"m": float("-inf")}, '{"m":-1e999}', id="infinity is written as a number"),
        pytest.param(
            '{"m":1}',
            {"m": ["Infinity", float("inf")]},
            '{"m":["Infinity",1e999]}',
            id="the string Infinity stays a string",
        ),
    ],
)
def test_a_member_is_replaced_or_added(text: str, change: dict[str, Any], expected: str) -> None:
    old = json.loads(text)
    assert splice(text, old, {**old, **change}) == expected


@pytest.mark.parametrize(
    ("text", "removed", "expected"),
    [
        pytest.param('{"a":1, "b":2, "c":3}', "a", '{"b":2, "c":3}', id="the first"),
        pytest.param('{"a":1, "b":2, "c":3}', "b", '{"a":1, "c":3}', id="one in the middle"),
        pytest.param('{"a":1, "b":2, "c":3}', "c", '{"a":1, "b":2}', id="the last"),
        pytest.param('{"a":1 , "b":2 , "c":3 }', "bc", '{"a":1 }', id="the last two"),
        pytest.param('{"a":1, "b":2, "c":3}', "ab", '{"c":3}', id="the first two"),
        pytest.param('{ "a":1, "b":2 }', "ab", "{  }", id="all"),
        pytest.param('{"a":{"a":1},"b":2}', "b", '{"a":{"a":1}}', id="not an inner member of the same name"),
    ],
)
def test_a_member_is_removed_with_its_comma(text: str, removed: str, expected: str) -> None:
    old = json.loads(text)
    assert splice(text, old, {name: value for name, value in old.items() if name not in removed}) == expected


def test_a_value_that_moves_to_another_name_keeps_its_text() -> None:
    text = '{"max_completion_tokens": 1e400, "model": "m"}'
    old = json.loads(text)
    new = {"model": "m", "max_tokens": old["max_completion_tokens"]}
    assert splice(text, old, new) == '{"model": "m","max_tokens":1e400}'


def test_a_change_in_an_inner_object_leaves_the_rest() -> None:
    text = '{"messages": [ {"role":"user","name":"bob","content":"\\u0041"}, {"x":[1,2]} ] , "z":1.0}'
    old = json.loads(text)
    first, second = old["messages"]
    new = {**old, "messages": [{"role": "user", "content": first["content"]}, second]}
    expected = '{"messages": [ {"role":"user","content":"\\u0041"}, {"x":[1,2]} ] , "z":1.0}'
    assert splice(text, old, new) == expected


def test_items_of_an_array_are_compared_by_position() -> None:
    text = '[1.0, "a" ,{"b": 1}]'
    old = json.loads(text)
    assert splice(text, old, [1.0, "c", {"b": 1}, 4]) == '[1.0, "c" ,{"b": 1},4]'
    assert splice(text, old, [1.0]) == "[1.0]"
    assert splice(text, old, []) == "[]"
    assert splice("[ ]", [], [1]) == "[ 1]"


def test_deep_nesting_is_walked() -> None:
    text = '{"a":' * 100 + "1" + "}" * 100
    old = json.loads(text)
    new: Any = 2
    for _ in range(100):
        new = {"a": new}
    assert splice(text, old, new) == text.replace("1", "2")


def test_dump_is_compact() -> None:
    assert dump({"a": [1, "é"]}) == '{"a":[1,"é"]}'


@pytest.mark.parametrize(
    "long",
    [
        pytest.param("a" * 250_000, id="letters"),
        pytest.param('"\\\n' * 70_000, id="escapes"),
        pytest.param("\U0001f642" + "a" * 100_000, id="an emoji"),
        pytest.param(
            "a" * 99_999 + "\ud83d" + "\ude42" * 9, id="halves of surrogate pairs at the end of a chunk"
        ),
        pytest.param("Infinity" * 20_000, id="the word Infinity"),
    ],
)
def test_dump_unicode_bytes_writes_the_same_in_chunks(long: str) -> None:
    value = {"a": [], "b": {}, "c": [1e400, None, {"é\ud83d": long}, "x"], long: [[long], True], "d": (long,)}
    assert (
        dump_unicode_bytes("\U0001f642" * 3_000_000, value)
        == dump_unicode_bytes("", value)
        == dump_unicode(value).encode()
    )


def test_dump_unicode_replaces_half_surrogate_pairs_only() -> None:
    assert dump_unicode({"a": "x\ud83d é😀", "b": 1e400}) == '{"a":"x\ufffd é😀","b":1e999}'


def test_replacing_the_model_of_a_large_body_looks_at_no_message() -> None:
    body = {"messages": [{"role": "user", "content": "wörd \n" * 150}] * 330, "model": "gpt"}
    text = json.dumps(body)
    old = json.loads(text)
    assert _calls(lambda: splice(text, old, {**old, "model": "other"})) < 100


def _calls(work: Callable[[], object]) -> int:
    """Counts the function calls, also of functions written in C."""
    events: list[str] = []
    sys.setprofile(lambda frame, event, _: events.append(event))
    try:
        work()
    finally:
        sys.setprofile(None)
    return sum(event in ("call", "c_call") for event in events)
