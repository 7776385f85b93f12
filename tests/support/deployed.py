"""The deployed function: the built package under a bare interpreter, with a local run's tables.

Its provider `local` is the demo provider.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from handler.access.keys import generate_key
from handler.local.seeding import EXAMPLES
from tests.support.lambda_url import free_port
from tests.support.serving import ROOT, serve_locally

RIE = "aws-lambda-rie-arm64" if platform.machine() in ("arm64", "aarch64") else "aws-lambda-rie-x86_64"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@cache
def folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="sluice-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@cache
def package(machine: str = platform.machine(), python: str = PYTHON) -> Path:
    """The folder that scripts/package.py builds."""
    out = folder() / f"{machine}-{python}"
    command = [
        sys.executable,
        "scripts/package.py",
        "--out",
        str(out),
        "--machine",
        machine,
        "--python",
        python,
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return out


@cache
def bare_python() -> Path:
    """An interpreter without packages."""
    made = folder() / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", made], check=True)
    return made / "bin" / "python"


@cache
def lambdas_client() -> Path:
    """A folder with awslambdaric, which Lambda provides and the package does not hold."""
    made = folder() / "client"
    made.mkdir()
    for name in ("awslambdaric", "snapshot_restore_py", "simplejson", "runtime_client"):
        found = importlib.util.find_spec(name)
        assert found is not None, name
        origin = Path(str(found.origin))
        part = origin.parent if origin.name == "__init__.py" else origin
        (made / part.name).symlink_to(part)
    return made


def emulator_binary() -> Path:
    (found,) = ROOT.glob(f".venvs/sam/lib/python*/site-packages/samcli/local/rapid/{RIE}")
    return found


@dataclass(frozen=True, slots=True)
class Account:
    """What a deployed function finds in its account. `environment` is what Lambda would set."""

    key: str
    restricted_key: str
    dynamodb: str
    environment: Mapping[str, str]


@contextmanager
def make_account(where: Path, upstream: str | None = None) -> Iterator[Account]:
    """The tables, filled with the examples and two keys, and the upstream that serves `local/...`.

    upstream: its base URL; None is the demo provider.
    """
    key, restricted = generate_key(), generate_key()
    keys = [{"key": key, "scopes": ["manage"]}, {"key": restricted, "models": ["openai/*"]}]
    with nullcontext(upstream) if upstream else _echo() as echo:
        local = {"kind": "provider", "id": "local", "dialect": "openai", "base_url": echo}
        rules = [*json.loads(EXAMPLES.read_text()), {**local, "credential": "LOCAL_API_KEY"}]
        (where / "rules.json").write_text(json.dumps(rules))
        (where / "keys.json").write_text(json.dumps(keys))
        files = ("--rules", str(where / "rules.json"), "--keys", str(where / "keys.json"))
        with serve_locally(where, *files) as run:
            yield Account(key, restricted, run.dynamodb, _environment(run.dynamodb))


def _environment(dynamodb: str) -> dict[str, str]:
    """Lambda's variables, with DynamoDB and the demo provider on loopback."""
    return {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb,
        "AWS_LAMBDA_FUNCTION_NAME": "sluice",
        "AWS_REGION": "us-east-1",
        "LAMBDA_TASK_ROOT": str(package()),
        "LANG": "en_US.UTF-8",
        "LOCAL_API_KEY": "none-is-needed",
        "PATH": os.environ["PATH"],
        "SLUICE_PRIVATE_UPSTREAMS": "1",
        "SLUICE_RULES_TTL": "1",
        "TZ": ":UTC",
    }


@contextmanager
def _echo() -> Iterator[str]:
    """The base URL of the demo provider, in a process of its own."""
    port = free_port()
    server = [
        "uvicorn",
        "--factory",
        "handler.local.demo.server:create_demo",
        "--port",
        str(port),
        "--log-level",
        "error",
    ]
    server += ["--timeout-graceful-shutdown", "1"]
    process = subprocess.Popen([sys.executable, "-m", *server], cwd=ROOT)
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(10)
