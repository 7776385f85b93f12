"""Nothing is lost on the way from Converse to a chat and back, and junk is refused, never fatal."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from handler.errors import InvalidRequest, Json
from handler.formats.converse.native import native_body
from handler.providers.bedrock.request import build_request
from handler.wire.strict_json import levels
from rules.catalog.catalog import unlisted_model
from tests.handler.formats.converse.bodies import call, parse, random_body, result

MODEL = unlisted_model("bedrock", "amazon.nova-pro-v1:0")
JUNK: tuple[Any, ...] = (
    *(None, 0, -1, 1.5, True, "", "x", "\ud83d", [], {}, [[]], [None], {"a": None}, {"text": 1}, 10**30),
)


@pytest.mark.parametrize("start", range(0, 200, 50))
def test_a_conversation_survives_the_way_through_a_chat(start: int) -> None:
    for seed in range(start, start + 50):
        body = random_body(Random(seed))
        back, dropped = build_request(parse(body).body, MODEL)
        assert comparable(back) == comparable(body), seed
        assert dropped == ()


def comparable(body: Json) -> Json:
    """Return a body with JSON as text, and without defaults and the limit that Sluice adds."""
    new = copy.deepcopy(body)
    for message in new["messages"]:
        for block in message["content"]:
            for one in block.get("toolResult", {}).get("content", ()):
                if "json" in one:
                    one["text"] = '{"a":[1,null]}'
                    del one["json"]
    for tool in new["toolConfig"]["tools"]:
        tool["toolSpec"]["inputSchema"]["json"].pop("properties", None)
    config = new.pop("inferenceConfig", {})
    config.pop("maxTokens", None)
    choice = new["toolConfig"].pop("toolChoice", {"auto": {}})
    return {**new, "config": config, "choice": choice}


def refusal(body: Any) -> InvalidRequest | None:
    """Return the error of a body; None if it makes a valid chat."""
    try:
        chat = parse(body)
    except InvalidRequest as error:
        return error
    assert chat.native is not None
    native_body(chat.native.body)
    return None


def test_junk_is_refused_or_makes_a_valid_chat() -> None:
    refused = 0
    for seed in range(1000):
        random = Random(seed)
        body = random_body(random)
        holder = random.choice([one for level in levels(body) for one in level])
        junk = copy.deepcopy(random.choice(JUNK))
        if isinstance(holder, list):
            holder.append(junk)
        else:
            holder[random.choice([*holder, "newField"])] = junk
        if (error := refusal(body)) is not None:
            refused += 1
            assert error.param, seed
    assert 200 < refused < 900


def test_two_wrong_values_in_every_place() -> None:
    body = random_body(Random(3))
    for place in range(len(list(holders(body)))):
        changed = copy.deepcopy(body)
        target = list(holders(changed))[place]
        for name in list(target) if isinstance(target, dict) else range(len(target)):
            before = target[name]
            for target[name] in (7, {"a": 1}):
                error = refusal(changed)
                assert error is None or error.param
            target[name] = before


def holders(value: Any) -> Iterator[Any]:
    return (one for level in levels(value) for one in level)


def test_many_calls_take_linear_time() -> None:
    ids = [f"c{at}" for at in range(5_000)]
    turns = [
        {"role": "assistant", "content": [call(id) for id in ids]},
        {"role": "user", "content": [result({"text": "a"}, id=id) for id in ids]},
    ]
    messages = parse({"messages": turns}).body["messages"]
    assert [one["tool_call_id"] for one in messages[1:]] == ids
