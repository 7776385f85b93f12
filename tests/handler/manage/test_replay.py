"""Replays of stored samples: which of them, a wrong `since`, and that other tasks get their turn."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from handler.errors import InvalidRequest
from handler.manage.replay import read_since, replay_rules, side_of
from handler.settings import Settings
from handler.store.attributes import serialize_item
from rules import RuleSet
from rules.review.samples import write_sample
from tests.support.replayed import random_samples, sample

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
OPENAI = ("openai",)


class Stored:
    """A client of DynamoDB with samples of the day before NOW and of that day."""

    def __init__(self) -> None:
        self.items: dict[str, Any] = {}

    def add(self, text: str | None, at: datetime = NOW) -> None:
        head = self.items.setdefault(f"samples#{at.date()}", {"n": 0})
        head["n"] += 1
        self.items[f"sample#{at.date()}#{head['n']}"] = {"sample": text}

    async def call(self, operation: str, arguments: Any) -> Any:
        if operation == "get_item":
            return {"Item": self._typed(arguments["Key"]["id"]["S"])}
        [(table, request)] = arguments["RequestItems"].items()
        found = [self._typed(key["id"]["S"]) for key in request["Keys"]]
        return {"Responses": {table: [item for item in found if item]}}

    def _typed(self, id: str) -> Any:
        item = self.items.get(id)
        return serialize_item({"id": id, **item}) if item else {}


async def replayed(client: Stored, *after: Any, since: object = "24h") -> Any:
    return await replay_rules(
        client,
        Settings(),
        RuleSet.EMPTY,
        RuleSet.read(after),
        since=since,
        now=NOW,
    )


async def test_only_samples_since_then_are_replayed() -> None:
    client = Stored()
    for hours in (30, 25, 23, 13, 11, 1):
        at = NOW - timedelta(hours=hours)
        client.add(write_sample(sample("gpt-5", now={"at": int(at.timestamp()), "available": OPENAI})), at)
    for since, count in (("24h", 4), ("7d", 6), ("12h", 2), ("30m", 0), (" 90m ", 1)):
        assert (await replayed(client, since=since))["samples"] == count
    report = await replayed(client, {"kind": "access", "id": "none", "models": []})
    assert (report["refused"], report["since"]) == (4, "2026-11-28T12:00:00Z")


async def test_what_cannot_be_read_is_skipped() -> None:
    client = Stored()
    for text in ("{", "[]", '{"facts": {"hour": "noon"}}'):
        client.add(text)
    client.add(write_sample(sample(now={"at": int(NOW.timestamp())})))
    report = await replayed(client)
    assert (report["samples"], report["skipped"]) == (4, 3)


async def test_without_samples_there_is_an_empty_report() -> None:
    report = await replayed(Stored(), {"kind": "route", "id": "r", "model": "gpt-5"})
    assert (report["samples"], report["unused"]) == (0, [{"kind": "route", "id": "r"}])


@pytest.mark.parametrize(
    "since", ["", "24", "h", "-1h", "0m", "8d", "999999d", "1.5h", "24h ago", None, 24, ["1h"]]
)
def test_a_wrong_since_is_an_error_that_names_it(since: object) -> None:
    with pytest.raises(InvalidRequest, match=r"^since: expected minutes, hours or days") as raised:
        read_since(since)
    assert raised.value.param == "since"


async def test_other_tasks_get_their_turn() -> None:
    """Each sample is at most one slice, so that a task that waits runs many times meanwhile."""
    client, turns = Stored(), 0
    for each in random_samples(Random(3), 1_500):
        client.add(write_sample(each.replaced(at=int(NOW.timestamp()))))

    async def wait() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    waiting = asyncio.create_task(wait())
    report = await replayed(client, {"kind": "route", "id": "r", "model": "gpt-5"})
    waiting.cancel()
    assert report["samples"] == 1_500
    assert turns > 10


def test_a_side_has_the_catalogue_and_the_providers_of_its_records() -> None:
    records = [
        {"kind": "provider", "id": "own", "base_url": "https://own.example/v1", "dialect": "bedrock"},
        {"kind": "model", "id": "own/m", "provider": "own", "name": "m"},
    ]
    side = side_of(RuleSet.read(records))
    assert side.providers == {"own"}
    assert "own/m" in {model.id for model in side.catalog.all()}
    assert "openai" in side.default_on
    assert "own" not in side.default_on
    assert "bedrock" not in side.default_on
    assert side.live.unsupported["own"] == side.live.unsupported["bedrock"]


async def test_a_set_that_takes_too_long_to_decide_by_is_refused() -> None:
    client = Stored()
    for _ in range(3):
        client.add(write_sample(sample(now={"at": int(NOW.timestamp())})))
    with pytest.raises(InvalidRequest, match="0 of 3 samples") as error:
        await replay_rules(client, Settings(), RuleSet.EMPTY, RuleSet.EMPTY, now=NOW, longest=-1.0)
    assert error.value.param == "since"
