"""Many processes against one DynamoDB admit exactly as many requests as limits and a budget allow."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from handler.aws.sdk import scan
from handler.store import counts
from handler.store.attributes import deserialize_item
from tests.support.counting_processes import Processes, atomic_dynamodb, client, settings, time_of
from tests.support.ledgers import Round

pytestmark = pytest.mark.slow

ROUNDS, PROCESSES = 50, 4


def stored(endpoint: str) -> dict[tuple[str, str], int]:
    """What is taken from the counters, by month and record. Nothing may be reserved any more."""
    total: dict[tuple[str, str], int] = {}
    for typed in scan(client(endpoint), settings(endpoint).state_table, consistent=True):
        item = deserialize_item(typed)
        if item["id"].startswith("count/") and "hits" in item:
            _, window, _, _, record, _ = item["id"].split("/")
            total[window[:7], record] = total.get((window[:7], record), 0) + item["n"]
            assert sum(counts.reserved(item).values()) == 0
    return total


def play(endpoint: str, **options: Any) -> None:
    processes = Processes(endpoint, PROCESSES)
    expected: dict[tuple[str, str], int] = {}
    try:
        for seed in range(ROUNDS):
            scene = Round(seed, **options)
            admitted, used = processes.play(seed, **options)
            assert admitted == scene.admitted, f"round {seed}"
            amounts = {
                "requests": admitted,
                "tokens": sum(use.tokens for use in used),
                "usd": sum(use.nano_dollars for use in used),
            }
            month = f"{datetime.fromtimestamp(time_of(seed), UTC):%Y-%m}"
            expected |= {(month, record.id): amounts[record.unit] for record in scene.records if admitted}
    finally:
        processes.end()
    assert stored(endpoint) == expected


def test_two_limits_and_a_budget_are_exact_across_processes() -> None:
    with atomic_dynamodb() as endpoint:
        play(endpoint, requests=16)


@contextmanager
def dynalite() -> Iterator[str]:
    """Another implementation of DynamoDB, https://github.com/architect/dynalite. Yields its endpoint."""
    command = shutil.which("dynalite")
    if command is None:
        pytest.skip("dynalite is not installed: npm install -g dynalite")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    arguments = [command, "--host", "127.0.0.1", "--port", port, "--createTableMs", "0"]
    server = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        assert "listening" in server.stdout.readline()
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def test_one_limit_is_exact_on_dynalite_too() -> None:
    """It has no transactions, so each request has one counter."""
    with dynalite() as endpoint:
        client(endpoint).create_table(
            TableName=settings(endpoint).state_table,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        play(endpoint, single=True)
