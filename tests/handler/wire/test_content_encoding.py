"""Tests of handler/wire/content_encoding.py."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import GatewayError, TooLarge
from handler.wire.content_encoding import decode_body

BODY = b'{"messages": [{"role": "user", "content": "hi"}]}'


def raw_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(body) + compressor.flush()


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        pytest.param(BODY, "", id="no encoding"),
        pytest.param(BODY, "identity", id="identity"),
        pytest.param(gzip.compress(BODY), "gzip", id="gzip"),
        pytest.param(gzip.compress(BODY), " GZip ", id="gzip in other capitals"),
        pytest.param(gzip.compress(BODY), "x-gzip", id="gzip's old name"),
        pytest.param(zlib.compress(BODY), "deflate", id="deflate"),
        pytest.param(raw_deflate(BODY), "deflate", id="deflate without a header"),
    ],
)
def test_a_body_is_decoded(body: bytes, encoding: str) -> None:
    assert decode_body(body, encoding, 1000) == BODY


@pytest.mark.parametrize(
    ("body", "encoding", "status", "code"),
    [
        pytest.param(BODY, "br", 415, "unsupported_encoding", id="brotli"),
        pytest.param(BODY, "zstd", 415, "unsupported_encoding", id="zstandard"),
        pytest.param(gzip.compress(BODY), "gzip, gzip", 415, "unsupported_encoding", id="two encodings"),
        pytest.param(BODY, "gzip", 400, "invalid_value", id="not compressed"),
        pytest.param(b"", "gzip", 400, "invalid_value", id="an empty body"),
        pytest.param(gzip.compress(BODY)[:-9], "gzip", 400, "invalid_value", id="incomplete"),
        pytest.param(gzip.compress(BODY) + b"x", "gzip", 400, "invalid_value", id="a byte after the end"),
        pytest.param(gzip.compress(BODY) * 2, "gzip", 400, "invalid_value", id="two bodies"),
        pytest.param(zlib.compress(BODY)[:-1] + b"x", "deflate", 400, "invalid_value", id="a wrong checksum"),
        pytest.param(
            gzip.compress(b"x" * 1001), "gzip", 413, "request_too_large", id="too large once decoded"
        ),
    ],
)
def test_a_body_that_cannot_be_decoded_is_refused(body: bytes, encoding: str, status: int, code: str) -> None:
    with pytest.raises(GatewayError) as raised:
        decode_body(body, encoding, 1000)
    assert (raised.value.status, raised.value.code) == (status, code)
    assert raised.value.headers.get("accept-encoding") == (
        "gzip, deflate, identity" if status == 415 else None
    )


@given(st.binary(max_size=2000), st.sampled_from(["gzip", "deflate"]))
def test_any_body_is_decoded_or_too_large(body: bytes, encoding: str) -> None:
    compressed = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    if len(body) > 1000:
        with pytest.raises(TooLarge):
            decode_body(compressed, encoding, 1000)
    else:
        assert decode_body(compressed, encoding, 1000) == body


def test_memory_is_bounded_by_the_limit() -> None:
    bomb, peaks = gzip.compress(b"0" * 50_000_000), []
    for limit in (100_000, 1_000_000):
        tracemalloc.start()
        with pytest.raises(TooLarge):
            decode_body(bomb, "gzip", limit)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert all(small < large < 5_000_000 for small, large in pairwise(peaks))
