"""The warnings that a local run logs after an edit of the rules."""

from __future__ import annotations

import asyncio

from handler.local.rule_watch import watch_rules
from rules.review.lint import KnownKeys
from tests.support.gateways import start_gateway

TYPO = {"kind": "access", "id": "typo", "deny": ["opneai/*"]}
NO_KEY = {"kind": "access", "id": "no-key", "scope": {"project": "suport"}, "deny": ["openai/*"]}
KEYS = KnownKeys(ids=frozenset({"k"}), projects=frozenset({"support"}))


async def read_keys() -> KnownKeys:
    return KEYS


async def test_each_warning_is_logged_once_and_again_when_it_comes_back() -> None:
    gateway = start_gateway([TYPO], SLUICE_RULES_TTL="60")
    watching = asyncio.ensure_future(watch_rules(gateway.gateway, read_keys))
    for records, logged in (([TYPO], 1), ([], 1), ([TYPO], 2)):
        gateway.tables.records[:] = records
        await asyncio.sleep(700)  # longer than the old rules stay after the table was emptied
        lines = [one["message"] for one in gateway.lines if one["level"] == "WARNING"]
        assert len(lines) == logged
        assert all(line.startswith("access/typo: `deny`: no model in the catalogue") for line in lines)
    watching.cancel()


async def test_a_scope_without_a_key_is_a_warning_except_in_the_first_rules() -> None:
    gateway = start_gateway([NO_KEY], SLUICE_RULES_TTL="60")
    watching = asyncio.ensure_future(watch_rules(gateway.gateway, read_keys, known=True))
    for records, logged in (([NO_KEY], 0), ([NO_KEY, {**NO_KEY, "id": "b", "scope": {"key": "k2"}}], 1)):
        gateway.tables.records[:] = records
        await asyncio.sleep(400)
        lines = [one["message"] for one in gateway.lines if one["level"] == "WARNING"]
        assert lines == ["access/b: `scope.key`: there is no key with the id 'k2'"][:logged]
    watching.cancel()
