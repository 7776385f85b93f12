"""Patterns: texts in which `*` stands for any text; no other character is special (contract, section 5)."""

from __future__ import annotations

from collections.abc import Callable


def compile_pattern(pattern: str, *, ignore_case: bool = False) -> Callable[[str], bool]:
    """Return the test of a pattern.

    It searches for the parts between `*` from left to right. A regular expression could take exponential
    time.
    """
    first, *rest = (pattern.lower() if ignore_case else pattern).split("*")
    if not rest:
        return (lambda text: text.lower() == first) if ignore_case else (lambda text: text == first)
    *middle, last = rest

    def matches(text: str) -> bool:
        text = text.lower() if ignore_case else text
        end = len(text) - len(last)
        at = len(first)
        if at > end or not (text.startswith(first) and text.endswith(last)):
            return False
        for part in middle:
            found = text.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True

    return matches
