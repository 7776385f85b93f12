"""Readers of the fields of `log` records: how long entries stay, and what is removed from them."""

from __future__ import annotations

import re
from typing import Any

from rules.reading.coercion import invalid, quoted, read_text, suggest, unordered_list, whole_number

# Days that an entry can stay. S3 expires objects by how keys begin, so each has a rule in template.yaml.
RETENTION = (1, 3, 7, 14, 30, 60, 90, 180, 365)

# What can be found by its form, in this order, because a card's number could be that of a phone. API keys are
# removed always.
DETECTORS = ("email", "ip", "iban", "card", "ssn", "phone")

MAX_REDACTIONS = 20
MAX_PATTERN = 100  # characters
_WORD = re.compile(r"[a-z]+")

_read_days = whole_number(1)


def read_days(value: Any) -> int:
    days = _read_days(value)
    if days not in RETENTION:
        raise invalid(f"must be one of {', '.join(map(str, RETENTION))}, got {quoted(value)}")
    return days


def _read_redaction(value: Any) -> str:
    """Read the name of a detector, or a pattern of single words: a text that is not just small letters."""
    text = read_text(value)
    if text in DETECTORS:
        return text
    if _WORD.fullmatch(text):
        known = suggest(text, DETECTORS)
        raise invalid(
            f"{quoted(text)} is not a detector{known}; as a pattern, begin it with a capital or `*`"
        )
    if len(text) > MAX_PATTERN:
        raise invalid(f"is longer than {MAX_PATTERN} characters")
    if any(character.isspace() for character in text):
        raise invalid("is compared with single words, so it cannot have a space")
    if not text.strip("*"):
        raise invalid("matches every word")
    return text


_read_redactions = unordered_list(_read_redaction)


def read_redactions(value: Any) -> tuple[str, ...]:
    redactions = _read_redactions(value)
    if len(redactions) > MAX_REDACTIONS:
        raise invalid(f"has more than {MAX_REDACTIONS} members")
    return redactions
