"""What makes two requests share a cached answer: every field, the headers, the caller, the model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from handler.formats.chat.effects import prepare_body
from handler.formats.chat.fields import CHAT
from handler.gateway.cache_key import NEUTRAL_HEADERS, cache_key
from handler.relay.call import Call
from handler.upstream.headers import FORWARDED, forwarded_headers
from rules import Candidate, Decision, Effects, Facts, Reason, read_record
from tests.support.chat_requests import TOOL, chat
from tests.support.running_relay import ROWS, model

Json = dict[str, Any]


def record(id: str = "c") -> Any:
    return read_record({"kind": "cache", "id": id, "ttl": 60})


def call(
    *models: str,
    headers: Mapping[str, str] | None = None,
    project: str = "support",
    cache: str = "c",
    effects: Effects = Effects(),  # noqa: B008  (immutable)
    facts: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Call:
    parsed = chat(headers, **fields)
    decision = Decision(
        facts=Facts(project=project, **(facts or {})),
        reason=Reason.REQUESTED,
        candidates=tuple(Candidate(model(id)) for id in models or ("one/m", "two/m")),
        cache=record(cache),
        effects=effects,
    )
    body = prepare_body(parsed, effects)
    sent = forwarded_headers(headers or {}, "k1")
    return Call(chat=parsed, decision=decision, body=body, rows=ROWS, headers=sent)


# A value of each field, and what is needed beside it.
COUNTS: Mapping[str, Json] = {
    "messages": {"messages": [{"role": "user", "content": "other"}]},
    "audio": {"audio": {"format": "wav", "voice": "alloy"}},
    "frequency_penalty": {"frequency_penalty": 0.5},
    "function_call": {"function_call": "none"},
    "functions": {"functions": [{"name": "f"}]},
    "hints": {"hints": {"temperature": 0.5}},
    "logit_bias": {"logit_bias": {"1": 1}},
    "logprobs": {"logprobs": True},
    "max_completion_tokens": {"max_completion_tokens": 5},
    "max_tokens": {"max_tokens": 5},
    "modalities": {"modalities": ["text"]},
    "moderation": {"moderation": {"a": 1}},
    "n": {"n": 2},
    "output_schema": {"output_schema": {"type": "object"}},
    "parallel_tool_calls": {"parallel_tool_calls": False},
    "prediction": {"prediction": {"type": "content", "content": "x"}},
    "presence_penalty": {"presence_penalty": 0.5},
    "reasoning_effort": {"reasoning_effort": "low"},
    "response_format": {"response_format": {"type": "json_object"}},
    "seed": {"seed": 1},
    "service_tier": {"service_tier": "flex"},
    "stop": {"stop": "x"},
    "temperature": {"temperature": 0.5},
    "tool_choice": {"tool_choice": "none"},
    "tools": {"tools": [TOOL]},
    "top_logprobs": {"top_logprobs": 2},
    "top_p": {"top_p": 0.5},
    "verbosity": {"verbosity": "low"},
    "web_search_options": {"web_search_options": {}},
    "unknown": {"unknown": 1},
}
NEUTRAL: Mapping[str, Json] = {
    "evaluate": {"evaluate": False},
    "fallback_models": {"fallback_models": ["two/m"]},
    "metadata": {"metadata": {"a": "b"}},
    "model": {"model": "an-alias"},
    "models": {"models": ["one/m"]},
    "prompt_cache_key": {"prompt_cache_key": "x"},
    "prompt_cache_options": {"prompt_cache_options": {}},
    "prompt_cache_retention": {"prompt_cache_retention": "24h"},
    "route": {"route": {"prefer": "cheap"}},
    "safety_identifier": {"safety_identifier": "x"},
    "span_uuid": {"span_uuid": "x"},
    "store": {"store": True},
    "stream": {"stream": True},
    "stream_options": {"stream": True, "stream_options": {"include_usage": True}},
    "tags": {"tags": {"a": "b"}},
    "usage": {"usage": {"include": True}},
    "user": {"user": "ann"},
}


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        *(pytest.param(fields, True, id=f"{name} counts") for name, fields in COUNTS.items()),
        *(pytest.param(fields, False, id=f"{name} does not count") for name, fields in NEUTRAL.items()),
    ],
)
def test_a_field_counts_if_it_affects_the_answer(fields: Json, counts: bool) -> None:
    assert (cache_key(call(**fields)) != cache_key(call())) is counts


def test_every_field_of_a_request_is_in_these_tables() -> None:
    known = inspect.getclosurevars(CHAT).nonlocals["members"].keys() - {"openpipe", "reqPayload"}
    assert COUNTS.keys() | NEUTRAL.keys() == known | {"unknown"}


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        pytest.param({"seed": 1, "top_p": 1}, {"top_p": 1, "seed": 1}, True, id="fields in any order"),
        pytest.param({"hints": {"top_p": 1}}, {"top_p": 1}, True, id="a hint is the field that it sets"),
        pytest.param(
            {"output_schema": {"type": "object", "properties": {"a": {}, "b": {}}}},
            {"output_schema": {"type": "object", "properties": {"b": {}, "a": {}}}},
            False,
            id="the order of a schema's properties, in which models write",
        ),
        pytest.param({"stop": "a"}, {"stop": ["a"]}, False, id="another type"),
        pytest.param({"seed": None}, {}, False, id="null is sent"),
        pytest.param({"x": "\ud800"}, {"x": "\udbff"}, False, id="halves of surrogate pairs"),
        pytest.param({"x": "a", "y": ""}, {"x": "", "y": "a"}, False, id="the same text elsewhere"),
    ],
)
def test_bodies_are_compared_as_they_would_be_sent(one: Json, other: Json, equal: bool) -> None:
    assert (cache_key(call(**one)) == cache_key(call(**other))) is equal


@pytest.mark.parametrize(
    "name", [*FORWARDED, "user-agent", "x-sluice-tags", "x-request-id", "x-sluice-cache"]
)
def test_a_header_counts_if_a_provider_may_receive_it(name: str) -> None:
    counts = name in FORWARDED and name not in NEUTRAL_HEADERS
    value = "off" if name == "x-sluice-cache" else "a:b"
    assert (cache_key(call(headers={name: value})) != cache_key(call())) is counts


SAME = call()
DIFFERENT: Mapping[str, Callable[[], Call]] = {
    "another project": lambda: call(project="other"),
    "another cache record": lambda: call(cache="d"),
    "another first candidate": lambda: call("two/m", "one/m"),
    "another name at the provider": lambda: call("one/m2"),
    "another address of the provider": lambda: SAME.replaced(
        rows={**ROWS, "one": ROWS["one"].replaced(base_url="http://new/v1")}
    ),
    "another dialect of the provider": lambda: SAME.replaced(
        rows={**ROWS, "one": ROWS["one"].replaced(dialect="google")}
    ),
    "another format of the client": lambda: call(facts={"dialect": "anthropic"}),
    "a rule sets a field": lambda: call(effects=Effects(set={"temperature": 0})),
    "a rule removes the legacy functions": lambda: call(
        effects=Effects(set={"functions": None}), functions=[{"name": "f"}]
    ),
}


@pytest.mark.parametrize("other", DIFFERENT.values(), ids=DIFFERENT)
def test_caller_model_and_rule_count(other: Callable[[], Call]) -> None:
    assert cache_key(other()) != cache_key(SAME)


def test_later_candidates_and_other_effects_do_not_count() -> None:
    assert cache_key(call("one/m")) == cache_key(SAME)
    assert cache_key(call(effects=Effects(retries=3, recovery="buffer"))) == cache_key(SAME)
    assert cache_key(call(facts={"user": "ann", "key": "k9", "hour": 3})) == cache_key(SAME)


def test_the_project_is_in_the_name_as_well() -> None:
    prefixes = {cache_key(call(project=project)).rpartition("/")[0] for project in ("a", "b", "a/b", "ü", "")}
    assert len(prefixes) == 5
    assert all(prefix.startswith("cache/") and len(prefix) == 22 for prefix in prefixes)
