"""Affinity: which of several equal models a conversation stays at."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rules import LiveState, decide
from rules.affinity import Conversation, conversation_of, in_order
from rules.facts.chat import facts_of_request
from rules.facts.facts import Facts
from rules.review.check import run_tests
from rules.ruleset import RuleSet
from tests.support.small_catalog import CATALOG, Item, alias, candidate_ids, make_decision, route

NAMES = ("groq", "together", "mistral", "openai")
SESSIONS = [f"s{n}" for n in range(400)]
PRICE = {"input": 1, "output": 2}


def member(provider: str, price: Item | None = PRICE, pool: str = "twin") -> Item:
    own = {"provider": provider, "name": f"{provider}-{pool}", "pool": pool, "quality": 5}
    return {
        "kind": "model",
        "id": f"{provider}/{provider}-{pool}",
        **own,
        **({"price": price} if price else {}),
    }


TWINS = [member(provider) for provider in NAMES]
IDS = {record["id"] for record in TWINS}


def places(records: list[Item] = TWINS, model: str | None = "twin", **facts: Any) -> dict[str, str]:
    """The first candidate of each session."""
    return {
        session: candidate_ids(make_decision(model, records, session=session, **facts))[0]
        for session in SESSIONS
    }


def test_sessions_are_spread_over_equal_models() -> None:
    assert all(70 < count < 130 for count in Counter(places().values()).values())


def test_every_process_has_the_same_order() -> None:
    """The expected order is written down: no random hash of Python's may take part."""
    conversation = Conversation("session", b"s")
    assert in_order(["a/m", "b/m", "c/m", "d/m"], conversation) == ["c/m", "a/m", "b/m", "d/m"]


@pytest.mark.parametrize("gone", NAMES)
def test_only_the_sessions_of_a_model_that_goes_away_move(gone: str) -> None:
    before, left = places(), [record for record in TWINS if record["provider"] != gone]
    after = places(left)
    moved = {session for session in SESSIONS if before[session] != after[session]}
    assert moved == {session for session, place in before.items() if place.startswith(f"{gone}/")}
    assert len(Counter(after[session] for session in moved)) == 3, "they are spread over the others"


def test_a_model_that_cools_down_goes_last_and_loses_only_its_own_sessions() -> None:
    cooling = {"groq/groq-twin": 5.0}
    before, after = places(), places(live={"cooling": cooling})
    assert all(
        after[session] == place if place not in cooling else after[session] not in cooling
        for session, place in before.items()
    )
    decision = make_decision("twin", TWINS, session=_session_at("groq/groq-twin"), live={"cooling": cooling})
    assert candidate_ids(decision)[-1] == "groq/groq-twin"
    assert decision.explain()["affinity"]["model"] == "groq/groq-twin", "its cache is there, and it returns"


def _session_at(place: str) -> str:
    return next(session for session, at in places().items() if at == place)


@pytest.mark.parametrize(
    ("facts", "by"),
    [
        pytest.param({"session": "s", "opening": "a"}, "session", id="the session"),
        pytest.param({"opening": "a"}, "first messages", id="the first messages"),
        pytest.param({}, None, id="neither"),
    ],
)
def test_a_conversation_is_known_by_its_session_or_its_first_messages(facts: Item, by: str | None) -> None:
    conversation = conversation_of(Facts(**facts))
    assert (conversation and conversation.by) == by


def test_the_first_messages_stay_and_what_follows_does_not_matter() -> None:
    first = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}]
    more = [*first, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "Bye"}]
    one, other = (
        decide(facts_of_request({"model": "twin", "messages": each}), *_world(TWINS))
        for each in (first, more)
    )
    assert candidate_ids(one) == candidate_ids(other)
    assert one.affinity == other.affinity
    assert one.explain()["affinity"]["by"] == "first messages"


def _world(records: list[Item]) -> Any:
    ruleset = RuleSet.read(records)
    catalog = CATALOG.with_records(ruleset.enabled("model"))  # type: ignore[arg-type]
    return ruleset, catalog, LiveState(available=frozenset(NAMES))


ALIAS = [alias("both", "openai/openai-twin", "groq/groq-twin")]
DEAR = [member("groq", {"input": 1, "output": 2.01}), *TWINS[1:]]
SLOW = {"groq/groq-twin": 0.3, "together/together-twin": 0.7}
NEAR = {**SLOW, "together/together-twin": 0.5}
OTHERS = [member("groq", pool="a"), member("together", pool="b"), member("openai", pool="c")]


@pytest.mark.parametrize(
    ("records", "model", "facts", "first"),
    [
        pytest.param(TWINS, "twin", {}, IDS, id="a pool of one price"),
        pytest.param(TWINS, "twin:floor", {}, IDS, id="the cheapest of a pool"),
        pytest.param(TWINS, None, {"prefer": "quality"}, IDS, id="the best without a model"),
        pytest.param([*TWINS, route(model="twin")], None, {}, IDS, id="a pool that a rule names"),
        pytest.param([*TWINS, alias("a", "twin")], "a", {}, IDS, id="a pool that an alias names"),
        pytest.param([member(each, None) for each in NAMES], "twin", {}, IDS, id="a pool of unknown prices"),
        pytest.param(DEAR, "twin", {}, IDS - {"groq/groq-twin"}, id="not the member that costs more"),
        pytest.param([*TWINS, *ALIAS], "both", {}, {"openai/openai-twin"}, id="not the members of an alias"),
        pytest.param(TWINS, "groq/groq-twin", {}, {"groq/groq-twin"}, id="not a pin"),
        pytest.param(OTHERS, None, {"prefer": "quality"}, {"groq/groq-a"}, id="not models of several pools"),
        pytest.param(
            [*TWINS, route(affinity="none")], "twin", {}, {"groq/groq-twin"}, id="not without affinity"
        ),
        pytest.param(
            [*TWINS, route(affinity="session")], "twin", {}, IDS, id="a route that states the default"
        ),
        pytest.param(
            TWINS[:2],
            "twin:nitro",
            {"live": {"first_token": SLOW}},
            {"groq/groq-twin"},
            id="not the slow one",
        ),
        pytest.param(
            TWINS[:2],
            "twin:nitro",
            {"live": {"first_token": NEAR}},
            {"groq/groq-twin", "together/together-twin"},
            id="those that are nearly as fast",
        ),
        pytest.param(
            TWINS[:3],
            "twin:nitro",
            {"live": {"first_token": SLOW}},
            {"groq/groq-twin", "mistral/mistral-twin"},
            id="those that this process has not measured",
        ),
    ],
)
def test_these_models_are_equal(records: list[Item], model: str | None, facts: Item, first: set[str]) -> None:
    found = places(records, model, **facts)
    assert set(found.values()) == first


def test_a_measured_time_does_not_stand_in_for_a_slow_prior() -> None:
    live = {"first_token": {"groq/org/Open-7B": 0.3}}  # of tier 5; the others are of tier 3
    found = places([], "open-7b:nitro", live=live)
    assert set(found.values()) == {"groq/org/Open-7B"}


def test_a_fallback_that_is_a_pool_has_affinity_too() -> None:
    records = [*TWINS, route(model="openai/big", fallbacks=["twin"])]
    seconds = {candidate_ids(make_decision(None, records, session=session))[1] for session in SESSIONS[:50]}
    assert seconds == IDS


def test_where_answers_are_cached_equal_requests_of_several_sessions_go_to_one_model() -> None:
    records: list[Item] = [*TWINS, {"kind": "cache", "id": "c", "ttl": 60}]
    assert len(set(places(records, opening="Hello").values())) == 1
    assert len(set(places(opening="Hello").values())) == 4


def test_the_explanation_says_where_the_session_is_and_why() -> None:
    explained = make_decision("twin", TWINS, session="s").explain()
    home = explained["candidates"][0]["model"]
    assert explained["affinity"] == {"by": "session", "model": home, "among": sorted(IDS)}
    for decision in (make_decision("twin", TWINS), make_decision("openai/big", session="s")):
        assert "affinity" not in decision.explain()


def test_the_wording_of_a_rule_test_does_not_choose_between_equal_models() -> None:
    tests: list[Item] = [
        {
            "kind": "test",
            "id": f"t{n}",
            "request": {"model": "twin", "messages": [{"role": "user", "content": f"Question {n}"}]},
            "expect": {"model": "groq/groq-twin"},
        }
        for n in range(10)
    ]
    assert run_tests(RuleSet.read([*TWINS, *tests])) == []


@pytest.mark.slow
def test_processes_with_other_hash_seeds_agree(tmp_path: Path) -> None:
    rules, request = tmp_path / "rules.json", tmp_path / "request.json"
    rules.write_text(json.dumps(TWINS))
    request.write_text(json.dumps({"model": "twin", "messages": [{"role": "user", "content": "Hello"}]}))
    command = [sys.executable, "-m", "rules", "explain", str(rules), str(request)]
    processes = [
        subprocess.Popen(command, env={"PYTHONHASHSEED": str(seed)}, stdout=subprocess.PIPE)
        for seed in range(8)
    ]
    explained = [json.loads(process.communicate()[0]) for process in processes]
    assert len({json.dumps(each["candidates"]) for each in explained}) == 1
    assert explained[0]["affinity"]["among"] == sorted(IDS)
