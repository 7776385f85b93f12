"""Records: the fields of each kind, the types that are accepted, and the error of every mistake."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from rules.errors import InvalidRecord
from rules.facts.facts import Facts
from rules.reading.provider_fields import QUIRKS
from rules.reading.records import read_record
from rules.records.conditions import Condition
from rules.records.kinds import KINDS, AccessRecord, Arm, TestRecord
from rules.records.scope import Scope

# The required fields of each kind.
REQUIRED: dict[str, dict[str, Any]] = {
    "route": {"prefer": "cheap"},
    "access": {},
    "limit": {"requests": 10, "per": "minute"},
    "budget": {"usd": 5, "per": "day"},
    "alias": {"models": ["openai/gpt-5"]},
    "provider": {"id": "acme", "base_url": "https://acme.example/v1"},
    "model": {"id": "acme/large", "provider": "acme", "name": "large"},
    "test": {"request": {"messages": []}, "expect": {"reason": "rule"}},
    "log": {"sample": 0.5, "days": 7},
    "cache": {"ttl": 60},
    "mcp": {"url": "https://tools.example/mcp"},
}
UNSCOPED = {"alias", "provider", "model", "test"}


def item(kind: str, **given: Any) -> dict[str, Any]:
    return {"kind": kind, "id": "one", **REQUIRED[kind], **given}


def refusal(wrong: Any) -> InvalidRecord:
    with pytest.raises(InvalidRecord) as caught:
        read_record(wrong)
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_with_its_required_fields_is_read(kind: str) -> None:
    record = read_record(item(kind))
    assert type(record) is KINDS[kind]
    assert (record.enabled, record.scope, record.when, record.priority, record.note) == (
        True,
        Scope(),
        (),
        0,
        "",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_field_is_named(kind: str) -> None:
    for field in set(REQUIRED[kind]) - {"requests", "base_url", "prefer"}:
        wrong = {name: value for name, value in item(kind).items() if name != field}
        error = refusal(wrong)
        assert (error.field, error.problem) == (field, "is missing")


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_field_is_named_first(kind: str) -> None:
    error = refusal(item(kind, priority="high", notes="x"))
    assert str(error) == "`notes`: unknown field, did you mean `note`?"
    assert (error.kind, error.id) == (kind, item(kind)["id"])


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - UNSCOPED))
def test_records_that_match_requests_take_scope_and_conditions(kind: str) -> None:
    record = read_record(item(kind, scope={"project": "a", "key": {"k2", "k1"}}, when={"hour": 9}))
    assert record.scope == Scope(project=("a",), key=("k1", "k2"))
    assert record.when == (Condition("hour", "is", 9),)


@pytest.mark.parametrize("kind", sorted(UNSCOPED))
@pytest.mark.parametrize("field", ["scope", "when"])
def test_records_that_apply_to_everyone_take_no_scope(kind: str, field: str) -> None:
    error = refusal(item(kind, **{field: {"project": "a"}}))
    assert error.field == field
    assert "apply to everyone and take no `scope` or `when`" in error.problem


# Kind, field, value as a person wrote it, value as it is read.
ACCEPTED = [
    # types that are accepted
    *(
        pytest.param("route", "enabled", word, truth, id=f"enabled as {word!r}")
        for truth, words in (
            (True, ("true", "True", "TRUE", "yes", "Yes", "on", "ON", "1", 1, Decimal(1), 1.0, " true ")),
            (False, ("false", "False", "no", "NO", "off", "Off", "0", 0, Decimal(0))),
        )
        for word in words
    ),
    pytest.param("route", "override", "false", False, id="a text that is a JSON boolean"),
    pytest.param("route", "note", "", "", id="a note may be empty"),
    pytest.param("route", "priority", "10", 10, id="a text that is a JSON number"),
    pytest.param("route", "priority", Decimal("-3"), -3, id="a decimal"),
    pytest.param("route", "priority", 2.0, 2, id="an integral float"),
    pytest.param("route", "retries", "3", 3, id="retries as a text"),
    pytest.param("route", "fallbacks", "groq/llama", ("groq/llama",), id="a single text is a list of one"),
    pytest.param("route", "fallbacks", ["b/1", "a/1"], ("b/1", "a/1"), id="the order of a list stays"),
    pytest.param("route", "fallbacks", ["a/b", "auto"], ("a/b", "auto"), id="auto among the fallbacks"),
    pytest.param("route", "fallbacks", [], (), id="an empty list of fallbacks"),
    pytest.param(
        "route",
        "allow_fields",
        {"plugins"},
        ("plugins",),
        id="a set is accepted where order does not matter",
    ),
    pytest.param("route", "split", {"model": "a/b", "weight": "1"}, (Arm("a/b", 1),), id="one arm"),
    pytest.param("access", "models", {"b/*", "a/*"}, ("a/*", "b/*"), id="a set of patterns"),
    pytest.param("access", "models", "openai/*", ("openai/*",), id="one pattern"),
    pytest.param("access", "models", [], (), id="an empty list of models"),
    pytest.param("access", "deny", ["*:free"], ("*:free",), id="a pattern with a colon"),
    pytest.param("budget", "usd", "2.50", Decimal("2.5"), id="dollars as a text"),
    pytest.param("budget", "usd", 0.1, Decimal("0.1"), id="dollars as a float are exact"),
    # routes
    pytest.param("route", "model", "@cf/meta/llama-3", "@cf/meta/llama-3", id="a name with two slashes"),
    pytest.param("route", "prefer", "cheap", "cheap", id="a preference"),
    pytest.param("route", "sticky", "tag.team", "tag.team", id="sticky by tag"),
    pytest.param(
        "route", "cap", {"max_tokens": "100", "n": 1}, {"max_tokens": 100, "n": 1}, id="upper limits"
    ),
    pytest.param(
        "route", "timeouts", {"total": "30", "idle": 0.5}, {"idle": 0.5, "total": 30}, id="timeouts"
    ),
    pytest.param("route", "hedge_after", Decimal("0.5"), 0.5, id="seconds before hedging"),
    pytest.param("route", "retry_after_max", "20", 20, id="the longest retry-after that is waited for"),
    pytest.param("route", "retry_after_max", 0, 0, id="a retry-after of zero"),
    pytest.param("route", "recovery", "buffer", "buffer", id="a kind of recovery"),
    pytest.param("route", "affinity", "none", "none", id="no affinity"),
    pytest.param(
        "route", "set", {"temperature": "0.2"}, {"temperature": 0.2}, id="a known parameter as a text"
    ),
    pytest.param(
        "route",
        "set",
        {"x": Decimal("1"), "y": [{"z": "1"}]},
        {"x": 1, "y": [{"z": "1"}]},
        id="unknown parameters",
    ),
    pytest.param("route", "set", {"stop": {"b", "a"}}, {"stop": ["a", "b"]}, id="a set as a parameter"),
    pytest.param("route", "defaults", {"stop": None}, {"stop": None}, id="a default of null"),
    pytest.param(
        *("route", "set", {"max_tokens": None, "service_tier": None}),
        {"max_tokens": None, "service_tier": None},
        id="null for parameters whose type is known",
    ),
    # limits and budgets
    pytest.param("limit", "each", "key", "key", id="each key"),
    pytest.param("limit", "each", "tag.team", "tag.team", id="each of a tag"),
    pytest.param("limit", "each", "session", "session", id="each session"),
    pytest.param("budget", "each", "agent", "agent", id="each agent"),
    pytest.param("limit", "on_store_failure", "refuse", "refuse", id="an action without the store"),
    pytest.param("budget", "then", {"prefer": "cheap"}, {"prefer": "cheap"}, id="then another preference"),
    pytest.param(
        "budget",
        "then",
        {"model": "a/b", "override": "true"},
        {"model": "a/b", "override": True},
        id="then another model",
    ),
    pytest.param(
        "budget",
        "when",
        {"model": "openai/*"},
        (Condition("model", "like", "openai/*"),),
        id="a condition on the model",
    ),
    # providers and models
    pytest.param(
        "provider", "base_url", "http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1", id="an address"
    ),
    pytest.param("provider", "base_url", "https://[::1]:80", "https://[::1]:80", id="an IPv6 address"),
    pytest.param(
        "provider",
        "base_url",
        "https://a.example?api-version=2024-10-21",
        "https://a.example?api-version=2024-10-21",
        id="an address with Azure's version",
    ),
    pytest.param("model", "like", "azure/gpt-5.4", "azure/gpt-5.4", id="a model like another"),
    pytest.param("provider", "credential", "ACME_2_KEY", ("ACME_2_KEY",), id="the name of a credential"),
    pytest.param(
        "provider",
        "credential",
        ["B_KEY", "A_KEY", "B_KEY"],
        ("B_KEY", "A_KEY"),
        id="several credentials",
    ),
    pytest.param("provider", "credential", {"B_KEY", "A_KEY"}, ("A_KEY", "B_KEY"), id="a set of credentials"),
    pytest.param(
        "provider", "headers", {"X-Max-Tokens": "5"}, {"x-max-tokens": "5"}, id="a header about tokens"
    ),
    pytest.param("provider", "headers", {"X-Team": "a b"}, {"x-team": "a b"}, id="headers in lower case"),
    pytest.param(
        "provider",
        "quirks",
        {"drop": {"seed"}, "drop_null": "true", "rename": {"n": "m"}},
        {"rename": {"n": "m"}, "drop": frozenset({"seed"}), "drop_null": True},
        id="quirks",
    ),
    pytest.param("model", "can", {"tools", "images"}, ("images", "tools"), id="features as a set"),
    pytest.param("model", "pool", "large", "large", id="a pool"),
    pytest.param("model", "quality", "5", 5, id="a quality"),
    pytest.param("model", "auto", False, False, id="a model that is not eligible for auto"),
    pytest.param(
        "model",
        "price",
        {"input": "0.15", "output": Decimal("0.6"), "cached_input": 0},
        {"input": 150_000_000, "output": 600_000_000, "cached_input": 0},
        id="prices in nano-dollars",
    ),
    pytest.param(
        "model",
        "price",
        {"input": 1, "output": 2, "cache_write_1h": 2, "tiers": {"above": "200000", "output": 0.3}},
        {
            "input": 10**9,
            "output": 2 * 10**9,
            "cache_write_1h": 2 * 10**9,
            "tiers": ({"above": 200_000, "output": 300_000_000},),
        },
        id="prices of parts and of a tier",
    ),
    # tests
    pytest.param("test", "at", "2026-01-31T23:30:00-02:00", ("sun", 1), id="a time in another zone"),
    pytest.param("test", "at", "2026-01-30T09:59:59Z", ("fri", 9), id="a time in UTC"),
    pytest.param("test", "at", "sat 9", ("sat", 9), id="a weekday and an hour"),
    pytest.param("test", "at", "Sun 23:59", ("sun", 23), id="a weekday and a time"),
    pytest.param("test", "request", {"n": Decimal("2")}, {"n": 2}, id="a request from the table"),
    pytest.param("test", "as_", None, None, id="without a caller"),
    pytest.param("log", "sample", "1", 1, id="a sample of all requests"),
    pytest.param("log", "days", "30", 30, id="a retention in text"),
    pytest.param("log", "redact", "email", ("email",), id="one detector"),
    pytest.param("log", "redact", {"email", "EMP-*"}, ("EMP-*", "email"), id="a detector and a pattern"),
    pytest.param("mcp", "tools", "search", ("search",), id="one tool"),
]


@pytest.mark.parametrize(("kind", "field", "given", "expected"), ACCEPTED)
def test_a_field_is_read(kind: str, field: str, given: Any, expected: Any) -> None:
    fields = {} if given is None else {field: given}
    assert getattr(read_record(item(kind, **fields)), field) == expected


def test_the_fields_of_a_test_record() -> None:
    record = read_record(item("test", **{"as": {"project": "a", "key": "k"}}))
    assert isinstance(record, TestRecord)
    assert (record.as_, record.at) == ({"project": "a", "key": "k"}, ("mon", 12))


EMPTY, WHOLE, NAME = "is empty", "a whole number", "not a name of a model"
MISTAKES = [
    # common fields
    pytest.param(
        "route",
        {"prefers": "cheap"},
        "prefers",
        "unknown field, did you mean `prefer`?",
        id="a misspelt field",
    ),
    pytest.param(
        "route",
        {"zzz": 1, "aaa": 1},
        "aaa",
        "unknown field",
        id="the first of two unknown fields in alphabetical order",
    ),
    pytest.param("route", {"id": ""}, "id", EMPTY, id="an empty id"),
    pytest.param("route", {"id": 5}, "id", "must be a text, got 5", id="a number for an id"),
    pytest.param(
        "route",
        {"priority": "high"},
        "priority",
        "must be a whole number, got 'high'",
        id="a word for a number",
    ),
    pytest.param("route", {"priority": True}, "priority", "got true", id="a boolean is not a number"),
    pytest.param("route", {"priority": 1.5}, "priority", WHOLE, id="a priority that is not whole"),
    pytest.param("route", {"priority": "05"}, "priority", WHOLE, id="not exactly a JSON number"),
    pytest.param("route", {"priority": " 5"}, "priority", WHOLE, id="a blank before a number"),
    pytest.param("route", {"priority": None}, "priority", "got null", id="null"),
    pytest.param(
        "route", {"enabled": "ja"}, "enabled", "true or false, got 'ja'", id="an unknown word for true"
    ),
    pytest.param("route", {"enabled": 2}, "enabled", "true or false, got 2", id="a number for true or false"),
    pytest.param("route", {"enabled": None}, "enabled", "true or false, got null", id="enabled as null"),
    pytest.param(
        "route", {"override": "yes"}, "override", "true or false", id="yes is accepted only for `enabled`"
    ),
    pytest.param("route", {"note": None}, "note", "must be a text, got null", id="a note of null"),
    pytest.param("route", {"id": "a "}, "id", "white space around it: write 'a'", id="a blank behind an id"),
    pytest.param("route", {"id": "\ta"}, "id", "white space around it", id="a tab before an id"),
    pytest.param(
        "route",
        {"scope": {"project": "a "}},
        "scope.project",
        "write 'a'",
        id="white space around a name in a scope",
    ),
    pytest.param("route", {"prefer": ""}, "prefer", EMPTY, id="an empty text"),
    pytest.param("route", {"note": b"x"}, "note", "must be a text", id="bytes"),
    pytest.param("route", {"scope": {}}, "scope", EMPTY, id="an empty scope"),
    pytest.param("route", {"scope": "a"}, "scope", "must be a map", id="a scope that is a text"),
    pytest.param(
        "route",
        {"scope": {"projects": "a"}},
        "scope.projects",
        "did you mean `project`?",
        id="a misspelt field of a scope",
    ),
    pytest.param(
        "route", {"scope": {"project": []}}, "scope.project", "matches nobody", id="an empty list in a scope"
    ),
    pytest.param(
        "route", {"scope": {"project": ["a", ""]}}, "scope.project[1]", EMPTY, id="an empty name in scope"
    ),
    pytest.param("route", {"scope": {"key": "k*"}}, "scope.key", "not patterns", id="a pattern in scope"),
    pytest.param(
        "route",
        {"when": {"input_tokens": {"gt": "x"}}},
        "when.input_tokens.gt",
        WHOLE,
        id="a word for a number in a condition",
    ),
    pytest.param(
        "route", {"when": {"inputtokens": 1}}, "when.inputtokens", "`input_tokens`", id="an unknown fact"
    ),
    pytest.param("route", {"when": "x"}, "when", "must be a map", id="a condition that is a text"),
    pytest.param("route", {"note": "x" * 70_000}, "record", "more than 65536", id="an enormous record"),
    # routes
    pytest.param("route", {"model": ""}, "model", EMPTY, id="an empty model"),
    pytest.param("route", {"model": "a//b"}, "model", NAME, id="an empty segment"),
    pytest.param("route", {"model": "a/../b"}, "model", NAME, id="two dots as a segment"),
    pytest.param("route", {"model": "gpt 5"}, "model", NAME, id="a blank in a name"),
    pytest.param("route", {"model": "a" * 201}, "model", NAME, id="a name too long"),
    pytest.param("route", {"model": ["a/b"]}, "model", "must be a text", id="a list for one model"),
    pytest.param(
        "route", {"prefer": "cheapest"}, "prefer", "cheap | fast | quality | balanced", id="a preference"
    ),
    pytest.param(
        "route", {"fallbacks": {"a/b"}}, "fallbacks", "order matters", id="a set where order matters"
    ),
    pytest.param("route", {"fallbacks": ["a/b", "c d"]}, "fallbacks[1]", NAME, id="the second fallback"),
    pytest.param("route", {"fallbacks": "a/b, c/d"}, "fallbacks", '["a/b", "c/d"]', id="a list as one text"),
    pytest.param("route", {"split": []}, "split", EMPTY, id="a split of nothing"),
    pytest.param("route", {"split": "a/b"}, "split", "must be a map", id="a split without weights"),
    pytest.param(
        "route", {"split": [{"model": "a/b"}]}, "split[0].weight", "is missing", id="a weight missing"
    ),
    pytest.param(
        "route", {"split": [{"weight": 1}]}, "split[0].model", "is missing", id="an arm without model"
    ),
    pytest.param(
        "route", {"split": [{"model": "a", "weight": 0}]}, "split[0].weight", "greater than 0", id="no weight"
    ),
    pytest.param(
        "route", {"split": [{"model": "a", "wait": 1}]}, "split[0].wait", "`weight`", id="in an arm"
    ),
    pytest.param(
        "route",
        {"model": "a", "split": [{"model": "b", "weight": 1}]},
        "split",
        "`model`",
        id="a model and a split",
    ),
    pytest.param(
        "route", {"override": True}, "override", "needs `model` or `split`", id="an override without a model"
    ),
    pytest.param(
        "route",
        {"override": True, "prefer": "fast"},
        "override",
        "needs",
        id="an override with a preference only",
    ),
    pytest.param("route", {"sticky": "tags.a"}, "sticky", "did you mean `tag.a`?", id="tags instead of tag"),
    pytest.param("route", {"sticky": "tag."}, "sticky", "tag.<name>", id="a tag without a name"),
    pytest.param("route", {"retries": 4}, "retries", "from 0 to 3, got 4", id="too many retries"),
    pytest.param("route", {"retries": -1}, "retries", "from 0 to 3", id="too few retries"),
    pytest.param(
        "route", {"hedge_after": 0}, "hedge_after", "greater than 0", id="hedging after zero seconds"
    ),
    pytest.param(
        "route", {"retry_after_max": 21}, "retry_after_max", "from 0 to 20, got 21", id="too long a wait"
    ),
    pytest.param(
        "route", {"recovery": "retry"}, "recovery", "error | resume | buffer", id="an unknown recovery"
    ),
    pytest.param(
        "route", {"timeouts": {"totl": 1}}, "timeouts.totl", "did you mean `total`?", id="in timeouts"
    ),
    pytest.param(
        "route", {"timeouts": {"total": 0}}, "timeouts.total", "greater than 0", id="a timeout of zero"
    ),
    pytest.param("route", {"timeouts": {"total": "NaN"}}, "timeouts.total", "a number", id="NaN"),
    pytest.param("route", {"timeouts": 5}, "timeouts", "must be a map, got 5", id="a number for timeouts"),
    pytest.param(
        "route", {"cap": {"tokens": 5}}, "cap.tokens", "did you mean `max_tokens`?", id="an unknown cap"
    ),
    pytest.param("route", {"cap": {"max_tokens": 0}}, "cap.max_tokens", "1 or more", id="a cap of zero"),
    pytest.param(
        *(
            "route",
            {"cap": {"reasoning_effort": "hgih"}},
            "cap.reasoning_effort",
            "must be none | minimal | low",
        ),
        id="a cap that is no effort",
    ),
    pytest.param(
        "route", {"set": {"temperature": 3}}, "set.temperature", "from 0 to 2", id="a parameter out of range"
    ),
    pytest.param(
        "route",
        {"set": {"top_p": "hot"}},
        "set.top_p",
        "from 0 to 1, got 'hot'",
        id="a word for a parameter that is a number",
    ),
    pytest.param(
        "route",
        {"set": {"model": "a/b"}},
        "set.model",
        "cannot be set by a rule",
        id="a rule that sets the model",
    ),
    pytest.param("route", {"set": {"stop": [b"x"]}}, "set.stop", "must be JSON", id="bytes as a parameter"),
    pytest.param(
        "route",
        {"set": {"stream_options": {}}},
        "set.stream_options",
        "cannot be set by a rule",
        id="a rule that sets stream options",
    ),
    pytest.param("route", {"set": {"tools": "web"}}, "set.tools", "must be a map", id="a text for a tool"),
    pytest.param(
        "route",
        {"set": {"functions": [5]}},
        "set.functions[0]",
        "must be a map",
        id="a number for a function",
    ),
    pytest.param(
        "route",
        {"set": {"response_format": "json"}},
        "set.response_format",
        "a map",
        id="a text for a response format",
    ),
    pytest.param(
        "route", {"set": {"modalities": 5}}, "set.modalities", "a text", id="a number for modalities"
    ),
    pytest.param(
        "route",
        {"defaults": {"messages": []}},
        "defaults.messages",
        "cannot be set by a rule",
        id="a rule that sets messages",
    ),
    # access, limits, budgets
    pytest.param(
        "access", {"models": ["openai/*", "a b"]}, "models[1]", "is not a pattern", id="a blank in a pattern"
    ),
    pytest.param(
        "access",
        {"models": "openai/*, groq/*"},
        "models",
        '["openai/*", "groq/*"]',
        id="patterns as one text",
    ),
    pytest.param("alias", {"models": "a/b,c/d"}, "models", '["a/b", "c/d"]', id="names as one text"),
    pytest.param("access", {"models": [""]}, "models[0]", EMPTY, id="an empty pattern"),
    pytest.param("access", {"models": [5]}, "models[0]", "must be a text", id="a number for a pattern"),
    pytest.param(
        "access",
        {"scope": {"function": "f"}},
        "scope.function",
        "only project and key",
        id="a scope with a function",
    ),
    pytest.param(
        "access", {"when": {"user": "a"}}, "when.user", "the caller chooses it", id="a condition on the user"
    ),
    pytest.param(
        "limit", {"when": {"tags.a": "a"}}, "when.tags.a", "the caller chooses it", id="a condition on a tag"
    ),
    pytest.param(
        "budget",
        {"when": {"stream": True}},
        "when.stream",
        "the caller chooses it",
        id="a condition on stream",
    ),
    pytest.param(
        "limit",
        {"tokens": 5},
        "requests",
        "either `requests` or `tokens`",
        id="requests and tokens in one limit",
    ),
    pytest.param("limit", {"requests": 0}, "requests", "1 or more", id="a limit of zero"),
    pytest.param("limit", {"requests": -5}, "requests", "1 or more", id="a negative limit"),
    pytest.param("limit", {"per": "month"}, "per", "minute | hour | day", id="an unknown window of a limit"),
    pytest.param(
        "limit",
        {"each": "users"},
        "each",
        "key | project | user | session | agent | tag.<name>",
        id="an unknown each",
    ),
    pytest.param(
        "limit", {"on_store_failure": "deny"}, "on_store_failure", "allow | refuse", id="an unknown action"
    ),
    pytest.param("budget", {"usd": 0}, "usd", "at least 0.000000001", id="a budget of zero"),
    pytest.param("budget", {"usd": 1e-10}, "usd", "at least", id="a budget of less than a nano-dollar"),
    pytest.param("budget", {"usd": "$5"}, "usd", "must be a number, got '$5'", id="a dollar sign"),
    pytest.param("budget", {"per": "hour"}, "per", "day | month", id="an unknown window of a budget"),
    pytest.param("budget", {"then": {}}, "then", "either `prefer` or `model`", id="an empty then"),
    pytest.param("budget", {"then": {"override": True}}, "then", "either", id="then with an override only"),
    pytest.param(
        "budget",
        {"then": {"prefer": "cheap", "model": "a"}},
        "then",
        "either",
        id="then with a preference and a model",
    ),
    pytest.param(
        "budget", {"then": {"prefer": "free"}}, "then.prefer", "cheap |", id="then with an unknown preference"
    ),
    # aliases, providers, models
    pytest.param("alias", {"models": []}, "models", EMPTY, id="an alias without models"),
    pytest.param(
        "alias", {"models": {"a/b"}}, "models", "order matters", id="a set as the models of an alias"
    ),
    pytest.param(
        "alias",
        {"models": ["a/b", "auto"]},
        "models[1]",
        "is preferred",
        id="auto among the models of an alias",
    ),
    pytest.param(
        "alias", {"id": "Auto:cheap"}, "id", "is preferred", id="an alias called auto and a preference"
    ),
    pytest.param("alias", {"id": "auto"}, "id", "is preferred", id="an alias called auto"),
    pytest.param("alias", {"id": "my model"}, "id", NAME, id="an alias whose id is not a name"),
    pytest.param("provider", {"id": "Acme"}, "id", "lower-case", id="a provider in capitals"),
    pytest.param("provider", {"id": "a/b"}, "id", "without `/`", id="a provider with a slash"),
    pytest.param("provider", {"id": "google"}, "id", "`gemini`", id="google as the id of a provider"),
    pytest.param("provider", {"dialect": "cohere"}, "dialect", "openai | anthropic", id="an unknown dialect"),
    pytest.param(
        "provider",
        {"unlisted": "allow"},
        "unlisted",
        "pass | refuse",
        id="an unknown action for unlisted models",
    ),
    pytest.param(
        "provider", {"base_url": "acme.example"}, "base_url", "https://", id="an address without a scheme"
    ),
    pytest.param(
        "provider",
        {"base_url": "ftp://acme.example"},
        "base_url",
        "https://",
        id="an address with another scheme",
    ),
    pytest.param(
        "provider", {"base_url": "https://"}, "base_url", "https://", id="an address without a host"
    ),
    pytest.param(
        "provider",
        {"base_url": "https://u:p@a.example"},
        "base_url",
        "without user",
        id="an address with a password",
    ),
    pytest.param(
        "provider", {"base_url": "https://a.example?k=1"}, "base_url", "query", id="an address with a query"
    ),
    pytest.param(
        "provider",
        {"base_url": "https://a.example?api-version=1&k=1"},
        "base_url",
        "query",
        id="an address with a version and another parameter",
    ),
    pytest.param("model", {"like": "gpt-5.4"}, "like", "provider/name", id="a model like a pool"),
    pytest.param("model", {"like": "auto:cheap"}, "like", "cannot be auto:cheap", id="a model like auto"),
    pytest.param(
        "provider", {"quirks": {"reasoning_tag": 1}}, "quirks.reasoning_tag", "text", id="a number for a tag"
    ),
    pytest.param(
        "provider",
        {"base_url": "https://a.example#x"},
        "base_url",
        "fragment",
        id="an address with a fragment",
    ),
    pytest.param(
        "provider",
        {"base_url": "https://a.example\n/x"},
        "base_url",
        "https://",
        id="an address with a line break",
    ),
    pytest.param(
        "provider", {"base_url": "https://a.example:x"}, "base_url", "https://", id="an invalid port"
    ),
    pytest.param(
        "provider", {"base_url": "https://[::1"}, "base_url", "https://", id="an incomplete IPv6 address"
    ),
    pytest.param(
        "provider", {"credential": "sk-12345"}, "credential", "the name of", id="a secret instead of its name"
    ),
    pytest.param(
        "provider", {"credential": "AWS_SECRET_KEY"}, "credential", "gateway's own", id="a credential of AWS"
    ),
    pytest.param(
        "provider",
        {"credential": "SLUICE_KEY"},
        "credential",
        "gateway's own",
        id="a credential of the gateway",
    ),
    pytest.param(
        "provider", {"credential": "LAMBDA_TOKEN"}, "credential", "gateway's own", id="a credential of Lambda"
    ),
    pytest.param(
        "provider",
        {"credential": "_MY_KEY"},
        "credential",
        "the name of",
        id="a credential that begins with an underscore",
    ),
    pytest.param(
        "provider",
        {"credential": "ACME_SECRET"},
        "credential",
        "the name of",
        id="a credential that is neither key nor token",
    ),
    pytest.param(
        "provider",
        {"headers": {"Authorization": "x"}},
        "headers.Authorization",
        "name a key in `credential`",
        id="the header authorization",
    ),
    pytest.param(
        "provider",
        {"headers": {"X-API-Key": "x"}},
        "headers.X-API-Key",
        "name a key in `credential`",
        id="the header x-api-key",
    ),
    *(
        pytest.param(
            "provider", {"headers": {sent: "x"}}, f"headers.{sent}", "name a key in `credential`", id=sent
        )
        for sent in (
            *("Ocp-Apim-Subscription-Key", "X-Auth-Token", "X-Access-Token", "X-Token", "X-Client-Secret"),
            *("Api_Key", "x-api_key", "apikey", "X_Authorization", "x.api.key", "key"),
        )
    ),
    pytest.param(
        "provider",
        {"headers": {"keep_alive": "x"}},
        "headers.keep_alive",
        "connection's",
        id="a header of the connection with _ for -",
    ),
    pytest.param(
        "provider", {"headers": {"host": "x"}}, "headers.host", "connection's", id="the header host"
    ),
    pytest.param(
        "provider", {"headers": {"Proxy-X": "x"}}, "headers.Proxy-X", "connection's", id="a header of a proxy"
    ),
    pytest.param(
        "provider", {"headers": {"te": "x"}}, "headers.te", "connection's", id="a hop-by-hop header"
    ),
    pytest.param(
        "provider",
        {"headers": {"a b": "x"}},
        "headers.a b",
        "not a name of a header",
        id="an invalid header name",
    ),
    pytest.param(
        "provider", {"headers": {"x": "a\r\nb: c"}}, "headers.x", "one line", id="a header injected"
    ),
    pytest.param("provider", {"headers": {"x": "\u00e9"}}, "headers.x", "ASCII", id="a header beyond ASCII"),
    pytest.param(
        "provider", {"quirks": {"drops": []}}, "quirks.drops", "did you mean `drop`?", id="a misspelt quirk"
    ),
    pytest.param(
        "provider",
        {"quirks": {"drop_null": 1}},
        "quirks.drop_null",
        "true or false",
        id="a number for a flag of a quirk",
    ),
    pytest.param(
        "model", {"id": "large"}, "id", "`acme/large`, got 'large'", id="an id that is not provider/name"
    ),
    pytest.param("model", {"can": ["tool"]}, "can[0]", "must be tools | images", id="an unknown feature"),
    pytest.param("model", {"quality": 6}, "quality", "from 1 to 5", id="a quality out of range"),
    pytest.param("model", {"context": 0}, "context", "1 or more", id="a context of zero"),
    pytest.param("model", {"pool": "a/b"}, "pool", "bare name", id="a pool with a slash"),
    pytest.param("model", {"price": {"input": 1}}, "price.output", "is missing", id="a price without output"),
    pytest.param(
        "model", {"price": {"input": -1, "output": 1}}, "price.input", "0 or more", id="a negative price"
    ),
    pytest.param("model", {"price": 1}, "price", "must be a map", id="a number for a price"),
    pytest.param(
        "model",
        {"price": {"input": 1, "output": 1, "cached": 1}},
        "price.cached",
        "did you mean `cached_input`?",
        id="a misspelt part of a price",
    ),
    *(
        pytest.param("model", {"price": {"input": 1, "output": 1, "tiers": [tier]}}, field, words, id=id)
        for tier, field, words, id in (
            ({"input": 1}, "price.tiers[0]", "needs `service` or `above`", "a tier of any request"),
            ({"above": 1}, "price.tiers[0]", "has no price", "a tier without a price"),
            (
                {"above": -1, "input": 1},
                "price.tiers[0].above",
                "0 or more",
                "a tier above a negative length",
            ),
            ({"service": "", "input": 1}, "price.tiers[0].service", "empty", "a service tier without a name"),
        )
    ),
    pytest.param(
        "model",
        {"price": {"input": 1, "output": 1, "tiers": [{"above": 1, "input": 1}] * 21}},
        "price.tiers",
        "at most 20",
        id="too many tiers",
    ),
    # tests and the rest
    pytest.param("test", {"request": []}, "request", "must be a map", id="a request that is a list"),
    pytest.param("test", {"expect": {}}, "expect", EMPTY, id="an empty expect"),
    pytest.param(
        "test", {"expect": {"reasons": "rule"}}, "expect.reasons", "`reason`", id="a misspelt field of expect"
    ),
    pytest.param(
        "test", {"expect": {"reason": "luck"}}, "expect.reason", "requested | rule", id="an unknown reason"
    ),
    pytest.param("test", {"as": {"user": "a"}}, "as.user", "unknown field", id="a caller with a user"),
    pytest.param("test", {"as_": {}}, "as_", "did you mean `as`?", id="as_ instead of as"),
    pytest.param("test", {"at": "noon"}, "at", "2026-01-31T09:00:00Z", id="a word for a time"),
    pytest.param("test", {"at": "2026-01-31T09:00:00"}, "at", "got '2026", id="a time without a zone"),
    pytest.param("test", {"at": "mon 24"}, "at", "mon 09:00", id="an hour out of range"),
    pytest.param("log", {"sample": 2}, "sample", "from 0 to 1", id="a sample of more than all requests"),
    pytest.param("log", {"days": 0}, "days", "1 or more", id="zero days"),
    pytest.param("cache", {"ttl": 0}, "ttl", "from 1 to 31536000", id="a time to live of zero"),
    pytest.param("cache", {"ttl": 1e9}, "ttl", "from 1 to 31536000", id="a time to live of many years"),
    pytest.param(
        "log", {"days": 10}, "days", "1, 3, 7, 14, 30, 60, 90, 180, 365", id="days without a rule of S3"
    ),
    pytest.param("log", {"redact": "emial"}, "redact", "did you mean `email`", id="a detector misspelt"),
    pytest.param("log", {"redact": ["a b*"]}, "redact[0]", "single words", id="a pattern with a space"),
    pytest.param("log", {"redact": ["**"]}, "redact[0]", "every word", id="a pattern of stars"),
    pytest.param("log", {"redact": ["X" * 101]}, "redact[0]", "longer than 100", id="a pattern too long"),
    pytest.param("log", {"redact": ["X*"] * 21}, "redact", "more than 20", id="too many patterns"),
    pytest.param("log", {"redact": [3]}, "redact[0]", "must be a text", id="a pattern that is no text"),
    pytest.param("mcp", {"url": "tools"}, "url", "https://", id="an invalid address of a tool server"),
]


@pytest.mark.parametrize(("kind", "given", "field", "problem"), MISTAKES)
def test_a_mistake_is_named(kind: str, given: dict[str, Any], field: str, problem: str) -> None:
    error = refusal(item(kind, **given))
    assert error.field == field
    assert problem in error.problem


@pytest.mark.parametrize(
    ("credential", "field", "problem"),
    [
        pytest.param("sk-12345", "credential", "the name of", id="alone"),
        pytest.param(["A_KEY", "sk-12345"], "credential[1]", "the name of", id="in a list"),
        pytest.param("A_KEY, sk-12345", "credential", "the name of", id="in one text for a list"),
        pytest.param({"A_KEY": "sk-12345"}, "credential", "the name of", id="in a map"),
        pytest.param([["sk-12345"]], "credential[0]", "the name of", id="in a list of lists"),
        pytest.param(["AWS_SECRET_KEY"], "credential[0]", "gateway's own", id="of the gateway"),
        pytest.param([], "credential", "from 1 to 10", id="none"),
        pytest.param([f"A{n}_KEY" for n in range(11)], "credential", "from 1 to 10", id="too many"),
    ],
)
def test_a_secret_typed_for_its_name_is_not_quoted(credential: Any, field: str, problem: str) -> None:
    error = refusal(item("provider", credential=credential))
    assert error.field == field
    assert problem in error.problem
    assert "sk-12345" not in str(error)


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="frozen"):
        read_record(item("route")).priority = 5  # type: ignore[misc]


def test_a_condition_on_the_model_is_compared_with_the_candidate() -> None:
    record = read_record(item("access", when={"model": "openai/*", "hour": 12}))
    assert isinstance(record, AccessRecord)
    assert record.holds_for(Facts(model="groq/llama", hour=12), ["gpt-5", "openai/gpt-5"])
    assert not record.holds_for(Facts(model="openai/gpt-5", hour=12), ["groq/llama"])
    assert not record.holds_for(Facts(hour=13), ["openai/gpt-5"])


def test_a_condition_that_excludes_a_model_excludes_each_of_its_names() -> None:
    record = read_record(item("access", when={"model": {"not": ["gpt-5", "groq/*"]}}))
    assert isinstance(record, AccessRecord)
    assert record.holds_for(Facts(), ["gpt-4o", "openai/gpt-4o"])
    assert not record.holds_for(Facts(), ["openai/gpt-5", "gpt-5"])


def test_the_quirks_have_five_types() -> None:
    assert set(QUIRKS.values()) == {"map", "set", "flag", "number", "text"}


BARE = {"kind": "route", "id": "a"}


@pytest.mark.parametrize(
    "nothing",
    [
        pytest.param({}, id="a route with kind and id only"),
        pytest.param(
            {"scope": {"project": "p"}, "when": {"hour": 9}, "priority": 5, "note": "x"},
            id="a route with a scope and conditions only",
        ),
        pytest.param(
            {"fallbacks": [], "set": {}, "allow_fields": [], "timeouts": {}},
            id="a route whose fields are empty",
        ),
        pytest.param({"sticky": "user"}, id="a route with sticky only"),
        pytest.param({"override": False}, id="a route with override false only"),
    ],
)
def test_a_route_without_effect_is_an_error(nothing: dict[str, Any]) -> None:
    error = refusal({**BARE, **nothing})
    assert (error.field, error.problem[:13]) == ("record", "has no effect")


def test_a_route_with_any_effect_is_valid() -> None:
    enough = {"retries": 0, "recovery": "error", "defaults": {"stop": None}, "timeouts": {"total": 1}}
    for field, value in enough.items():
        assert read_record({**BARE, field: value})
