"""What an SNS topic and a webhook get of an alert."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handler.upstream.client import Client
from handler.upstream.notifications import Notifier
from tests.support.scripted_transport import ScriptedTransport

TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"


class Topics:
    """A client of SNS that records what is published."""

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []

    def publish(self, **arguments: Any) -> dict[str, Any]:
        self.published.append(arguments)
        return {}


@pytest.mark.parametrize(
    ("message", "subject"),
    [
        pytest.param("budget eu: 50 % used", "budget eu: 50 % used", id="a plain text"),
        pytest.param("budget équipe: 50 %", "budget ?quipe: 50 %", id="a letter that is not ASCII"),
        pytest.param("budget a\tb", "budget a?b", id="a control character"),
        pytest.param("x" * 200, "x" * 99, id="a long text"),
    ],
)
async def test_the_subject_is_one_that_sns_takes(message: str, subject: str) -> None:
    topics = Topics()
    notifier = Notifier(Client(ScriptedTransport({}), private_ok=True), lambda: topics, clock=lambda: 0.0)
    await notifier.send(TOPIC, {"message": message, "percent": 50})
    (published,) = topics.published
    assert (published["TopicArn"], published["Subject"]) == (TOPIC, subject)
    assert json.loads(published["Message"]) == {"message": message, "percent": 50}
