"""The catalogue: what the data holds, what a name finds in it, and that reading it costs next to nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rules.catalog.catalog import (
    COLUMNS,
    DEFAULT_FEATURES,
    PROVIDERS,
    Catalog,
    Price,
    load_catalog,
    unlisted_model,
)
from rules.records.kinds import ModelRecord
from rules.ruleset import RuleSet
from tests.support.small_catalog import CATALOG

FILE = Path(__file__).parents[3] / "rules" / "catalog" / "catalog.json"


def test_the_file_is_what_the_code_reads() -> None:
    read = json.loads(FILE.read_bytes())
    assert read["columns"] == list(COLUMNS)
    assert [source["licence"] for source in read["sources"]] == ["MIT", "MIT"]
    assert FILE.stat().st_size < 400_000


def test_rows_are_sorted_one_a_line() -> None:
    lines = [line.rstrip(",") for line in FILE.read_text().splitlines() if line.startswith('["')]
    ids = [json.loads(line)[0] for line in lines]
    assert ids == sorted(ids)
    assert len({id.lower() for id in ids}) == len(ids) == len(load_catalog().all())


def test_every_row_makes_sense() -> None:
    for model in load_catalog().all():
        assert model.provider in PROVIDERS, model.id
        assert model.can <= DEFAULT_FEATURES | {"prefill"}, model.id
        assert model.quality in (None, 1, 2, 3, 4, 5), model.id
        assert model.speed in (1, 2, 3, 4, 5), model.id
        assert model.context is None or model.context > 0, model.id
        assert model.price is None or min(model.price.input, model.price.output) >= 0, model.id


def test_who_may_answer_when_no_model_is_named() -> None:
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
    assert model.price == Price(150_000_000, 600_000_000, 75_000_000)


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        pytest.param("gpt-5-mini", "openai", id="a bare name"),
        pytest.param("GPT-5-mini", "openai", id="in capitals"),
        pytest.param("claude-sonnet-4-6", "anthropic", id="with dashes"),
        pytest.param("claude-sonnet-4.6", "openrouter", id="as another provider spells it"),
        pytest.param("claude-haiku-4-5-20251001", "bedrock", id="a date"),
        pytest.param("llama-3.3-70b", "sambanova", id="a family's short name"),
        pytest.param("meta-llama/Llama-3.3-70B-Instruct", "cloudflare", id="its owner's name"),
        pytest.param("gpt-oss-120b", "groq", id="an open model"),
        pytest.param("mistral-large-latest", "mistral", id="latest"),
        pytest.param("deepseek-chat", "deepseek", id="a retired name"),
    ],
)
def test_what_people_type_finds_a_pool(name: str, provider: str) -> None:
    assert provider in {model.provider for model in load_catalog().named(name)}


def test_a_pool_holds_at_most_one_spelling_a_provider_of_what_is_common() -> None:
    for name in ("gpt-5-mini", "claude-sonnet-4-6", "gpt-oss-120b", "kimi-k3", "glm-5.3"):
        providers = [model.provider for model in load_catalog().pool(name)]
        assert len(providers) == len(set(providers)) > 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("mid", "openai/mid", id="as listed"),
        pytest.param("MID", "openai/mid", id="capitals do not count"),
        pytest.param("mid-2025-01-31", "openai/mid-2025-01-31", id="a date that is listed"),
        pytest.param("mid-20270101", "openai/mid-20270101", id="a date that is not"),
        pytest.param("old", "openai/mid", id="retired"),
        pytest.param("else", None, id="unknown"),
    ],
)
def test_a_pin(name: str, expected: str | None) -> None:
    found = CATALOG.pin("openai", name)
    assert (found and found.id) == expected


def test_a_date_to_come_has_the_facts_of_its_model_and_is_not_eligible_for_auto() -> None:
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


def test_a_record_that_is_like_a_model_has_what_it_does_not_say_from_there() -> None:
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


def test_a_record_that_is_like_a_model_nobody_knows_is_as_if_it_did_not_say_so() -> None:
    catalog = load_catalog().with_records([record("azure/team", like="azure/gtp-5.4")])
    model = catalog.find("azure/team")
    assert model is not None
    assert (model.rules, model.context, model.pool) == ((), None, "team")


def test_a_record_that_leaves_out_what_the_model_can_leaves_it_open() -> None:
    open_ended = CATALOG.with_records([record("mylab/tiny")]).find("mylab/tiny")
    nothing = CATALOG.with_records([record("mylab/tiny", can=[])]).find("mylab/tiny")
    assert open_ended is not None
    assert nothing is not None
    assert (open_ended.can, nothing.can) == (DEFAULT_FEATURES, frozenset())


def test_a_record_moves_a_listed_model_to_another_pool_and_keeps_what_its_family_refuses() -> None:
    listed = load_catalog().find("openai/gpt-5-mini")
    moved = load_catalog().with_records([record("openai/gpt-5-mini", pool="tiny")])
    assert listed is not None
    (model,) = moved.pool("tiny")
    assert (model.id, model.rules) == (listed.id, listed.rules)
    assert model not in moved.pool("gpt-5-mini")
    assert len([each for each in moved.all() if each.id == listed.id]) == 1


def test_a_record_for_a_retired_name_comes_before_its_successor() -> None:
    catalog = load_catalog().with_records([record("mylab/gpt-4")])
    assert next(model.id for model in catalog.named("gpt-4")) == "mylab/gpt-4"


def test_what_is_not_listed_is_taken_to_be_able() -> None:
    model = unlisted_model("openai", "Brand/New")
    assert (model.id, model.pool, model.can, model.listed) == (
        "openai/Brand/New",
        "new",
        DEFAULT_FEATURES,
        False,
    )


def test_an_empty_catalogue() -> None:
    empty = Catalog({})
    assert (empty.all(), empty.auto(), empty.named("x"), empty.find("a/b")) == ((), (), (), None)


THOUGHTFUL = ("thoughts_back",)
FAMILIES = [
    pytest.param("acme/kimi-k3", {}, THOUGHTFUL, id="by its name, wherever it is served"),
    pytest.param("acme/moonshotai/Kimi-K2-Thinking", {}, THOUGHTFUL, id="with its owner, in any letters"),
    pytest.param("vllm/deepseek-ai/DeepSeek-V4-Pro", {}, THOUGHTFUL, id="at a host of one's own"),
    pytest.param("acme/deepseek-v3", {}, (), id="not one that does not think"),
    pytest.param("mistral/deepseek-v5", {}, THOUGHTFUL, id="unlisted at a host with rules of its own"),
    pytest.param("acme/house-model", {}, (), id="no family"),
    pytest.param("acme/gpt-5.4-chat-x", {}, (), id="a family that wants nothing"),
    pytest.param(
        "ant2/claude-opus-5-5",
        {"ant2": "anthropic"},
        "anthropic/claude-opus-5-5",
        id="another account of a vendor's, as the vendor's own",
    ),
    pytest.param(
        "aws2/global.anthropic.claude-opus-5-5",
        {"aws2": "bedrock"},
        "bedrock/global.anthropic.claude-opus-5-5",
        id="another of Bedrock's, with its surface",
    ),
    pytest.param(
        "aws2/us.anthropic.claude-sonnet-5-5-v9:0",
        {"aws2": "bedrock"},
        "anthropic/claude-sonnet-5-5",
        id="what the vendor does not list, by its family",
    ),
    pytest.param(
        "or/anthropic/claude-sonnet-5.5", {}, "anthropic/claude-sonnet-5-5", id="with a dot in its name"
    ),
    pytest.param("or/openai/gpt-5.4-mini", {}, "openai/gpt-5.4-mini", id="OpenAI's"),
]


@pytest.mark.parametrize(("id", "dialects", "rules"), FAMILIES)
def test_what_a_family_wants_follows_the_model(
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


def test_the_pool_of_a_record_tells_its_family() -> None:
    model = load_catalog().with_records([record("acme/team-chat", pool="kimi-k3")]).find("acme/team-chat")
    assert model is not None
    assert model.rules == THOUGHTFUL


def test_what_is_listed_has_its_familys_rules_too() -> None:
    """The table that scripts/catalog.py wrote, but for the hosts that say something of their own."""
    catalog = load_catalog()
    for id in (
        "openrouter/moonshotai/kimi-k3",
        "fireworks/accounts/fireworks/models/kimi-k3",
        "together/moonshotai/Kimi-K3",
    ):
        model = catalog.find(id)
        assert model is not None
        assert model.rules == THOUGHTFUL
