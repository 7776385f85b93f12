"""Access records apply to every spelling of a name (contract, sections 4 and 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import Catalog, Facts, LiveState, Model, RuleSet, decide
from tests.support.small_catalog import ALL_PROVIDERS, MODELS, access, model

Item = dict[str, Any]

PRICE = (1, 1)
OWN = (
    *MODELS,
    model("openrouter/openai/mid", PRICE, pool="mid"),
    model("openrouter/openai/mid:extended", PRICE).replaced(pool=""),
    model("anthropic/claude-9", PRICE),
    model("bedrock/us.anthropic.claude-9-20260101-v1:0", PRICE).replaced(pool=""),
    model("gemini/flash-001", PRICE),
)
CATALOG = Catalog(successors={"old": "mid"}, own={each.id.lower(): each for each in OWN})
AVAILABLE = ALL_PROVIDERS | {"openrouter", "anthropic", "bedrock"}


def budget(**fields: Any) -> Item:
    return {"kind": "budget", "id": "b", "usd": 5, "per": "day", **fields}


NICK: Item = {"kind": "alias", "id": "nick", "models": ["openai/mid", "gemini/pro"]}
ONLY_NICK: Item = {"kind": "alias", "id": "openai/cheap", "models": ["anthropic/claude-9"]}

# A description of the records, the records, the requested names that are served, and those that are refused.
TABLE: list[tuple[str, list[Item], str, str]] = [
    (
        "a deny of a listed id",
        [access(deny=["openrouter/openai/mid"])],
        "openai/mid nick",
        "openrouter/openai/mid OpenRouter/OpenAI/MID openrouter:openai/mid openrouter/openai/mid:nitro "
        "openrouter/openai/mid:extended openrouter/openai/mid:free:online openrouter/openai/mid@20250131 "
        "openrouter/openai/mid-2099-12-31 openrouter/openai/mid-20991231 openrouter/openai/mid-latest "
        "openrouter/openai/mid-001 openrouter/openai/mid-0613 openrouter/openai/mid-latest:floor "
        "openrouter/openai/mid: openrouter/openai/old",
    ),
    (
        "a deny of an id with a pattern that admits all of the provider",
        [access(models=["openrouter/*"], deny=["openrouter/openai/mid"])],
        "",
        "openrouter/openai/mid openrouter/openai/mid:exacto openrouter:openai/mid:exacto openrouter/new",
    ),
    (
        "a deny of an id, and a pattern without * for another spelling of it",
        [access(models=["openrouter/openai/mid:online"], deny=["openrouter/openai/mid"])],
        "",
        "openrouter/openai/mid:online openrouter/openai/mid",
    ),
    (
        "a deny of a pool",
        [access(deny=["mid"])],
        "openai/mini gemini/pro nick",
        "mid MID openai/mid openai/mid-2025-01-31 mid-20991231 old openai/old openrouter/openai/mid:extended "
        "mid:nitro openrouter/evil/mid",
    ),
    ("a deny of a retired name", [access(deny=["old"])], "mid openai/mid", "old OLD openai/old"),
    ("a deny of an alias", [access(deny=["nick"])], "openai/mid gemini/pro", "nick NICK"),
    ("a deny of a member of an alias", [access(deny=["openai/mid"])], "nick gemini/pro", "openai/mid"),
    ("a deny of a provider", [access(deny=["google/*"])], "openai/mid", "gemini/pro google/pro gemini/new"),
    (
        "a deny of a model that has another name at Bedrock",
        [access(deny=["claude-9"])],
        "openai/mid",
        "anthropic/claude-9 bedrock/us.anthropic.claude-9-20260101-v1:0 bedrock/eu.anthropic.claude-9-v1:0",
    ),
    ("a deny of everything", [access(deny=["*"])], "", "openai/mid openai/new"),
    (
        "a condition on the model, under which nothing is admitted",
        [access(when={"model": "openai/mid"}, models=[])],
        "openai/mini gemini/pro",
        "openai/mid openai/mid-2025-01-31 openai/mid-2099-01-31 openai/old openai:mid openai/mid:x openai/n",
    ),
    (
        "a condition on a pool, under which nothing is admitted",
        [access(when={"model": ["mid", "x*"]}, models=[])],
        "openai/mini gemini/pro",
        "openai/mid openrouter/openai/mid:extended old xai/wide xai/new",
    ),
    (
        "a condition that excludes one model, under which nothing is admitted",
        [access(when={"model": {"not": "mid"}}, models=[])],
        "mid openai/mid openai/mid-2025-01-31",
        "openai/mini gemini/pro openai/mid:x",
    ),
    (
        "a pattern that admits a pool",
        [access(models=["mid"])],
        "mid openai/mid openai/mid-2025-01-31 openai/mid-2099-12-31 openrouter/openai/mid old",
        "openai/mini openrouter/evil/mid openai/ft:gpt:org/mid mistral/mid openrouter/openai/mid:x",
    ),
    (
        "a pattern that admits an id",
        [access(models=["openai/mid"])],
        "openai/mid openai:mid openai/mid-2025-01-31 openai/mid-2099-12-31 openai/old mid",
        "openrouter/openai/mid openai/mid:batch openai/mid@x openai/mini openai/new",
    ),
    ("a pattern for the newest", [access(models=["gemini/flash"])], "gemini/flash-001", "gemini/flash-001:x"),
    ("a pattern for a retired name", [access(models=["openai/old"])], "", "openai/old openai/mid"),
    ("a pattern for an alias", [ONLY_NICK, access(models=["openai/*"])], "openai/mid", "openai/cheap"),
    ("a pattern for all pools", [access(models=["*"])], "openai/mid gemini/pro", "openai/new"),
    ("a pattern for all ids", [access(models=["*/*"])], "openai/mid openai/new openai/mid:x", ""),
    ("a pattern with the provider's other name", [access(models=["google/*"])], "gemini/new", "openai/mid"),
    (
        "a deny of another model, with patterns",
        [access("a", deny=["xai/*"]), access("b", models=["openai/*", "openai/new", "mistral/7b"])],
        "openai/mid openai/new OpenAI/NEW mistral:7b",
        "openai/newer xai/wide openai/mid:x mistral:8b",
    ),
    ("a budget", [budget()], "openai/mid openai/mid-2099-12-31", "openai/new openai/mid:x openai/mid-latest"),
    ("a budget of one model", [budget(when={"model": "mid"})], "openai/mid xai/wide", "openai/new"),
    (
        "a limit of one model",
        [{"kind": "limit", "id": "l", "requests": 5, "per": "day", "when": {"model": "mid"}}],
        "openai/mid",
        "openai/new",
    ),
    (
        "a limit of all models",
        [{"kind": "limit", "id": "l", "requests": 5, "per": "day"}],
        "openai/new",
        "xai:new mistral:7b",
    ),
    (
        "a deny in another scope",
        [access(deny=["*"], scope={"project": "other"})],
        "openai/new openai/mid",
        "",
    ),
]


@pytest.mark.parametrize(
    ("records", "name", "served"),
    [
        pytest.param(
            records, name, served, id=f"under {description} {name} is {'served' if served else 'refused'}"
        )
        for description, records, allowed, refused in TABLE
        for served, names in ((True, allowed), (False, refused))
        for name in names.split()
    ],
)
def test_access_applies_to_every_spelling(records: list[Item], name: str, served: bool) -> None:
    decision = decide(
        Facts(model=name), RuleSet.read([NICK, *records]), CATALOG, LiveState(available=AVAILABLE)
    )
    assert bool(decision.candidates) is served, (decision.candidates, decision.refusal)


ENDINGS = (":nitro", ":", "@x", "-latest", "-001", "-0613", "-20990101", "-2099-01-01", "-05-06")


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(OWN),
    st.lists(st.sampled_from(ENDINGS), max_size=4).map("".join),
    st.sampled_from([str.lower, str.upper, lambda id: id.replace("/", ":", 1)]),
    st.sampled_from([access(models=["*/*"]), access(models=["*"]), NICK]),
    st.booleans(),
)
def test_no_suffix_evades_a_deny(
    denied: Model, endings: str, spelled: Callable[[str], str], other: Item, pool: bool
) -> None:
    pattern = denied.pool or denied.id if pool else denied.id
    facts = Facts(model=spelled(denied.id + endings))
    records = [access("deny", deny=[pattern]), other]
    decision = decide(facts, RuleSet.read(records), CATALOG, LiveState(available=AVAILABLE))
    assert not decision.candidates


def test_a_limit_of_a_model_applies_to_each_of_its_names() -> None:
    records = [{"kind": "limit", "id": "l", "requests": 5, "per": "day", "when": {"model": "old"}}, NICK]
    for name, applies in (("openai/old", True), ("old", True), ("openai/mid", False), ("gemini/pro", False)):
        decision = decide(Facts(model=name), RuleSet.read(records), CATALOG, LiveState(available=AVAILABLE))
        assert [limit.record.id for limit in decision.limits] == (["l"] if applies else [])


def test_the_cache_of_the_names_of_unlisted_models_is_bounded() -> None:
    ruleset, live = RuleSet.read([access(deny=["x"])]), LiveState(available=AVAILABLE)
    for number in range(4_200):
        decide(Facts(model=f"openai/new-{number}x"), ruleset, CATALOG, live)
    assert len(CATALOG.model_names) <= 4_096


@pytest.mark.parametrize("dialect", ["openai", "anthropic", "responses", "google"])
def test_reasoning_is_required_only_of_a_chat(dialect: str) -> None:
    """Agents that use other formats ask for an effort in every request."""
    plain = next(each for each in CATALOG.all() if "reasoning" not in each.can)
    facts = Facts(model=plain.id, reasoning="low", dialect=dialect)
    decision = decide(facts, RuleSet.read([]), CATALOG, LiveState(available=AVAILABLE))
    assert (decision.refusal is None) == (dialect != "openai")
