"""A local run in a process of its own: `python -m handler serve`, and the addresses that it prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BEGIN = 30  # seconds until a run must serve
END = 20  # seconds until it must have ended


@dataclass(frozen=True, slots=True)
class LocalRun:
    """A running gateway. `output` is everything it has printed so far."""

    process: subprocess.Popen[bytes]
    printed: Path

    @property
    def output(self) -> str:
        return self.printed.read_text(encoding="utf-8")

    @property
    def base_url(self) -> str:
        return self._printed(r"base URL +(\S+)")

    @property
    def key(self) -> str:
        return self._printed(r"key +(sk-sluice-\S+)")

    @property
    def dynamodb(self) -> str:
        return self._printed(r"DynamoDB +(http://[^\s,]+)(?<!:)")

    def _printed(self, pattern: str) -> str:
        found = re.search(pattern, self.output)
        assert found, f"no {pattern} in: {self.output}"
        return found[1]


def start_run(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> LocalRun:
    """Starts a run in an environment without credentials."""
    clean = {"PATH": os.environ["PATH"], "HOME": str(folder), **(environment or {})}
    printed = folder / "serve.txt"
    command = [sys.executable, "-W", "error", "-m", "handler", "serve", *arguments]
    with printed.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=clean, stdout=out, stderr=subprocess.STDOUT)
    return LocalRun(process, printed)


@contextmanager
def serve_locally(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[LocalRun]:
    """Starts a run on a free port, waits until it serves, and terminates it at the end."""
    run = start_run(folder, "--port", "0", *arguments, environment=environment)
    try:
        until = time.monotonic() + BEGIN
        while "print(answer.model" not in run.output:
            assert run.process.poll() is None, run.output
            assert time.monotonic() < until, f"not serving after {BEGIN} s: {run.output}"
            time.sleep(0.02)
        yield run
    finally:
        run.process.terminate()
        run.process.wait(END)
