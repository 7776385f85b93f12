"""Streams of Converse."""

from __future__ import annotations

import pytest

from handler.errors import UpstreamError
from handler.providers.bedrock.translator import Bedrock
from handler.providers.provider import Quirks


@pytest.mark.parametrize("event", ["[]", "{}", '{"contentBlockStart": {}}', '{"messageStop"'])
def test_one_malformed_event_is_skipped_and_a_second_is_a_failure(event: str) -> None:
    decoder = Bedrock().stream(Quirks())
    assert list(decoder.feed('{"messageStart": {"role": "assistant"}}'))
    assert list(decoder.feed(event)) == []
    with pytest.raises(UpstreamError) as raised:
        list(decoder.feed(event))
    assert raised.value.failure_class == "protocol"
