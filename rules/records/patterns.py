"""Patterns: texts in which `*` stands for anything, and nothing else is special (contract, section 5)."""

from __future__ import annotations

from collections.abc import Callable


def like(pattern: str, *, fold: bool = False) -> Callable[[str], bool]:
    """The test for `pattern`; `fold`: capitals do not count, as in model ids.

    Split on `*` and searched from left to right, never made into a regular expression: no record may cost
    exponential time.
    """
    first, *rest = (pattern.lower() if fold else pattern).split("*")
    if not rest:
        return (lambda text: text.lower() == first) if fold else (lambda text: text == first)
    *middle, last = rest

    def holds(text: str) -> bool:
        text = text.lower() if fold else text
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
