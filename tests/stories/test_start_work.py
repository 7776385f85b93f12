"""What a start does until its first answer, and what a request does: modules, and events of the interpreter.

These are counts, so they are the same on every machine, and a bound cannot fail by chance. To see what an
import costs: `python -X importtime -c "import handler.main"`.
"""

from __future__ import annotations

import json
import marshal
import os
import subprocess
import sys
import sysconfig
from base64 import b64encode
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from handler.store.attributes import serialize_item
from rules import RuleSet, code_version
from tests.support.canned_answers import completion
from tests.support.gateways import KEY, key_item, model, provider
from tests.support.lambda_url import event_of
from tests.support.serving import ROOT

pytestmark = pytest.mark.xdist_group("start work")  # counted once

REQUESTS = 100
SLACK = 1.03
GREW = """
{what} {found:,} {unit}, and {bound:,} are allowed (tests/stories/test_start_work.py).
If it grew by mistake: import what only some requests need inside the function that needs it, and do once
what is now done for each request. If the growth is worth its price, raise the bound in the same commit."""

# Libraries import these where they are installed, which they are not in the package.
ABSENT = ("click", "multipart", "pygments", "python_multipart", "rich", "sniffio", "trio", "uvloop")
# No first answer needs these. Each costs 2 to 60 ms of a cold start.
NEVER = (
    *("anyio", "botocore", "certifi", "h11", "httpcore", "httpx", "httpx2", "idna", "jsonschema_rs", "mcp"),
    *("opentelemetry", "pydantic", "pydantic_core", "starlette", "urllib3"),
)


class Bounds(NamedTuple):
    """Of one version of Python, whose own modules count too."""

    first: int  # events until the first answer and what follows it
    request: int  # events of one request
    standard: int  # modules of Python


BOUNDS = {
    "3.11": Bounds(first=346_800, request=5_930, standard=181),
    "3.13": Bounds(first=328_200, request=5_720, standard=178),
}
# Modules of each package at the first answer, at most.
MODULES = {
    "handler": 155,
    "mangum": 12,
    "rules": 37,
    "typing_extensions": 1,
}

RECORDS = [
    provider("http://up.invalid"),
    model("up/small", price={"input": 1, "output": "2.5"}, can=["tools"]),
    {"kind": "route", "id": "long", "when": {"input_tokens": {"gt": 8000}}, "model": "up/small"},
    {"kind": "access", "id": "all", "scope": {"project": "support"}, "models": ["up/*"]},
    {"kind": "alias", "id": "fast", "models": ["up/small"]},
]


@cache
def counted() -> Any:
    """What tests/support/start_work.py prints, in an environment like Lambda's."""
    ruleset = RuleSet.read(RECORDS)
    compiled = ruleset.compiled()
    assert compiled is not None
    stored = {"id": {"S": f"compiled#{code_version()}"}, "data": {"B": b64encode(compiled).decode()}}
    answers = {
        "Scan sluice-rules": {"Items": [serialize_item(record) for record in RECORDS]},
        "GetItem sluice-keys": {"Item": serialize_item(key_item(KEY, id="k1", project="support"))},
        "GetItem compiled#": {"Item": stored},
        "GetItem adopted": {"Item": serialize_item({"id": "adopted", "revision": ruleset.revision})},
        "provider": completion(),
    }
    body = json.dumps({"model": "fast", "messages": [{"role": "user", "content": "hi"}]}).encode()
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    event = event_of("POST", "/v1/chat/completions", headers=headers, body=body)
    given = {
        "path": [str(ROOT), sysconfig.get_path("purelib")],
        "roots": os.fspath(Path(__file__).parent),
        "absent": ABSENT,
        "requests": REQUESTS,
        "event": json.dumps(event).encode(),
        "answers": {name: json.dumps(answer).encode() for name, answer in answers.items()},
    }
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_REGION": "us-east-1"}
    keys |= {"AWS_LAMBDA_FUNCTION_NAME": "sluice"}
    private = {"UP_API_KEY": "sk-up", "SLUICE_PRIVATE_UPSTREAMS": "1"}
    lasting = {"SLUICE_RULES_TTL": "1000000", "SLUICE_KEY_TTL": "1000000"}
    ran = subprocess.run(
        [sys.executable, "-S", "-s", "-P", str(ROOT / "tests" / "support" / "start_work.py")],
        input=marshal.dumps(given),
        env={"PYTHONHASHSEED": "0", **keys, **private, **lasting},
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return json.loads(ran.stdout.splitlines()[-1])  # after the log lines


def bounds() -> Bounds:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if version not in BOUNDS:
        pytest.skip(f"no bounds for Python {version}, whose own modules differ")
    return BOUNDS[version]


def by_package() -> Counter[str]:
    """How many modules of each package the first answer has imported; `Python`: of its own."""
    packages = (name.partition(".")[0] for name in counted()["modules"] if name != "__main__")
    return Counter("Python" if package in sys.stdlib_module_names else package for package in packages)


def check(what: str, found: int, unit: str, bound: int) -> None:
    assert found <= bound, GREW.format(what=what, found=found, unit=unit, bound=bound)


def test_every_request_was_answered() -> None:
    answers = counted()["answers"]
    assert len(answers) > REQUESTS
    assert all(
        answer.startswith('{"statusCode": 200') and '"content": "Hello"' in answer for answer in answers
    )


def test_a_first_answer_does_not_import_what_few_requests_need() -> None:
    assert not set(NEVER) & set(by_package()), "a module at the top imports it; see docs/design.md, Libraries"


@pytest.mark.parametrize("package", sorted(MODULES))
def test_a_first_answer_imports_few_modules_of(package: str) -> None:
    check(f"Until the first answer `{package}` imports", by_package()[package], "modules", MODULES[package])


def test_a_first_answer_imports_nothing_of_the_console() -> None:
    rooms = ("handler.console", "handler.manage", "rules.review")
    assert [name for name in counted()["modules"] if name.startswith(rooms)] == []


def test_a_first_answer_imports_no_other_package() -> None:
    assert set(by_package()) - {"Python"} <= set(MODULES)


def test_a_first_answer_imports_few_modules_of_python() -> None:
    check(
        "Until the first answer Python imports", by_package()["Python"], "of its modules", bounds().standard
    )


def test_a_start_does_little_work() -> None:
    bound = int(bounds().first * SLACK)
    check("A start with its first request takes", counted()["first"], "calls and lines", bound)


def test_a_request_does_little_work() -> None:
    bound = int(bounds().request * SLACK)
    check("A request takes", counted()["warm"] // REQUESTS, "calls and lines", bound)
