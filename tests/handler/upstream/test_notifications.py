"""Messages to webhooks and SNS topics: what is sent, and what is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from handler.aws.errors import StoreError
from handler.upstream.client import Client
from handler.upstream.httpx_transport import HttpxTransport
from handler.upstream.notifications import TOTAL, Notifier
from tests.support.virtual_clock import clock

TOPIC = "arn:aws:sns:eu-central-1:123456789012:alerts"
MESSAGE = {"message": "budget money: 80 % used", "percent": 80, "value": "ünï"}


class Webhook(httpx.AsyncBaseTransport):
    """Answers with a status, or does what `act` does."""

    def __init__(self, status: int = 200, act: Callable[[], Any] | None = None) -> None:
        self.status, self.act = status, act
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        if self.act is not None:
            await self.act()
        return httpx.Response(self.status, content=b"x" * 100, request=request)


class Sns:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.published: list[Any] = []

    def publish(self, **arguments: Any) -> None:
        if self.error is not None:
            raise self.error
        self.published.append(arguments)


def notifier(webhook: Webhook, sns: Sns | None = None, *, private_ok: bool = False) -> Notifier:
    return Notifier(Client(HttpxTransport(webhook), private_ok=private_ok), lambda: sns, clock=clock)


async def test_a_webhook_gets_json_with_a_text() -> None:
    webhook = Webhook(204)
    await notifier(webhook).send("https://hooks.test/a", MESSAGE)
    (request,) = webhook.requests
    assert (request.method, str(request.url)) == ("POST", "https://hooks.test/a")
    assert request.headers["content-type"] == "application/json"
    assert "authorization" not in request.headers
    assert json.loads(request.content) == {"text": MESSAGE["message"], **MESSAGE}


async def _never() -> None:
    await asyncio.sleep(1e6)


async def _reset() -> None:
    raise httpx.ReadError("reset")


@pytest.mark.parametrize(
    "webhook",
    [
        pytest.param(Webhook(500), id="it fails"),
        pytest.param(Webhook(302), id="it redirects: not followed"),
        pytest.param(Webhook(act=_never), id="it is silent"),
        pytest.param(Webhook(act=_reset), id="it resets"),
    ],
)
async def test_a_webhook_that_fails_is_a_store_error_without_its_address(webhook: Webhook) -> None:
    with pytest.raises(StoreError) as failed:
        await notifier(webhook).send("https://hooks.test/secret-path", MESSAGE)
    assert str(failed.value).startswith("webhook: ")
    assert "secret" not in str(failed.value)
    assert len(webhook.requests) == 1
    assert clock() <= TOTAL


async def test_a_webhook_without_tls_gets_nothing() -> None:
    webhook = Webhook()
    with pytest.raises(StoreError, match="not https"):
        await notifier(webhook).send("http://hooks.test/a", MESSAGE)
    assert webhook.requests == []
    await notifier(webhook, private_ok=True).send("http://hooks.test/a", MESSAGE)
    assert len(webhook.requests) == 1


@pytest.mark.parametrize(
    ("message", "subject"),
    [
        pytest.param("budget eu: 50 % used", "budget eu: 50 % used", id="a plain text"),
        pytest.param("budget équipe: 50 %", "budget ?quipe: 50 %", id="a letter that is not ASCII"),
        pytest.param("budget a\tb", "budget a?b", id="a control character"),
        pytest.param("x" * 200, "x" * 99, id="a long text"),
    ],
)
async def test_a_topic_gets_the_message_and_a_subject_that_sns_takes(message: str, subject: str) -> None:
    sns = Sns()
    await notifier(Webhook(), sns).send(TOPIC, {**MESSAGE, "message": message})
    (published,) = sns.published
    assert (published["TopicArn"], published["Subject"]) == (TOPIC, subject)
    assert json.loads(published["Message"]) == {**MESSAGE, "message": message}


async def test_a_topic_that_refuses_is_a_store_error() -> None:
    response: Any = {"Error": {"Code": "AuthorizationErrorException", "Message": "arn 123456789012"}}
    sns = Sns(ClientError(response, "Publish"))
    with pytest.raises(StoreError) as failed:
        await notifier(Webhook(), sns).send(TOPIC, MESSAGE)
    assert "123456789012" not in str(failed.value)
