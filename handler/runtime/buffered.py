"""The entry for Lambda's own Python client, which sends every answer whole (`Buffered` in template.yaml)."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from mangum import Mangum

from handler.errors import InvalidRequest
from handler.main import build
from handler.runtime.event import to_asgi

Entry = Callable[[Any, Any], dict[str, Any]]  # of Lambda's own client: event and context to answer


def http_only(entry: Entry, settle: Callable[[], Coroutine[Any, Any, None]]) -> Entry:
    """Wrap a buffered entry so that an event that is not an HTTP request is answered with an error.

    A schedule that keeps an instance warm would otherwise fail, be retried and be counted as an error.
    `settle` ends background work: once the answer is returned the instance may be frozen.
    """

    def handler(event: Any, context: Any) -> dict[str, Any]:
        try:
            to_asgi(event, context)
        except InvalidRequest as error:
            headers = {"content-type": "application/json", "x-request-id": context.aws_request_id}
            return {"statusCode": error.status, "headers": headers, "body": json.dumps(error.body())}
        answer = entry(event, context)
        loop = asyncio.get_event_loop()  # on which Mangum runs requests
        loop.run_until_complete(settle())
        return answer

    return handler


def __getattr__(name: str) -> Any:
    """Make `handler` when Lambda's client looks it up, which is still part of init."""
    if name != "handler":
        raise AttributeError(name)
    logging.getLogger("mangum").setLevel(logging.WARNING)  # the app writes a line per request itself
    app, gateway = build()
    globals()["handler"] = entry = http_only(Mangum(app, lifespan="off"), gateway.settle)
    return entry
