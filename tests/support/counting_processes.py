"""Processes that count at the same time against one DynamoDB, over botocore and HTTP.

The DynamoDB is that of a local run, in a process of its own.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from threading import Event
from typing import Any

from handler.access import ledger as ledger_module
from handler.access.reservation import Use
from handler.aws.sdk import ThreadedClient, create_client
from handler.local.create_tables import create_tables
from handler.local.database import serve_database
from handler.settings import Settings
from handler.store.items import Items
from tests.support.ledgers import Round, admit, new_ledger, settle

MONTH = 31 * 86_400  # seconds from one round to the next, so that each has windows of its own
PATIENCE = 100.0  # seconds that a call may take on a busy machine
INSTANCES = 2  # of each process

_spawn = get_context("spawn")


def settings(endpoint: str) -> Settings:
    return Settings(environment={"AWS_ENDPOINT_URL_DYNAMODB": endpoint, "AWS_REGION": "us-east-1"})


def client(endpoint: str) -> Any:
    return create_client(settings(endpoint), attempts=1, read_timeout=PATIENCE)


def time_of(seed: int) -> float:
    return 1_700_000_000.0 + seed * MONTH


@contextmanager
def atomic_dynamodb() -> Iterator[str]:
    """A DynamoDB with the tables of template.yaml, in a process of its own. Yields its endpoint."""
    here, there = _spawn.Pipe()
    process = _spawn.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        endpoint = here.recv()
        create_tables(client(endpoint), settings(endpoint))
        yield endpoint
    finally:
        process.kill()
        process.join()


def _serve(pipe: Connection) -> None:
    with serve_database() as endpoint:
        pipe.send(endpoint)
        Event().wait()  # until the process is killed


class Processes:
    """Processes that each take a part of the requests of a round."""

    def __init__(self, endpoint: str, count: int) -> None:
        self._pipes: list[Connection] = []
        self._processes: list[BaseProcess] = []
        for number in range(count):
            here, there = _spawn.Pipe()
            process = _spawn.Process(target=_work, args=(endpoint, there, number, count), daemon=True)
            process.start()
            self._pipes.append(here)
            self._processes.append(process)
        for pipe in self._pipes:
            pipe.recv()  # it is ready

    def play(self, seed: int, **options: Any) -> tuple[int, list[Use]]:
        """Send the requests of a round at once. Returns how many were admitted, and what they used.

        None is settled before all are admitted or refused: what it gives back would admit another one.
        """
        for pipe in self._pipes:
            pipe.send((seed, options))
        for pipe in self._pipes:
            pipe.recv()  # its requests are admitted or refused
        for pipe in self._pipes:
            pipe.send("settle")
        used = [use for pipe in self._pipes for use in pipe.recv()]
        return len(used), used

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.join()


def _work(endpoint: str, pipe: Connection, number: int, count: int) -> None:
    ledger_module.WAIT = PATIENCE
    items = Items(ThreadedClient(client(endpoint)), settings(endpoint).state_table, timeout=PATIENCE)
    pipe.send("ready")
    while True:
        seed, options = pipe.recv()
        pipe.send(asyncio.run(_play(items, pipe, seed, options, number, count)))


async def _play(
    items: Items, pipe: Connection, seed: int, options: Any, number: int, count: int
) -> list[Use]:
    scene, chance = Round(seed, **options), random.Random(seed * count + number)
    instances = [new_ledger(items, now=lambda: time_of(seed)) for _ in range(INSTANCES)]
    requests = [scene.request(user) for user in scene.users[number::count]]
    taken = await asyncio.gather(
        *(admit(instances[n % INSTANCES], request) for n, request in enumerate(requests))
    )
    pipe.send("taken")
    await asyncio.to_thread(pipe.recv)
    used = []
    for n, (request, reservation) in enumerate(zip(requests, taken, strict=True)):
        if reservation is not None:
            assert not reservation.uncounted
            tokens, nano = chance.randrange(2 * scene.tokens), chance.randrange(2 * scene.cost)
            used.append(Use(request.candidates[0].id, tokens, nano))
            await settle(instances[n % INSTANCES], reservation, used[-1])
    return used
