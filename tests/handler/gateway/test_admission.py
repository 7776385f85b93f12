"""Tests of handler/gateway/admission.py: facts of a chat request, and fields that a provider refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from handler.gateway.admission import facts_of, refused_field_error
from tests.support.chat_requests import chat


@pytest.mark.parametrize(
    ("allowed", "value", "refused"),
    [
        pytest.param((), {"order": ["x"]}, True, id="a field the row refuses"),
        pytest.param(("provider",), {"order": ["x"]}, False, id="a field that a rule allows"),
        pytest.param((), None, False, id="a field that is null"),
    ],
)
def test_a_field_that_a_provider_refuses_is_an_error(
    allowed: tuple[str, ...], value: Any, refused: bool
) -> None:
    error = refused_field_error(
        chat(provider=value, seed=1).body, frozenset({"provider", "plugins"}), allowed, model="a"
    )
    assert (error is not None) is refused
    if error:
        assert (error.status, error.code, error.param) == (400, "unsupported_parameter", "provider")


@dataclass(frozen=True)
class Caller:
    """The attributes of a key that facts_of reads."""

    id: str = "k1"
    project: str = "support"
    models: tuple[str, ...] | None = ("openai/*",)


def facts(headers: Mapping[str, str] | None = None, **fields: Any) -> Any:
    now = datetime(2026, 11, 20, 23, 59, tzinfo=UTC)
    key: Any = Caller()
    return facts_of(chat(headers, **fields), key=key, headers=headers or {}, now=now, random=0.25)


def test_the_facts_include_the_caller_and_the_time() -> None:
    found = facts({"x-sluice-function": "f", "X-Team": "a", "authorization": "s"}, tags={"t": 1}, user="u")
    assert (found.key, found.project, found.key_models, found.random) == (
        "k1",
        "support",
        ("openai/*",),
        0.25,
    )
    assert (found.hour, found.weekday, found.function, found.user) == (23, "fri", "f", "u")
    assert found.header == {"x-sluice-function": "f", "x-team": "a"}
    assert found.tags == {"t": "1"}


FACTS = [
    pytest.param({"model": "auto"}, "model", None, id="`auto` names no model"),
    pytest.param({"model": "auto:cheap"}, "model", None, id="`auto` with a preference names no model"),
    pytest.param(
        {"model": "auto:cheap", "route": {"prefer": "fast"}},
        "prefer",
        "cheap",
        id="the preference in the name comes first",
    ),
    pytest.param(
        {"model": "auto", "models": ["a", "b"]}, "model", "a", id="the first of `models` is the model"
    ),
    pytest.param(
        {"model": "auto", "models": ["a", "b"]}, "fallbacks", ("b",), id="the rest of `models` are fallbacks"
    ),
    pytest.param({"hints": {"prefer": "cheap"}}, "prefer", "cheap", id="a hint's preference"),
    pytest.param({"hints": {"max_tokens": 7}}, "max_tokens", 7, id="a hint's limit"),
    pytest.param({"output_schema": {}}, "json", "schema", id="an output schema"),
    pytest.param({"n": 2.0}, "n", 2, id="the number of choices"),
    pytest.param({"metadata": {"a": "b"}}, "metadata", {"a": "b"}, id="metadata"),
    pytest.param({"user": "\ud800"}, "bucket", 72, id="the bucket of a user with half a surrogate pair"),
]


@pytest.mark.parametrize(("fields", "fact", "value"), FACTS)
def test_a_fact_of_the_request(fields: dict[str, Any], fact: str, value: Any) -> None:
    assert getattr(facts(**fields), fact) == value
