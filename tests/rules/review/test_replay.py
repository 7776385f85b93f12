"""Replays: that they equal decisions one by one, and what their reports say about each kind of change."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from rules import NANO
from rules.review.replay import MAX_EXAMPLES, measured
from rules.review.samples import Sample, read_sample, write_sample
from tests.support.replayed import (
    decided,
    random_records,
    random_samples,
    replayed,
    sample,
    side,
)
from tests.support.small_catalog import access, alias, route

Item = dict[str, Any]


@pytest.mark.parametrize("seed", [pytest.param(seed, id=f"seed {seed}") for seed in range(5)])
def test_a_replay_equals_deciding_one_by_one(seed: int) -> None:
    random = Random(seed)
    samples = random_samples(random, 1_000)
    sets = [random_records(random), random_records(random)]
    before, after = map(side, sets)
    speeds = measured((each.served, each.first_token) for each in samples)
    counts: Counter[str] = Counter()
    moves: Counter[tuple[str, str]] = Counter()
    costs: Counter[str] = Counter()
    for each in samples:
        was, now = (decided(each.facts, one, each.spent, speeds) for one in (before, after))
        names = tuple(one.candidates[0].id if one.candidates else one.refusal.code for one in (was, now))
        kinds = {(True, True): "moved", (True, False): "refused", (False, True): "admitted"}
        kind = kinds.get((bool(was.candidates), bool(now.candidates)), "still_refused")
        counts["same" if kind == "moved" and names[0] == names[1] else kind] += 1
        counts["effects"] += names[0] == names[1] and was.effects != now.effects
        if names[0] != names[1]:
            moves[names] += 1
        if each.usage and None not in (paid := [_cost(each, one) for one in (was, now)]):
            costs.update({"before": paid[0], "after": paid[1]})
    report = replayed(samples, *sets)
    assert {name: report[name] for name in counts} == counts
    assert sum(report[name] for name in ("same", "moved", "refused", "admitted", "still_refused")) == 1_000
    reported: Counter[tuple[str, str]] = Counter()
    for change in report["changes"]:
        reported[_text(change["from"]), _text(change["to"])] += change["count"]
    if not report["more_changes"]:
        assert reported == moves
    assert {name: round(report["cost"][name] * NANO) for name in ("before", "after")} == {
        name: costs[name] for name in ("before", "after")
    }


def _text(outcome: Item) -> Any:
    return outcome.get("model") or outcome["refused"]


def _cost(each: Sample, decision: Any) -> Any:
    if decision.refusal:
        return 0
    first = decision.candidates[0]
    if first.id == each.served and each.cost is not None:
        return each.cost
    if first.price is None:
        return None
    rates = {"input": first.price.input, "output": first.price.output}
    return sum((count * rates[part] + 500_000) // 1_000_000 for part, count in each.usage.items())


def test_a_replay_of_5000_samples_that_were_stored_equals_that_of_the_samples() -> None:
    random = Random(8)
    samples = random_samples(random, 5_000)
    sets = [random_records(random), random_records(random)]
    stored = [read_sample(write_sample(each) or "") for each in samples]
    named = [each for each in samples if each.facts.user is None]
    assert replayed([each for each in stored if each.facts.user is None], *sets) == replayed(named, *sets)
    assert replayed(stored, *sets)["samples"] == 5_000


BIG, MID, MINI = "openai/big", "openai/mid", "openai/mini"


FREE = {"input": 0, "output": 0}


@pytest.mark.parametrize(
    ("one", "before", "after", "change"),
    [
        pytest.param(
            sample(),
            [route(model=BIG)],
            [route(model=MID)],
            (BIG, MID, "route", "r", "decides now"),
            id="a route that chooses another model",
        ),
        pytest.param(
            sample(),
            [route(model=BIG)],
            [route(model=BIG), route("s", model=MID, priority=1)],
            (BIG, MID, "route", "s", "decides now"),
            id="a route that goes before another one",
        ),
        pytest.param(
            sample(MID),
            [route(model=BIG, override=True)],
            [],
            (BIG, MID, "route", "r", "is not in the new set"),
            id="a route that was removed",
        ),
        pytest.param(
            sample(MID),
            [route(model=BIG, override=True)],
            [route(model=BIG, override=True, enabled=False)],
            (BIG, MID, "route", "r", "is not in the new set"),
            id="a route that was disabled",
        ),
        pytest.param(
            sample(MID),
            [route(model=BIG, override=True)],
            [route(model=BIG)],
            (BIG, MID, "route", "r", "decides no more"),
            id="a route that lost its override",
        ),
        pytest.param(
            sample("good"),
            [alias("good", BIG)],
            [alias("good", MINI)],
            (BIG, MINI, "alias", "good", "decides now"),
            id="an alias of other models",
        ),
        pytest.param(
            sample("good"),
            [alias("good", BIG)],
            [],
            (BIG, "model_not_found", "alias", "good", "is not in the new set"),
            id="an alias that was removed",
        ),
        pytest.param(
            sample(BIG),
            [],
            [access("a", deny=[MID]), access("ab", deny=[BIG])],
            (BIG, "model_not_allowed", "access", "ab", "denied by access ab"),
            id="a model that is denied",
        ),
        pytest.param(
            sample(BIG),
            [access("a", models=[MID])],
            [],
            ("model_not_allowed", BIG, "access", "a", "before: not admitted by access a"),
            id="a model that is admitted again",
        ),
        pytest.param(
            sample(),
            [route(model=BIG, fallbacks=[MINI])],
            [route(model=BIG, fallbacks=[MINI]), access(deny=["*/big"])],
            (BIG, MINI, "access", "a", "denied by access a"),
            id="a fallback in place of a model that is denied",
        ),
        pytest.param(
            sample(),
            [route(prefer="quality")],
            [route(prefer="cheap", when={"hour": 12})],
            (BIG, "groq/org/Open-7B", "route", "r", "decides now"),
            id="a preference of a route",
        ),
        pytest.param(
            sample(prefer="cheap"),
            [],
            [{"kind": "model", "id": "openai/tiny", "provider": "openai", "name": "tiny", "price": FREE}],
            ("groq/org/Open-7B", "openai/tiny", "model", "openai/tiny", "has changed"),
            id="a new model that is cheaper",
        ),
        pytest.param(
            sample(BIG),
            [],
            [access(models="gpt 4", scope={"project": "web"}, nonsense=True)],
            (BIG, "rule_unreadable", "access", "a", "it cannot be read, and refuses its scope"),
            id="an access record that cannot be read",
        ),
        pytest.param(
            sample("own/m"),
            [],
            [
                {"kind": "provider", "id": "own", "base_url": "https://own.example/v1", "dialect": "openai"},
                {"kind": "model", "id": "own/m", "provider": "own", "name": "m"},
            ],
            ("model_not_found", "own/m", "model", "own/m", "has changed"),
            id="a new provider, whose credential is assumed to be there",
        ),
    ],
)
def test_a_change_names_its_record(
    one: Sample, before: list[Item], after: list[Item], change: tuple[str, ...]
) -> None:
    [row] = replayed([one], before, after)["changes"]
    why = row["why"]
    assert (_text(row["from"]), _text(row["to"]), why["kind"], why["id"], why["text"]) == change
    assert row["count"] == 1


def test_a_provider_whose_record_was_removed_is_not_available() -> None:
    records = [
        {"kind": "provider", "id": "own", "base_url": "https://own.example/v1", "dialect": "openai"},
        {"kind": "model", "id": "own/m", "provider": "own", "name": "m"},
    ]
    one = sample("own/m", now={"available": ("own",)})
    [change] = replayed([one], records, records[1:])["changes"]
    assert change["to"] == {"refused": "no_candidate"}
    assert change["why"] == {"kind": "provider", "id": "own", "text": "is not in the new set"}


def test_costs_are_those_of_the_recorded_usage() -> None:
    samples = [
        sample(MID, now={"served": MID, "cost": 7_000_000}),  # as it was charged
        sample(MID),
        sample(MID, now={"usage": {}}),
        sample("mistral/open-7b", project="lab"),  # which has no price
    ]
    cost = replayed(samples, [], [route(model=BIG, override=True, scope={"project": "web"})])["cost"]
    assert (cost["priced"], cost["without_usage"], cost["unpriced"]) == (2, 1, 1)
    assert cost["before"] == pytest.approx(0.007 + 0.007)
    assert cost["after"] == pytest.approx(2 * 0.035)


def test_records_that_apply_to_nothing_are_listed() -> None:
    before = [route("old", model=BIG), route("hidden", model=BIG, scope={"project": "web"}), alias("x", MID)]
    after = [
        route("hidden", model=BIG, when={"hour": 3}),
        route("all", model=BIG),
        access("lab", models=[], scope={"project": "lab"}),
        {"kind": "limit", "id": "l", "requests": 5, "per": "minute"},
        alias("x", MID),
    ]
    report = replayed([sample(), sample("x")], before, after)
    assert report["unused"] == [{"kind": "route", "id": "hidden"}, {"kind": "access", "id": "lab"}]
    assert report["no_longer_used"] == [{"kind": "route", "id": "hidden", "samples": 2, "removed": False}]
    assert report["same"] == 2


def test_other_effects_on_the_same_model_are_counted() -> None:
    report = replayed([sample(MID)], [], [route(cap={"max_tokens": 5})])
    assert (report["same"], report["effects"], report["changes"]) == (1, 1, [])


@pytest.mark.parametrize(
    ("record", "facts", "private", "inexact"),
    [
        pytest.param(
            {"when": {"header.x-team": "a"}}, {"header": {"x-team": "a"}}, (), 1, id="a header's value"
        ),
        pytest.param(
            {"when": {"header.x-team": {"exists": True}}},
            {"header": {"x-team": "a"}},
            (),
            0,
            id="a header's name",
        ),
        pytest.param({"when": {"header.x-team": "a"}}, {}, (), 0, id="a header that is not there"),
        pytest.param({"when": {"user": "alice"}}, {"user": "alice"}, (), 1, id="a user"),
        pytest.param(
            {"when": {"session": {"exists": True}}}, {"session": "s"}, (), 0, id="that there is a session"
        ),
        pytest.param({"when": {"tags.a": "x"}}, {"tags": {"a": "x"}}, (), 0, id="a tag"),
        pytest.param({"when": {"tags.a": "x"}}, {"tags": {"a": "x"}}, {"a"}, 1, id="a private tag"),
        pytest.param(
            {"when": {"tags.b": {"exists": True}}}, {"tags": {"a": "x"}}, {"*"}, 1, id="a tag among none"
        ),
        pytest.param(
            {"when": {"metadata.a": "x"}}, {"metadata": {"a": "x"}}, {"a"}, 1, id="private metadata"
        ),
        pytest.param(
            {"when": {"user": "alice", "hour": 3}},
            {"user": "alice"},
            (),
            0,
            id="a user, where another fact decides",
        ),
        pytest.param(
            {"when": {"user": "alice"}, "scope": {"project": "lab"}},
            {"user": "alice"},
            (),
            0,
            id="out of scope",
        ),
        pytest.param(
            {
                "split": [{"model": MID, "weight": 1}, {"model": BIG, "weight": 1}],
                "sticky": "tag.a",
                "model": None,
            },
            {"tags": {"a": "x"}},
            {"a"},
            1,
            id="a split by a private tag",
        ),
    ],
)
def test_what_samples_do_not_hold_makes_a_decision_inexact(
    record: Item, facts: Item, private: Any, inexact: int
) -> None:
    read = read_sample(write_sample(sample(**facts), private) or "")
    fields = {name: value for name, value in {"model": MID, **record}.items() if value is not None}
    assert replayed([read], [], [route(**fields)])["inexact"] == inexact


def test_an_odd_sample_is_skipped() -> None:
    odd: Any = sample().facts.replaced(input_tokens="many", model=None)
    report = replayed(
        [sample(), sample().replaced(facts=odd)], [], [route(when={"input_tokens": {"gt": 1}}, model=MID)]
    )
    assert (report["samples"], report["skipped"]) == (2, 1)


def test_examples_are_of_different_changes() -> None:
    samples = [sample(MID) for _ in range(50)] + [sample("good"), sample()]
    report = replayed(
        samples, [alias("good", BIG)], [alias("good", MINI), route(model=MINI), access(deny=[MID])]
    )
    examples = report["examples"]
    assert len(examples) == MAX_EXAMPLES
    assert len({(each["from"].get("model"), str(each["to"])) for each in examples}) == 3
    assert not replayed([sample(MID)], [], [])["examples"]
