"""Streams that break off, and the stream that the client gets of several candidates."""

from __future__ import annotations

from typing import Any

import pytest

from rules import Model
from tests.support.canned_answers import Act, chunk
from tests.support.running_relay import call
from tests.support.scripted_transport import Received, Script, ScriptedTransport, receive
from tests.support.virtual_clock import run

TEXT = "The quick brown fox jumps over the lazy dog."
HALF = TEXT[:20]
# A chunk with a tool call.
TOOL = chunk(None, tool_calls=[{"index": 0, "id": "c", "type": "function", "function": {"name": "f"}}])
OTHER = "Something else altogether, and longer."  # an answer that does not begin with HALF


def receive_stream(
    *scripts: list[Script], models: tuple[str | Model, ...] = ("one/a", "two/b", "three/c"), **options: Any
) -> tuple[Received, ScriptedTransport]:
    """Returns one stream, `recovery: resume` by default. The scripts are the candidates', in turn."""
    transport = ScriptedTransport(dict(zip("abc", scripts, strict=False)))
    chat_call = call(*models[: len(scripts)], stream=True, **{"recovery": "resume", "retries": 0, **options})
    return run(receive(transport, chat_call)), transport


BREAKS = [
    pytest.param([Act.CUT], "network", id="a cut connection"),
    pytest.param([], "network", id="an early end"),
    pytest.param(
        [b'data: {"choices":[{"delta":{"content":"\xe2\x82', Act.CUT],
        "network",
        id="a cut inside a character",
    ),
    pytest.param([Act.STALL], "timeout_idle", id="a stall"),
    pytest.param(["{not", "json}"], "protocol", id="invalid JSON"),
    pytest.param(["x" * 8_100_000], "protocol", id="an event that is too large"),
    pytest.param([{"error": {"message": "No.", "code": 500}}], "server", id="an error event"),
    pytest.param([{"error": {"message": "No.", "code": 429}}], "rate_limit", id="a rate limit as an event"),
    pytest.param(
        [{"error": {"message": "No.", "code": 401}}], "auth", id="an invalid credential as an event"
    ),
]
