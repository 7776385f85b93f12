"""A botocore client as the stores take it, called in the event loop's own thread."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from handler.aws.sdk import call_aws


class InlineClient:
    """Calls `client`, a botocore client of moto's or a fake with methods such as `get_item`.

    No two calls overlap: DynamoDB checks a write's condition and writes in one step, moto does not.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    async def call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        await asyncio.sleep(0)
        return call_aws(self._client, operation, arguments)
