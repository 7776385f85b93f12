"""Every client format at failing providers of every format: each gets its own error, and never a quiet end.

A captured error of a provider, one in the middle of a stream, a stream that is cut off, a client that leaves.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.handler.providers.wire_cases import ALL, WIRE, read_file
from tests.stories.test_matrix import HI, MODELS, open_gateway, replies, stream_of
from tests.support.asgi import Response
from tests.support.canned_answers import Act, Reply, whole
from tests.support.client_formats import FORMATS, error_of
from tests.support.conversations import body_of
from tests.support.talk import Talk

Json = dict[str, Any]

TALK = Talk(turns=(HI,))
ERRORS = [case for case in ALL if (case / "error.json").exists()]
BROKEN = [case for case in ALL if case.name.startswith(("stream-", "openai-stream-"))]
# A text of each dialect, and its last bytes that make the answer complete.
TEXTS = {dialect: WIRE / dialect / ("openai-text" if dialect == "openai" else "text") for dialect in MODELS}
STATUSES = {424: 502, 408: 504}  # of Bedrock, whose clients would repeat a request after the others
CELLS = [pytest.param(name, dialect, id=f"{name} from {dialect}") for name in FORMATS for dialect in MODELS]


async def ask(
    name: str, dialect: str, reply: Reply, *, stream: bool, **options: Any
) -> tuple[Response, Json]:
    """Return the response to a client, and the log line. The provider's reply is closed then."""
    gateway, upstream, model = open_gateway(dialect)
    gateway.tables.records.append({"kind": "route", "id": "once", "retries": 0})
    upstream.reply = reply
    body = body_of(name, TALK, model, stream=stream)
    response = await gateway.post(FORMATS[name].path(model, stream), body, **options)
    assert upstream.open == 0
    assert response.ended or options
    await gateway.gateway.aclose()
    return response, gateway.lines[-1]


def error_reply(case: Path) -> Reply:
    error = read_file(case, "error.json")
    return whole(error["body"], status=error["status"], headers=error.get("headers"))


def data_of(reply: Reply) -> bytes:
    return b"".join(piece for piece in reply.pieces if isinstance(piece, bytes))


async def leave(name: str, dialect: str, *, stream: bool) -> tuple[Response, Json]:
    """Return what a client gets that leaves after half of an answer, and the log line."""
    left = asyncio.Event()
    reply = replies(TEXTS[dialect])[stream]
    data = data_of(reply)
    half = Reply(headers=reply.headers, pieces=(data[: len(data) // 2], Act.STALL), chunked=True)
    asyncio.get_running_loop().call_later(2, left.set)
    return await ask(name, dialect, half, stream=stream, leave=left)


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: f"{case.parent.name} {case.name}")
async def test_an_error_has_the_form_of_its_client(case: Path) -> None:
    dialect, reply = case.parent.name, error_reply(case)
    messages = {}
    for name, format in FORMATS.items():
        for stream in (False, True):
            response, line = await ask(name, dialect, reply, stream=stream)
            assert response.status >= 400
            if not (format.dialect == dialect and response.body == reply.pieces[0]):
                error_of(name, response.status, response.json)
                messages[name, stream] = response.status
            assert line["attempts"][-1]["class"] == read_file(case, "about.json")["fails"]
    statuses = {
        STATUSES[status] if name == "converse" and status in STATUSES else status
        for (name, _), status in messages.items()
        if name != "messages"
    }
    assert len(statuses) == 1


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: f"{case.parent.name} {case.name}")
async def test_a_broken_stream_ends_with_the_error_of_its_client(case: Path) -> None:
    for name, format in FORMATS.items():
        response, line = await ask(name, case.parent.name, stream_of(case), stream=True)
        if response.status == 200:
            assert format.failure(response.body), (name, response.body)
            assert not format.ends(response.body), (name, response.body)
        else:
            error_of(name, response.status, response.json)
        assert line["attempts"][-1]["class"] == read_file(case, "about.json")["fails"], name


@pytest.mark.parametrize(("name", "dialect"), CELLS)
async def test_a_stream_that_is_cut_anywhere_never_looks_complete(name: str, dialect: str) -> None:
    _, streamed = replies(TEXTS[dialect])
    data = data_of(streamed)
    complete, _ = await ask(name, dialect, streamed, stream=True)
    assert FORMATS[name].ends(complete.body)
    for at in range(0, len(data), max(1, len(data) // 12)):
        reply = Reply(headers=streamed.headers, pieces=(data[:at], Act.CUT), chunked=True)
        response, _ = await ask(name, dialect, reply, stream=True)
        if response.status == 200:
            assert (FORMATS[name].failure(response.body) is None) == FORMATS[name].ends(response.body), at
        else:
            error_of(name, response.status, response.json)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("name", "dialect"), CELLS)
async def test_a_client_that_leaves_ends_the_providers_work(name: str, dialect: str, stream: bool) -> None:
    response, line = await leave(name, dialect, stream=stream)
    assert line["attempts"][-1]["class"] == "cancelled"
    assert not (stream and FORMATS[name].ends(response.body))
