"""Warnings of the rules on the console of a local run, as soon as somebody has edited them."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from handler.errors import GatewayError
from handler.gateway import Gateway

SHORTEST = 1.0  # seconds between two looks


async def watch_rules(gateway: Gateway) -> None:
    """Logs each new warning until it is cancelled. Reads the rules as often as requests would."""
    known: frozenset[str] = frozenset()
    while True:
        with suppress(GatewayError):  # the rules cannot be read: the snapshot has logged that
            policy = await gateway.policy()
            found = gateway.warnings(policy.ruleset, policy.catalog)
            lines = ["{kind}/{id}: `{field}`: {problem}".format(**each) for each in found]
            for line in (line for line in lines if line not in known):
                gateway.log({"level": "WARNING", "message": line})
            known = frozenset(lines)
        await asyncio.sleep(max(gateway.settings.rules_ttl, SHORTEST))
