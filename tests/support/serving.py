"""A local run as a process of its own: `python -m handler serve`, and what it said of itself."""

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
BEGIN = 30  # seconds that a run may take to begin
END = 20  # seconds that it may take to end


@dataclass(frozen=True, slots=True)
class Served:
    """A running gateway. `output` is everything it has printed so far."""

    process: subprocess.Popen[bytes]
    printed: Path

    @property
    def output(self) -> str:
        return self.printed.read_text(encoding="utf-8")

    @property
    def base_url(self) -> str:
        return self._told(r"base URL +(\S+)")

    @property
    def key(self) -> str:
        return self._told(r"key +(sk-sluice-\S+)")

    @property
    def dynamodb(self) -> str:
        return self._told(r"DynamoDB +(http://[^\s,]+)(?<!:)")

    def _told(self, pattern: str) -> str:
        found = re.search(pattern, self.output)
        assert found, f"no {pattern} in: {self.output}"
        return found[1]


def begun(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Served:
    """A run that has been started, in an environment without anyone's credentials."""
    clean = {"PATH": os.environ["PATH"], "HOME": str(folder), **(environment or {})}
    printed = folder / "serve.txt"
    command = [sys.executable, "-W", "error", "-m", "handler", "serve", *arguments]
    with printed.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=clean, stdout=out, stderr=subprocess.STDOUT)
    return Served(process, printed)


@contextmanager
def served(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Served]:
    """A run on a free port that has said all it says of itself; ended in the ordinary way."""
    run = begun(folder, "--port", "0", *arguments, environment=environment)
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
