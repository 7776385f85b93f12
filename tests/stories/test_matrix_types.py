"""Every output of the matrix, read by the official clients and their types in strict form (`make sdks`).

The answers to all captures and to each kind of request, whole and streamed; errors; streams that break, are
cut off, or that the client leaves. One process reads all of them: tests/official_types.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from tests.handler.providers.wire_cases import WIRE
from tests.official_types.output import Output
from tests.provider_fakes.serving import PYTHON
from tests.stories.test_matrix import MODELS, TALKS, Cell, captures, said_of, stream_of, talk_about
from tests.stories.test_matrix_errors import BROKEN, ERRORS, TEXTS, ask, data_of, error_reply, leave
from tests.support.asgi import Response
from tests.support.canned_answers import Act, Reply
from tests.support.client_formats import FORMATS
from tests.support.serving import ROOT
from tests.support.unsaid import said
from tests.support.virtual_clock import VirtualClockLoop

# How answers end, whole and streamed.
KINDS = [(False, "complete"), (False, "failed"), (True, "complete"), (True, "failed"), (True, "left")]
CUTS = 3  # of a text's stream, at even distances


@pytest.mark.slow
def test_the_official_types_can_read_every_output(tmp_path: Path) -> None:
    assert PYTHON.exists(), f"{PYTHON.relative_to(ROOT)} does not exist: run make sdks"
    path = tmp_path / "outputs.jsonl"
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        outputs = runner.run(all_outputs())
    kinds = {(output.format, output.stream, output.ends) for output in outputs}
    assert kinds == {(name, *kind) for name in FORMATS for kind in KINDS}
    path.write_text("\n".join(output.line() for output in outputs), encoding="utf-8")
    command = [str(PYTHON), "-m", "tests.official_types", str(path)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert process.returncode == 0, f"{process.stdout}{process.stderr}"


async def all_outputs() -> list[Output]:
    return [
        output
        for name in FORMATS
        for outputs in (
            _failed(name),
            *(make(name, dialect) for dialect in MODELS for make in (_captured, _asked, _unfinished)),
        )
        async for output in outputs
    ]


async def _captured(name: str, dialect: str) -> AsyncIterator[Output]:
    async with Cell(name, dialect) as cell:
        for case, stream in product(captures(dialect), (False, True)):
            response = await cell.respond(case, talk_about(said_of(case, name)), stream=stream)
            yield output_of(name, dialect, case.name, response, stream=stream)


async def _asked(name: str, dialect: str) -> AsyncIterator[Output]:
    """Yield answers to each kind of request. Some formats repeat parts of it."""
    structured = WIRE / dialect / ("openai-structured" if dialect == "openai" else "structured")
    async with Cell(name, dialect) as cell:
        for (title, talk), stream in product(TALKS.items(), (False, True)):
            case = structured if talk.schema else TEXTS[dialect]
            asked = replace(talk, schema={"type": "object"}) if talk.schema else talk
            response = await cell.respond(case, said(asked, name), stream=stream)
            yield output_of(name, dialect, f"asked for {title}", response, stream=stream)


async def _failed(name: str) -> AsyncIterator[Output]:
    replies = [(case, error_reply(case), stream) for case in ERRORS for stream in (False, True)]
    for case, reply, stream in (*replies, *((case, stream_of(case), True) for case in BROKEN)):
        response, _ = await ask(name, case.parent.name, reply, stream=stream)
        yield output_of(name, case.parent.name, case.name, response, stream=stream)


async def _unfinished(name: str, dialect: str) -> AsyncIterator[Output]:
    streamed = stream_of(TEXTS[dialect])
    data = data_of(streamed)
    for at in range(0, len(data), len(data) // CUTS):
        reply = Reply(headers=streamed.headers, pieces=(data[:at], Act.CUT), chunked=True)
        response, _ = await ask(name, dialect, reply, stream=True)
        yield output_of(name, dialect, f"cut off at {at}", response, stream=True)
    response, _ = await leave(name, dialect, stream=True)
    yield output_of(name, dialect, "left", response, stream=True)


def output_of(name: str, dialect: str, title: str, response: Response, *, stream: bool) -> Output:
    format, body = FORMATS[name], response.body
    relayed = format.dialect == dialect
    if stream and response.status == 200:
        ends = "complete" if format.ends(body) else "failed" if format.failure(body) else "left"
    else:
        ends = "complete" if response.status == 200 else "failed"
    return Output(
        name=f"{name} from {dialect}, {title}{', streamed' * stream}",
        format=name,
        stream=stream,
        ends=ends,
        status=response.status,
        headers=response.headers,
        body=body,
        relayed=relayed,
        folded=format.fold(body) if stream and ends == "complete" and not relayed else None,
    )
