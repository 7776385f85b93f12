"""Names in requests: the models of each, and suggestions for unknown names (contract, section 4)."""

from __future__ import annotations

import pytest

from rules import Reason
from tests.support.small_catalog import (
    access,
    alias,
    candidate_ids,
    make_decision,
    rejection_reasons,
)

POOL = ["groq/org/Open-7B", "together/Org/open-7b-Turbo", "mistral/open-7b"]


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


def test_an_alias_with_unknown_members() -> None:
    decision = make_decision("best", [alias("best", "gone", "openai/mid")])
    assert (candidate_ids(decision), rejection_reasons(decision)) == (
        ["openai/mid"],
        {"gone": "no such model"},
    )
    empty = make_decision("best", [alias("best", "gone")])
    assert empty.refusal is not None
    assert empty.refusal.code == "no_candidate"


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
