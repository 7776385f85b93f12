"""Odd JSON of providers, cut into arbitrary pieces, reaches clients of the same format byte for byte."""

from __future__ import annotations

import itertools
import json
from random import Random

import pytest

from tests.stories.test_native import COUNTS, ODD, WIRES, frame, path_of, request_of
from tests.support.canned_answers import Reply
from tests.support.gateways import provider, start_gateway
from tests.support.one_reply import OneReply

SEEDS = 25
SCALARS = (
    "null",
    "true",
    "-0.0",
    "1E+2",
    "0.10",
    str(10**40),
    '"\\u00e9 \\ud83d\\ude00 \\/"',
    '"\u2028ä"',
    '""',
)


def odd_value(random: Random, depth: int = 3) -> str:
    kind = random.randrange(4) if depth else 0
    values = [odd_value(random, depth - 1) for _ in range(random.randrange(4) if kind > 1 else 0)]
    space = random.choice(("", " ", "  "))
    if kind == 2:
        return f"[{space}{f',{space}'.join(values)}]"
    if kind == 3:
        members = (f'"n{place}{space}"{space}:{value}' for place, value in enumerate(values))
        return f"{{{f'{space},'.join(members)}{space}}}"
    return random.choice(SCALARS)


def cut(data: bytes, random: Random) -> tuple[bytes, ...]:
    at = sorted(random.randrange(len(data)) for _ in range(random.randrange(30)))
    edges = [0, *at, len(data)]
    return tuple(data[begin:end] for begin, end in itertools.pairwise(edges) if begin < end)


@pytest.mark.parametrize("dialect", COUNTS)
async def test_odd_json_is_passed_on_as_it_is(dialect: str) -> None:
    upstream = OneReply()
    own = provider("https://up.example/v1", f"own-{dialect}", dialect=dialect)
    running = start_gateway([own], upstream=upstream)
    for seed in range(SEEDS):
        random = Random(seed)
        odd = f'"odd": {odd_value(random)}, "future": {odd_value(random)}'
        answer = WIRES[dialect].answer.replace(ODD, odd).encode()
        upstream.reply = Reply(
            headers={"content-type": "application/json"}, pieces=cut(answer, random), chunked=True
        )
        response = await running.post(path_of(dialect, streamed=False), request_of(dialect, streamed=False))
        assert (response.status, response.body) == (200, answer), seed
        stream = b"".join(frame(event.replace(ODD, odd), dialect) for event in WIRES[dialect].events)
        upstream.reply = Reply(
            headers={"content-type": "text/event-stream"}, pieces=cut(stream, random), chunked=True
        )
        response = await running.post(path_of(dialect, streamed=True), request_of(dialect, streamed=True))
        assert (response.status, response.body) == (200, stream), seed
        body = request_of(dialect, streamed=False).decode().replace(ODD, odd)
        await running.post(path_of(dialect, streamed=False), body.encode())
        expected = json.loads(body)
        sent = upstream.requests[-1]
        assert {**sent, "model": None} == {**expected, "model": None}, seed
    await running.gateway.aclose()
