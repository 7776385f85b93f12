"""What a local run says of itself: where it serves, with which key and models, and lines to paste."""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from handler.local.seeding import Seeded
from handler.settings import Settings
from handler.upstream.proxies import read_proxies

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # a place to listen on, and one to call
_HELLO = {"messages": [{"role": "user", "content": "hello"}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One local run."""

    settings: Settings
    base_url: str
    embedded: bool  # the DynamoDB is in this process
    region: str
    seeded: Seeded
    available: frozenset[str]  # the providers that can be called


def base_url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = _ANYWHERE.get(host, host)
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


def banner(run: Run) -> str:
    """Everything a person needs for a first answer, ready to paste."""
    rows = {"base URL": run.base_url, "key": _key(run), "models": _models(run), "DynamoDB": _dynamodb(run)}
    if proxies := str(read_proxies(run.settings.environment)):
        rows["proxy"] = proxies
    told = "".join(f"  {name:<9} {text}\n" for name, text in rows.items())
    pastes = "\n".join((_edit(run), _curl(run), _python(run)))
    return f"\nSluice is serving. Ctrl-C ends it.\n\n{told}\n{pastes}\n"


def _key(run: Run) -> str:
    if run.seeded.made:
        return f"{run.seeded.made} (made for this run)"
    if run.seeded.keys:
        return f"{run.seeded.keys} of your file"
    return f"none was made: {_python_here()} -m handler keys create --name NAME"


def _models(run: Run) -> str:
    live = sorted(run.available - {"local"})
    others = f"those of {', '.join(live)}" if live else "no others: no credential in the environment"
    return f"local/echo, which echoes, and {others}"


def _dynamodb(run: Run) -> str:
    where = run.settings.dynamodb_endpoint
    if run.embedded:
        return f"{where}, in this process: {run.seeded.rules} rules, all forgotten at exit"
    return f"{where}: {run.seeded.rules} rules and {run.seeded.keys} keys were put, nothing deleted"


def _edit(run: Run) -> str:
    """Two ways to the rules: our own, and any tool for DynamoDB. Only the embedded one takes the dummies."""
    endpoint, table = run.settings.dynamodb_endpoint, run.settings.rules_table
    dummies = "AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local " if run.embedded else ""
    return (
        f"AWS_ENDPOINT_URL_DYNAMODB={endpoint} {_python_here()} -m handler rules list\n"
        f"{dummies}aws dynamodb scan --table-name {table} --endpoint-url {endpoint} --region {run.region}\n"
    )


def _python_here() -> str:
    """This Python as it is called from this folder."""
    python, here = Path(sys.executable), Path.cwd()
    return str(python.relative_to(here)) if python.is_relative_to(here) else str(python)


def _curl(run: Run) -> str:
    header = f"authorization: Bearer {run.seeded.made or '$SLUICE_KEY'}"
    return f"curl {run.base_url}/chat/completions -H \"{header}\" -d '{json.dumps(_HELLO)}'\n"


def _python(run: Run) -> str:
    key = f'"{run.seeded.made}"' if run.seeded.made else 'os.environ["SLUICE_KEY"]'
    imports = "" if run.seeded.made else "import os\n"
    return (
        "# Python, with the package openai\n"
        f"{imports}from openai import OpenAI\n"
        f'client = OpenAI(base_url="{run.base_url}", api_key={key})\n'
        f'answer = client.chat.completions.create(model="auto", messages={json.dumps(_HELLO["messages"])})\n'
        "print(answer.model, answer.choices[0].message.content)\n"
    )
