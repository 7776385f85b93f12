"""Decisions about operations besides chat: which models are asked, and that an embedding keeps its model."""

from __future__ import annotations

from typing import Any

import pytest

from rules import Catalog, Decision, Facts, LiveState, Model, Price, RuleSet, decide, load_catalog
from rules.facts.facts import OPERATIONS
from tests.support.small_catalog import Item, alias, candidate_ids, rejection_reasons, route

DOLLAR = 10**9


def model(id: str, *can: str, pool: str = "", known: bool = True, price: Price | None = None) -> Model:
    provider, name = id.split("/", 1)
    return Model(
        provider=provider,
        name=name,
        pool=pool or name,
        can=frozenset(can),
        known=known,
        price=price,
        auto=True,
    )


MODELS = (
    model("openai/vectors", "embeddings", price=Price(DOLLAR, 0)),
    model("azure/vectors", "embeddings", price=Price(2 * DOLLAR, 0)),
    model("openai/other", "embeddings", price=Price(DOLLAR, 0)),
    model("openai/talk", "tools", price=Price(DOLLAR, DOLLAR)),
    model("together/talk", "tools", price=Price(DOLLAR, DOLLAR)),
    model("openai/raw", "completion", price=Price(DOLLAR, DOLLAR)),
    model("vllm/mine", known=False),
    model("voyage/both", "embeddings", "rerank"),
    model("openai/heard", "transcription", price=Price(0, 0, seconds=100 * DOLLAR)),
)
CATALOG = Catalog(own={each.id: each for each in MODELS})
WITHOUT_CHAT = frozenset({"chat", "prompts", "image"})
LIVE = LiveState(
    available=frozenset({"openai", "azure", "together", "vllm", "voyage"}),
    unsupported={"openai": frozenset({"prompts"}), "voyage": WITHOUT_CHAT, "vllm": frozenset()},
)


def decided(
    operation: str, model: str | None, *records: Item, live: LiveState = LIVE, **facts: Any
) -> Decision:
    wanted = Facts(operation=operation, model=model, input_tokens=10, **facts)
    return decide(wanted, RuleSet.read(records), CATALOG, live)


@pytest.mark.parametrize(
    ("operation", "model", "why"),
    [
        pytest.param("embeddings", "openai/vectors", None, id="an embedding model embeds"),
        pytest.param("chat", "openai/vectors", "it does embeddings, not chat", id="and does not chat"),
        pytest.param(
            "embeddings", "openai/talk", "it does chat, not embeddings", id="nor does a chat model embed"
        ),
        pytest.param("completion", "openai/talk", "it does chat, not completion", id="or complete"),
        pytest.param("completion", "together/talk", None, id="unless its host takes prompts"),
        pytest.param("completion", "openai/raw", None, id="a model for completions completes"),
        pytest.param("rerank", "vllm/mine", None, id="an unknown model does anything"),
        pytest.param("image", "openai/unlisted", None, id="and so does an unlisted pin"),
        pytest.param("rerank", "voyage/both", None, id="a model may do two things"),
        pytest.param("image", "voyage/both", "it does embeddings and rerank, not image", id="but no third"),
        pytest.param("image", "voyage/unlisted", "voyage has no image", id="a host without images"),
        pytest.param("chat", "voyage/unlisted", "voyage has no chat", id="a host without a chat"),
    ],
)
def test_a_model_is_asked_for_what_it_does(operation: str, model: str, why: str | None) -> None:
    decision = decided(operation, model)
    if why is None:
        assert candidate_ids(decision) == [model]
    else:
        assert decision.refusal
        assert (decision.refusal.code, decision.refusal.param) == ("unsupported_operation", "model")
        assert why in decision.refusal.message


SPLIT = [{"model": "openai/vectors", "weight": 1}, {"model": "openai/other", "weight": 9}]


@pytest.mark.parametrize(
    ("model", "records", "expected"),
    [
        pytest.param("vectors", [], ["openai/vectors", "azure/vectors"], id="a pool is one model"),
        pytest.param("openai/vectors", [route(fallbacks=["vectors", "other"])], None, id="fallbacks"),
        pytest.param("house", [alias("house", "vectors", "openai/other")], None, id="an alias"),
        pytest.param(
            *("house", [alias("house", "openai/other", "vectors")]),
            ["openai/other"],
            id="another order",
        ),
        pytest.param(None, [route(split=SPLIT)], ["openai/vectors"], id="a split"),
        pytest.param(None, [route(model="vectors")], None, id="a rule"),
    ],
)
def test_an_embedding_has_candidates_of_one_model(
    model: str | None, records: list[Item], expected: list[str] | None
) -> None:
    decision = decided("embeddings", model, *records)
    assert candidate_ids(decision) == (expected or ["openai/vectors", "azure/vectors"])


def test_the_model_of_an_embedding_stays_while_its_provider_is_away() -> None:
    away = LiveState(available=frozenset({"azure"}), unsupported=LIVE.unsupported)
    decision = decided("embeddings", "house", alias("house", "openai/other", "azure/vectors"), live=away)
    assert candidate_ids(decision) == []
    assert "cannot be compared with those of other" in rejection_reasons(decision)["azure/vectors"]


@pytest.mark.parametrize("model", [None, "auto", "auto:cheap"])
def test_preference_chooses_for_a_chat_only(model: str | None) -> None:
    decision = decided("embeddings", model, prefer="cheap")
    assert decision.refusal
    assert (decision.refusal.code, decision.refusal.param) == ("missing_required_parameter", "model")
    assert candidate_ids(decided("chat", None, prefer="cheap"))[0].endswith("/talk")


def test_an_operation_without_a_model_has_the_default_of_its_api() -> None:
    assert candidate_ids(decided("completion", None, default_model="openai/raw")) == ["openai/raw"]
    assert candidate_ids(
        decided("completion", None, route(model="together/talk"), default_model="openai/raw")
    ) == ["together/talk"]


def test_rules_may_ask_about_the_operation() -> None:
    records = [
        route("all", model="openai/talk"),
        route("vectors", when={"operation": ["embeddings", "rerank"]}, model="vectors"),
        {"kind": "access", "id": "a", "when": {"operation": "image"}, "models": []},
    ]
    assert decided("embeddings", None, *records).rule == "vectors"
    assert decided("chat", None, *records).rule == "all"
    refusal = decided("image", "vllm/mine", *records).refusal
    assert refusal
    assert refusal.code == "model_not_allowed"


def test_the_most_that_it_may_cost_has_no_output_and_has_other_units() -> None:
    vectors = decided("embeddings", "openai/vectors").candidates[0]
    assert (vectors.cost_min, vectors.cost_max, vectors.tokens) == (10_000, 10_000, 10)
    heard = decided("transcription", "openai/heard", units={"seconds": 60}).candidates[0]
    assert heard.cost_max == 6_000_000  # $0.006


def test_no_answer_is_cached_but_that_of_a_chat() -> None:
    cache = {"kind": "cache", "id": "c", "ttl": 60}
    assert decided("embeddings", "vectors", cache).cache is None
    assert decided("chat", "openai/talk", cache).cache is not None


def test_the_catalogue_has_models_for_each_operation() -> None:
    models = [each for each in load_catalog().all() if each.can & (set(OPERATIONS) - {"chat"})]
    assert {operation for each in models for operation in each.operations} == set(OPERATIONS) - {"chat"}
    assert not [each.id for each in models if each.auto or each.rules or len(each.operations) != 1]
    for pool in ("text-embedding-3-small", "embed-v4.0", "rerank-v3.5"):
        assert len({each.provider for each in load_catalog().pool(pool)}) == 2
    assert len(load_catalog().pool("titan-embed-text-v2")) == 1
