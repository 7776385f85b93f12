"""Nothing is lost on the way from Gemini's format to a chat and back, and junk is refused, never fatal."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from handler.errors import InvalidRequest, Json
from handler.formats.chat.fields import check_chat
from handler.formats.gemini.answer import response_of
from handler.formats.gemini.native import native_body
from handler.providers.google.request import build_request
from handler.providers.provider import Quirks
from handler.wire.strict_json import levels
from rules import Model
from tests.handler.formats.gemini.bodies import parse, random_body
from tests.handler.formats.gemini.completions import random_completion

GEMINI = Model(provider="gemini", name="gemini-3-pro")
PLACEHOLDER = "skip_thought_signature_validator"
JUNK: tuple[Any, ...] = (
    None,
    0,
    -1,
    1.5,
    True,
    "",
    "x",
    "\ud83d",
    [],
    {},
    [[]],
    [None],
    {"a": None},
    {"text": 1},
    10**30,
)


@pytest.mark.parametrize("start", range(0, 200, 50))
def test_a_conversation_survives_the_way_through_a_chat(start: int) -> None:
    for seed in range(start, start + 50):
        body = random_body(Random(seed))
        chat = parse(body).body
        check_chat(chat, max_n=8)
        back, dropped = build_request(chat, GEMINI, Quirks())
        assert comparable(back) == comparable(body), seed
        assert dropped == ()


def comparable(body: Json) -> Json:
    """Return a body without what Sluice adds or may leave out: ids, placeholders, thoughts."""
    new = copy.deepcopy(body)
    for content in new["contents"]:
        content["parts"] = [part for part in content["parts"] if not part.get("thought")]
        for part in content["parts"]:
            for name in ("functionCall", "functionResponse"):
                part.get(name, {}).pop("id", None)
            if part.get("thoughtSignature") == PLACEHOLDER:
                del part["thoughtSignature"]
    return new


def test_an_answer_survives_in_the_history_of_a_client() -> None:
    for seed in range(200):
        (choice, *_) = random_completion(Random(seed))["choices"]
        response = response_of({"choices": [choice]}, thoughts=True)
        content = response["candidates"][0]["content"]
        (message,) = parse({"contents": [content]}).body["messages"]
        assert readable(message) == readable(choice["message"]), seed


def readable(message: Json) -> Json:
    """Return a message with the values of its arguments."""
    calls = [
        {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
        for call in message.get("tool_calls", ())
    ]
    return {**message, "tool_calls": calls}


def refusal(body: Json) -> InvalidRequest | None:
    """Return the error of a body; None if it makes a valid chat."""
    native_body(body)
    try:
        chat = parse(body).body
    except InvalidRequest as error:
        return error
    check_chat(chat, max_n=8)
    return None


def test_junk_is_refused_or_makes_a_valid_chat() -> None:
    refused = 0
    for seed in range(1000):
        random = Random(seed)
        body = random_body(random)
        put_junk(body, random)
        if (error := refusal(body)) is not None:
            refused += 1
            assert error.param, seed
    assert 200 < refused < 800


def put_junk(body: Json, random: Random) -> None:
    """Put a wrong value into a random place of a body, or under an unknown name."""
    value = copy.deepcopy(random.choice(JUNK))
    holder = random.choice([one for level in levels(body) for one in level])
    if isinstance(holder, list):
        holder.append(value)
    else:
        holder[random.choice([*holder, "newField"])] = value


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
    calls = [{"functionCall": {"name": "f"}}] * 5_000
    results = [{"functionResponse": {"name": "f"}}] * 5_000
    contents = [{"role": "model", "parts": calls}, {"role": "user", "parts": results}]
    messages = parse({"contents": contents}).body["messages"]
    assert len(messages) == 5_001
    assert [one["tool_call_id"] for one in messages[1:]] == [one["id"] for one in messages[0]["tool_calls"]]
