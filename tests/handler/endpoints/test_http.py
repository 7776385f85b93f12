"""Headers of requests and responses: ids and traces that are echoed, and values that are always legal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handler.endpoints.http import LONGEST_VALUE, encode_headers, request_id, trace_headers

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


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
