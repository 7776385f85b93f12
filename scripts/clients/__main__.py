"""Runs clients against a local run of Sluice, with a scripted model of each dialect behind it.

make clients                          every client with every dialect, about an hour
make clients ONLY='codex google'      ONLY: parts of the names of clients or endpoints, and dialects

Writes the results into docs/clients.md. SLUICE_CLIENTS: where the clients are installed.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.clients.cell import Outcome, run_cell
from scripts.clients.client import Client
from scripts.clients.gateway import MODELS, serve
from scripts.clients.install import FOLDER, install
from scripts.clients.page import read_results, write
from scripts.clients.table import CLIENTS

AT_ONCE = 2  # cells


def main() -> int:
    cells = list(_cells(sys.argv[1:]))
    for packages in dict.fromkeys(client.packages for client, _ in cells):
        install(packages)
    results, failed = read_results(CLIENTS), 0
    for client, dialect, outcome in _run(cells):
        print(f"{client.name:24} {client.endpoint:22} {dialect:10} {outcome.seconds:5.0f} s", end="  ")
        print(outcome.problem or "ok", flush=True)
        failed += bool(outcome.problem)
        results.setdefault((client.name, client.endpoint), {})[dialect] = "fails" if outcome.problem else "ok"
    write(CLIENTS, results)
    print(f"{len(cells) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _cells(only: Sequence[str]) -> Iterator[tuple[Client, str]]:
    dialects = [each for each in MODELS if each in only] or list(MODELS)
    words = [word.lower() for word in only if word not in MODELS]
    for client in CLIENTS:
        name = f"{client.name} {client.endpoint}".lower()
        if not words or any(word in name for word in words):
            yield from ((client, dialect) for dialect in dialects)


def _run(cells: Sequence[tuple[Client, str]]) -> Iterator[tuple[Client, str, Outcome]]:
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=FOLDER))
    with serve(folder) as gateway, ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [
            pool.submit(run_cell, client, dialect, gateway, folder / f"{number}-{dialect}")
            for number, (client, dialect) in enumerate(cells)
        ]
        for (client, dialect), future in zip(cells, futures, strict=True):
            yield client, dialect, future.result()


if __name__ == "__main__":
    sys.exit(main())
