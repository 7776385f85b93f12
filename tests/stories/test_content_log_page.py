"""docs/content-log.md as a person follows it: its record, requests and commands, and their output."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handler.cli.logged_entries import FIELDS
from rules import DETECTORS, RETENTION
from tests.handler.cli.command_line import CommandLine
from tests.support.buckets import NAME, s3
from tests.support.canned_answers import completion, whole
from tests.support.gateways import model, provider, start_gateway
from tests.support.upstream import Upstream
from tests.support.virtual_clock import run

Json = dict[str, Any]
PAGE = (Path(__file__).parents[2] / "docs" / "content-log.md").read_text(encoding="utf-8")
RECORD, REQUEST, REPORT, EDIT = map(json.loads, re.findall(r"^```json\n(.*?)^```", PAGE, re.M | re.S))
COMMANDS = re.findall(r"^\$ (.*)\n((?:[^`].*\n)*)", PAGE, re.M)
ROUTE = {"kind": "route", "id": "all", "model": "up/m"}


@pytest.fixture
def cli() -> Iterator[CommandLine]:
    with s3() as client:
        line = CommandLine(client)
        line.settings = line.settings.replaced(bucket=NAME, environment={"AWS_REGION": "us-east-1"})
        yield line


async def send(*requests: tuple[str, Json], id: str = "ticket-17") -> list[Json]:
    """The answers of a gateway with the record of the page."""
    async with Upstream() as upstream:
        upstream.script("m", whole(completion("Dear Ann, we ship on Monday.")))
        records = [provider(upstream.url), model("up/m"), ROUTE, RECORD]
        gateway = start_gateway(records, SLUICE_BUCKET=NAME, AWS_REGION="us-east-1")
        answers = [(await gateway.post(path, body, x_request_id=id)).json for path, body in requests]
        await gateway.gateway.aclose()
        return answers


def test_the_page_from_the_record_to_the_training_file(cli: CommandLine) -> None:
    run(send(("/v1/chat/completions", REQUEST)))
    assert len(COMMANDS) == 2
    for command, output in COMMANDS:
        program, *arguments = shlex.split(command)
        assert program == "sluice"
        assert cli.run(*arguments) == 0
        assert "\n".join((*cli.printed, *cli.warnings)) == output.strip()


def test_the_reported_call_and_the_change_of_its_tags(cli: CommandLine) -> None:
    answers = run(send(("/v1/report", REPORT), ("/v1/logs/update-tags", EDIT)))
    assert answers == [{"status": "ok"}, {"matchedLogs": -1}]
    assert cli.run("logs", "export", "--where", "tags.good=yes", "--where", "tags.job!=*") == 0
    messages = REPORT["reqPayload"]["messages"]
    assert list(map(json.loads, cli.printed)) == [
        {"messages": [*messages, REPORT["respPayload"]["choices"][0]["message"]]}
    ]


@pytest.mark.parametrize("word", [*FIELDS, *DETECTORS])
def test_every_field_and_detector_is_on_the_page(word: str) -> None:
    assert f"`{word}`" in PAGE


def test_rules_md_lists_the_retentions() -> None:
    rules = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
    *most, last = map(str, RETENTION)
    assert f"{', '.join(most)} or {last}" in rules
