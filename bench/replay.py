"""Measures a replay of 5,000 samples, and how long it holds the event loop: `python -m bench.replay`.

The rule sets have 20 and 200 records, over the whole catalogue, and a third of the requests move. The samples
are JSON, as State has them.
Seconds are of the processor, so that other processes of the machine do not count.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from statistics import median
from typing import Any

from handler.manage.replay import replay_rules
from handler.settings import Settings
from handler.store.attributes import serialize_item
from handler.store.samples import MOST_READ
from rules import PROVIDERS, RuleSet, load_catalog
from rules.review.samples import write_sample
from tests.support.replayed import random_samples

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
ROUNDS = 5


class Ticker:
    """Another task of the same event loop, which notes how long it did not get its turn."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            self.longest, last = max(self.longest, now - last), now


class Stored:
    """A client of DynamoDB whose State table is a dict of items in typed JSON."""

    def __init__(self) -> None:
        self.items: dict[str, Any] = {}

    async def call(self, operation: str, arguments: Any) -> Any:
        await asyncio.sleep(0)
        if operation == "get_item":
            return {"Item": self.items.get(arguments["Key"]["id"]["S"])}
        [(table, request)] = arguments["RequestItems"].items()
        found = (self.items.get(key["id"]["S"]) for key in request["Keys"])
        return {"Responses": {table: [item for item in found if item]}}

    def put(self, item: dict[str, Any]) -> None:
        self.items[item["id"]] = serialize_item(item)


def stored_samples() -> Stored:
    client, names = Stored(), [model.id for model in load_catalog().auto()]
    random, day = Random(1), NOW.date().isoformat()
    client.put({"id": f"samples#{day}", "n": MOST_READ})
    for number, sample in enumerate(random_samples(random, MOST_READ), 1):
        name = random.choice((None, *names))
        facts = sample.facts.replaced(model=name, header={f"x-{n}": "" for n in range(15)})
        given = sample.replaced(facts=facts, at=int(NOW.timestamp()), available=tuple(PROVIDERS), served=name)
        client.put({"id": f"sample#{day}#{number}", "sample": write_sample(given)})
    return client


def records(count: int, model: str) -> Iterator[dict[str, Any]]:
    for number in range(count):
        when = {"input_tokens": {"gt": number * 100}, "tags.team": "red"}
        yield {
            "kind": "route",
            "id": f"r{number}",
            "model": model,
            "scope": {"key": f"k{number}"},
            "when": when,
        }
    yield {"kind": "route", "id": "all", "model": model, "override": True, "scope": {"project": "web"}}
    yield {"kind": "access", "id": "all", "models": ["*"], "deny": ["*/nothing*"]}
    yield {"kind": "route", "id": "cheap", "prefer": "cheap", "scope": {"project": "batch"}}


async def main() -> None:
    client, (first, second, *_) = stored_samples(), [model.id for model in load_catalog().auto()]
    for count in (20, 200):
        before, after = (RuleSet.read(list(records(count, model))) for model in (first, second))
        times, pauses = [], []
        for _ in range(ROUNDS):
            ticker = Ticker()
            ticking = asyncio.create_task(ticker.run())
            began = time.process_time()
            report = await replay_rules(client, Settings(), before, after, now=NOW)
            times.append(time.process_time() - began)
            ticking.cancel()
            pauses.append(ticker.longest)
        print(
            f"{count} records: {report['samples']:,} samples in {median(times):.2f} s, "
            f"of which the event loop was held at most {median(pauses) * 1000:.1f} ms at a time; "
            f"{report['moved']:,} moved"
        )


if __name__ == "__main__":
    asyncio.run(main())
