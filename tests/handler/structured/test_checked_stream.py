"""Tests of handler/structured/checked_stream.py: a stream too large to check is an error."""

from __future__ import annotations

import json

import pytest

from handler.errors import UpstreamError
from handler.providers.provider import Quirks
from handler.providers.registry import TRANSLATORS
from handler.structured.checked_stream import CheckedStream
from tests.support.canned_answers import chunk


def test_a_checked_stream_is_limited_in_size() -> None:
    checked = CheckedStream(TRANSLATORS["openai"].stream(Quirks()), lambda *_: None, most=1000)
    event = json.dumps(chunk("a" * 600))
    assert list(checked.feed(event))
    with pytest.raises(UpstreamError) as error:
        list(checked.feed(event))
    assert error.value.failure_class == "protocol"
