"""Replays samples of requests: decides them under the rules in force and under other ones.

It does other tasks' work in between, so that a running gateway can replay beside its requests.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from handler.aws.client import AwsClient
from handler.errors import InvalidRequest
from handler.manage.background_thread import in_thread
from handler.providers.addressing import unsupported_features
from handler.providers.provider import Provider
from handler.providers.registry import provider_rows
from handler.settings import Settings
from handler.store.items import Items
from handler.store.samples import RETENTION, read_samples
from rules import EMPTY, LiveState, ModelRecord, RuleSet, load_catalog
from rules.review.applying import Side
from rules.review.replay import Replay, measured
from rules.review.samples import read_sample

SINCE = "24h"  # the default
LONGEST = 120.0  # seconds for all samples, which nearly all sets need less than two of
SLICE = 0.003  # seconds of work after which other tasks get their turn
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


async def replay_rules(
    client: AwsClient,
    settings: Settings,
    before: RuleSet,
    after: RuleSet,
    *,
    since: object = SINCE,
    now: datetime | None = None,
    extra_rows: Mapping[str, Provider] = EMPTY,
    longest: float = LONGEST,
) -> dict[str, Any]:
    """Return what `after` changes for the requests of which State has samples, as JSON (docs/rules.md).

    `since`: `24h`, `7d` or `90m` ago. `extra_rows`: providers of this process alone. Raises InvalidRequest
    for another `since` and where deciding takes too long, and StoreError.
    """
    now = now or datetime.now(UTC)
    begin = now - read_since(since)
    turn = Turns()
    texts, times, unreadable = [], [], 0
    async for text in read_samples(Items(client, settings.state_table), begin, now):
        await turn.end()
        try:
            sample = read_sample(text)
        except ValueError:
            unreadable += 1
            continue
        if sample.at >= begin.timestamp():
            # Thousands of samples would make Python collect garbage for a while; of texts it takes no notice.
            texts.append(text)
            times.append((sample.served, sample.first_token))
    sides = [await in_thread(side_of, each, extra_rows, settings.region) for each in (before, after)]
    replay = Replay(sides[0], sides[1], measured(times))
    await _add_all(replay, texts, turn, longest)
    for _ in range(unreadable):
        replay.skip()
    return {"since": begin.isoformat(timespec="seconds").replace("+00:00", "Z"), **replay.report()}


async def _add_all(replay: Replay, texts: Sequence[str], turn: Turns, longest: float) -> None:
    ends = time.perf_counter() + longest
    for done, text in enumerate(texts):
        if time.perf_counter() > ends:
            message = f"since: {done} of {len(texts)} samples took {longest:g} s: choose a shorter time"
            raise InvalidRequest(message, param="since")
        replay.add(read_sample(text))
        await turn.end()


class Turns:
    """Lets other tasks run once this one has worked for a while."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    async def end(self) -> None:
        if time.perf_counter() - self._began > SLICE:
            await asyncio.sleep(0)
            self._began = time.perf_counter()


def side_of(ruleset: RuleSet, extra_rows: Mapping[str, Provider] = EMPTY, region: str | None = None) -> Side:
    """Return a rule set with the catalogue and the providers as its records change them."""
    rows = provider_rows(ruleset.enabled("provider"), extra_rows, region=region)
    models = (record for record in ruleset.enabled("model") if isinstance(record, ModelRecord))
    return Side(
        ruleset=ruleset,
        catalog=load_catalog().with_records(models, {name: row.dialect for name, row in rows.items()}),
        live=LiveState(unsupported=unsupported_features(rows.values())),
        default_on=frozenset(name for name, row in provider_rows((), extra_rows).items() if row.enabled),
    )


def read_since(since: object) -> timedelta:
    """Return how long ago `since` is. Raises InvalidRequest."""
    match = re.fullmatch(r"(\d{1,6})([mhd])", since.strip()) if isinstance(since, str) else None
    most = timedelta(days=RETENTION)
    ago = timedelta(**{UNITS[match[2]]: int(match[1])}) if match else None
    if ago is None or not timedelta(0) < ago <= most:
        message = (
            f"since: expected minutes, hours or days such as 90m, 24h or {RETENTION}d, at most {RETENTION}d"
        )
        raise InvalidRequest(message, param="since")
    return ago
