"""Patterns: texts in which `*` stands for anything, and nothing else is special (contract, section 5)."""

from __future__ import annotations

from collections.abc import Callable


def compile_pattern(pattern: str, *, ignore_case: bool = False) -> Callable[[str], bool]:
    """The test for `pattern`; `ignore_case`: capitals do not count, as in model ids.

    Split on `*` and searched from left to right, never made into a regular expression: no record may cost
    exponential time.
    """
    first, *rest = (pattern.lower() if ignore_case else pattern).split("*")
    if not rest:
        return (lambda text: text.lower() == first) if ignore_case else (lambda text: text == first)
    *middle, last = rest

    def holds(text: str) -> bool:
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

    return holds
