"""Messages requests to a provider of the same format: without Sluice's state, with a rule's effects."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handler.errors import Json
from handler.formats.anthropic.format import MESSAGES
from handler.formats.anthropic.native import EFFECTS, native_body
from handler.formats.opaque_state import PREFIX, encode_state
from handler.wire.splice import splice
from tests.handler.formats.anthropic.builders import (
    USER,
    assistant,
    completion,
    parse,
    request,
    text,
    tool,
    tool_use,
)

OWN = {"type": "thinking", "thinking": "hm", "signature": "EqQB"}
OURS = {"type": "thinking", "thinking": "hm", "signature": encode_state({})}
REDACTED = {
    "type": "redacted_thinking",
    "data": encode_state({"calls": {"a": {"thought_signature": "AAAA"}}}),
}
PAGE = {
    "type": "web_search_result_location",
    "url": "u",
    "cited_text": "",
    "encrypted_index": encode_state({}),
}
DETAILS = [
    {"type": "reasoning.text", "signature": "S", "format": "anthropic-claude-v1", "index": 0},
    {"type": "reasoning.encrypted", "data": "D", "format": "anthropic-claude-v1", "index": 1},
    {"type": "reasoning.encrypted", "data": "G", "format": "google-gemini-v1", "index": 2},
]
CLAUDE = {"type": "thinking", "thinking": "hm", "signature": encode_state({"details": DETAILS})}
RESTORED = [
    {"type": "thinking", "thinking": "hm", "signature": "S"},
    {"type": "redacted_thinking", "data": "D"},
]

SAME = [
    pytest.param([USER], id="only a user"),
    pytest.param([USER, {"role": "assistant", "content": "a"}], id="an answer as text"),
    pytest.param([USER, assistant(OWN, text("a"), tool_use())], id="thinking of Claude's"),
    pytest.param([USER, assistant({"type": "redacted_thinking", "data": "x"})], id="redacted by Anthropic"),
    pytest.param(
        [USER, assistant(text("a", citations=[{**PAGE, "encrypted_index": "x"}]))],
        id="citations of Anthropic's",
    ),
    pytest.param([USER, assistant({"type": "future", "signature": 1})], id="an unknown block"),
    pytest.param([{"role": "user", "content": [text(PREFIX)]}], id="a text that begins as a state does"),
    pytest.param([USER, assistant(text("a", citations=None))], id="no citations"),
]


@pytest.mark.parametrize("messages", SAME)
def test_a_request_without_state_is_the_same_object(messages: list[Json]) -> None:
    body = parse(request(*messages)).native
    assert body is not None
    assert native_body(body.body) is body.body


EDITED = [
    pytest.param(
        [USER, assistant(OURS, text("a"))], [USER, assistant(text("a"))], id="reasoning of another model"
    ),
    pytest.param(
        [USER, assistant(text("a"), REDACTED, tool_use())],
        [USER, assistant(text("a"), tool_use())],
        id="a call's signature",
    ),
    pytest.param([USER, assistant(REDACTED), USER], [USER, USER], id="a message of nothing else"),
    pytest.param(
        [USER, assistant(CLAUDE, text("a"))],
        [USER, assistant(*RESTORED, text("a"))],
        id="thinking of Claude's at another host",
    ),
    pytest.param(
        [USER, assistant(text("a", citations=[PAGE]))],
        [USER, assistant(text("a"))],
        id="citations of another model",
    ),
    pytest.param(
        [USER, assistant({**OURS, "signature": PREFIX + "broken"}, text("a"))],
        [USER, assistant(text("a"))],
        id="a state that a client damaged",
    ),
]


@pytest.mark.parametrize(("messages", "expected"), EDITED)
def test_state_is_removed_and_the_rest_keeps_its_bytes(messages: list[Json], expected: list[Json]) -> None:
    body = request(*messages, system="x")
    edited = native_body(body)
    assert edited == request(*expected, system="x")
    assert edited["messages"][0] is body["messages"][0]
    assert json.loads(splice(json.dumps(body, indent=2), body, edited)) == edited


def effect(name: str, body: Json, value: Any) -> Json:
    """Apply an effect; what changed in the body."""
    before = json.dumps(body)
    found = EFFECTS[name](body, value)
    assert json.dumps(body) == before, "the client's body is not changed"
    parse(found)
    return {key: found.get(key) for key in {**body, **found} if found.get(key) != body.get(key)}


EFFORT = {"output_config": {"effort": "high"}}
BUDGET = {"thinking": {"type": "enabled", "budget_tokens": 5000}, "max_tokens": 9000}
NOTE = {"role": "system", "content": "x", "output_config": {"effort": "max"}}

CHANGES = [
    pytest.param("max_tokens", {}, 5, {"max_tokens": 5}, id="a limit"),
    pytest.param("max_completion_tokens", {}, 5, {"max_tokens": 5}, id="under its other name"),
    pytest.param("max_tokens", {}, None, {}, id="a limit cannot be removed"),
    pytest.param("temperature", {}, 0.5, {"temperature": 0.5}, id="a temperature"),
    pytest.param("temperature", {"temperature": 1}, None, {"temperature": None}, id="no temperature"),
    pytest.param("top_k", {"top_k": 3}, 4, {"top_k": 4}, id="sampling"),
    pytest.param("model", {}, "other", {"model": "other"}, id="a model"),
    pytest.param("stop", {}, "END", {"stop_sequences": ["END"]}, id="one stop sequence"),
    pytest.param("stop", {"stop_sequences": ["a"]}, None, {"stop_sequences": None}, id="no stop sequence"),
    pytest.param("user", {"metadata": {"user_id": "a"}}, "b", {"metadata": {"user_id": "b"}}, id="a user"),
    pytest.param("user", {"metadata": {"user_id": "a"}}, None, {"metadata": None}, id="no user"),
    pytest.param("service_tier", {}, "default", {"service_tier": "standard_only"}, id="a tier"),
    pytest.param("service_tier", {}, "flex", {}, id="a tier that Anthropic has not"),
    pytest.param("seed", {}, 5, {}, id="tuning that Claude has not"),
    pytest.param("parallel_tool_calls", {}, False, {}, id="parallel calls without tools"),
    pytest.param(
        "parallel_tool_calls",
        {"tools": [tool()]},
        False,
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        id="one call at a time",
    ),
    pytest.param(
        "parallel_tool_calls",
        {"tools": [tool()], "tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
        True,
        {"tool_choice": {"type": "any"}},
        id="many calls",
    ),
    pytest.param("reasoning_effort", {}, "low", {"output_config": {"effort": "low"}}, id="an effort"),
    pytest.param(
        "reasoning_effort", EFFORT, "minimal", {"output_config": {"effort": "low"}}, id="the least effort"
    ),
    pytest.param("reasoning_effort", EFFORT, None, {"output_config": None}, id="no effort of its own"),
    pytest.param(
        "reasoning_effort",
        EFFORT,
        "none",
        {"output_config": None, "thinking": {"type": "disabled"}},
        id="no thinking",
    ),
    pytest.param(
        "reasoning_effort",
        BUDGET,
        "low",
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        id="a budget",
    ),
    pytest.param(
        "reasoning_effort",
        BUDGET,
        "max",
        {"thinking": {"type": "enabled", "budget_tokens": 8999}},
        id="a budget within the limit",
    ),
    pytest.param(
        "reasoning_effort",
        {"messages": [USER, NOTE]},
        "low",
        {
            "messages": [USER, {**NOTE, "output_config": {"effort": "low"}}],
            "output_config": {"effort": "low"},
        },
        id="the effort of a message",
    ),
]


@pytest.mark.parametrize(("name", "fields", "value", "expected"), CHANGES)
def test_an_effect_of_a_rule(name: str, fields: Json, value: Any, expected: Json) -> None:
    assert effect(name, request(**fields), value) == expected


def test_an_answer_of_another_model_can_be_sent_to_anthropic() -> None:
    answer = completion(
        content="a",
        reasoning_content="hm",
        annotations=[{"type": "url_citation", "url_citation": {"url": "https://x"}}],
        extra_content={"google": {"thought_signature": "AAAA"}},
    )
    content = MESSAGES.answer(answer, parse(request()))["content"]
    assert native_body(request(USER, assistant(*content), USER)) == request(USER, assistant(text("a")), USER)
