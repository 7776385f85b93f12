"""Patterns with `*`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.records.patterns import compile_pattern


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        pytest.param("a", "a", True, id="a pattern without a star is compared for equality"),
        pytest.param("a", "ab", False, id="a pattern without a star does not match a longer text"),
        pytest.param("*", "", True, id="a star matches the empty text"),
        pytest.param("*", "anything", True, id="a star matches any text"),
        pytest.param("a*", "abc", True, id="a pattern with a prefix"),
        pytest.param("*c", "abc", True, id="a pattern with a suffix"),
        pytest.param("a*c", "abc", True, id="a pattern with a prefix and a suffix"),
        pytest.param("ab*bc", "abc", False, id="the ends do not overlap"),
        pytest.param("a*b*c", "axbyc", True, id="a pattern with a middle"),
        pytest.param("a*bc*c", "abc", False, id="the middle does not overlap the end"),
        pytest.param("*b*a*", "ab", False, id="the parts must be in order"),
        pytest.param("**", "x", True, id="two stars"),
        pytest.param("a.c", "abc", False, id="a dot matches only a dot"),
        pytest.param("a?c", "abc", False, id="a question mark matches only a question mark"),
        pytest.param("[a]*", "abc", False, id="brackets match only brackets"),
        pytest.param("A*", "abc", False, id="case matters"),
    ],
)
def test_a_pattern_matches(pattern: str, text: str, expected: bool) -> None:
    assert compile_pattern(pattern)(text) is expected


def test_a_pattern_can_ignore_case() -> None:
    assert compile_pattern("A*C", ignore_case=True)("aBc")
    assert compile_pattern("ABC", ignore_case=True)("abc")


@given(st.lists(st.text("ab", max_size=3), min_size=1, max_size=4), st.text("ab", max_size=3))
def test_a_pattern_matches_the_text_of_its_own_parts(parts: list[str], between: str) -> None:
    assert compile_pattern("*".join(parts))(between.join(parts))
