"""The catalogue: its data, the models of a name, and the effect of model records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rules.catalog.catalog import (
    DEFAULT_FEATURES,
    PROVIDERS,
    Catalog,
    load_catalog,
    unlisted_model,
)
from rules.catalog.price import PARTS, Price
from rules.catalog.rows import COLUMNS
from rules.reading.fields import FEATURES
from rules.records.kinds import ModelRecord
from rules.ruleset import RuleSet
from tests.support.small_catalog import CATALOG

FILE = Path(__file__).parents[3] / "rules" / "catalog" / "catalog.json"


def test_the_file_has_the_columns_that_the_code_reads() -> None:
    read = json.loads(FILE.read_bytes())
    assert read["columns"] == list(COLUMNS)
    assert [source["licence"] for source in read["sources"]] == ["MIT", "MIT"]
    assert FILE.stat().st_size < 400_000


def test_the_rows_are_sorted_with_one_per_line() -> None:
    lines = [line.rstrip(",") for line in FILE.read_text().splitlines() if line.startswith('["')]
    ids = [json.loads(line)[0] for line in lines]
    assert ids == sorted(ids, key=str.lower)
    assert len({id.lower() for id in ids}) == len(ids) == len(load_catalog().all())


def test_the_values_of_every_row_are_plausible() -> None:
    for model in load_catalog().all():
        assert model.provider in PROVIDERS, model.id
        assert model.can <= set(FEATURES), model.id
        assert model.quality in (None, 1, 2, 3, 4, 5), model.id
        assert model.speed in (1, 2, 3, 4, 5), model.id
        assert model.context is None or model.context > 0, model.id
        assert model.price is None or min(model.price.input, model.price.output) >= 0, model.id


def test_the_models_that_automatic_selection_may_choose() -> None:
    auto = load_catalog().auto()
    assert 50 <= len(auto) <= 80
    assert all(model.price and model.quality and model.pool for model in auto)
    assert {"openai", "anthropic", "gemini", "mistral", "groq", "openrouter"} <= {
        model.provider for model in auto
    }


def test_every_successor_is_listed() -> None:
    catalog = load_catalog()
    for retired, successor in json.loads(FILE.read_bytes())["successors"].items():
        assert catalog.pool(successor), f"{retired} -> {successor}"
        assert catalog.named(retired) == catalog.pool(successor)


def test_a_price_is_in_nano_dollars_per_million_tokens() -> None:
    model = load_catalog().find("openai/gpt-4o-mini")
    assert model is not None
    assert model.price
    assert model.price.replaced(tiers=()) == Price(150_000_000, 600_000_000, 75_000_000)


@pytest.mark.parametrize(
    ("id", "service", "tokens", "part", "dollars"),
    [
        pytest.param("anthropic/claude-sonnet-4-5", "", 1, "cache_write", 3.75, id="a cache write"),
        pytest.param("anthropic/claude-sonnet-4-5", "", 1, "cache_write_1h", 6, id="one for an hour"),
        pytest.param("gemini/gemini-2.5-flash", "", 1, "audio_input", 1, id="audio"),
        pytest.param("gemini/gemini-2.5-pro", "", 200_000, "input", 1.25, id="a prompt that is not long"),
        pytest.param("gemini/gemini-2.5-pro", "", 200_001, "output", 15, id="a long prompt"),
        pytest.param("openai/gpt-5.4", "flex", 1, "reasoning", 7.5, id="reasoning in a service tier"),
        pytest.param("openai/gpt-5.4", "priority", 1, "cached_input", 0.5, id="cached input in one"),
    ],
)
def test_the_rarer_prices_are_read(id: str, service: str, tokens: int, part: str, dollars: float) -> None:
    model = load_catalog().find(id)
    assert model
    assert model.price
    assert model.price.of_request(service, tokens).rate(part) == dollars * 10**9


def test_a_tier_costs_at_most_what_is_plausible() -> None:
    for model in load_catalog().all():
        for tier in model.price.tiers if model.price else ():
            assert model.price
            assert tier.service or tier.above > 0, model.id
            for part in ("input", "output", *PARTS):
                assert 0 <= tier.price.rate(part) <= 20 * max(model.price.rate(part), 1), (model.id, tier)


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        pytest.param("gpt-5-mini", "openai", id="a bare name"),
        pytest.param("GPT-5-mini", "openai", id="a name in capitals"),
        pytest.param("claude-sonnet-4-6", "anthropic", id="a name with dashes"),
        pytest.param("claude-sonnet-4.6", "openrouter", id="the spelling of another provider"),
        pytest.param("claude-haiku-4-5-20251001", "bedrock", id="a dated name"),
        pytest.param("llama-3.3-70b", "sambanova", id="a family's short name"),
        pytest.param("meta-llama/Llama-3.3-70B-Instruct", "cloudflare", id="a name with its owner"),
        pytest.param("gpt-oss-120b", "groq", id="an open model"),
        pytest.param("mistral-large-latest", "mistral", id="a name that ends in latest"),
        pytest.param("deepseek-chat", "deepseek", id="a retired name"),
    ],
)
def test_a_common_name_finds_a_pool(name: str, provider: str) -> None:
    assert provider in {model.provider for model in load_catalog().named(name)}


def test_a_common_pool_has_at_most_one_model_per_provider() -> None:
    for name in ("gpt-5-mini", "claude-sonnet-4-6", "gpt-oss-120b", "kimi-k3", "glm-5.3"):
        providers = [model.provider for model in load_catalog().pool(name)]
        assert len(providers) == len(set(providers)) > 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("mid", "openai/mid", id="a listed name"),
        pytest.param("MID", "openai/mid", id="a listed name in capitals"),
        pytest.param("mid-2025-01-31", "openai/mid-2025-01-31", id="a dated name that is listed"),
        pytest.param("mid-20270101", "openai/mid-20270101", id="a dated name that is not listed"),
        pytest.param("old", "openai/mid", id="a retired name"),
        pytest.param("else", None, id="an unknown name"),
    ],
)
def test_a_pin_is_found(name: str, expected: str | None) -> None:
    found = CATALOG.pin("openai", name)
    assert (found and found.id) == expected


def test_a_future_date_has_the_facts_of_its_model_and_is_not_eligible_for_auto() -> None:
    dated, model = CATALOG.pin("openai", "mid-20270101"), CATALOG.find("openai/mid")
    assert dated is not None
    assert model is not None
    assert (dated.price, dated.context, dated.auto, dated.listed) == (model.price, model.context, False, True)


def test_a_retired_pin_has_no_successor_at_another_provider() -> None:
    assert CATALOG.pin("xai", "old") is None


def record(id: str, **fields: object) -> ModelRecord:
    provider, name = id.split("/", 1)
    item = {"kind": "model", "id": id, "provider": provider, "name": name, **fields}
    (read,) = RuleSet.read([item]).enabled("model")
    assert isinstance(read, ModelRecord)
    return read


def test_a_record_adds_a_model_and_its_provider() -> None:
    catalog = CATALOG.with_records([record("mylab/Tiny", price={"input": 1, "output": 2}, can=["tools"])])
    model = catalog.find("MYLAB/tiny")
    assert model is not None
    assert (model.id, model.pool, model.price) == ("mylab/Tiny", "tiny", Price(10**9, 2 * 10**9))
    assert (model.can, model.auto, model.listed) == (frozenset({"tools"}), True, True)
    assert catalog.pool("tiny") == (model,)
    assert "mylab" in catalog.providers
    assert CATALOG.find("mylab/tiny") is None


def test_a_record_with_like_takes_missing_fields_from_that_model() -> None:
    known = load_catalog().find("azure/gpt-5.4")
    assert known is not None
    assert known.rules
    records = [
        record("azure/team", like="azure/gpt-5.4"),
        record("azure/mine", like="AZURE/gpt-5.4", max_output=5, can=[]),
    ]
    catalog = load_catalog().with_records(records)
    like, mine = catalog.find("azure/team"), catalog.find("azure/mine")
    assert like is not None
    assert mine is not None
    for field in ("pool", "context", "max_output", "price", "can", "quality", "speed", "rules"):
        assert getattr(like, field) == getattr(known, field), field
    assert (like.id, like.auto) == ("azure/team", True)
    assert (mine.max_output, mine.can, mine.context) == (5, frozenset(), known.context)
    assert like in catalog.pool("gpt-5.4")


def test_like_with_an_unknown_model_has_no_effect() -> None:
    catalog = load_catalog().with_records([record("azure/team", like="azure/gtp-5.4")])
    model = catalog.find("azure/team")
    assert model is not None
    assert (model.rules, model.context, model.pool) == ((), None, "team")


def test_a_record_without_can_has_every_feature() -> None:
    open_ended = CATALOG.with_records([record("mylab/tiny")]).find("mylab/tiny")
    nothing = CATALOG.with_records([record("mylab/tiny", can=[])]).find("mylab/tiny")
    assert open_ended is not None
    assert nothing is not None
    assert (open_ended.can, nothing.can) == (DEFAULT_FEATURES, frozenset())


def test_a_record_moves_a_listed_model_to_another_pool_and_keeps_its_rules() -> None:
    listed = load_catalog().find("openai/gpt-5-mini")
    moved = load_catalog().with_records([record("openai/gpt-5-mini", pool="tiny")])
    assert listed is not None
    (model,) = moved.pool("tiny")
    assert (model.id, model.rules) == (listed.id, listed.rules)
    assert model not in moved.pool("gpt-5-mini")
    assert len([each for each in moved.all() if each.id == listed.id]) == 1


def test_a_record_for_a_retired_name_goes_before_its_successor() -> None:
    catalog = load_catalog().with_records([record("mylab/gpt-4")])
    assert next(model.id for model in catalog.named("gpt-4")) == "mylab/gpt-4"


def test_an_unlisted_model_has_every_feature() -> None:
    model = unlisted_model("openai", "Brand/New")
    assert (model.id, model.pool, model.can, model.listed) == (
        "openai/Brand/New",
        "new",
        DEFAULT_FEATURES,
        False,
    )


def test_an_empty_catalogue() -> None:
    empty = Catalog()
    assert (empty.all(), empty.auto(), empty.named("x"), empty.find("a/b")) == ((), (), (), None)


THOUGHTS_BACK = ("thoughts_back",)
FAMILIES = [
    pytest.param("acme/kimi-k3", {}, THOUGHTS_BACK, id="a family by its name, at any provider"),
    pytest.param(
        "acme/moonshotai/Kimi-K2-Thinking", {}, THOUGHTS_BACK, id="a name with its owner, in any case"
    ),
    pytest.param("vllm/deepseek-ai/DeepSeek-V4-Pro", {}, THOUGHTS_BACK, id="a model at a local server"),
    pytest.param("acme/deepseek-v3", {}, (), id="a model of no family, without reasoning"),
    pytest.param(
        "mistral/deepseek-v5", {}, THOUGHTS_BACK, id="an unlisted model at a host with its own rules"
    ),
    pytest.param("acme/house-model", {}, (), id="a model of no family"),
    pytest.param("acme/gpt-5.4-chat-x", {}, (), id="a family without rules"),
    pytest.param(
        "ant2/claude-opus-5-5",
        {"ant2": "anthropic"},
        "anthropic/claude-opus-5-5",
        id="another account at a vendor has the vendor's rules",
    ),
    pytest.param(
        "aws2/global.anthropic.claude-opus-5-5",
        {"aws2": "bedrock"},
        "bedrock/global.anthropic.claude-opus-5-5",
        id="another account at Bedrock has the surface too",
    ),
    pytest.param(
        "aws2/us.anthropic.claude-sonnet-5-5-v9:0",
        {"aws2": "bedrock"},
        "anthropic/claude-sonnet-5-5",
        id="a model that the vendor does not list has its family's rules",
    ),
    pytest.param(
        "or/anthropic/claude-sonnet-5.5",
        {},
        "anthropic/claude-sonnet-5-5",
        id="a family by a name with a dot",
    ),
    pytest.param("or/openai/gpt-5.4-mini", {}, "openai/gpt-5.4-mini", id="a family of OpenAI's"),
]


@pytest.mark.parametrize(("id", "dialects", "rules"), FAMILIES)
def test_a_model_has_the_rules_of_its_family(
    id: str, dialects: dict[str, str], rules: str | tuple[str, ...]
) -> None:
    catalog = load_catalog().with_records([], dialects)
    provider, _, name = id.partition("/")
    if isinstance(rules, str):
        listed = catalog.find(rules)
        assert listed is not None
        rules = listed.rules
    assert catalog.unlisted(provider, name).rules == rules
    recorded = load_catalog().with_records([record(f"{provider}/{name}")], dialects).find(id)
    assert recorded is not None
    assert recorded.rules == rules


def test_the_pool_of_a_record_determines_its_family() -> None:
    model = load_catalog().with_records([record("acme/team-chat", pool="kimi-k3")]).find("acme/team-chat")
    assert model is not None
    assert model.rules == THOUGHTS_BACK


def test_a_listed_model_has_its_familys_rules() -> None:
    """The models are at hosts without their own rules in scripts/catalog_overlay.toml."""
    catalog = load_catalog()
    for id in (
        "openrouter/moonshotai/kimi-k3",
        "fireworks/accounts/fireworks/models/kimi-k3",
        "together/moonshotai/Kimi-K3",
    ):
        model = catalog.find(id)
        assert model is not None
        assert model.rules == THOUGHTS_BACK
