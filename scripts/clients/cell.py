"""One cell of the table: a client does its task with a model of one dialect behind Sluice."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from string import Template

from scripts.clients.client import Client, Task
from scripts.clients.gateway import Gateway
from scripts.clients.install import FOLDER, environment_path
from tests.provider_fakes.plans import encode

PROGRAMS = Path(__file__).with_name("programs")
LIMIT = 120  # seconds that a client may take
_SHOWN = 700  # characters of a failed client's output and of the refusals


@dataclass(frozen=True, slots=True)
class Outcome:
    """`problem`: empty if the client did its task."""

    seconds: float
    problem: str = ""


def run_cell(client: Client, dialect: str, gateway: Gateway, folder: Path) -> Outcome:
    """Runs a client in each of its modes. Removes the folder if it succeeds in all of them."""
    start = time.monotonic()
    for mode in client.modes:
        if problem := _run(client, mode, dialect, gateway, folder / (mode or "run")):
            return Outcome(time.monotonic() - start, f"{mode}: {problem}" if mode else problem)
    shutil.rmtree(folder, ignore_errors=True)
    return Outcome(time.monotonic() - start)


def _run(client: Client, mode: str, dialect: str, gateway: Gateway, folder: Path) -> str:
    """Returns the problem of a run, or ""."""
    home, work = folder / "home", folder / "work"
    task = _make_task(folder, work)
    values = {
        "origin": gateway.origin,
        "key": gateway.keys[dialect],
        "model": client.model,
        "prompt": f"{client.prompt} {(plan := encode(client.plan(task)))}",
        "programs": _copy_programs(client, folder),
    }
    fill = lambda text: Template(text).substitute(values)  # noqa: E731
    for path, text in client.files.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(fill(text), encoding="utf-8")
    settings = {**client.settings, **client.quiet}
    environment = {name: fill(text) for name, text in settings.items()}
    environment |= {"MODE": mode, "MODEL": client.model, **_plain_environment(client, home)}
    status, output = _execute(
        [fill(word) for word in client.command], environment, work, folder / "output.txt"
    )
    if problem := _problem(status, output, task):
        refused = _refused(gateway.refusals.read_text(encoding="utf-8"), plan)
        (folder / "refused.txt").write_text(refused, encoding="utf-8")
        return (
            f"{problem}\n{output[-_SHOWN:]}\nrefused by the model: {refused[:_SHOWN] or 'nothing'}\n{folder}"
        )
    return ""


def _make_task(folder: Path, work: Path) -> Task:
    """Makes the home, and a work folder with two files in git's index: some agents see no other files."""
    (folder / "home").mkdir(parents=True)
    work.mkdir()
    task = Task(str(work), secrets.token_hex(6), secrets.token_hex(6))
    Path(task.file).write_text(task.before, encoding="utf-8")
    Path(task.other).write_text(task.other_text, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", "."], cwd=work, check=True)
    subprocess.run(["git", "add", "."], cwd=work, check=True)
    return task


def _copy_programs(client: Client, folder: Path) -> str:
    """Copies the programs below a link to the client's packages: Node looks for them in the folders above."""
    (folder / "node_modules").symlink_to(FOLDER / client.packages / "node_modules")
    return str(shutil.copytree(PROGRAMS, folder / "programs"))


def _plain_environment(client: Client, home: Path) -> Mapping[str, str]:
    path = f"{environment_path(client.packages)}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "TERM": "xterm", "NO_COLOR": "1"}


def _refused(log: str, plan: str) -> str:
    """The entries of the fakes' log for requests with this plan: a line with the refusal, then the body."""
    lines = log.splitlines()
    return "\n".join(f"{line}\n{body}" for line, body in pairwise(lines) if plan in body and " 400 " in line)


def _execute(
    command: list[str], environment: Mapping[str, str], work: Path, output: Path
) -> tuple[int | None, str]:
    """Runs a command in a process group of its own. Returns its exit status, None if it took too long."""
    with output.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=work,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status: int | None = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            _end_group(process)
    return status, output.read_text(encoding="utf-8", errors="replace")


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Ends what the client has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _problem(status: int | None, output: str, task: Task) -> str:
    """The first thing that went wrong, or ""."""
    if status is None:
        return f"no end after {LIMIT} s"
    if status:
        return f"exit status {status}"
    if task.done not in output:
        return "the last answer is not printed"
    return "" if Path(task.file).read_text(encoding="utf-8") == task.after else "the file is not edited"
