"""Facts, samples and rule sets for replays: drawn at random, the same for a seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from rules import Facts, LiveState, RuleSet, decide
from rules.review.applying import Side
from rules.review.replay import Replay, measured
from rules.review.samples import Sample
from tests.support.small_catalog import ALL_PROVIDERS, CATALOG, MODELS

Item = dict[str, Any]

IDS = [model.id for model in MODELS]
NAMES = [*IDS, "open-7b", "cheap", "good", "auto", "auto:fast", "nobody/nothing", "no such model"]
PROJECTS, KEYS, FUNCTIONS = ("web", "batch", "lab"), ("k1", "k2", "k3", "k4"), ("sum", "chat", None)
TEAMS = ("blue", "red")


def side(records: Iterable[Item]) -> Side:
    """One side of a replay, over the small catalogue."""
    ruleset = RuleSet.read(records)
    catalog = CATALOG.with_records(
        ruleset.enabled("model"),  # type: ignore[arg-type]
        {record.id: "openai" for record in ruleset.enabled("provider")},
    )
    return Side(ruleset=ruleset, catalog=catalog, live=LiveState(), default_on=ALL_PROVIDERS)


def replayed(samples: Iterable[Sample], before: Iterable[Item], after: Iterable[Item]) -> Any:
    """The report of a replay."""
    samples = list(samples)
    replay = Replay(side(before), side(after), measured((each.served, each.first_token) for each in samples))
    for sample in samples:
        replay.add(sample)
    return replay.report()


def sample(model: str | None = None, *, now: Mapping[str, Any] = {}, **facts: Any) -> Sample:
    """A sample of a request that used 1,000 tokens in and 500 out. `now`: other fields of the sample."""
    usage = {"input": 1_000, "output": 500}
    fields = {"available": tuple(sorted(ALL_PROVIDERS)), "usage": usage, "at": 1_800_000_000, **now}
    return Sample(facts=Facts(**{"model": model, "project": "web", "key": "k1", **facts}), **fields)


def random_samples(random: Random, count: int) -> list[Sample]:
    return [_random_sample(random, number) for number in range(count)]


def _random_sample(random: Random, number: int) -> Sample:
    facts = {
        "project": random.choice(PROJECTS),
        "key": random.choice(KEYS),
        "function": random.choice(FUNCTIONS),
        "input_tokens": int(10 ** random.uniform(0, 5.5)),
        "max_tokens": random.choice((None, 100, 4_000)),
        "tools": random.choice((0, 0, 3)),
        "images": random.choice((0, 0, 1)),
        "json": random.choice((None, None, "object", "schema")),
        "stream": random.random() < 0.5,
        "hour": random.randrange(24),
        "tags": random.choice(({}, {"team": "blue"}, {"team": "red"})),
        "user": random.choice((None, "user 7", "user 42")),
        "prefer": random.choice((None, None, "cheap", "fast", "quality")),
        "fallbacks": random.choice(((), (), (random.choice(IDS),))),
        "random": random.random(),
    }
    used = {"input": random.randrange(10_000), "output": random.randrange(2_000)}
    own = {
        "request_id": f"r{number}",
        "served": random.choice((None, *IDS)),
        "first_token": random.choice((None, random.uniform(0.1, 3))),
        "usage": random.choice(({}, used, used, used)),
        "cost": random.choice((None, random.randrange(10**7))),
        "spent": random.choice(((), (), (), ("b0",))),
    }
    return sample(random.choice((None, *NAMES)), now=own, **facts)


def random_records(random: Random) -> list[Item]:
    """A rule set of routes, access records, limits, budgets and aliases."""
    routes = [
        {
            "kind": "route",
            "id": f"r{number}",
            "priority": random.randrange(3),
            **random.choice(
                (
                    {"model": random.choice(IDS), "override": random.random() < 0.5},
                    {"prefer": random.choice(("cheap", "fast", "quality"))},
                    {"split": [{"model": each, "weight": 1} for each in random.sample(IDS, 2)]},
                    {"fallbacks": random.sample(IDS, 2), "cap": {"max_tokens": 100}},
                    {"model": "good", "timeouts": {"total": 30}},
                )
            ),
            **_scope(random, "function"),
            **random.choice(({}, {"when": random.choice(_WHENS)})),
        }
        for number in range(random.randrange(8))
    ]
    access = [
        {
            "kind": "access",
            "id": f"a{number}",
            **random.choice(({"models": random.sample(IDS, 6)}, {"deny": random.sample(IDS, 2)})),
            **_scope(random, "key"),
        }
        for number in range(random.randrange(3))
    ]
    alias = {"kind": "alias", "id": "good", "models": random.sample(IDS, 2)}
    budget = {"kind": "budget", "id": "b0", "usd": 1, "per": "day", "then": {"prefer": "cheap"}}
    limit = {"kind": "limit", "id": "l0", "requests": 5, "per": "minute", **_scope(random, "project")}
    return [*routes, *access, alias, *random.choice(([], [budget], [limit], [budget, limit]))]


_WHENS: tuple[Item, ...] = (
    {"input_tokens": {"gt": 8_000}},
    {"tools": True},
    {"tags.team": "blue"},
    {"hour": {"gte": 18}},
    {"model": "openai/*"},
    {"user": "someone@example.com"},
)


def _scope(random: Random, name: str) -> Item:
    values = {"function": FUNCTIONS[:2], "key": KEYS, "project": PROJECTS}[name]
    return random.choice(({}, {"scope": {name: random.choice(values)}}))


def decided(facts: Facts, one: Side, spent: tuple[str, ...], first_token: Mapping[str, float]) -> Any:
    """The decision on one request, without a replay."""
    live = LiveState(available=ALL_PROVIDERS, first_token=first_token)
    return decide(facts, one.ruleset, one.catalog, live, frozenset(spent))
