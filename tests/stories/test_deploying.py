"""The commands of docs/deploying.md that need no AWS account. The stack is created on moto."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto import mock_aws

from handler.__main__ import parser
from handler.cli.commands import run
from handler.cli.terminal import Terminal
from handler.settings import Settings
from tests.support.aws import aws_client
from tests.support.serving import ROOT
from tests.test_template import transformed

PAGE = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
COMMANDS = [line.strip() for line in re.findall(r"^    (?:make|\.venv/bin/python) .*$", PAGE, re.MULTILINE)]
AWS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}
UNKNOWN_TO_MOTO = {"AWS::Lambda::Url", "AWS::CloudFormation::Stack"}  # the latter reads a file from S3


def commands(first: str) -> list[list[str]]:
    """The arguments of the page's commands that begin with `first`. The commands of a pipe are separate."""
    parts = (part.strip() for line in COMMANDS for part in line.split(" | "))
    return [shlex.split(part.partition(" > ")[0]) for part in parts if part.startswith(first)]


def printed_by_make(folder: Path, *arguments: str) -> str:
    """The commands that make would run from a shell, even if make runs these tests."""
    environment = {
        name: value for name, value in os.environ.items() if "MAKE" not in name and name != "MFLAGS"
    }
    result = subprocess.run(
        ["make", "-n", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("words", commands("make"), ids=" ".join)
def test_make_knows_the_target(words: list[str]) -> None:
    printed_by_make(ROOT, *words[1:])


@pytest.mark.parametrize("words", commands(".venv/bin/python -m handler"), ids=" ".join)
def test_the_command_line_takes_the_arguments(words: list[str]) -> None:
    assert parser().parse_args(words[3:]).act


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        pytest.param(
            'stack_name = "gate"\nregion = "eu-west-1"\n',
            ["--stack", "gate", "--region", "eu-west-1", "--name", "first"],
            id="the stack and the region of the last deployment",
        ),
        pytest.param(
            "", ["--stack", "sluice", "--name", "first"], id="the stack `sluice` before the first deployment"
        ),
    ],
)
def test_make_key_finds_the_stack(saved: str, words: list[str], tmp_path: Path) -> None:
    for name in ("Makefile", "scripts", "requirements", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "samconfig.toml").write_text(saved, encoding="utf-8")
    printed = printed_by_make(tmp_path, "key", "NAME=first")
    assert shlex.split(printed.splitlines()[-1])[1:] == ["-m", "handler", "keys", "create", *words]


@pytest.fixture(scope="module")
def stack() -> Iterator[str]:
    """The transformed template as a stack, without the resources that moto does not know."""
    template = transformed()
    resources = {
        name: one for name, one in template["Resources"].items() if one["Type"] not in UNKNOWN_TO_MOTO
    }
    outputs = {name: one for name, one in template["Outputs"].items() if name != "BaseUrl"}
    with mock_aws():
        aws_client("s3").create_bucket(Bucket="bucket")
        aws_client("s3").put_object(Bucket="bucket", Key="key", Body=_archive())
        body = json.dumps({**template, "Resources": resources, "Outputs": outputs})
        aws_client("cloudformation").create_stack(
            StackName="sluice", TemplateBody=body, Capabilities=["CAPABILITY_IAM"]
        )
        yield "sluice"


def _archive() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("empty.py", "")
    return archive.getvalue()


@pytest.mark.slow
def test_the_template_makes_a_stack(stack: str) -> None:
    (described,) = aws_client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in described["Outputs"]}
    assert described["StackStatus"] == "CREATE_COMPLETE"
    assert outputs["FirstKey"] == "make key NAME=first STACK=sluice REGION=us-east-1"
    variables = aws_client("lambda").list_functions()["Functions"][0]["Environment"]["Variables"]
    assert variables["SLUICE_KEYS_TABLE"] == outputs["KeysTable"]
    assert variables["SLUICE_CREDENTIALS_PATH"] == "/sluice"


@pytest.mark.slow
def test_keys_and_rules_of_the_stack(stack: str, tmp_path: Path) -> None:
    """A key is made, shown in the list and revoked; a rule is pushed, pulled and explained."""
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps([{"kind": "route", "id": "a", "model": "openai/gpt-4o"}]), encoding="utf-8")
    request = tmp_path / "request.json"
    request.write_text('{"messages": [{"role": "user", "content": "Hi"}]}', encoding="utf-8")
    assert _sluice("keys", "create", "--stack", stack, "--name", "ci").startswith("sk-sluice-")
    listed = _sluice("keys", "list", "--stack", stack)
    (identity,) = re.findall(r"key-\w+", listed)
    assert "ci" in listed
    _sluice("keys", "revoke", "--stack", stack, identity)
    _sluice("rules", "push", "--stack", stack, "--yes", str(rules))
    assert json.loads(_sluice("rules", "pull", "--stack", stack))["records"][0]["id"] == "a"
    assert "openai/gpt-4o" in _sluice("rules", "explain", "--stack", stack, str(request))


def _sluice(*arguments: str) -> str:
    """Standard output of one command that succeeds."""
    printed: list[str] = []
    warned: list[str] = []
    terminal = Terminal(print=printed.append, warn=warned.append, confirm=lambda _: True, read=lambda: b"")
    status = run(parser().parse_args(arguments), Settings(environment=AWS), None, terminal)
    assert status == 0, warned
    return "\n".join(printed)
