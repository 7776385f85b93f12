"""What is read from client headers, echoed, sent on, and shown to rules; text made fit for a header."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handler.endpoints.http import LONGEST_VALUE, decode_headers, encode_headers, request_id, trace_headers
from handler.errors import InvalidRequest
from handler.formats.options import (
    forbids_content_log,
    function_of,
    header_facts,
    prefer_of,
    tags_of,
    wants_explanation,
)
from handler.upstream.headers import FORWARDED, forwarded_headers
from handler.wire.header_values import encode_header_value
from rules import InvalidRecord, read_record
from rules.facts.facts import SECRET_HEADERS

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        pytest.param("openai/gpt-5.6-sol", "openai/gpt-5.6-sol", id="a model's id stays as it is"),
        pytest.param('a b, c; d="e" 50%', 'a b, c; d="e" 50%', id="printable ASCII stays as it is"),
        pytest.param("règle", "r%C3%A8gle", id="what is not ASCII becomes its UTF-8 bytes"),
        pytest.param("a\r\nset-cookie: b", "a%0D%0Aset-cookie: b", id="a line end cannot begin a header"),
        pytest.param("a\0b\x7f\t", "a%00b%7F%09", id="control characters are encoded"),
        pytest.param("\ud800", "%ED%A0%80", id="half a surrogate pair is encoded"),
    ],
)
def test_text_is_made_fit_for_a_header(text: str, safe: str) -> None:
    assert encode_header_value(text) == safe


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="%")))
def test_text_in_a_header_is_printable_ascii_and_can_be_read_back(text: str) -> None:
    assert re.fullmatch(r"[\x20-\x7e]*", encode_header_value(text))
    assert unquote(encode_header_value(text), errors="surrogatepass") == text


@pytest.mark.parametrize(
    ("given_id", "echoed"),
    [
        pytest.param("req_1.a-B", True, id="an ordinary id is echoed"),
        pytest.param("a" * 128, True, id="128 characters are echoed"),
        pytest.param("a" * 129, False, id="129 are not"),
        pytest.param("", False, id="an empty one is not"),
        pytest.param("a b", False, id="one with a space is not"),
        pytest.param("a\n", False, id="one with a line end is not"),
        pytest.param("é", False, id="one that is not ASCII is not"),
        pytest.param("<script>", False, id="one with markup is not"),
    ],
)
def test_a_request_id_is_echoed_only_when_it_is_harmless(given_id: str, echoed: bool) -> None:
    assert request_id({"x-request-id": given_id}) == (given_id if echoed else None)
    assert request_id({}) is None


@pytest.mark.parametrize(
    ("headers", "echoed"),
    [
        pytest.param({}, [], id="nothing given, nothing echoed"),
        pytest.param(
            {"traceparent": TRACE, "x-opper-trace-id": "t-1"}, ["traceparent", "x-opper-trace-id"], id="both"
        ),
        pytest.param({"traceparent": TRACE.upper()}, [], id="a trace in capitals is none"),
        pytest.param({"traceparent": TRACE + "\n"}, [], id="a trace with a line end is none"),
        pytest.param({"x-opper-trace-id": "a b"}, [], id="a trace id with a space is none"),
        pytest.param({"x-opper-trace-id": "t" * 129}, [], id="a trace id that is too long is none"),
    ],
)
def test_tracing_is_echoed_when_it_is_well_formed(headers: Mapping[str, str], echoed: list[str]) -> None:
    assert trace_headers(headers) == {name: headers[name] for name in echoed}


def test_only_the_listed_headers_go_upstream() -> None:
    ours = {
        "authorization": "Bearer sk",
        "cookie": "a",
        "x-stainless-lang": "python",
        "user-agent": "x",
        "host": "h",
    }
    theirs = dict.fromkeys(FORWARDED, "v1")
    sent = forwarded_headers({**ours, **theirs}, "k1")
    assert sent.keys() == theirs.keys()
    assert {value for name, value in sent.items() if name != "idempotency-key"} == {"v1"}
    assert forwarded_headers({"openai-beta": "a\r\nhost: b", "accept-language": "é"}, "k1") == {}


def test_two_callers_never_share_an_idempotency_key() -> None:
    def sent(text: str, key: str) -> str:
        return forwarded_headers({"idempotency-key": text}, key)["idempotency-key"]

    assert sent("order-1", "k1") == sent("order-1", "k1")
    assert len({sent("order-1", "k1"), sent("order-1", "k2"), sent("order-2", "k1")}) == 3
    assert "order" not in sent("order-1", "k1")
    assert len(sent("x" * 5_000, "k1")) == 64


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")) | st.text(" %~\t\r\n\ud800"))
@example("night-shift ")
@example("   ")
@example("é" * 400)
def test_no_text_makes_an_illegal_header(text: str) -> None:
    """https://www.rfc-editor.org/rfc/rfc9110#section-5.5"""
    ((_, value),) = encode_headers({"x-sluice-rule": text})
    assert re.fullmatch(rb"(?:[!-~](?:[ -~]*[!-~])?)?", value)
    assert len(value) <= LONGEST_VALUE
    if "%" not in text and "..." not in value.decode():
        assert unquote(value.decode(), errors="surrogatepass") == text


@pytest.mark.parametrize("name", [*sorted(SECRET_HEADERS), "proxy-authorization", "Proxy-Anything", "Cookie"])
def test_what_no_rule_may_ask_about_is_no_fact_either(name: str) -> None:
    assert header_facts({name: "s"}) == {}
    with pytest.raises(InvalidRecord, match="secret"):
        read_record({"kind": "route", "id": "r", "prefer": "fast", "when": {f"header.{name}": "s"}})


def test_rules_may_ask_about_every_other_header() -> None:
    headers = {"X-Team": "\xc3\xa9", "user-agent": "b"}
    assert header_facts(headers) == {"x-team": "é", "user-agent": "b"}


TAGS = [
    pytest.param({}, {}, id="no header, no tags"),
    pytest.param({"x-sluice-tags": ""}, {}, id="an empty header, no tags"),
    pytest.param(
        {"x-sluice-tags": "team:a, env : prod"}, {"team": "a", "env": "prod"}, id="pairs, spaces trimmed"
    ),
    pytest.param({"x-opper-tags": "at:12:30"}, {"at": "12:30"}, id="the first colon separates"),
    pytest.param({"x-opper-tags": "a:"}, {"a": ""}, id="a value may be empty"),
    pytest.param({"x-sluice-tags": "a:1,a:2"}, {"a": "2"}, id="the last of one name holds"),
    pytest.param({"op-tags": '{"a": 1, "b": true}'}, {"a": 1, "b": True}, id="OpenPipe's JSON"),
    pytest.param(
        {"op-tags": '{"a": 1, "b": 1, "c": 1}', "x-opper-tags": "b:2,c:2", "x-sluice-tags": "c:3"},
        {"a": 1, "b": "2", "c": "3"},
        id="op-tags, then x-opper-tags, then x-sluice-tags",
    ),
    pytest.param({"x-sluice-tags": "stadt:Köln"}, {"stadt": "Köln"}, id="a text that was decoded already"),
    pytest.param(
        {"x-sluice-tags": "stadt:Köln".encode().decode("latin-1")},
        {"stadt": "Köln"},
        id="UTF-8 read as Latin-1",
    ),
    pytest.param(
        {"op-tags": '{"a": "漢"}'.encode().decode("latin-1")}, {"a": "漢"}, id="UTF-8 in JSON read as Latin-1"
    ),
    pytest.param(
        decode_headers([(b"x-opper-tags", b"a:1"), (b"accept", b"*/*"), (b"x-opper-tags", b"b:2")]),
        {"a": "1", "b": "2"},
        id="a repeated header adds up",
    ),
]


@pytest.mark.parametrize(("headers", "tags"), TAGS)
def test_tags_are_read_from_headers(headers: Mapping[str, str], tags: dict[str, Any]) -> None:
    assert tags_of(headers) == tags


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("x-sluice-tags", "team", id="a tag without a colon"),
        pytest.param("x-sluice-tags", ":a", id="a tag without a name"),
        pytest.param("x-opper-tags", "a:b,", id="a comma too many"),
        pytest.param("op-tags", "a:b", id="op-tags in the other form"),
        pytest.param("op-tags", "[]", id="op-tags as a list"),
        pytest.param("op-tags", '{"a": NaN}', id="op-tags with NaN"),
    ],
)
def test_malformed_tags_are_refused_by_the_header_they_came_in(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        tags_of({name: value})
    assert (caught.value.code, caught.value.param) == ("invalid_value", name)
    assert caught.value.message.startswith(name)


@pytest.mark.parametrize(
    ("read", "headers", "found"),
    [
        pytest.param(
            function_of, {"x-sluice-function": "a", "x-opper-name": "b"}, "a", id="our name for it first"
        ),
        pytest.param(
            function_of, {"x-sluice-function": " ", "x-opper-name": "b"}, "b", id="Opper's, ours is empty"
        ),
        pytest.param(function_of, {}, None, id="no function"),
        pytest.param(prefer_of, {"x-sluice-prefer": " fast "}, "fast", id="a preference"),
        pytest.param(prefer_of, {"x-sluice-prefer": ""}, None, id="an empty preference is none"),
        pytest.param(prefer_of, {}, None, id="no preference"),
        pytest.param(forbids_content_log, {}, False, id="nothing said of logging"),
        pytest.param(forbids_content_log, {"op-log-request": "true"}, False, id="logging wanted"),
        pytest.param(
            forbids_content_log, {"op-log-request": "False"}, True, id="logging forbidden, in any case"
        ),
        pytest.param(
            forbids_content_log, {"op-log-request": "no"}, True, id="logging forbidden, in other words"
        ),
        pytest.param(wants_explanation, {"x-sluice-explain": "1"}, True, id="an explanation wanted"),
        pytest.param(wants_explanation, {"x-sluice-explain": "0"}, False, id="an explanation not wanted"),
        pytest.param(wants_explanation, {}, False, id="nothing said of an explanation"),
    ],
)
def test_what_a_header_says(
    read: Callable[[Mapping[str, str]], Any], headers: dict[str, str], found: Any
) -> None:
    assert read(headers) == found


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["op-tags", "x-opper-tags", "x-sluice-tags", "x-sluice-prefer"]), st.text()
    )
)
def test_whatever_headers_hold_is_read_or_refused(headers: dict[str, str]) -> None:
    for read in (tags_of, prefer_of, function_of, header_facts, lambda given: forwarded_headers(given, "k1")):
        with suppress(InvalidRequest):
            read(headers)
