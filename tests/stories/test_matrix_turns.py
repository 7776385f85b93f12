"""A conversation that several providers answer in turn: the reasoning state of each returns to it alone."""

from __future__ import annotations

import json
from itertools import permutations

import pytest

from tests.handler.providers.wire_cases import WIRE, completion_of
from tests.stories.test_matrix import HI, MODELS, PLACE, Json, replies
from tests.support.client_formats import FORMATS
from tests.support.conversations import body_of
from tests.support.gateways import provider, start_gateway
from tests.support.one_reply import OneReply
from tests.support.talk import Talk

# A capture of each dialect that calls a tool, and the state in it that only its provider can read.
STATES = {
    "anthropic": ("thinking", "EqQBCkYIBRgCKkA="),
    "google": ("tools", "CiQBcsjafJ2kZm9vYmFyYmF6cXV4AAECAwQFBgcICQ=="),
    "responses": ("tool", "gAAAAABpHm1XkVb0Zk1Qc3dYb2c"),
}
TURNS = [
    pytest.param(name, first, second, stream, id=f"{name}: {first}, {second}, {first}{', streamed' * stream}")
    for name, format in FORMATS.items()
    for first, second in permutations(STATES, 2)
    for stream in (False, True)
    if not (stream and name != "chat" and format.dialect in (first, second))  # the fold is of our own streams
]


@pytest.mark.parametrize(("name", "first", "second", "stream"), TURNS)
async def test_state_returns_to_its_own_provider_only(
    name: str, first: str, second: str, stream: bool
) -> None:
    upstream, format = OneReply(), FORMATS[name]
    records = [provider("https://up.example/v1", f"own-{one}", dialect=one) for one in STATES]
    running = start_gateway(records, upstream=upstream)
    called = {
        call["function"]["name"]
        for dialect in (first, second)
        for call in completion_of(WIRE / dialect / STATES[dialect][0])["choices"][0]["message"]["tool_calls"]
    }
    body = body_of(
        name, Talk(turns=(HI,), tools=dict.fromkeys(called, PLACE), effort="high"), "", stream=stream
    )
    for dialect in (first, second, first):
        model = f"own-{dialect}/{MODELS[dialect]}"
        upstream.reply = replies(WIRE / dialect / STATES[dialect][0])[stream]
        sent = body if name == "gemini" else {**body, "model": model}
        response = await running.post(format.path(model, stream), sent)
        assert response.status == 200, response.body
        answer: Json = format.fold(response.body) if stream else response.json
        body = format.go_on(body, answer)
    _, at_second, again = map(json.dumps, upstream.requests)
    assert STATES[first][1] not in at_second
    assert STATES[first][1] in again
    assert STATES[second][1] not in again
    assert "sluicev1" not in at_second + again
    await running.gateway.aclose()
