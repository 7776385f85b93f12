"""Counters as attributes of an item, and as JSON."""

from __future__ import annotations

from typing import Any

import pytest

from handler.store.activity.counters import (
    BOUNDS,
    LETTERS,
    Cells,
    add_first_token,
    attributes_of,
    cells_as_json,
    cells_of,
    merged,
    new_cell,
)


def cell(**numbers: int) -> list[int]:
    return [numbers.get(letter, 0) for letter in LETTERS]


CELLS: Cells = {("t", ""): cell(r=2, e=1, c=1_500_000_000, i=3, o=4), ("m", "up/#m#r"): cell(r=1, f=1, A=1)}


def test_counters_come_back_from_an_item() -> None:
    attributes = attributes_of(CELLS)
    assert attributes == {
        "t##r": 2,
        "t##e": 1,
        "t##c": 1_500_000_000,
        "t##i": 3,
        "t##o": 4,
        "m#up/#m#r#r": 1,
        "m#up/#m#r#f": 1,
        "m#up/#m#r#A": 1,
    }
    assert cells_of(attributes) == CELLS
    assert merged([CELLS, CELLS, {}])["t", ""] == cell(r=4, e=2, c=3_000_000_000, i=6, o=8)


def test_other_attributes_are_no_counters() -> None:
    odd: dict[str, Any] = {
        "id": "activity#1",
        "expires_at": 5,
        "flushes": 3,
        "w0": "a",
        "x#a#r": 1,
        "p#a#r": "1",
    }
    assert cells_of({**odd, "": 1, "#": 1, "##": 1, "p#a#Z": 1, "p##r": 1}) == {("p", ""): cell(r=1)}


def test_counters_as_json() -> None:
    assert cells_as_json(CELLS) == {
        "total": {
            "requests": 2,
            "errors": 1,
            "cost": 1.5,
            "input": 3,
            "output": 4,
            "first_token": {"count": 0, "sum": 0, "buckets": [0] * 12, "p50": None, "p95": None},
        },
        "by": {
            "project": {},
            "key": {},
            "model": {
                "up/#m#r": {
                    "requests": 1,
                    "errors": 0,
                    "cost": 0.0,
                    "input": 0,
                    "output": 0,
                    "first_token": {"count": 1, "sum": 0, "buckets": [1, *[0] * 11], "p50": 50, "p95": 95},
                }
            },
        },
    }


@pytest.mark.parametrize(
    ("values", "p50", "p95"),
    [
        pytest.param([100] * 10, 50, 95, id="all in the first bucket"),
        pytest.param([101] * 10, 150, 195, id="all in the second bucket, whose bound belongs to the first"),
        pytest.param([50] * 50 + [400] * 50, 100, 480, id="two buckets with an empty one between them"),
        pytest.param([99_999], 15_000, 19_500, id="beyond the last bound"),
        pytest.param([0], 50, 95, id="zero"),
    ],
)
def test_percentiles_of_first_tokens(values: list[int], p50: int, p95: int) -> None:
    counted = new_cell()
    for value in values:
        add_first_token(counted, value)
    found = cells_as_json({("t", ""): counted})["total"]["first_token"]
    assert (found["count"], found["sum"], sum(found["buckets"])) == (len(values), sum(values), len(values))
    assert (found["p50"], found["p95"]) == (p50, p95)
    assert len(found["buckets"]) == len(BOUNDS) + 1
