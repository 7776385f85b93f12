"""Sends alerts to where a record says: an SNS topic, or a webhook that takes JSON.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from handler.aws.errors import StoreError
from handler.errors import UpstreamError
from handler.upstream.client import Client, Limits, Stopwatch
from handler.upstream.request import USER_AGENT, UpstreamRequest

CONNECT, TOTAL = 5.0, 10.0  # seconds


class Notifier:
    """Sends messages. `connect` makes the client of SNS, when it is first needed."""

    def __init__(self, client: Client, connect: Callable[[], Any], *, clock: Callable[[], float]) -> None:
        self._client = client
        self._connect = connect
        self._clock = clock

    async def send(self, receiver: str, message: Mapping[str, Any]) -> None:
        """Send a message, which has a text in `message`. Raises StoreError."""
        if receiver.startswith("arn:"):
            await asyncio.to_thread(self._publish, receiver, message)
            return
        try:
            await self._post(receiver, message)
        except UpstreamError as error:
            raise StoreError(f"webhook: {error.message}") from error

    def _publish(self, topic: str, message: Mapping[str, Any]) -> None:
        from handler.aws.sdk import call_aws  # botocore is not for requests

        arguments = {
            "TopicArn": topic,
            "Subject": _subject(message["message"]),
            "Message": json.dumps(message),
        }
        call_aws(self._connect(), "publish", arguments)

    async def _post(self, url: str, message: Mapping[str, Any]) -> None:
        if not (url.startswith("https://") or self._client.private_ok):
            raise UpstreamError("The address is not https.", failure_class="permission")
        headers = [(b"content-type", b"application/json"), (b"user-agent", USER_AGENT.encode())]
        body = json.dumps({"text": message["message"], **message}).encode()  # Slack shows `text`
        request = UpstreamRequest(url=url, headers=headers, body=body, dropped=(), secrets=())
        began = self._clock()
        end = (began + TOTAL, "timeout_total")
        limits = Limits(began=began, connect=CONNECT, first=end, idle=TOTAL, total=end)
        response = await self._client.send(request, limits, Stopwatch(self._clock))
        await response.aclose()
        if response.status >= 300:
            raise UpstreamError(f"It answered {response.status}.", failure_class="server")


def _subject(text: str) -> str:
    """Return a text as SNS takes it for a subject: less than 100 printable characters of ASCII."""
    return "".join(each if each.isascii() and each.isprintable() else "?" for each in text)[:99]
