"""Random conversations are the same request in every format of clients, and random answers come back."""

from __future__ import annotations

from random import Random

import pytest

from tests.stories.test_matrix import HI, MODELS, Json, comparable, open_gateway, request_of
from tests.support.canned_answers import whole
from tests.support.client_formats import FORMATS
from tests.support.conversations import body_of
from tests.support.gateways import RunningGateway
from tests.support.one_reply import OneReply
from tests.support.random_answers import TOOLS, random_answer
from tests.support.random_talks import SCHEMAS, random_talk
from tests.support.talk import Talk
from tests.support.unsaid import said, without_links

SEEDS = range(20)
CELLS = [
    pytest.param(name, dialect, id=f"{name} with {dialect}")
    for name, format in FORMATS.items()
    for dialect in MODELS
    if name != "chat" and format.dialect != dialect
]


@pytest.mark.parametrize(("name", "dialect"), CELLS)
async def test_a_random_conversation_is_the_same_request_as_a_chat(name: str, dialect: str) -> None:
    gateway, upstream, model = open_gateway(dialect)
    for seed in SEEDS:
        talk = said(random_talk(Random(seed)), name)
        talk = without_links(talk) if dialect == "bedrock" else talk
        ours, chat = [await request_of(one, talk, gateway, upstream, model) for one in (name, "chat")]
        assert ours == chat, seed
    await gateway.gateway.aclose()


@pytest.mark.parametrize(("name", "dialect"), CELLS)
async def test_random_answers_come_back_as_those_of_a_chat(name: str, dialect: str) -> None:
    gateway, upstream, model = open_gateway(dialect)
    for seed in SEEDS:
        ours, chat = [await returned(one, dialect, seed, gateway, upstream, model) for one in (name, "chat")]
        assert ours == (without_unshown(chat) if name == "gemini" else chat), seed
    await gateway.gateway.aclose()


async def returned(
    name: str, dialect: str, seed: int, gateway: RunningGateway, upstream: OneReply, model: str
) -> Json:
    """Return the request behind several answers of a provider."""
    random, format = Random(seed), FORMATS[name]
    effort = random.choice(("", "low", "high"))
    talk = Talk(turns=(HI,), tools=dict.fromkeys(TOOLS, SCHEMAS[0]), effort=effort)
    body = body_of(name, talk, model)
    for _ in range(random.randint(1, 3)):
        upstream.reply = whole(random_answer(dialect, random))
        response = await gateway.post(format.path(model, False), body)
        assert response.status == 200, response.body
        body = format.go_on(body, response.json)
    upstream.requests.clear()
    upstream.reply = whole(status=400)
    response = await gateway.post(format.path(model, False), body)
    assert upstream.requests, response.body
    return comparable(upstream.requests[0])


def without_unshown(body: Json) -> Json:
    """Return a chat without thoughts that a client of Gemini's does not get, as it did not ask for them.

    Beside calls they come back in a signature: some models want them until the answer is complete.
    """
    if "reasoning_effort" in body or "messages" not in body:
        return body
    messages = [
        {name: one for name, one in message.items() if name != "reasoning_content" or "tool_calls" in message}
        for message in body["messages"]
    ]
    return {**body, "messages": messages}
