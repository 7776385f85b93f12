"""Rows of the catalogue: found in the text of the file, and the same as when all of it is parsed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rules.catalog.rows as module
from rules.catalog.rows import AUTO, MAX_SEARCHES, POOL, Row, Rows

FILE = Path(module.__file__).with_name("catalog.json").read_text()
TEXT = FILE.partition('"models":[\n')[2].removesuffix("\n]}\n")
ALL: dict[str, Row] = {row[0].lower(): row for row in json.loads(FILE)["models"]}


def test_the_file_is_as_the_search_needs_it() -> None:
    assert FILE.isascii()
    assert list(ALL) == sorted(ALL)
    assert len(ALL) == len(TEXT.split("\n"))
    assert all(line.startswith('["') for line in TEXT.split("\n"))


def test_every_row_is_found_by_its_id() -> None:
    rows = Rows(TEXT)
    assert {low: rows.get(low) for low in ALL} == ALL


@pytest.mark.parametrize("change", [lambda id: id + "x", lambda id: id[:-1], lambda id: id[1:], str.upper])
def test_no_other_name_finds_a_row(change: object) -> None:
    assert callable(change)
    rows = Rows(TEXT)
    names = {change(id) for id in ALL} | {"", "[", '"', "\n", "\\", "a/b", "zzz", "é"}
    assert {name for name in names if rows.get(name)} == names & ALL.keys()


@pytest.mark.parametrize("searched_before", [False, True])
def test_every_pool_has_its_rows(searched_before: bool) -> None:
    for pool in sorted({row[POOL] for row in ALL.values()})[::9]:
        rows = Rows(TEXT)
        for number in range(MAX_SEARCHES * searched_before):
            assert rows.in_pool(f"none-{number}") == []
        assert rows.in_pool(pool) == [id for id, row in ALL.items() if row[POOL] == pool]


def test_models_for_requests_that_name_none() -> None:
    assert Rows(TEXT).auto() == [id for id, row in ALL.items() if row[AUTO]]


@pytest.mark.parametrize("lines", [0, 1, 2, 3])
def test_a_few_rows_are_found(lines: int) -> None:
    text = "\n".join(TEXT.split("\n")[:lines])
    few, rows = dict(list(ALL.items())[:lines]), Rows(text)
    assert {low: row for low in ALL if (row := rows.get(low))} == few
    assert list(rows.ids()) == list(few)
    assert [rows.get(low) for low in few] == list(few.values())
