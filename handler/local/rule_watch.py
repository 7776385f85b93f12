"""Logs the warnings of the rules in a local run, soon after an edit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from handler.aws.errors import StoreError
from handler.errors import GatewayError
from handler.gateway.lifecycle import Gateway
from rules.review import lint

MIN_INTERVAL = 1.0  # seconds between two readings


async def watch_rules(
    gateway: Gateway, read_keys: Callable[[], Awaitable[lint.KnownKeys]], *, known: bool = False
) -> None:
    """Log each new warning until it is cancelled. Reads the rules as often as requests would.

    `known`: do not log the warnings of the first reading.
    """
    logged: frozenset[str] = frozenset()
    while True:
        with suppress(GatewayError, StoreError):  # the snapshot logs that the rules cannot be read
            policy = await gateway.policies.current()
            keys = await read_keys()
            lines = [str(finding) for finding in lint.find_warnings(policy.ruleset, policy.catalog, keys)]
            for line in (line for line in lines if line not in logged and not known):
                gateway.log({"level": "WARNING", "message": line})
            logged, known = frozenset(lines), False
        await asyncio.sleep(max(gateway.settings.rules_ttl, MIN_INTERVAL))
