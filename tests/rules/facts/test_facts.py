"""The vocabulary: the facts of conditions, their types, and their agreement with `Facts`."""

from __future__ import annotations

from typing import Any

import pytest

from rules.facts.facts import FAMILIES, VOCABULARY, Facts, fact_getter, fact_type

NOT_IN_VOCABULARY = {
    "prefer",
    "fallbacks",
    "n",
    "service_tier",
    "custom_tools",
    "document_tokens",
    "linked_part",
    "random",
    "key_models",
    "opening",
    "default_model",
    "units",
}


def test_the_vocabulary_agrees_with_facts() -> None:
    assert set(VOCABULARY) | set(FAMILIES) | NOT_IN_VOCABULARY == set(Facts.field_names)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param("model", "text", id="the model is a text"),
        pytest.param("stream", "flag", id="stream is true or false"),
        pytest.param("tools", "count", id="tools are counted"),
        pytest.param("input_tokens", "number", id="tokens are a number"),
        pytest.param("reasoning", "effort", id="reasoning is an effort"),
        pytest.param("tags.team", "text", id="a tag is a text"),
        pytest.param("metadata.a.b", "text", id="a name may itself have dots"),
        pytest.param("header.x-team", "text", id="a header is a text"),
    ],
)
def test_a_fact_has_a_type(name: str, kind: str) -> None:
    found = fact_type(name)
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("temperature", id="an unknown fact"),
        pytest.param("prefer", id="an input of the decision"),
        pytest.param("tags", id="a family without a name"),
        pytest.param("tags.", id="a family with an empty name"),
        pytest.param("model.name", id="a member of a fact that is not a family"),
        pytest.param("header.Authorization", id="a header in capitals"),
        pytest.param("header.authorization", id="the header authorization"),
        pytest.param("header.x-api-key", id="the header x-api-key"),
        pytest.param("header.cookie", id="the header cookie"),
        pytest.param("header.proxy-authorization", id="a header of a proxy"),
        pytest.param("", id="an empty name"),
    ],
)
def test_a_condition_cannot_name(name: str) -> None:
    assert fact_type(name) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("input_tokens", 10, id="a plain fact"),
        pytest.param("user", None, id="an absent fact"),
        pytest.param("tags.team", "red", id="a tag"),
        pytest.param("tags.tier", None, id="a tag that was not sent"),
        pytest.param("metadata.a.b", "c", id="a name with a dot"),
        pytest.param("header.x-team", "blue", id="a header"),
    ],
)
def test_the_value_of_a_fact(name: str, value: Any) -> None:
    facts = Facts(input_tokens=10, tags={"team": "red"}, metadata={"a.b": "c"}, header={"x-team": "blue"})
    assert fact_getter(name)(facts) == value
