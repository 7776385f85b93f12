"""Measures how long a token of a stream stays in the function, from the provider to the Runtime API.

The built package runs as Lambda starts it. A provider and a fake Runtime API, both in this process, record
when each chunk is sent and received.

    python -m bench.stream_chunks [--chunks 200] [--gap 10] [--streams 5]

Exit status 1 when the 99th percentile is over the goal.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.deployed import Account, bare_python, make_account, package
from tests.support.lambda_url import event_of, runtime
from tests.support.runtime_api import FakeRuntimeApi, Invocation, listening

GOAL = 0.002  # seconds
SHOWN = 4  # first chunks of the last stream, which are printed


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chunks", type=int, default=200, help="tokens of a stream")
    parser.add_argument("--gap", type=float, default=10, help="milliseconds between two tokens")
    parser.add_argument("--streams", type=int, default=5, help="streams to measure, after one to warm up")
    return asyncio.run(measure(parser.parse_args()))


async def measure(given: argparse.Namespace) -> int:
    upstream = Upstream(given.chunks, given.gap / 1000)
    with tempfile.TemporaryDirectory() as folder:
        async with listening(upstream.connected) as address:
            with make_account(Path(folder), f"http://{address}/v1") as account:
                runs = await streams(account, upstream, given.streams)
    return report(runs)


class Upstream:
    """A provider that streams numbered tokens. sent: when each token of the last stream was sent."""

    def __init__(self, chunks: int, gap: float) -> None:
        self.chunks, self.gap = chunks, gap
        self.sent: list[float] = []

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.split(b":")[1]))
        self.sent = []
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        for number in range(self.chunks):
            await asyncio.sleep(self.gap)
            self.sent.append(time.monotonic())
            writer.write(b"data: " + json.dumps(token(number)).encode() + b"\n\n")
        writer.write(b"data: [DONE]\n\n")
        await writer.drain()
        writer.close()


def token(number: int) -> dict[str, object]:
    choice = {"index": 0, "delta": {"content": f"token-{number};"}, "finish_reason": None}
    head = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 0, "model": "bench"}
    return {**head, "choices": [choice]}


@asynccontextmanager
async def function(account: Account) -> AsyncIterator[FakeRuntimeApi]:
    command = [str(package() / "handler" / "bootstrap"), str(bare_python()), "/var/runtime/bootstrap.py"]
    async with (
        FakeRuntimeApi().serving() as api,
        runtime(command, api=api, environment=account.environment, cwd=package()),
    ):
        yield api


async def streams(account: Account, upstream: Upstream, count: int) -> list[list[tuple[float, float]]]:
    """Returns, for each stream, when each token was sent and when it reached the Runtime API."""
    body = {"model": "local/bench", "stream": True, "messages": [{"role": "user", "content": "go"}]}
    headers = {"content-type": "application/json", "authorization": f"Bearer {account.key}"}
    event = event_of("POST", "/v1/chat/completions", headers=headers, body=json.dumps(body).encode())
    runs = []
    async with function(account) as api:
        for _ in range(count + 1):
            invocation = await (await api.submit(event, seconds=300)).wait()
            runs.append(list(zip(upstream.sent, arrivals(invocation, upstream.chunks), strict=True)))
            await api.idle.wait()
    return runs[1:]


def arrivals(invocation: Invocation, chunks: int) -> list[float]:
    """Returns when each token arrived. The first chunk is the head; a later one may have several tokens."""
    found = {}
    for at, data in invocation.chunks[1:]:
        for number in range(chunks):
            if b"token-%d;" % number in data:
                found[number] = at
    if len(found) != chunks:
        sys.exit(f"{chunks - len(found)} tokens are missing: {invocation.raw[:500]!r}")
    return [found[number] for number in range(chunks)]


def report(runs: list[list[tuple[float, float]]]) -> int:
    last = runs[-1]
    began = last[0][0]
    for number, (sent, came) in enumerate(last[:SHOWN]):
        print(
            f"token {number}: sent at {(sent - began) * 1000:6.2f} ms, received at "
            f"{(came - began) * 1000:6.2f} ms; {sum(later > came for later, _ in last)} were not yet sent"
        )
    lags = sorted(came - sent for run in runs for sent, came in run)
    cuts = statistics.quantiles(lags, n=100)
    print(
        f"{len(lags)} tokens in {len(runs)} streams: lag p50 {cuts[49] * 1000:.2f} ms, "
        f"p99 {cuts[98] * 1000:.2f} ms, max {lags[-1] * 1000:.2f} ms (goal: p99 below {GOAL * 1000:.0f} ms)"
    )
    return int(cuts[98] > GOAL)


if __name__ == "__main__":
    sys.exit(main())
