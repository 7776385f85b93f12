"""Time limits: of a first token by default, and the silence after which a hedge starts."""

from __future__ import annotations

import pytest

from handler.formats.operations.operation import BY_PATH, OperationRequest
from handler.relay.timeouts import deadline_of, hedge_after, limits_of
from rules import Model
from tests.support.running_relay import CHAT, Json, call, model

# The abilities of an unlisted model are assumed.
ASSUMED = model("one/a", can=["reasoning"]).replaced(known=False)
REASONS, OTHER = model("one/a", can=["reasoning", "tools"]), model("one/a", can=["tools"])


@pytest.mark.parametrize(
    ("candidate", "body", "streamed", "seconds"),
    [
        pytest.param(OTHER, {}, True, 30, id="a model that does not reason"),
        pytest.param(REASONS, {}, True, 180, id="a model that is known to reason"),
        pytest.param(ASSUMED, {}, True, 30, id="a model that is not known to reason"),
        pytest.param(ASSUMED, {"reasoning_effort": "high"}, True, 180, id="a request for reasoning"),
        pytest.param(
            ASSUMED, {"thinking": {"type": "enabled"}}, True, 180, id="a request with thinking enabled"
        ),
        pytest.param(
            ASSUMED, {"reasoning": {"max_tokens": 9}}, True, 180, id="a request with a reasoning object"
        ),
        pytest.param(ASSUMED, {"reasoning_effort": "none"}, True, 30, id="a request for no reasoning"),
        pytest.param(
            ASSUMED, {"thinking": {"type": "disabled"}}, True, 30, id="a request with thinking disabled"
        ),
        pytest.param(OTHER, {}, False, 600, id="a whole answer"),
        pytest.param(REASONS, {}, False, 600, id="a whole answer with reasoning"),
    ],
)
async def test_the_time_limit_of_the_first_token(
    candidate: Model, body: Json, streamed: bool, seconds: float
) -> None:
    chat_call = call(candidate, body={**CHAT, **body}, stream=streamed)
    limits = limits_of(
        chat_call, chat_call.decision.candidates[0], now=100, deadline=deadline_of(chat_call, 100)
    )
    assert limits.first[0] - 100 == seconds
    assert (limits.connect, limits.idle, limits.total) == (5, 30, (700, "timeout_total"))


@pytest.mark.parametrize(
    ("path", "first", "idle"),
    [
        pytest.param("/completions", 30, 30, id="a completion is text as a chat is"),
        pytest.param("/images/generations", 600, 180, id="an image takes long"),
        pytest.param("/audio/speech", 600, 180, id="speech does, too"),
    ],
)
def test_the_time_limits_of_operations_besides_chat(path: str, first: float, idle: float) -> None:
    request = OperationRequest(operation=BY_PATH[path])
    made = call(OTHER, stream=True).replaced(operation=request)
    limits = limits_of(made, made.decision.candidates[0], now=100, deadline=deadline_of(made, 100))
    assert (limits.first[0] - 100, limits.idle) == (first, idle)
    assert hedge_after(made, made.decision.candidates[0]) is None


SMALL = model("one/a").replaced(max_output=500)
DEFAULT_HEDGES = [
    pytest.param("one/a", {}, True, 10, id="a stream: ten seconds"),
    pytest.param("one/a", {}, False, 1024 / 75, id="a whole answer: the time of a usual length"),
    pytest.param("one/a", {"max_tokens": 3000}, False, 40, id="a long whole answer: the time of its length"),
    pytest.param("one/a", {"max_completion_tokens": 50}, False, 10, id="a short whole answer: ten seconds"),
    pytest.param(
        SMALL, {"max_tokens": 3000}, False, 10, id="a whole answer: the time of the model's longest output"
    ),
    pytest.param("one/a", {"max_tokens": 3000}, True, 10, id="a long stream: ten seconds"),
    pytest.param(REASONS, {}, True, None, id="a model that reasons is not hedged"),
    pytest.param(
        "one/a", {"reasoning_effort": "low"}, False, None, id="a request for reasoning is not hedged"
    ),
]


@pytest.mark.parametrize(("candidate", "body", "streamed", "after"), DEFAULT_HEDGES)
def test_named_fallbacks_bring_a_default_hedge(
    candidate: str | Model, body: Json, streamed: bool, after: float | None
) -> None:
    chat_call = call(candidate, "two/b", body={**CHAT, **body}, stream=streamed)
    first = chat_call.decision.candidates[0]
    named = chat_call.replaced(decision=chat_call.decision.replaced(fallbacks=frozenset({"two/b"})))
    assert hedge_after(named, first) == after
    assert hedge_after(chat_call, first) is None, "other members of a pool are not named fallbacks"


@pytest.mark.parametrize(
    ("effects", "after"),
    [({"hedge_after": 3.0}, 3), ({"timeouts": {"first_token": 20.0}}, None), ({"timeouts": {"idle": 9}}, 10)],
    ids=["hedge_after", "a first_token timeout", "another timeout"],
)
def test_a_rule_overrides_the_default_hedge(effects: Json, after: float | None) -> None:
    chat_call = call("one/a", "two/b", stream=True, **effects)
    named = chat_call.replaced(decision=chat_call.decision.replaced(fallbacks=frozenset({"two/b"})))
    assert hedge_after(named, chat_call.decision.candidates[0]) == after
