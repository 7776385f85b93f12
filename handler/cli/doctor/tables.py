"""Checks the tables of a stack, and the rules and keys in them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from handler.access.keys import Key, display_id, read_key
from handler.aws.sdk import call_aws
from handler.cli.doctor.finding import Finding, fault, limited, ok, warning
from handler.cli.tables import Tables
from handler.settings import Settings
from handler.store.attributes import Item
from handler.store.tables import TABLES
from handler.store.usage_totals import INDEX
from rules import InvalidRecord, RuleSet, RuleSetTooLarge
from rules.review.check import run_tests, warnings
from rules.review.lint import KnownKeys

UPDATE = "deploy the template again: `make update`"
EXPIRES = "expires_at"


class Expected(NamedTuple):
    """A table as template.yaml defines it."""

    keys: tuple[str, ...]
    backed_up: bool = False  # point-in-time recovery, and protected from deletion
    expires: bool = False  # its items do, and it has an index


EXPECTED: Mapping[str, Expected] = {
    "RulesTable": Expected(("kind", "id"), backed_up=True),
    "KeysTable": Expected(("hash",), backed_up=True),
    "StateTable": Expected(("id",), expires=True),
}


def check_tables(client: Any, settings: Settings) -> Iterator[Finding]:
    """Yield the findings about the definitions of the three tables."""
    for name, expected in EXPECTED.items():
        table = getattr(settings, TABLES[name])
        found = [*_check_table(client, table, expected)]
        yield from (one._replace(text=f"{name} {table}: {one.text}") for one in found)
        if not found:
            yield ok("tables", f"{name} {table}")


def _check_table(client: Any, table: str, expected: Expected) -> Iterator[Finding]:
    found = call_aws(client, "describe_table", {"TableName": table})["Table"]
    keys = tuple(one["AttributeName"] for one in found["KeySchema"])
    if found["TableStatus"] != "ACTIVE":
        yield warning("tables", f"it is {found['TableStatus']}", "wait until it is ACTIVE")
    if keys != expected.keys:
        text = f"its keys are {', '.join(keys)} instead of {', '.join(expected.keys)}"
        yield fault(
            "tables", text, "a table's keys cannot be changed: name another table, or create the stack anew"
        )
    if expected.backed_up:
        yield from _check_backups(client, table)
        if not found.get("DeletionProtectionEnabled"):
            yield warning("tables", "it is not protected from deletion", UPDATE)
    if expected.expires:
        indexes = {one["IndexName"]: one for one in found.get("GlobalSecondaryIndexes", ())}
        if INDEX not in indexes:
            yield fault("tables", f"it has no index {INDEX}: usage cannot be read", UPDATE)
        described = call_aws(client, "describe_time_to_live", {"TableName": table})
        expiry = described["TimeToLiveDescription"]
        if expiry.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
            yield fault("tables", "its items do not expire, so it grows for ever", UPDATE)
        elif expiry.get("AttributeName") != EXPIRES:
            text = f"its items expire at `{expiry.get('AttributeName')}` instead of `{EXPIRES}`"
            yield fault("tables", text, UPDATE)


def _check_backups(client: Any, table: str) -> Iterator[Finding]:
    described = call_aws(client, "describe_continuous_backups", {"TableName": table})
    recovery = described["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        yield warning(
            "tables", "it has no point-in-time recovery: nothing that is deleted comes back", UPDATE
        )


def check_rules(tables: Tables, keys: list[Item]) -> Iterator[Finding]:
    """Yield the findings about the records of the Rules table."""
    items = tables.read_rules().items
    try:
        ruleset = RuleSet.read(items)
    except RuleSetTooLarge as error:
        yield fault("rules", str(error), "remove records")
        return
    correct = "correct or disable the record: `sluice rules pull`, edit, `sluice rules push`"
    findings = [
        *(fault("rules", str(problem), correct) for problem in ruleset.problems),
        *(fault("rules", str(failed), "correct the rules or the test") for failed in run_tests(ruleset)),
        *(warning("rules", str(each), correct) for each in warnings(ruleset, KnownKeys.of(keys))),
    ]
    yield from limited(
        findings, lambda more: warning("rules", f"{more} further findings", "see `sluice rules check`")
    )
    if not findings:
        yield ok("rules", f"{len(items)} records can be read, and {len(ruleset.enabled('test'))} tests hold")


def check_keys(items: list[Item]) -> Iterator[Finding]:
    """Yield the findings about the records of the Keys table."""
    good: list[Key] = []
    bad: list[Finding] = []
    for item in items:
        try:
            good.append(read_key(item))
        except InvalidRecord as error:
            text = f"{display_id(str(item.get('hash')), item)} is refused, its record is wrong: {error}"
            bad.append(fault("keys", text, "correct the attribute in the DynamoDB console"))
    yield from limited(bad, lambda more: fault("keys", f"{more} further keys", "see `sluice keys list`"))
    working = [key for key in good if key.enabled and not key.is_expired(time.time())]
    if not working:
        yield fault("keys", "no key can be used", "`sluice keys create --name first` makes one")
    elif not any("admin" in key.scopes for key in working):
        text = f"{len(working)} keys can be used, and none of them has scope `admin`"
        mend = "`sluice keys create --name ops --scope admin` makes one, for the console"
        yield warning("keys", text, mend)
    elif not bad:
        yield ok("keys", f"{len(working)} of {len(items)} can be used")
