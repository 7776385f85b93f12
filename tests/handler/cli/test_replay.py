"""The command `rules replay`, on moto."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from handler.store.items import Items
from handler.store.samples import Samples
from rules.review.samples import Sample, write_sample
from tests.handler.cli.command_line import CommandLine
from tests.support.inline_client import InlineClient
from tests.support.replayed import sample
from tests.support.tables import SETTINGS

BEFORE = {"kind": "route", "id": "all", "model": "openai/gpt-5-mini"}
AVAILABLE = ("anthropic", "openai")


def put(cli: CommandLine, *samples: Sample) -> None:
    async def write() -> None:
        items = Items(InlineClient(cli.database), SETTINGS.state_table)
        store = Samples(items, 500, now=time.time, random=lambda: 0.0, report=print)
        for each in samples:
            store.start_write(write_sample(each.replaced(at=int(time.time()))) or "")
            await store.settle(30)

    asyncio.run(write())


@pytest.fixture
def used(cli: CommandLine) -> CommandLine:
    cli.put_rules(BEFORE)
    fields: dict[str, Any] = {"available": AVAILABLE, "request_id": "r1"}
    million = {"input": 1_000_000, "output": 1_000_000}
    put(
        cli,
        *(sample(now={**fields, "usage": million}) for _ in range(3)),
        sample("openai/gpt-5-mini", now=fields, project="lab"),
        sample("nobody/nothing", now={**fields, "usage": {}}),
    )
    return cli


def file(tmp_path: Path, content: Any) -> str:
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(content))
    return str(path)


AFTER = [
    {**BEFORE, "model": "openai/gpt-5"},
    {"kind": "access", "id": "lab", "scope": {"project": "lab"}, "deny": ["*mini"]},
    {"kind": "alias", "id": "unused", "models": ["openai/gpt-5"]},
]


def test_it_prints_numbers_changes_cost_records_and_examples(used: CommandLine, tmp_path: Path) -> None:
    assert used.run("rules", "replay", file(tmp_path, AFTER)) == 0
    lines = [line.rstrip() for line in used.printed]
    assert lines[0].startswith("5 samples since 20")
    assert lines[1:] == [
        "0  go to the same model",
        "3  go to another model",
        "1  are refused now",
        "1  are refused as before",
        "",
        "COUNT  FROM               TO                 WHY",
        "3      openai/gpt-5-mini  openai/gpt-5       route/all: decides now",
        "1      openai/gpt-5-mini  model_not_allowed  access/lab: denied by access lab",
        "",
        "cost: $6.7512 before, $33.7500 after (+$26.9988, +399.9%)",
        "  without 1 sample for which no provider had answered",
        "",
        "records of the new set that apply to none of the samples:",
        "  alias/unused",
        "",
        *lines[16:],
    ]
    assert lines[16].split() == ["AT", "REQUEST", "KEY", "MODEL", "FROM", "TO"]
    assert [line.split()[1:] for line in lines[17:]] == [
        ["r1", "k1", "auto", "openai/gpt-5-mini", "openai/gpt-5"],
        ["r1", "k1", "openai/gpt-5-mini", "openai/gpt-5-mini", "model_not_allowed"],
        *[["r1", "k1", "auto", "openai/gpt-5-mini", "openai/gpt-5"]] * 2,
    ]


def test_a_record_that_applies_no_more(used: CommandLine, tmp_path: Path) -> None:
    other = {**BEFORE, "id": "other", "scope": {"project": ["web", "lab"]}}
    pulled = file(tmp_path, {"revision": "abc", "records": [other]})
    assert used.run("rules", "replay", pulled, "--prune") == 0
    assert "  route/all (to 5 before, removed)" in used.printed


def test_a_file_is_merged_into_the_table_as_by_a_push(used: CommandLine, tmp_path: Path) -> None:
    cap = {"kind": "route", "id": "cap", "scope": {"project": "web"}, "cap": {"max_tokens": 5}}
    assert used.run("rules", "replay", file(tmp_path, [cap])) == 0
    assert "3  go to another model" in used.printed
    assert used.run("rules", "replay", file(tmp_path, [])) == 0
    assert used.printed[1:4] == [
        "4  go to the same model",
        "0  go to another model",
        "0  are refused now",
    ]


def test_json_is_the_report_of_the_console(used: CommandLine, tmp_path: Path) -> None:
    assert used.run("rules", "replay", file(tmp_path, AFTER), "--json", "--since", "7d") == 0
    report = json.loads(used.text)
    assert (report["samples"], report["moved"], report["refused"], report["still_refused"]) == (5, 3, 1, 1)
    assert report["changes"][0]["why"] == {"kind": "route", "id": "all", "text": "decides now"}


def test_without_samples_it_says_where_they_come_from(cli: CommandLine, tmp_path: Path) -> None:
    assert cli.run("rules", "replay", file(tmp_path, [])) == 0
    assert cli.printed[0].startswith("0 samples since")
    assert "SLUICE_SAMPLES" in cli.printed[1]


def test_text_of_a_caller_is_escaped(cli: CommandLine, tmp_path: Path) -> None:
    put(cli, sample("\x1b[31mevil\n", now={"available": AVAILABLE}))
    cli.run("rules", "replay", file(tmp_path, [{**BEFORE, "override": True}]))
    assert "\x1b" not in cli.text


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        pytest.param(
            [{"kind": "route", "id": "r"}], (), "1 problem: nothing was replayed", id="a bad record"
        ),
        pytest.param({"rules": []}, (), "a rule set is a JSON list", id="no rule file"),
        pytest.param([], ("--since", "8d"), "--since: expected minutes", id="too long ago"),
        pytest.param([], ("--since", "yesterday"), "--since: expected minutes", id="no time"),
    ],
)
def test_a_wrong_input(
    cli: CommandLine, tmp_path: Path, content: Any, arguments: tuple[str, ...], message: str
) -> None:
    assert cli.run("rules", "replay", file(tmp_path, content), *arguments) == 2
    assert message in cli.text
