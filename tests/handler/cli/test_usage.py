"""The command `usage` on moto."""

from __future__ import annotations

import asyncio
import csv
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handler.cli import usage
from handler.store.items import Items
from handler.store.usage_totals import COUNTS, UsageRow, UsageTotals
from tests.handler.cli.command_line import CommandLine
from tests.support.inline_client import InlineClient
from tests.support.tables import SETTINGS

COST = {"requests": 2, "input": 1_000, "output": 20, "cached": 300, "cost": 1_234_567_891}


def count(cli: CommandLine, row: UsageRow, counts: Mapping[str, int], *, table: str = "") -> None:
    """Count `counts` today."""

    async def add() -> None:
        totals = UsageTotals(
            Items(InlineClient(cli.database), table or SETTINGS.state_table),
            now=time.time,
            report=lambda *_: None,
        )
        totals.add(row, counts)
        await totals.settle(30)

    asyncio.run(add())


@pytest.fixture
def used(cli: CommandLine) -> CommandLine:
    """Two projects' usage, one of it without a price, with a tag that a spreadsheet would run."""
    count(cli, UsageRow(project="p", key="k", model="up/m", tags={"t": "=1+1"}), COST)
    count(cli, UsageRow(project="q", key="l", model="up/n"), {"requests": 1, "errors": 1, "unpriced": 1})
    return cli


def test_a_table_has_a_total(used: CommandLine) -> None:
    assert used.run("usage", "--by", "project,model") == 0
    assert used.printed == [
        "PROJECT  MODEL  REQUESTS  ERRORS  INPUT  CACHED  OUTPUT  DOLLARS",
        "p        up/m   2         0       1000   300     20      1.234567",
        "q        up/n   1         1       0      0       0       0.000000",
        "total           3         1       1000   300     20      1.234567",
    ]
    assert used.warnings == ["requests whose cost is unknown, because a model has no price: 1"]


def test_json_is_what_the_endpoint_answers(used: CommandLine) -> None:
    assert used.run("usage", "--by", "project", "--format", "json") == 0
    report: dict[str, Any] = json.loads("\n".join(used.printed))
    assert [row["project"] for row in report["data"]] == ["p", "q"]
    assert report["data"][0]["cost_nano"] == 1_234_567_891
    assert report["total"]["requests"] == 3


def test_csv_has_no_formula(used: CommandLine) -> None:
    assert used.run("usage", "--by", "tag.t", "--format", "csv") == 0
    head, *rows = csv.reader("\n".join(used.printed).splitlines())
    assert head == ["tag.t", *COUNTS]
    assert [(row[0], row[-1]) for row in rows] == [("'=1+1", "1.234567891"), ("", "0.000000000")]


def test_a_day_without_usage_is_an_empty_table(used: CommandLine) -> None:
    day = f"{datetime.now(UTC) - timedelta(days=3):%Y-%m-%d}"
    assert used.run("usage", "--since", day, "--until", day, "--by", "key") == 0
    assert used.printed[1:] == ["total  0         0       0      0       0       0.000000"]


def test_one_total(used: CommandLine) -> None:
    assert used.run("usage", "--by", "") == 0
    assert len(used.printed) == 2


BAD = [
    pytest.param(["--by", "models"], "--by: expected some of", id="an unknown dimension"),
    pytest.param(["--since", "monday"], "--since: expected a date", id="no date"),
    pytest.param(["--until", "1"], "--until: expected a date", id="a number"),
    pytest.param(["--since", "1000d"], "--since: at most 92 days", id="too many days"),
]


@pytest.mark.parametrize(("arguments", "problem"), BAD)
def test_a_bad_argument_is_named(cli: CommandLine, arguments: list[str], problem: str) -> None:
    assert cli.run("usage", *arguments) == 2
    assert cli.warnings[0].startswith(f"sluice: {problem}")


def test_a_table_that_does_not_exist(cli: CommandLine) -> None:
    assert cli.run("usage", "--state-table", "nowhere") == 1
    assert cli.warnings == [
        "sluice: query nowhere: there is no such table; pass --stack NAME",
    ]


def test_more_rows_than_are_read_are_said(used: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handler.store.usage_report.MAX_GROUPS", 1)
    assert used.run("usage", "--by", "key") == 0
    assert used.warnings[-1] == "there are more rows than are shown: ask for fewer days, or group by less"
    assert set(usage.COLUMNS) <= set(COUNTS)
