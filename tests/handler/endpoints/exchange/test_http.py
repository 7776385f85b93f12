"""Tests of exchange/http.py: echoed ids and traces, and header values that are always legal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handler.endpoints.exchange.http import LONGEST_VALUE, encode_headers, request_id, trace_headers

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("given_id", "echoed"),
    [
        pytest.param("req_1.a-B", True, id="an ordinary id"),
        pytest.param("a" * 128, True, id="128 characters"),
        pytest.param("a" * 129, False, id="129 characters"),
        pytest.param("", False, id="an empty id"),
        pytest.param("a b", False, id="an id with a space"),
        pytest.param("a\n", False, id="an id with a line end"),
        pytest.param("é", False, id="an id that is not ASCII"),
        pytest.param("<script>", False, id="an id with markup"),
    ],
)
def test_a_request_id_is_echoed_only_if_it_is_safe(given_id: str, echoed: bool) -> None:
    assert request_id({"x-request-id": given_id}) == (given_id if echoed else None)
    assert request_id({}) is None


@pytest.mark.parametrize(
    ("headers", "echoed"),
    [
        pytest.param({}, [], id="no headers"),
        pytest.param(
            {"traceparent": TRACE, "x-opper-trace-id": "t-1"},
            ["traceparent", "x-opper-trace-id"],
            id="both headers",
        ),
        pytest.param({"traceparent": TRACE.upper()}, [], id="a traceparent in capitals"),
        pytest.param({"traceparent": TRACE + "\n"}, [], id="a traceparent with a line end"),
        pytest.param({"x-opper-trace-id": "a b"}, [], id="a trace id with a space"),
        pytest.param({"x-opper-trace-id": "t" * 129}, [], id="a trace id that is too long"),
    ],
)
def test_trace_headers_are_echoed_if_they_are_well_formed(
    headers: Mapping[str, str], echoed: list[str]
) -> None:
    assert trace_headers(headers) == {name: headers[name] for name in echoed}


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")) | st.text(" %~\t\r\n\ud800"))
@example("night-shift ")
@example("   ")
@example("é" * 400)
def test_any_text_becomes_a_legal_header(text: str) -> None:
    """https://www.rfc-editor.org/rfc/rfc9110#section-5.5"""
    ((_, value),) = encode_headers({"x-sluice-rule": text})
    assert re.fullmatch(rb"(?:[!-~](?:[ -~]*[!-~])?)?", value)
    assert len(value) <= LONGEST_VALUE
    if "%" not in text and "..." not in value.decode():
        assert unquote(value.decode(), errors="surrogatepass") == text
