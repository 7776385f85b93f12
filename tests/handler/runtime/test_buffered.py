"""Tests of handler/runtime/buffered.py with Mangum and a whole gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from mangum import Mangum

from handler.runtime.buffered import http_only
from tests.support.gateways import KEY, start_gateway
from tests.support.lambda_url import event_of

EVENTS = [
    pytest.param({"key1": "value1"}, id="the console's test event"),
    pytest.param({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}, id="a schedule"),
    pytest.param({"Records": [{"eventSource": "aws:sqs"}]}, id="a queue"),
    pytest.param({"warmer": True}, id="a warmer"),
    pytest.param([], id="a list"),
    pytest.param(None, id="nothing"),
]


@pytest.fixture
def loop() -> Iterator[None]:
    """Sets the event loop of the main thread, which Mangum uses."""
    made = asyncio.new_event_loop()
    asyncio.set_event_loop(made)
    yield
    asyncio.set_event_loop(None)
    made.close()


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("event", EVENTS)
def test_an_event_that_is_not_a_request_is_answered_with_an_error(event: Any) -> None:
    made = start_gateway()
    entry = http_only(Mangum(made.app, lifespan="off"), made.gateway.settle)
    answer = entry(event, SimpleNamespace(aws_request_id="7f3a"))
    assert answer["statusCode"] == 400
    assert "This function answers HTTP requests" in answer["body"]
    assert made.lines == []


@pytest.mark.usefixtures("loop")
def test_background_work_ends_before_the_answer() -> None:
    made = start_gateway()
    entry = http_only(Mangum(made.app, lifespan="off"), made.gateway.settle)
    event = event_of("GET", "/v1/models", headers={"authorization": f"Bearer {KEY}"})
    answer = entry(event, SimpleNamespace(aws_request_id="7f3a"))
    assert answer["statusCode"] == 200
    assert made.lines[-1]["aws_request_id"] == "7f3a"
    assert "save_last_used" in made.tables.calls
    assert next(key for key in made.tables.keys.values() if key["id"] == "k1")["last_used"]
