"""A provider without sockets that answers every request with the same reply."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.canned_answers import Reply, whole
from tests.support.scripted_transport import Body

Json = dict[str, Any]


@dataclass(eq=False)
class OneReply(httpx.AsyncBaseTransport):
    """`reply`: a refusal until it is set. `requests`: the bodies. `open`: replies that are being read."""

    reply: Reply = field(default_factory=lambda: whole(status=400))
    requests: list[Json] = field(default_factory=list)
    open: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(json.loads(await request.aread()))
        request.extensions["on_sent"]()
        status, headers = self.reply.status or 0, dict(self.reply.headers)
        return httpx.Response(status, headers=headers, stream=Body(self.reply, self))
