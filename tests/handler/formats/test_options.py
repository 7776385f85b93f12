"""Options in client headers, and the headers that rules see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.endpoints.exchange.http import decode_headers
from handler.errors import InvalidRequest
from handler.formats.options import (
    AGENT_HEADERS,
    SESSION_HEADERS,
    CacheMode,
    first_given,
    forbids_content_log,
    header_facts,
    read_cache_mode,
    read_function,
    read_preference,
    read_tags,
    wants_explanation,
)
from rules import InvalidRecord, read_record
from rules.facts.facts import SECRET_HEADERS


@pytest.mark.parametrize("name", [*sorted(SECRET_HEADERS), "proxy-authorization", "Proxy-Anything", "Cookie"])
def test_a_secret_header_is_not_a_fact_and_no_rule_may_ask_for_it(name: str) -> None:
    assert header_facts({name: "s"}) == {}
    with pytest.raises(InvalidRecord, match="secret"):
        read_record({"kind": "route", "id": "r", "prefer": "fast", "when": {f"header.{name}": "s"}})


def test_every_other_header_is_a_fact() -> None:
    headers = {"X-Team": "\xc3\xa9", "user-agent": "b"}
    assert header_facts(headers) == {"x-team": "é", "user-agent": "b"}


TAGS = [
    pytest.param({}, {}, id="no header"),
    pytest.param({"x-sluice-tags": ""}, {}, id="an empty header"),
    pytest.param(
        {"x-sluice-tags": "team:a, env : prod"}, {"team": "a", "env": "prod"}, id="pairs, spaces trimmed"
    ),
    pytest.param({"x-opper-tags": "at:12:30"}, {"at": "12:30"}, id="the first colon separates"),
    pytest.param({"x-opper-tags": "a:"}, {"a": ""}, id="a value may be empty"),
    pytest.param({"x-sluice-tags": "a:1,a:2"}, {"a": "2"}, id="the last value of a repeated name wins"),
    pytest.param({"op-tags": '{"a": 1, "b": true}'}, {"a": 1, "b": True}, id="JSON in OpenPipe's header"),
    pytest.param(
        {"op-tags": '{"a": 1, "b": 1, "c": 1}', "x-opper-tags": "b:2,c:2", "x-sluice-tags": "c:3"},
        {"a": 1, "b": "2", "c": "3"},
        id="op-tags, then x-opper-tags, then x-sluice-tags",
    ),
    pytest.param({"x-sluice-tags": "stadt:Köln"}, {"stadt": "Köln"}, id="text that is decoded already"),
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
        id="a repeated header",
    ),
]


@pytest.mark.parametrize(("headers", "tags"), TAGS)
def test_tags_are_read_from_headers(headers: Mapping[str, str], tags: dict[str, Any]) -> None:
    assert read_tags(headers) == tags


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("x-sluice-tags", "team", id="a tag without a colon"),
        pytest.param("x-sluice-tags", ":a", id="a tag without a name"),
        pytest.param("x-opper-tags", "a:b,", id="a trailing comma"),
        pytest.param("op-tags", "a:b", id="op-tags in the other form"),
        pytest.param("op-tags", "[]", id="op-tags as a list"),
        pytest.param("op-tags", '{"a": NaN}', id="op-tags with NaN"),
    ],
)
def test_malformed_tags_are_refused_with_the_name_of_their_header(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_tags({name: value})
    assert (caught.value.code, caught.value.param) == ("invalid_value", name)
    assert caught.value.message.startswith(name)


@pytest.mark.parametrize(
    ("headers", "session", "agent"),
    [
        pytest.param({}, None, None, id="no header"),
        pytest.param({"x-claude-code-session-id": "s"}, "s", None, id="Claude Code's session"),
        pytest.param({"session-id": "s", "originator": "codex_exec"}, "s", "codex_exec", id="Codex's"),
        pytest.param({"x-session-affinity": "b", "x-session-id": "a"}, "a", None, id="opencode's"),
        pytest.param(
            {"session-id": "s", "x-sluice-session": "own", "originator": "o", "x-sluice-agent": "own"},
            "own",
            "own",
            id="Sluice's own headers first",
        ),
        pytest.param({"x-sluice-session": " ", "session-id": "s"}, "s", None, id="an empty header is absent"),
    ],
)
def test_the_session_and_the_agent_are_named_by_the_first_header_present(
    headers: Mapping[str, str], session: str | None, agent: str | None
) -> None:
    assert first_given(headers, SESSION_HEADERS) == session
    assert first_given(headers, AGENT_HEADERS) == agent


@pytest.mark.parametrize(
    ("read", "headers", "found"),
    [
        pytest.param(
            read_function,
            {"x-sluice-function": "a", "x-opper-name": "b"},
            "a",
            id="Sluice's own header first",
        ),
        pytest.param(
            read_function,
            {"x-sluice-function": " ", "x-opper-name": "b"},
            "b",
            id="Opper's header if Sluice's own is empty",
        ),
        pytest.param(read_function, {}, None, id="no function"),
        pytest.param(read_preference, {"x-sluice-prefer": " fast "}, "fast", id="a preference"),
        pytest.param(read_preference, {"x-sluice-prefer": ""}, None, id="an empty preference"),
        pytest.param(read_preference, {}, None, id="no preference"),
        pytest.param(forbids_content_log, {}, False, id="no header about logging"),
        pytest.param(forbids_content_log, {"op-log-request": "true"}, False, id="logging allowed"),
        pytest.param(
            forbids_content_log, {"op-log-request": "False"}, True, id="logging forbidden, in any case"
        ),
        pytest.param(
            forbids_content_log, {"op-log-request": "no"}, True, id="logging forbidden by another word"
        ),
        pytest.param(wants_explanation, {"x-sluice-explain": "1"}, True, id="an explanation is requested"),
        pytest.param(wants_explanation, {"x-sluice-explain": "0"}, False, id="an explanation is declined"),
        pytest.param(wants_explanation, {}, False, id="no header about an explanation"),
    ],
)
def test_an_option_is_read_from_headers(
    read: Callable[[Mapping[str, str]], Any], headers: dict[str, str], found: Any
) -> None:
    assert read(headers) == found


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["op-tags", "x-opper-tags", "x-sluice-tags", "x-sluice-prefer"]), st.text()
    )
)
def test_any_header_is_read_or_refused(headers: dict[str, str]) -> None:
    for read in (read_tags, read_preference, read_function, header_facts):
        with suppress(InvalidRequest):
            read(headers)


@pytest.mark.parametrize(
    ("headers", "read", "write"),
    [
        pytest.param({}, True, True, id="no header"),
        pytest.param({"x-sluice-cache": " "}, True, True, id="an empty header"),
        pytest.param({"x-sluice-cache": "read-write"}, True, True, id="both"),
        pytest.param({"x-sluice-cache": "READ-ONLY"}, True, False, id="in any case"),
        pytest.param({"x-sluice-cache": "write-only"}, False, True, id="only to write"),
        pytest.param({"x-sluice-cache": "off"}, False, False, id="off"),
        pytest.param({"op-cache": "readWrite"}, True, True, id="OpenPipe's both"),
        pytest.param({"op-cache": "readOnly"}, True, False, id="OpenPipe's read-only"),
        pytest.param({"op-cache": "writeOnly"}, False, True, id="OpenPipe's write-only"),
        pytest.param({"op-cache": "true"}, True, True, id="OpenPipe's first form"),
        pytest.param({"op-cache": "false"}, False, False, id="its opposite"),
        pytest.param(
            {"x-sluice-cache": "read-only", "op-cache": "writeOnly"}, False, False, id="both headers narrow"
        ),
    ],
)
def test_headers_narrow_the_use_of_the_cache(headers: dict[str, str], read: bool, write: bool) -> None:
    assert read_cache_mode(headers) == CacheMode(read, write)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("x-sluice-cache", "readWrite", id="OpenPipe's word in our header"),
        pytest.param("x-sluice-cache", "read-only, off", id="a repeated header"),
        pytest.param("op-cache", "read-only", id="our word in OpenPipe's header"),
        pytest.param("op-cache", "1", id="a number"),
    ],
)
def test_an_unknown_use_of_the_cache_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest, match="expected one of") as raised:
        read_cache_mode({name: value})
    assert raised.value.param == name
