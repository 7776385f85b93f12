"""Tests of handler/providers/data_urls.py."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from handler.providers.data_urls import parse_data_url


@given(st.binary(min_size=1))
def test_the_bytes_of_a_data_url_are_kept(data: bytes) -> None:
    for encoded in (base64.b64encode(data), base64.urlsafe_b64encode(data).rstrip(b"=")):
        media = parse_data_url(f"data:application/pdf;base64,{encoded.decode()}")
        assert base64.b64decode(media.data) == data
