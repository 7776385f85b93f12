"""Formats what a local run prints at its start: base URL, key, models, and commands to paste."""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from handler.local.seeding import SeedResult
from handler.settings import Settings
from handler.upstream.proxies import read_proxies

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # an address to listen on -> one to call
EMBEDDED_BUCKET = "sluice-content"  # in the embedded S3
_HELLO = {"messages": [{"role": "user", "content": "hello"}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The facts of a local run that the banner shows."""

    settings: Settings
    base_url: str
    embedded: bool  # the DynamoDB is in this process
    region: str
    seeded: SeedResult
    available: frozenset[str]  # providers that can be called


def base_url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = _LOOPBACK.get(host, host)
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


def banner(run: Run) -> str:
    """Return the whole banner, with commands for a first answer."""
    rows = {"base URL": run.base_url, "key": _key(run), "models": _models(run), "DynamoDB": _dynamodb(run)}
    if run.settings.console != "off":
        rows["console"] = f"{run.base_url.removesuffix('/v1')}/console"
    if proxies := str(read_proxies(run.settings.environment)):
        rows["proxy"] = proxies
    table = "".join(f"  {name:<9} {text}\n" for name, text in rows.items())
    commands = "\n".join((_edit_commands(run) + _logs_command(run), _curl_command(run), _python_program(run)))
    return f"\nSluice is serving. Ctrl-C ends it.\n\n{table}\n{commands}\n"


def _key(run: Run) -> str:
    if run.seeded.new_key:
        return f"{run.seeded.new_key} (created for this run)"
    if run.seeded.keys:
        return f"{run.seeded.keys} of your file"
    return f"none yet; create one: {_python_path()} -m handler keys create --name NAME"


def _models(run: Run) -> str:
    live = sorted(run.available - {"local"})
    others = f"those of {', '.join(live)}" if live else "no others, since the environment has no credential"
    return f"local/echo, which echoes, and {others}"


def _dynamodb(run: Run) -> str:
    endpoint = run.settings.dynamodb_endpoint
    if run.embedded:
        return f"{endpoint}, in this process: {run.seeded.rules} rules, all forgotten at exit"
    return f"{endpoint}: {run.seeded.rules} rules and {run.seeded.keys} keys written, nothing deleted"


def _edit_commands(run: Run) -> str:
    """Return commands that list the rules. Only the embedded DynamoDB accepts placeholder credentials."""
    endpoint, table = run.settings.dynamodb_endpoint, run.settings.rules_table
    prefix = "AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local " if run.embedded else ""
    return (
        f"AWS_ENDPOINT_URL_DYNAMODB={endpoint} {_python_path()} -m handler rules list\n"
        f"{prefix}aws dynamodb scan --table-name {table} --endpoint-url {endpoint} --region {run.region}\n"
    )


def _logs_command(run: Run) -> str:
    """Return the command that prints what `log` records stored in the embedded bucket."""
    if run.settings.bucket != EMBEDDED_BUCKET:
        return ""
    services = (f"AWS_ENDPOINT_URL_{name}={run.settings.dynamodb_endpoint}" for name in ("DYNAMODB", "S3"))
    return f"{' '.join(services)} SLUICE_BUCKET={EMBEDDED_BUCKET} {_python_path()} -m handler logs export\n"


def _python_path() -> str:
    """Return the path of this Python, relative to the working folder if it is in there."""
    python, folder = Path(sys.executable), Path.cwd()
    return str(python.relative_to(folder)) if python.is_relative_to(folder) else str(python)


def _curl_command(run: Run) -> str:
    header = f"authorization: Bearer {run.seeded.new_key or '$SLUICE_KEY'}"
    return f"curl {run.base_url}/chat/completions -H \"{header}\" -d '{json.dumps(_HELLO)}'\n"


def _python_program(run: Run) -> str:
    key = f'"{run.seeded.new_key}"' if run.seeded.new_key else 'os.environ["SLUICE_KEY"]'
    imports = "" if run.seeded.new_key else "import os\n"
    return (
        "# Python, with the package openai\n"
        f"{imports}from openai import OpenAI\n"
        f'client = OpenAI(base_url="{run.base_url}", api_key={key})\n'
        f'answer = client.chat.completions.create(model="auto", messages={json.dumps(_HELLO["messages"])})\n'
        "print(answer.model, answer.choices[0].message.content)\n"
    )
