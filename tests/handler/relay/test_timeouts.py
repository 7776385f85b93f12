"""The time limits of an attempt, and the silence that starts a hedge."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handler.relay.timeouts import deadline_of, hedge_after, limits_of
from rules import Model
from tests.support.running_relay import CHAT, Json, call, model

ANY = replace(model("one/a", can=["reasoning"]), known=False)  # taken to be able, as of a pin
REASONS, OTHER = model("one/a", can=["reasoning", "tools"]), model("one/a", can=["tools"])


@pytest.mark.parametrize(
    ("who", "body", "stream_", "seconds"),
    [
        pytest.param(OTHER, {}, True, 30, id="no reasoning"),
        pytest.param(REASONS, {}, True, 180, id="a model that is known to reason"),
        pytest.param(ANY, {}, True, 30, id="a model that is not known to reason"),
        pytest.param(ANY, {"reasoning_effort": "high"}, True, 180, id="reasoning is asked for"),
        pytest.param(ANY, {"thinking": {"type": "enabled"}}, True, 180, id="in another provider's words"),
        pytest.param(ANY, {"reasoning": {"max_tokens": 9}}, True, 180, id="in a third one's"),
        pytest.param(ANY, {"reasoning_effort": "none"}, True, 30, id="no reasoning is asked for"),
        pytest.param(ANY, {"thinking": {"type": "disabled"}}, True, 30, id="nor in another's words"),
        pytest.param(OTHER, {}, False, 600, id="a whole answer has no first token"),
        pytest.param(REASONS, {}, False, 600, id="nor has one that is thought over"),
    ],
)
async def test_how_long_a_first_token_may_take(who: Model, body: Json, stream_: bool, seconds: float) -> None:
    chat_call = call(who, body={**CHAT, **body}, stream=stream_)
    limits = limits_of(
        chat_call, chat_call.decision.candidates[0], now=100, deadline=deadline_of(chat_call, 100)
    )
    assert limits.first[0] - 100 == seconds
    assert (limits.connect, limits.idle, limits.total) == (5, 30, (700, "timeout_total"))


SMALL = replace(model("one/a"), max_output=500)
USUAL = [
    pytest.param("one/a", {}, True, 10, id="of a stream ten seconds"),
    pytest.param("one/a", {}, False, 1024 / 75, id="of a whole answer the time that a usual one takes"),
    pytest.param("one/a", {"max_tokens": 3000}, False, 40, id="or that a long one takes"),
    pytest.param("one/a", {"max_completion_tokens": 50}, False, 10, id="but never less than ten"),
    pytest.param(SMALL, {"max_tokens": 3000}, False, 10, id="and no longer than the model can go on"),
    pytest.param("one/a", {"max_tokens": 3000}, True, 10, id="a stream begins at once, however long it is"),
    pytest.param(REASONS, {}, True, None, id="a model that reasons is not hedged"),
    pytest.param("one/a", {"reasoning_effort": "low"}, False, None, id="nor one that is asked to reason"),
]


@pytest.mark.parametrize(("who", "body", "streamed", "after"), USUAL)
def test_where_fallbacks_are_named_an_unusual_silence_starts_a_hedge(
    who: str | Model, body: Json, streamed: bool, after: float | None
) -> None:
    chat_call = call(who, "two/b", body={**CHAT, **body}, stream=streamed)
    first = chat_call.decision.candidates[0]
    named = replace(chat_call, decision=replace(chat_call.decision, fallbacks=frozenset({"two/b"})))
    assert hedge_after(named, first) == after
    assert hedge_after(chat_call, first) is None, "a pool's others are no fallbacks that anybody named"


@pytest.mark.parametrize(
    ("effects", "after"),
    [({"hedge_after": 3.0}, 3), ({"timeouts": {"first_token": 20.0}}, None), ({"timeouts": {"idle": 9}}, 10)],
    ids=["its own time", "a limit of the first token", "anything else"],
)
def test_a_rule_overrides_the_default_hedge(effects: Json, after: float | None) -> None:
    chat_call = call("one/a", "two/b", stream=True, **effects)
    named = replace(chat_call, decision=replace(chat_call.decision, fallbacks=frozenset({"two/b"})))
    assert hedge_after(named, chat_call.decision.candidates[0]) == after
