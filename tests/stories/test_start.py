"""What a process imports until its first answer, when the rules were compiled by another one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rules import RuleSet, code_version
from tests.support.gateways import model, provider

# Each was a tenth of a cold start or more, and no first answer needs it.
NOT_IMPORTED = ("pydantic", "pydantic_core", "rules.reading.records", "rules.reading.conditions")

RECORDS = [
    provider("http://up.invalid"),
    model("up/small", price={"input": 1, "output": "2.5"}, can=["tools"]),
    {"kind": "route", "id": "long", "when": {"input_tokens": {"gt": 8000}}, "model": "up/small"},
    {"kind": "access", "id": "all", "scope": {"project": "support"}, "models": ["up/*"]},
    {"kind": "alias", "id": "fast", "models": ["up/small"]},
]
PROGRAM = """
import asyncio, json, sys
import httpx
from tests.support.canned_answers import completion
from tests.support.gateways import start_gateway

records, version, compiled = json.load(sys.stdin)
upstream = httpx.MockTransport(lambda request: httpx.Response(200, json=completion()))
gateway = start_gateway(records, upstream=upstream)
gateway.tables.compiled = {version: bytes.fromhex(compiled)}
response = asyncio.run(gateway.chat(model="fast"))
assert response.status == 200, response.body
print(*sys.modules)
"""


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled rules", "no compiled rules"])
def test_a_first_answer_imports_what_it_needs(compiled: bool) -> None:
    import json

    data = RuleSet.read(RECORDS).compiled() if compiled else b""
    assert data is not None
    given = json.dumps([RECORDS, code_version(), data.hex()])
    command = [sys.executable, "-c", PROGRAM]
    ran = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    imported = set(NOT_IMPORTED) & set(ran.stdout.split())
    assert imported == (set() if compiled else set(NOT_IMPORTED))
