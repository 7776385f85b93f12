"""Runs every case, and sees that no number is without one or without a reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.translation_cases import answers, caching, media, messages, parameters, transport
from tests.translation_cases import tool_calls as tools
from tests.translation_cases.case_types import Run
from tests.translation_cases.skipped import ELSEWHERE, REASONS

ROOT = Path(__file__).parents[2]
NUMBERS = range(1, 151)
SECTIONS = (messages, tools, parameters, media, answers, transport, caching)
CASES = [case for section in SECTIONS for case in section.CASES]


def runs() -> list[Any]:
    return list(_runs())


def _runs() -> Iterator[Any]:
    for case in CASES:
        for where, run in case.runs():
            yield pytest.param(run, id=f"{case.number}: {case.says}" + (f" [{where}]" if where else ""))


@pytest.mark.parametrize("run", runs())
def test_edge(run: Run) -> None:
    run()


def test_every_number_has_a_case_or_a_test_or_a_reason_and_only_one_of_them() -> None:
    ways = [*{case.number for case in CASES}, *ELSEWHERE, *REASONS]
    assert sorted(ways) == list(NUMBERS)


def test_a_section_holds_its_own_numbers() -> None:
    for section in SECTIONS:
        assert {case.number for case in section.CASES} <= set(section.NUMBERS), section.__name__


@pytest.mark.parametrize("number", sorted(REASONS))
def test_a_reason_is_one_line(number: int) -> None:
    assert REASONS[number].strip()
    assert "\n" not in REASONS[number]


@pytest.mark.parametrize("place", [place for places in ELSEWHERE.values() for place in places])
def test_a_test_that_stands_elsewhere_is_there(place: str) -> None:
    path, _, name = place.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    found = (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    assert name in found


def test_no_two_cases_say_the_same() -> None:
    said = [(case.number, case.says, getattr(case, "target", "")) for case in CASES]
    assert len(said) == len(set(said))
