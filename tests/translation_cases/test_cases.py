"""Runs every case. Each number has a case, a test elsewhere or a reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.translation_cases import answers, caching, media, messages, parameters, tool_calls, transport
from tests.translation_cases.case_types import Run
from tests.translation_cases.skipped import TESTED_ELSEWHERE, UNSERVED

ROOT = Path(__file__).parents[2]
NUMBERS = range(1, 151)
SECTIONS = (messages, tool_calls, parameters, media, answers, transport, caching)
CASES = [case for section in SECTIONS for case in section.CASES]


def runs() -> list[Any]:
    return list(_runs())


def _runs() -> Iterator[Any]:
    for case in CASES:
        for where, run in case.runs():
            yield pytest.param(run, id=f"{case.number}: {case.title}" + (f" [{where}]" if where else ""))


@pytest.mark.parametrize("run", runs())
def test_case(run: Run) -> None:
    run()


def test_every_number_has_either_a_case_or_a_test_or_a_reason() -> None:
    numbers = [*{case.number for case in CASES}, *TESTED_ELSEWHERE, *UNSERVED]
    assert sorted(numbers) == list(NUMBERS)


def test_a_section_holds_its_own_numbers() -> None:
    for section in SECTIONS:
        assert {case.number for case in section.CASES} <= set(section.NUMBERS), section.__name__


@pytest.mark.parametrize("number", sorted(UNSERVED))
def test_a_reason_is_one_line(number: int) -> None:
    assert UNSERVED[number].strip()
    assert "\n" not in UNSERVED[number]


@pytest.mark.parametrize("place", [place for places in TESTED_ELSEWHERE.values() for place in places])
def test_a_test_elsewhere_exists(place: str) -> None:
    path, _, name = place.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    found = (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    assert name in found


def test_no_two_cases_have_the_same_title() -> None:
    titles = [(case.number, case.title, getattr(case, "target", "")) for case in CASES]
    assert len(titles) == len(set(titles))
