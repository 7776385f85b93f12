"""The model that answers (contract, section 4), clause by clause."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from rules import Catalog, Model, Reason, Refusal, decide, list_models
from rules.admission import LiveState
from rules.facts.facts import Facts
from rules.ruleset import RuleSet
from tests.support.small_catalog import (
    ALL_PROVIDERS,
    CATALOG,
    candidate_ids,
    make_decision,
    model,
    rejection_reasons,
)

Item = dict[str, Any]


def route(id: str = "r", **fields: Any) -> Item:
    return {"kind": "route", "id": id, **fields}


def access(id: str = "a", **fields: Any) -> Item:
    return {"kind": "access", "id": id, **fields}


def alias(id: str, *models: str) -> Item:
    return {"kind": "alias", "id": id, "models": list(models)}


POOL = ["groq/org/Open-7B", "together/Org/open-7b-Turbo", "mistral/open-7b"]
BALANCED = ["openai/mid", "gemini/pro", "openai/big"]
BEST = ["gemini/pro", "openai/mid", "openai/big"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("openai/mid", ["openai/mid"], id="a pin"),
        pytest.param("OpenAI/MID", ["openai/mid"], id="case is ignored in a listed pin"),
        pytest.param("google/pro", ["gemini/pro"], id="google is another name of gemini"),
        pytest.param("open-7b", POOL, id="a pool is every provider that serves it, unknown prices last"),
        pytest.param("OPEN-7B", POOL, id="case is ignored in a pool"),
        pytest.param("open-7b-Turbo", POOL, id="a provider's own name of a model means its pool"),
        pytest.param("org/open-7b", POOL, id="a name with its owner means its pool"),
        pytest.param("openai:mid", ["openai/mid"], id="provider:rest is a pin"),
        pytest.param("open-7b:floor", POOL, id="floor orders by price"),
        pytest.param("open-7b:nitro", ["groq/org/Open-7B", *POOL[1:]], id="nitro orders by speed"),
        pytest.param(
            "openai/mid:batch", ["openai/mid:batch"], id="a colon in a pin belongs to the provider's name"
        ),
        pytest.param("openai/brand-new", ["openai/brand-new"], id="an unlisted pin is relayed as it is"),
        pytest.param("openai/Brand-NEW", ["openai/Brand-NEW"], id="an unlisted pin keeps its case"),
        pytest.param("openai/mid-2025-01-31", ["openai/mid-2025-01-31"], id="a dated name that is listed"),
        pytest.param(
            "openai/mid-2026-12-31", ["openai/mid-2026-12-31"], id="a dated name that is not listed"
        ),
        pytest.param("mid-20261231", ["openai/mid"], id="a bare dated name means its undated pool"),
        pytest.param("openai/old", ["openai/mid"], id="a retired pin is its successor"),
        pytest.param("old", ["openai/mid"], id="a retired bare name is its successor"),
        pytest.param("team", ["gemini/pro", *POOL], id="an alias is tried in order, pools by preference"),
        pytest.param("TEAM", ["gemini/pro", *POOL], id="case is ignored in an alias"),
        pytest.param("mini", ["gemini/pro"], id="an alias comes before a catalogue name"),
        pytest.param("own/model", ["openai/mid"], id="an alias may have a slash"),
        pytest.param("outer", ["openai/mid"], id="an alias reaches one level"),
    ],
)
def test_a_name_is_resolved(name: str, expected: list[str]) -> None:
    aliases = [
        alias("team", "gemini/pro", "open-7b"),
        alias("mini", "gemini/pro"),
        alias("own/model", "openai/mid"),
        alias("outer", "team", "openai/mid"),
    ]
    decision = make_decision(name, aliases)
    assert (candidate_ids(decision), decision.reason) == (expected, Reason.REQUESTED)


@pytest.mark.parametrize(
    ("name", "code", "hint"),
    [
        pytest.param("mdi", "model_not_found", "Did you mean mid?", id="a similar name is suggested"),
        pytest.param("openay/mid", "model_not_found", "openai/mid", id="a similar pin is suggested"),
        pytest.param("qqqqqqqq", "model_not_found", "There is no model 'qqqqqqqq'.", id="no name is similar"),
        pytest.param("nobody/thing", "model_not_found", "nobody/thing", id="a pin of an unknown provider"),
        pytest.param("mistral:7b", "model_not_found", "mistral:7b", id="a tag of a local server"),
        pytest.param("xai:latest", "model_not_found", "xai:latest", id="the tag latest of a local server"),
        pytest.param(
            "openai:mdi", "model_not_found", "mid", id="a similar pin is suggested for a name with a colon"
        ),
        pytest.param("auto:best", "invalid_value", "auto:best", id="an unknown preference after auto"),
        pytest.param("a//b", "invalid_value", "a//b", id="an empty segment"),
        pytest.param("openai/../x", "invalid_value", "..", id="dots as a segment"),
        pytest.param(".hidden", "invalid_value", ".hidden", id="a dot at the beginning"),
        pytest.param("a b", "invalid_value", "a b", id="a blank"),
        pytest.param("x" * 201, "invalid_value", "xxx", id="a name that is too long"),
    ],
)
def test_a_name_without_a_model_is_refused(name: str, code: str, hint: str) -> None:
    decision = make_decision(name)
    assert decision.refusal is not None
    assert (decision.refusal.code, decision.refusal.param) == (code, "model")
    assert hint in decision.refusal.message
    assert not decision.candidates


def test_only_names_that_the_key_may_use_are_suggested() -> None:
    decision = make_decision("openay/mid", [access(deny=["openai/*"])])
    assert decision.refusal is not None
    assert "openai" not in decision.refusal.message


def test_a_provider_record_makes_its_id_known() -> None:
    provider = {"kind": "provider", "id": "mylab", "base_url": "https://llm.example.com/v1"}
    assert candidate_ids(make_decision("mylab/any", [provider], available=frozenset({"mylab"}))) == [
        "mylab/any"
    ]


def test_a_provider_record_can_refuse_unlisted_models() -> None:
    provider = {"kind": "provider", "id": "openai", "unlisted": "refuse"}
    refusal = make_decision("openai/brand-new", [provider]).refusal
    assert refusal is not None
    assert refusal.code == "model_not_found"
    assert candidate_ids(make_decision("openai/mid", [provider])) == ["openai/mid"]


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
    forced = replace(model("xai/forced", (9, 9), can=TOOLS_ONLY), rules=tuple(rules))
    models = (model("openai/mini", (1, 1)), forced, model("groq/text", (0.1, 0.1), can=frozenset()))
    catalog = Catalog({}, own={each.id: each for each in models})
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


def test_an_alias_with_unknown_members() -> None:
    decision = make_decision("best", [alias("best", "gone", "openai/mid")])
    assert (candidate_ids(decision), rejection_reasons(decision)) == (
        ["openai/mid"],
        {"gone": "no such model"},
    )
    empty = make_decision("best", [alias("best", "gone")])
    assert empty.refusal is not None
    assert empty.refusal.code == "no_candidate"


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


SPLIT = [{"model": "openai/mid", "weight": 3}, {"model": "xai/wide", "weight": 1}]


def arms(records: list[Item], users: int = 2_000, **facts: Any) -> dict[str, str]:
    return {
        f"u{n}": candidate_ids(make_decision(records=records, user=f"u{n}", **facts))[0] for n in range(users)
    }


def test_a_split_divides_users_by_weight_and_each_user_stays_on_an_arm() -> None:
    first, again = arms([route(split=SPLIT)]), arms([route(split=SPLIT)])
    assert first == again
    assert 0.70 < Counter(first.values())["openai/mid"] / len(first) < 0.80


def test_a_split_depends_on_the_id_of_the_record() -> None:
    assert arms([route("one", split=SPLIT)], 200) != arms([route("two", split=SPLIT)], 200)


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param({"records": [access(deny=["xai/*"])]}, id="an arm that is not admitted"),
        pytest.param({"input_tokens": 90_000, "audio": 1, "gone": "small"}, id="an arm that is not capable"),
    ],
)
def test_an_arm_that_cannot_answer_gives_its_weight_to_the_others(gone: Item) -> None:
    three = [*SPLIT, {"model": "gemini/pro", "weight": 1}]
    if gone.pop("gone", None):
        three[1] = {"model": "openai/mini", "weight": 1}
    records = [route(split=three), *gone.pop("records", [])]
    before, after = arms([route(split=three)], 500), arms(records, 500, **gone)
    left = {"openai/mid", "gemini/pro"}
    assert set(after.values()) == left
    assert all(after[user] == arm for user, arm in before.items() if arm in left)


@pytest.mark.parametrize(
    ("sticky", "facts", "other", "same"),
    [
        pytest.param("user", {"user": "u"}, {"random": 0.99}, True, id="by user"),
        pytest.param(None, {"user": "u"}, {"random": 0.99}, True, id="by user by default"),
        pytest.param(None, {}, {"random": 0.99}, False, id="by request without a user"),
        pytest.param("request", {"user": "u"}, {"random": 0.99}, False, id="by request"),
        pytest.param("key", {"key": "k"}, {"random": 0.99, "user": "other"}, True, id="by key"),
        pytest.param("tag.team", {"tags": {"team": "t"}}, {"random": 0.99}, True, id="by a tag"),
        pytest.param("tag.team", {}, {"random": 0.99}, False, id="by request without the tag"),
    ],
)
def test_the_sticky_value_of_a_split(sticky: str | None, facts: Item, other: Item, same: bool) -> None:
    halves = [{"model": "openai/mid", "weight": 1}, {"model": "xai/wide", "weight": 1}]
    record = route(split=halves, **({"sticky": sticky} if sticky else {}))
    one, two = (
        candidate_ids(make_decision(records=[record], **facts)),
        candidate_ids(make_decision(records=[record], **{**facts, **other})),
    )
    assert (one == two) is same


def test_the_fallbacks_answer_if_no_arm_of_a_split_can() -> None:
    decision = make_decision(
        records=[route(split=SPLIT, fallbacks=["gemini/pro"])], available=frozenset({"gemini"})
    )
    assert candidate_ids(decision) == ["gemini/pro"]
    assert set(rejection_reasons(decision)) == {"openai/mid", "xai/wide"}


def test_the_cost_of_a_candidate() -> None:
    candidate = make_decision("openai/mid", input_tokens=1_000).candidates[0]
    assert (candidate.cost_min, candidate.cost_max) == (2_000_000, 2_000_000 + 4_096 * 10_000)
    bounded = make_decision("openai/mid", input_tokens=0, max_tokens=100, n=2).candidates[0]
    assert (bounded.cost_min, bounded.cost_max) == (0, 2 * 100 * 10_000)
    assert make_decision("openai/brand-new").candidates[0].cost_max is None


def test_a_cap_bounds_the_cost() -> None:
    record = route(cap={"max_tokens": 10})
    assert make_decision("openai/mid", [record], max_tokens=5_000).candidates[0].cost_max == 10 * 10_000


def test_limits_and_budgets_that_apply_are_listed_and_not_active() -> None:
    records: list[Item] = [
        {"kind": "limit", "id": "l", "requests": 5, "per": "minute", "each": "key"},
        {"kind": "limit", "id": "t", "tokens": 9, "per": "day", "when": {"model": "gemini/*"}},
        {"kind": "budget", "id": "b", "usd": "2.5", "per": "month"},
        {"kind": "budget", "id": "other", "usd": 1, "per": "day", "scope": {"project": "other"}},
    ]
    assert make_decision("openai/mid", records).limits == (
        {"kind": "limit", "id": "l", "requests": 5, "per": "minute", "each": "key", "active": False},
        {"kind": "budget", "id": "b", "usd": 2.5, "per": "month", "active": False},
    )


def test_an_alias_that_the_key_may_not_use_is_not_suggested() -> None:
    secret = alias("acme-secret", "local/echo", "gemini/pro")
    theirs = access(deny=["local/*"], scope={"project": "theirs"})
    both = access("b", deny=["gemini/*"], scope={"project": "theirs"})
    for records, project, offered in [
        ([secret, theirs, both], "theirs", False),
        ([secret, theirs], "theirs", True),
        ([secret, theirs, both], "ours", True),
    ]:
        refusal = make_decision("acme-secre", records, project=project).refusal
        assert refusal is not None
        assert ("acme-secret" in refusal.message) is offered


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


def items(
    records: list[Item], *, available: frozenset[str] = ALL_PROVIDERS, **facts: Any
) -> list[dict[str, Any]]:
    found = list_models(RuleSet.read(records), CATALOG, LiveState(available=available), Facts(**facts))
    assert not isinstance(found, Refusal)
    return found


def listed(records: list[Item], **options: Any) -> list[str]:
    return [item["id"] for item in items(records, **options)]


def test_the_models_that_a_key_may_use() -> None:
    records = [access(models=["openai/*"]), alias("best", "openai/mid"), alias("barred", "gemini/pro")]
    assert listed(records) == [
        *("auto", "auto:cheap", "auto:fast", "auto:quality", "auto:balanced"),
        "best",
        *("big", "mid", "mid-2025-01-31", "mini"),
        *("openai/big", "openai/mid", "openai/mid-2025-01-31", "openai/mini"),
    ]


def test_an_alias_replaces_the_pool_of_its_name() -> None:
    assert listed([alias("big", "openai/mini")], available=frozenset({"openai"})).count("big") == 1


def test_no_model_is_listed_in_a_scope_that_an_unreadable_record_refuses() -> None:
    ruleset = RuleSet.read([access(modls=[], scope={"project": "theirs"})])
    world = LiveState(available=ALL_PROVIDERS)
    found = list_models(ruleset, CATALOG, world, Facts(project="theirs"))
    assert isinstance(found, Refusal)
    assert found.code == "rule_unreadable"
    assert isinstance(list_models(ruleset, CATALOG, world, Facts(project="ours")), list)


def test_models_without_a_credential_are_not_listed() -> None:
    assert listed([], available=frozenset({"mistral"})) == [
        *("auto", "auto:cheap", "auto:fast", "auto:quality", "auto:balanced"),
        *("open-7b", "mistral/open-7b"),
    ]
    assert listed([], available=frozenset({"openai"}), key_models=()) == []


def test_a_listed_model_has_its_context_window_and_its_price() -> None:
    by_id = {item["id"]: item for item in items([])}
    assert by_id["openai/mini"] == {
        "id": "openai/mini",
        "object": "model",
        "created": 0,
        "owned_by": "openai",
        "context_length": 100_000,
        "pricing": {"prompt": "0.0000002", "completion": "0.000001"},
    }
    assert "pricing" not in by_id["mistral/open-7b"]
    assert "context_length" not in by_id["xai/wide"]
    assert by_id["open-7b"]["owned_by"] == "sluice"


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
