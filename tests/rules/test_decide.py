"""The model that answers (contract, section 4), clause by clause."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from rules import Catalog, Model, Reason, decide
from rules.admission import LiveState
from rules.facts.facts import Facts
from rules.ruleset import RuleSet
from tests.support.small_catalog import (
    ALL_PROVIDERS,
    CATALOG,
    Item,
    access,
    alias,
    candidate_ids,
    make_decision,
    model,
    rejection_reasons,
    route,
)

POOL = ["groq/org/Open-7B", "together/Org/open-7b-Turbo", "mistral/open-7b"]
BALANCED = ["openai/mid", "gemini/pro", "openai/big"]
BEST = ["gemini/pro", "openai/mid", "openai/big"]


CHEAP = ["groq/org/Open-7B", "openai/mini", "gemini/pro", "xai/wide", "openai/mid"]


@pytest.mark.parametrize(
    ("facts", "records", "expected"),
    [
        pytest.param({}, [], ["gemini/pro", "openai/mid"], id="balanced is the default"),
        pytest.param({"prefer": "cheap"}, [], CHEAP, id="the request's preference"),
        pytest.param({}, [route(prefer="cheap")], CHEAP, id="the rule's preference"),
        pytest.param(
            {"prefer": "cheap"}, [route(prefer="quality")], CHEAP, id="the request's before the rule's"
        ),
        pytest.param({"model": "auto"}, [], ["gemini/pro", "openai/mid"], id="auto names no model"),
        pytest.param({"model": "AUTO:cheap"}, [], CHEAP, id="auto with a preference"),
        pytest.param(
            {"model": "auto:cheap", "prefer": "fast"}, [], CHEAP, id="the suffix goes before the header"
        ),
        pytest.param({"prefer": "fast"}, [], ["groq/org/Open-7B", "openai/mini"], id="fast uses the prior"),
        pytest.param({"prefer": "quality"}, [], ["openai/big", "gemini/pro"], id="quality, then cheaper"),
        pytest.param(
            {"audio": 1, "prefer": "cheap"},
            [],
            ["gemini/pro", "xai/wide", "openai/mid"],
            id="only capable models",
        ),
        pytest.param(
            {"input_tokens": 200_000},
            [],
            ["gemini/pro", "xai/wide"],
            id="only models whose context window is large enough or unknown",
        ),
    ],
)
def test_automatic_selection_ranks_by_preference(
    facts: Item, records: list[Item], expected: list[str]
) -> None:
    decision = make_decision(records=records, **facts)
    assert candidate_ids(decision)[: len(expected)] == expected
    assert (decision.reason, decision.pinned) == (Reason.PREFERENCE, False)


def test_automatic_selection_takes_only_eligible_models_of_known_price() -> None:
    decision = make_decision(prefer="cheap")
    assert not {"together/Org/open-7b-Turbo", "local/echo"} & set(candidate_ids(decision))
    assert rejection_reasons(decision)["mistral/open-7b"] == "price unknown"


def test_a_model_record_is_eligible_for_auto_unless_it_says_otherwise() -> None:
    record: Item = {"kind": "model", "id": "xai/own", "provider": "xai", "name": "own", "quality": 5}
    price = {"price": {"input": "0.01", "output": "0.01"}}
    assert candidate_ids(make_decision(records=[{**record, **price}]))[0] == "xai/own"
    assert "xai/own" not in candidate_ids(make_decision(records=[{**record, **price, "auto": False}]))
    assert "xai/own" not in candidate_ids(make_decision(records=[record]))


def test_a_model_record_replaces_a_row() -> None:
    record = {"kind": "model", "id": "openai/mid", "provider": "openai", "name": "mid", "context": 10}
    refusal = make_decision("openai/mid", [record], input_tokens=11).refusal
    assert refusal is not None
    assert refusal.code == "context_length_exceeded"


@pytest.mark.parametrize(
    ("records", "facts", "expected", "reason"),
    [
        pytest.param([route(model="openai/mini")], {}, ["openai/mini"], "rule", id="a rule chooses"),
        pytest.param(
            [route(model="openai/mini")],
            {"model": "auto"},
            ["openai/mini"],
            "rule",
            id="a rule chooses when the request names auto",
        ),
        pytest.param(
            [route(model="openai/mini")],
            {"model": "mid"},
            ["openai/mid"],
            "requested",
            id="a named model goes before a rule",
        ),
        pytest.param(
            [route(model="openai/mini", override=True)],
            {"model": "mid"},
            ["openai/mini"],
            "rule",
            id="a rule with override goes before a named model",
        ),
        pytest.param(
            [route(model="openai/mini", override=True)],
            {"model": "no such thing"},
            ["openai/mini"],
            "rule",
            id="a rule with override ignores an unknown name",
        ),
        pytest.param(
            [route(model="openai/mini", when={"tools": True})],
            {},
            BEST[:2],
            "preference",
            id="a rule whose condition fails",
        ),
        pytest.param(
            [route("a", model="openai/mini"), route("b", model="openai/big", scope={"project": "default"})],
            {},
            ["openai/big"],
            "rule",
            id="the most specific rule",
        ),
        pytest.param(
            [route("a", model="openai/mini"), route("b", model="openai/big", priority=1)],
            {},
            ["openai/big"],
            "rule",
            id="a rule of higher priority",
        ),
        pytest.param(
            [route("b", model="openai/mini"), route("a", model="openai/big")],
            {},
            ["openai/big"],
            "rule",
            id="a rule of lower id",
        ),
        pytest.param([route(model="open-7b")], {}, POOL, "rule", id="a rule may choose a pool"),
        pytest.param(
            [route(model="best"), alias("best", "openai/big", "mid")],
            {},
            ["openai/big", "openai/mid"],
            "rule",
            id="a rule may choose an alias",
        ),
    ],
)
def test_a_rule_chooses_the_model(records: list[Item], facts: Item, expected: list[str], reason: str) -> None:
    decision = make_decision(records=records, **facts)
    assert (candidate_ids(decision)[: len(expected)], decision.reason) == (expected, reason)


def test_the_rules_effects_apply_to_a_named_model_too() -> None:
    record = route(
        model="openai/mini",
        fallbacks=["gemini/pro"],
        set={"temperature": 0},
        defaults={"top_p": 0.5},
        cap={"max_tokens": 10},
        timeouts={"total": 9},
        retries=2,
        hedge_after=3,
        retry_after_max=7,
        recovery="buffer",
        allow_fields=["plugins"],
    )
    decision = make_decision("openai/mid", [record])
    effects = decision.effects
    assert candidate_ids(decision) == ["openai/mid", "gemini/pro"]
    assert (decision.reason, decision.rule) == (Reason.REQUESTED, "r")
    assert (effects.set, effects.defaults, effects.cap) == (
        {"temperature": 0},
        {"top_p": 0.5},
        {"max_tokens": 10},
    )
    assert (effects.timeouts, effects.retries, effects.hedge_after) == ({"total": 9}, 2, 3)
    assert (effects.recovery, effects.allow_fields) == ("buffer", ("plugins",))
    assert effects.retry_after_max == 7


def test_the_default_effects() -> None:
    effects = make_decision("openai/mid").effects
    assert (effects.retries, effects.recovery, effects.cap) == (1, "error", {})
    assert (effects.hedge_after, effects.retry_after_max) == (None, 3)


@pytest.mark.parametrize(
    ("rule", "facts", "recovery"),
    [
        pytest.param(None, {}, "error", id="without fallbacks"),
        pytest.param(None, {"fallbacks": ("gemini/pro",)}, "resume", id="the request names fallbacks"),
        pytest.param({"fallbacks": ["gemini/pro"]}, {}, "resume", id="the rule names fallbacks"),
        pytest.param(
            {"retries": 0, "fallbacks": []}, {}, "error", id="the rule has an empty list of fallbacks"
        ),
        pytest.param(
            {"retries": 0}, {"fallbacks": ("gemini/pro",)}, "resume", id="the rule names no recovery"
        ),
        pytest.param({"recovery": "resume"}, {}, "resume", id="the rule sets resume"),
        pytest.param(
            {"recovery": "error", "fallbacks": ["gemini/pro"]}, {}, "error", id="the rule sets error"
        ),
    ],
)
def test_a_broken_stream_is_resumed_if_there_are_fallbacks(
    rule: dict[str, Any] | None, facts: dict[str, Any], recovery: str
) -> None:
    records = [] if rule is None else [route(**rule)]
    assert make_decision("openai/mid", records, **facts).effects.recovery == recovery


@pytest.mark.parametrize(
    ("name", "records", "facts", "expected"),
    [
        pytest.param("openai/mid", [access(deny=["openai/*"])], {}, "denied by access a", id="deny"),
        pytest.param(
            "openai/mid",
            [access(models=["gemini/*"])],
            {},
            "not admitted by access a",
            id="not among the models",
        ),
        pytest.param(
            "openai/mid", [access(models=[])], {}, "not admitted by access a", id="an empty list of models"
        ),
        pytest.param(
            "openai/mid",
            [access(models=["openai/*"], deny=["mid"])],
            {},
            "denied by access a",
            id="deny goes before models",
        ),
        pytest.param(
            "openai/mid",
            [access("a", models=["*"]), access("b", models=["gemini/*"])],
            {},
            "not admitted by access b",
            id="every record must admit",
        ),
        pytest.param(
            "openai/mid", [], {"key_models": ("gemini/*",)}, "not among the models", id="the key's own list"
        ),
        pytest.param(
            "openai/mid", [], {"key_models": ()}, "not among the models", id="the key's list is empty"
        ),
        pytest.param(
            "openai/old",
            [access(deny=["openai/mid"])],
            {},
            "denied",
            id="the successor of a retired name is compared",
        ),
        pytest.param(
            "openai/mid-2025-01-31",
            [access(deny=["openai/mid"])],
            {},
            "denied",
            id="a date does not evade a deny",
        ),
        pytest.param(
            "openai/mid-2027-01-31",
            [access(deny=["openai/mid"])],
            {},
            "denied",
            id="a future date does not evade a deny",
        ),
        pytest.param(
            "OPENAI/MID", [access(deny=["OpenAI/Mid"])], {}, "denied", id="capitals do not evade a deny"
        ),
        pytest.param(
            "openai:mid", [access(deny=["openai/mid"])], {}, "denied", id="a colon does not evade a deny"
        ),
        pytest.param(
            "nick",
            [alias("nick", "openai/mid"), access(deny=["openai/mid"])],
            {},
            "denied",
            id="an alias does not evade a deny",
        ),
        pytest.param(
            "open-7b", [access(deny=["open-7b"])], {}, "denied", id="a pool without an admitted model"
        ),
        pytest.param(
            "openai/brand-new",
            [access(deny=["groq/*"])],
            {},
            "not in the catalogue, and access a applies",
            id="an unlisted pin where a deny applies",
        ),
        pytest.param(
            "openai/brand-new",
            [{"kind": "budget", "id": "b", "usd": 5, "per": "day"}],
            {},
            "not in the catalogue, and budget b applies",
            id="an unlisted pin where a budget applies",
        ),
    ],
)
def test_a_named_model_that_is_not_admitted_is_never_replaced(
    name: str, records: list[Item], facts: Item, expected: str
) -> None:
    decision = make_decision(
        name, [*records, route(fallbacks=["gemini/pro"])], fallbacks=("xai/wide",), **facts
    )
    assert decision.refusal is not None
    assert (decision.refusal.code, decision.refusal.param) == ("model_not_allowed", "model")
    assert expected in decision.refusal.message
    assert not decision.candidates


@pytest.mark.parametrize(
    ("name", "records", "facts", "expected"),
    [
        pytest.param("openai/mid", [access(models=["openai/*"])], {}, ["openai/mid"], id="a pattern on ids"),
        pytest.param(
            "openai/mid", [access(models=["m*d"])], {}, ["openai/mid"], id="a pattern on bare names"
        ),
        pytest.param(
            "openai/mid", [access(models=["OPENAI/*"])], {}, ["openai/mid"], id="case is ignored in a pattern"
        ),
        pytest.param(
            "openai/mid",
            [access(deny=["*"], scope={"project": "other"})],
            {},
            ["openai/mid"],
            id="a record of another scope",
        ),
        pytest.param(
            "openai/mid",
            [access(deny=["*"], when={"model": "gemini/*"})],
            {},
            ["openai/mid"],
            id="a condition on the candidate",
        ),
        pytest.param(
            "open-7b",
            [access(deny=["groq/*", "mistral/*"])],
            {},
            ["together/Org/open-7b-Turbo"],
            id="the admitted models of a pool",
        ),
        pytest.param(
            "nick",
            [alias("nick", "openai/big", "openai/mid"), access(deny=["openai/big"])],
            {},
            ["openai/mid"],
            id="the admitted members of an alias",
        ),
        pytest.param(
            "openai/brand-new",
            [access(models=["openai/brand-new"]), {"kind": "budget", "id": "b", "usd": 5, "per": "day"}],
            {},
            ["openai/brand-new"],
            id="an unlisted pin that a pattern names",
        ),
        pytest.param(
            "openai/brand-new",
            [access(deny=["groq/*"])],
            {"key_models": ("OpenAI/brand-NEW",)},
            ["openai/brand-new"],
            id="an unlisted pin that the key's list names",
        ),
        pytest.param(
            "openai/brand-new",
            [access(deny=["groq/*"], scope={"project": "other"})],
            {},
            ["openai/brand-new"],
            id="an unlisted pin where no deny applies to the key",
        ),
    ],
)
def test_admitted_models(name: str, records: list[Item], facts: Item, expected: list[str]) -> None:
    assert candidate_ids(make_decision(name, records, **facts)) == expected


@pytest.mark.parametrize(
    ("records", "facts", "admitted"),
    [
        pytest.param([], {}, False, id="no model without a record"),
        pytest.param([access(models=["openai/*"])], {}, True, id="a model that a record admits"),
        pytest.param([access(models=["gemini/*"])], {}, False, id="a model that a record does not admit"),
        pytest.param([], {"key_models": ("openai/*",)}, True, id="a model that the key's list admits"),
        pytest.param(
            [access(models=["*"], scope={"key": "k2"})], {"key": "k1"}, False, id="a record of another key"
        ),
    ],
)
def test_the_default_access_can_be_deny(records: list[Item], facts: Item, admitted: bool) -> None:
    decision = make_decision("openai/mid", records, live={"default_access": "deny"}, **facts)
    assert (candidate_ids(decision) == ["openai/mid"]) is admitted


@pytest.mark.parametrize(
    ("facts", "param", "words"),
    [
        pytest.param({"tools": 1}, "tools", "does not support tools", id="tools"),
        pytest.param({"images": 1}, "messages", "does not support images", id="images"),
        pytest.param({"audio": 1}, "messages", "does not support audio", id="audio"),
        pytest.param({"files": 1}, "messages", "does not support files", id="files"),
        pytest.param({"reasoning": "high"}, "reasoning_effort", "reasoning", id="reasoning"),
    ],
)
def test_a_named_model_that_is_not_capable_is_refused(facts: Item, param: str, words: str) -> None:
    decision = make_decision("groq/org/open-7b", fallbacks=("openai/mid",), **facts)
    assert decision.refusal is not None
    assert (decision.refusal.code, decision.refusal.param) == ("unsupported_parameter", param)
    assert words in decision.refusal.message
    assert words in rejection_reasons(decision)["groq/org/Open-7B"]


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"json": "object"}, id="an object"),
        pytest.param({"json": "schema"}, id="a schema"),
        pytest.param({"json": "text"}, id="text"),
        pytest.param({"reasoning": "none"}, id="no reasoning"),
        pytest.param({"n": 3}, id="several choices"),
        pytest.param({"input_tokens": 8_000}, id="a prompt that just fits"),
    ],
)
def test_a_request_that_any_model_can_answer(facts: Item) -> None:
    assert candidate_ids(make_decision("groq/org/open-7b", **facts)) == ["groq/org/Open-7B"]


def test_a_prompt_that_is_too_long_for_the_named_model_is_refused() -> None:
    refusal = make_decision("groq/org/open-7b", input_tokens=8_001).refusal
    assert refusal is not None
    assert (refusal.code, refusal.param) == ("context_length_exceeded", "messages")
    assert "context is 8000 tokens" in refusal.message


def test_an_unlisted_pin_counts_as_capable() -> None:
    assert candidate_ids(
        make_decision("openai/brand-new", tools=1, images=1, json="schema", input_tokens=10**7)
    )


TOOLS_ONLY = frozenset({"tools", "json_object"})
ENFORCED = [
    pytest.param({}, [], {}, ["openai/mini", "xai/forced"], id="native schemas or a forced tool"),
    pytest.param({"tools": 1}, [], {}, ["openai/mini"], id="no forced tool if the request has tools"),
    pytest.param(
        {},
        [],
        {"unsupported": {"xai": frozenset({"forced_tool"})}},
        ["openai/mini"],
        id="no forced tool if the wire format has none",
    ),
    pytest.param(
        {},
        [],
        {"unsupported": {"openai": frozenset({"json_schema"})}},
        ["openai/mini", "xai/forced"],
        id="a wire format without schemas may have tools",
    ),
    pytest.param({}, ["no_forced_tool"], {}, ["openai/mini"], id="no forced tool if the family refuses it"),
]


@pytest.mark.parametrize(("facts", "rules", "live", "enforced"), ENFORCED)
def test_for_a_schema_preference_takes_only_models_whose_output_is_enforced(
    facts: Item, rules: list[str], live: Item, enforced: list[str]
) -> None:
    forced = model("xai/forced", (9, 9), can=TOOLS_ONLY).replaced(rules=tuple(rules))
    models = (model("openai/mini", (1, 1)), forced, model("groq/text", (0.1, 0.1), can=frozenset()))
    catalog = Catalog(own={each.id: each for each in models})
    requested = Facts(json="schema", prefer="cheap", **facts)
    decision = decide(requested, RuleSet.read([]), catalog, LiveState(available=ALL_PROVIDERS, **live))
    assert candidate_ids(decision) == enforced
    assert "groq/text" in rejection_reasons(decision)


@pytest.mark.parametrize("json", ["schema", "object"])
def test_a_named_model_may_have_no_structured_output(json: str) -> None:
    records = [route(model="groq/text"), {"kind": "model", **TEXT_ONLY}]
    assert candidate_ids(make_decision("groq/text", [records[1]], json=json)) == ["groq/text"]
    assert candidate_ids(make_decision(None, records, json=json)) == ["groq/text"]
    assert (
        candidate_ids(make_decision("openai/mini", [records[1]], json=json, fallbacks=("groq/text",)))[1]
        == "groq/text"
    )


def test_for_an_object_preference_takes_only_models_with_json_output() -> None:
    decision = make_decision(
        None, [{"kind": "model", **TEXT_ONLY, "price": {"input": 0, "output": 0}}], json="object"
    )
    assert rejection_reasons(decision)["groq/text"] == "does not support JSON output"


TEXT_ONLY: Item = {"id": "groq/text", "provider": "groq", "name": "text", "can": []}


def test_a_feature_that_a_wire_format_cannot_represent_is_refused() -> None:
    live = {"unsupported": {"openai": frozenset({"n", "tools"})}}
    refusal = make_decision("openai/brand-new", live=live, tools=1).refusal
    assert refusal is not None
    assert (refusal.code, refusal.param) == ("unsupported_parameter", "tools")
    assert "openai/mid" not in candidate_ids(make_decision(live=live, tools=1))


def test_content_given_by_url_is_refused_with_its_path_if_the_wire_format_cannot_represent_it() -> None:
    live, url = {"unsupported": {"openai": frozenset({"urls"})}}, "messages[1].content[0].image_url"
    refusal = make_decision("openai/brand-new", live=live, linked_part=url).refusal
    assert refusal is not None
    assert (refusal.code, refusal.param) == ("unsupported_parameter", url)
    assert make_decision("openai/brand-new", live=live).refusal is None
    assert "openai/mid" not in candidate_ids(make_decision(live=live, linked_part=url))


@pytest.mark.parametrize(
    ("model", "facts", "records", "expected"),
    [
        pytest.param(
            "openai/mid",
            {"fallbacks": ("gemini/pro", "open-7b")},
            [],
            ["openai/mid", "gemini/pro", *POOL],
            id="the request's fallbacks",
        ),
        pytest.param(
            "openai/mid",
            {"fallbacks": ("gemini/pro",)},
            [route(fallbacks=["xai/wide"])],
            ["openai/mid", "gemini/pro", "xai/wide"],
            id="the request's, then the rule's",
        ),
        pytest.param(
            None,
            {"fallbacks": ("xai/wide",), "prefer": "quality"},
            [],
            ["openai/big", "gemini/pro", "openai/mid", "groq/org/Open-7B", "xai/wide"],
            id="a preference leaves room for fallbacks",
        ),
        pytest.param(
            "openai/mid",
            {"fallbacks": ("nothing-like-it", "xai/wide")},
            [],
            ["openai/mid", "xai/wide"],
            id="an unknown fallback is skipped",
        ),
        pytest.param(
            "openai/mid",
            {"fallbacks": ("groq/org/open-7b", "xai/wide"), "tools": 1},
            [],
            ["openai/mid", "xai/wide"],
            id="a fallback that is not capable is skipped",
        ),
        pytest.param(
            "openai/mid",
            {"fallbacks": ("gemini/pro", "xai/wide")},
            [access(deny=["gemini/*"])],
            ["openai/mid", "xai/wide"],
            id="a fallback that is not admitted is skipped",
        ),
        pytest.param(
            "openai/mid",
            {"fallbacks": ("openai/mid", "mid")},
            [],
            ["openai/mid"],
            id="each model is tried once",
        ),
        pytest.param(
            "openai/mid",
            {"fallbacks": ("openai/big", "openai/mini", "openai/new")},
            [],
            ["openai/mid", "openai/big", "openai/mini", "openai/new"],
            id="more than two of a provider if they are named",
        ),
        pytest.param(
            "openai/mid",
            {"fallbacks": ("auto:cheap",)},
            [],
            ["openai/mid", "groq/org/Open-7B"],
            id="auto as a fallback",
        ),
        pytest.param(
            "openai/mid",
            {"fallbacks": tuple(f"openai/{n}" for n in range(9))},
            [],
            ["openai/mid", "openai/0", "openai/1", "openai/2", "openai/3"],
            id="at most five in all",
        ),
    ],
)
def test_fallbacks_follow_the_chosen_models(
    model: str | None, facts: Item, records: list[Item], expected: list[str]
) -> None:
    decision = make_decision(model, records, **facts)
    assert candidate_ids(decision)[: len(expected)] == expected
    assert len(decision.candidates) <= 5


def test_a_skipped_fallback_is_listed_with_its_reason() -> None:
    decision = make_decision("openai/mid", fallbacks=("nothing-like-it", "groq/org/open-7b"), tools=1)
    assert rejection_reasons(decision) == {
        "nothing-like-it": "no such model",
        "groq/org/Open-7B": "does not support tools",
    }


def test_a_preference_takes_at_most_two_models_of_a_provider() -> None:
    decision = make_decision(prefer="quality")
    assert Counter(candidate.model.provider for candidate in decision.candidates)["openai"] == 2


def test_only_a_pin_in_the_request_is_pinned() -> None:
    assert make_decision("openai/mid").pinned
    assert not make_decision("open-7b").pinned
    assert not make_decision(records=[route(model="openai/mid")]).pinned


def test_cooling_candidates_go_last() -> None:
    live = {"cooling": {"openai/mid": 5.0}}
    assert candidate_ids(make_decision("openai/mid", live=live, fallbacks=("xai/wide",))) == [
        "xai/wide",
        "openai/mid",
    ]
    assert candidate_ids(make_decision("openai/mid", live=live)) == ["openai/mid"]
    assert candidate_ids(make_decision("open-7b", live={"cooling": {POOL[0]: 5.0}})) == [*POOL[1:], POOL[0]]


def test_a_measured_speed_replaces_the_prior() -> None:
    assert (
        candidate_ids(make_decision(prefer="fast", live={"first_token": {"openai/big": 0.01}}))[0]
        == "openai/big"
    )


def test_local_answers_only_as_the_last_resort_or_when_named() -> None:
    assert candidate_ids(make_decision(available=frozenset({"local"}))) == ["local/echo"]
    assert "local/echo" not in candidate_ids(make_decision(prefer="cheap"))
    assert (
        candidate_ids(make_decision(available=frozenset({"local", "xai"}), fallbacks=("xai/new",)))[-1]
        == "xai/new"
    )
    assert candidate_ids(make_decision("local/echo")) == ["local/echo"]


def test_a_provider_without_a_credential_is_rejected_with_the_reason() -> None:
    why = {"openai": "no credential OPENAI_API_KEY"}
    decision = make_decision("openai/mid", available=frozenset({"xai"}), live={"unavailable": why})
    assert rejection_reasons(decision) == {"openai/mid": "no credential OPENAI_API_KEY"}
    assert decision.refusal is not None
    assert decision.refusal.code == "no_candidate"
    assert "openai/mid: no credential OPENAI_API_KEY" in decision.refusal.message


def test_the_fallbacks_answer_for_a_named_model_without_an_available_provider() -> None:
    decision = make_decision("openai/mid", available=frozenset({"xai"}), fallbacks=("xai/wide",))
    assert candidate_ids(decision) == ["xai/wide"]
    assert decision.refusal is None


def test_without_a_candidate_every_reason_is_given() -> None:
    decision = make_decision(available=frozenset())
    assert decision.refusal is not None
    assert (decision.refusal.code, decision.refusal.param) == ("no_candidate", None)
    assert "provider xai is not set up" in decision.refusal.message
    assert len(decision.rejections) == len(CATALOG.auto())


def test_a_rule_with_an_unknown_model() -> None:
    decision = make_decision(records=[route(model="gone")])
    assert (decision.refusal is not None, rejection_reasons(decision)) == (True, {"gone": "no such model"})


def test_an_unknown_preference_is_refused() -> None:
    refusal = make_decision(prefer="nice").refusal
    assert refusal is not None
    assert (refusal.code, refusal.param) == ("invalid_value", "prefer")


def test_an_unreadable_access_record_refuses_its_scope() -> None:
    broken = access(id="eu", scope={"project": "p"}, modles=["x"])
    refusal = make_decision("openai/mid", [broken], project="p").refusal
    assert refusal is not None
    assert refusal.code == "rule_unreadable"
    assert "eu" in refusal.message
    assert candidate_ids(make_decision("openai/mid", [broken], project="q")) == ["openai/mid"]


def test_the_cost_of_a_candidate() -> None:
    candidate = make_decision("openai/mid", input_tokens=1_000).candidates[0]
    assert (candidate.cost_min, candidate.cost_max) == (2_000_000, 2_000_000 + 4_096 * 10_000)
    bounded = make_decision("openai/mid", input_tokens=0, max_tokens=100, n=2).candidates[0]
    assert (bounded.cost_min, bounded.cost_max) == (0, 2 * 100 * 10_000)
    assert make_decision("mistral/brand-new").candidates[0].cost_max is None


@pytest.mark.parametrize(
    ("effects", "request_", "tokens"),
    [
        pytest.param({"cap": {"max_tokens": 10}}, {"max_tokens": 5_000}, 10, id="a cap bounds it"),
        pytest.param({"set": {"n": 4}}, {"max_tokens": 10}, 40, id="a rule sets the choices"),
        pytest.param(
            {"defaults": {"n": 4}}, {"max_tokens": 10}, 40, id="a rule has a default for the choices"
        ),
        pytest.param({"defaults": {"n": 4}}, {"max_tokens": 10, "n": 2}, 20, id="the request has a number"),
        pytest.param({"cap": {"n": 2}}, {"max_tokens": 10, "n": 8}, 20, id="a cap of the choices"),
        pytest.param({"set": {"max_tokens": None}}, {"max_tokens": 10}, 4_096, id="a rule removes the limit"),
        pytest.param(
            {"set": {"max_tokens": None}, "cap": {"max_tokens": 99}},
            {"max_tokens": 10},
            99,
            id="a rule removes the limit and has a cap",
        ),
        pytest.param({"set": {"n": None}}, {"max_tokens": 10, "n": 3}, 10, id="a rule removes the choices"),
    ],
)
def test_the_highest_cost_with_the_effects_of_a_rule(
    effects: Item, request_: dict[str, Any], tokens: int
) -> None:
    decision = make_decision("openai/mid", [route(**effects)], **request_)
    assert decision.candidates[0].cost_max == tokens * 10_000


def test_limits_and_budgets_that_apply_are_listed() -> None:
    records: list[Item] = [
        {"kind": "limit", "id": "l", "requests": 5, "per": "minute", "each": "key"},
        {"kind": "limit", "id": "t", "tokens": 9, "per": "day", "when": {"model": "gemini/*"}},
        {"kind": "budget", "id": "b", "usd": "2.5", "per": "month"},
        {"kind": "budget", "id": "other", "usd": 1, "per": "day", "scope": {"project": "other"}},
    ]
    assert make_decision("openai/mid", records).explain()["limits"] == [
        {"kind": "limit", "id": "l", "requests": 5, "per": "minute", "each": "key"},
        {"kind": "budget", "id": "b", "usd": 2.5, "per": "month"},
    ]


@pytest.mark.parametrize(
    ("name", "request_", "expected"),
    [
        pytest.param(
            "openai/mid", {"fallbacks": ("xai/wide",)}, {"xai/wide"}, id="a fallback of a named model"
        ),
        pytest.param(
            "openai/mid", {"fallbacks": ("openai/mid",)}, set(), id="a fallback that is also the named model"
        ),
        pytest.param(
            "gemini/pro",
            {"fallbacks": ("xai/wide",), "available": frozenset({"xai"})},
            {"xai/wide"},
            id="a fallback of a model without an available provider",
        ),
        pytest.param(
            "openai/mid",
            {"fallbacks": ("xai/wide",), "live": {"cooling": {"openai/mid": 5.0}}},
            {"xai/wide"},
            id="a fallback that goes before a model that is cooling down",
        ),
        pytest.param("open-7b", {}, set(), id="the members of a pool are not fallbacks"),
        pytest.param(
            None, {"available": frozenset({"local"})}, set(), id="the last resort is not a fallback"
        ),
    ],
)
def test_the_candidates_that_are_fallbacks(
    name: str | None, request_: dict[str, Any], expected: set[str]
) -> None:
    assert make_decision(name, **request_).fallbacks == expected


@pytest.mark.parametrize(
    ("rules", "unsupported"),
    [
        pytest.param((), {"urls"}, id="the provider's wire format"),
        pytest.param(("budget", "surface:own"), {"custom_tools"}, id="a surface of its own"),
        pytest.param(("surface:free",), set(), id="a surface that supports all features"),
        pytest.param(("surface:gone",), {"urls"}, id="a surface that the provider no longer has"),
    ],
)
def test_the_features_that_the_wire_format_of_a_model_cannot_represent(
    rules: tuple[str, ...], unsupported: set[str]
) -> None:
    by_wire = {"up": {"urls"}, "up surface:own": {"custom_tools"}, "up surface:free": set[str]()}
    world = LiveState(unsupported={wire: frozenset(each) for wire, each in by_wire.items()})
    assert world.unsupported_by(Model(provider="up", name="m", rules=rules)) == unsupported
    assert world.unsupported_by(Model(provider="else", name="m", rules=rules)) == set()
