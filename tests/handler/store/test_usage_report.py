"""Reports of usage on moto: what is asked, what is read for whom, and how it is grouped and written."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest

from handler.errors import InvalidRequest
from handler.store import usage_report
from handler.store.items import Items
from handler.store.usage_report import Caller, Question, Report, format_dollars, read_question, read_report
from handler.store.usage_totals import COUNTS, OTHER, UsageRow, UsageTotals
from tests.support.inline_client import InlineClient
from tests.support.tables import SETTINGS, dynamodb

TODAY = date(2026, 11, 29)
ALL = Question(date(2026, 11, 23), TODAY, (), "json")


@pytest.fixture
def items() -> Iterator[Items]:
    with dynamodb() as client:
        yield Items(InlineClient(client), SETTINGS.state_table)


async def count(items: Items, *rows: tuple[str, UsageRow, Mapping[str, int]]) -> None:
    """Count one request in each row, on its day."""
    day = ""
    totals = UsageTotals(
        items,
        now=lambda: datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp(),
        report=lambda *_: None,
    )
    for day, row, counts in rows:  # noqa: B007  (the clock reads it)
        totals.add(row, {"requests": 1, **counts})
        await totals.settle(30)


def row(project: str = "p", key: str = "k", model: str = "up/m", **fields: Any) -> UsageRow:
    return UsageRow(project=project, key=key, model=model, **fields)


def costs(report: Report) -> dict[tuple[str | None, ...], int]:
    return {group.values: group.counts["cost"] for group in report.groups}


QUESTIONS = [
    pytest.param(
        {}, ("2026-11-23", "2026-11-29", ("day",), "json"), id="nothing: the last seven days by day"
    ),
    pytest.param(
        {"from": "2026-11-01", "to": "2026-11-02"},
        ("2026-11-01", "2026-11-02", ("day",), "json"),
        id="two dates",
    ),
    pytest.param({"from": "1d"}, ("2026-11-29", "2026-11-29", ("day",), "json"), id="1d is today"),
    pytest.param(
        {"from": "30d", "to": "2d"}, ("2026-10-31", "2026-11-28", ("day",), "json"), id="days that end today"
    ),
    pytest.param({"from": "92d"}, ("2026-08-30", "2026-11-29", ("day",), "json"), id="92 days"),
    pytest.param(
        {"by": " model, tag.team ,model"},
        ("2026-11-23", "2026-11-29", ("model", "tag.team"), "json"),
        id="each dimension once",
    ),
    pytest.param({"by": ""}, ("2026-11-23", "2026-11-29", (), "json"), id="one total"),
    pytest.param({"from": "", "format": "csv"}, ("2026-11-23", "2026-11-29", ("day",), "csv"), id="CSV"),
]


@pytest.mark.parametrize(("parameters", "expected"), QUESTIONS)
def test_a_question(parameters: dict[str, str], expected: tuple[str, str, tuple[str, ...], str]) -> None:
    question = read_question(parameters, TODAY)
    assert (f"{question.first}", f"{question.last}", question.by, question.format) == expected


REFUSED = [
    pytest.param({"from": "yesterday"}, "from", id="a word"),
    pytest.param({"from": "20261101"}, "from", id="a date in another form"),
    pytest.param({"from": "2026-02-30"}, "from", id="a date that does not exist"),
    pytest.param({"to": "2026-11-29T00:00"}, "to", id="a time"),
    pytest.param({"to": "0d"}, "to", id="no days"),
    pytest.param({"to": "-1d"}, "to", id="days to come"),
    pytest.param({"from": "\u0667d"}, "from", id="digits of another script"),
    pytest.param({"from": "99999d"}, "from", id="too many digits"),
    pytest.param({"from": "93d"}, "from", id="93 days"),
    pytest.param({"from": "0001-01-01", "to": "9999-12-31"}, "from", id="all days there are"),
    pytest.param({"from": "2026-11-29", "to": "2026-11-28"}, "from", id="from after to"),
    pytest.param({"by": "models"}, "by", id="an unknown dimension"),
    pytest.param({"by": "tag."}, "by", id="a tag without a name"),
    pytest.param({"by": ",".join(f"tag.{n}" for n in range(9))}, "by", id="nine dimensions"),
    pytest.param({"format": "xml"}, "format", id="an unknown format"),
    pytest.param({"group_by": "model"}, "group_by", id="an unknown parameter"),
]


@pytest.mark.parametrize(("parameters", "param"), REFUSED)
def test_a_bad_question_names_its_parameter(parameters: dict[str, str], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_question(parameters, TODAY)
    assert caught.value.param == param


async def test_rows_are_grouped_by_each_dimension(items: Items) -> None:
    await count(
        items,
        ("2026-11-28", row(tags={"team": "red"}, session="s1"), {"cost": 1}),
        ("2026-11-28", row(project="q", model="up/n", tags={"team": "blue"}, agent="a1"), {"cost": 10}),
        ("2026-11-29", row(key="l", tags={OTHER: OTHER}, session=OTHER), {"cost": 100}),
        ("2026-11-22", row(), {"cost": 1_000}),
    )
    grouped: dict[str, dict[tuple[str | None, ...], int]] = {
        "": {(): 111},
        "day": {("2026-11-29",): 100, ("2026-11-28",): 11},
        "project": {("p",): 101, ("q",): 10},
        "key": {("l",): 100, ("k",): 11},
        "model": {("up/m",): 101, ("up/n",): 10},
        "session": {(OTHER,): 100, (None,): 10, ("s1",): 1},
        "agent": {(None,): 101, ("a1",): 10},
        "tag.team": {(OTHER,): 100, ("blue",): 10, ("red",): 1},
        "project,day": {("p", "2026-11-29"): 100, ("q", "2026-11-28"): 10, ("p", "2026-11-28"): 1},
    }
    for by, expected in grouped.items():
        report = await read_report(items, read_question({"by": by}, TODAY))
        assert list(costs(report).items()) == list(expected.items()), "the most expensive first"
        assert (report.total["cost"], report.total["requests"], report.truncated) == (111, 3, False)


async def test_a_caller_reads_its_own_rows_only(items: Items) -> None:
    names = ["a", "a/b", "b", "%2F", "a%2Fb", "k", "k2"]
    await count(
        items,
        *(("2026-11-29", row(project=one, key=two), {"cost": 1}) for one in names for two in names),
    )
    for one in names:
        for two in names:
            question = ALL._replace(by=("project", "key"))
            report = await read_report(items, question, Caller(one, two))
            assert costs(report) == {(one, two): 1}
    assert (await read_report(items, ALL)).total["cost"] == len(names) ** 2


async def test_a_row_that_names_another_caller_is_left_out(items: Items) -> None:
    """An item whose attributes contradict its id, as only an edit by hand could make it."""
    await count(items, ("2026-11-29", row(), {"cost": 1}))
    (id,) = await items.query("usage_day", ("usage_day", "2026-11-29"))
    item = await items.get(id)
    assert item is not None
    await items.put({**item, "key": "other"})
    assert (await read_report(items, ALL, Caller("p", "k"))).groups == []


async def test_no_rows_are_an_empty_report(items: Items) -> None:
    report = await read_report(items, ALL)
    assert report.as_json() == {
        "object": "usage",
        "from": "2026-11-23",
        "to": "2026-11-29",
        "by": [],
        "data": [],
        "total": {
            **dict.fromkeys(COUNTS, 0),
            "cost_nano": 0,
        },
        "truncated": False,
    }


async def test_more_rows_than_are_read_truncate_the_report(
    items: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    await count(items, *(("2026-11-29", row(session=f"{n}"), {"cost": 1}) for n in range(7)))
    for name, most, expected in (
        ("ROWS_A_DAY", 7, (7, 7, False)),
        ("ROWS_AT_ONCE", 2, (7, 7, False)),
        ("ROWS_A_DAY", 6, (6, 6, True)),
        ("MAX_GROUPS", 5, (5, 6, True)),
    ):
        monkeypatch.setattr(usage_report, name, most)
        report = await read_report(items, ALL._replace(by=("session",)))
        assert (len(report.groups), report.total["cost"], report.truncated) == expected


async def test_older_days_are_left_out_when_enough_rows_are_read(
    items: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    await count(items, *((f"2026-11-{day}", row(), {"cost": 1}) for day in (29, 28, 25, 23)))
    monkeypatch.setattr(usage_report, "MAX_ROWS", 2)
    report = await read_report(items, ALL._replace(by=("day",)))
    assert (set(costs(report)), report.truncated) == ({("2026-11-29",), ("2026-11-28",)}, True)


def test_csv_has_exact_dollars_and_no_formulas() -> None:
    values = ['=cmd|"/c calc"!A1', "+1", "-1", "@x", "\tx", "a,b", 'say "hi"', "two\nlines", None]
    groups = [usage_report.Group((value,), {"requests": 1, "cost": 1_000_000_001}) for value in values]
    report = Report(ALL._replace(by=("tag.=x",)), groups, {}, False)
    head, *lines = list(csv.reader(io.StringIO(report.as_csv(), newline="")))
    assert head == ["tag.=x", *COUNTS]
    assert [line[0] for line in lines] == [
        *("'" + str(value) for value in values[:5]),
        *("a,b", 'say "hi"', "two\nlines", ""),
    ]
    assert {line[-1] for line in lines} == {"1.000000001"}


@pytest.mark.parametrize(
    ("nano", "text"),
    [(0, "0.000000000"), (1, "0.000000001"), (12_345_678_901_234_567_890, "12345678901.234567890")],
)
def test_dollars_are_written_exactly(nano: int, text: str) -> None:
    assert format_dollars(nano) == text
