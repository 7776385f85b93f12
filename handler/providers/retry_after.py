"""Parses when a provider may be called again, in every form that providers use (contract, section 6).

https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

_MILLISECONDS = ("retry-after-ms", "x-ms-retry-after-ms")  # OpenAI and Azure
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_UNITS = "milliseconds?|ms|minutes?|mins?|m|hours?|hrs?|h|seconds?|secs?|s"
_DURATION = rf"(?:\d+(?:\.\d+)?\s*(?:{_UNITS})(?![a-z])\s*)+"
# "Please try again in 6s" (OpenAI, Groq), "Please retry in 34.07s" and "retryDelay": "34s" (Google),
# "Please retry after 20 seconds" (Azure). https://cloud.google.com/apis/design/errors
# Compiled by `re` when the first failure needs them: they would take 1 ms of a cold start.
_IN_TEXT = rf"""(?ix)(?:try\s+again|retry|wait)\s+(?:(?:in|after|for)\s+)?({_DURATION})
      |"retryDelay"\s*:\s*"({_DURATION})"
      |"retry_after(?:_seconds)?"\s*:\s*"?(\d+(?:\.\d+)?)"""
_AMOUNT = rf"(?i)(\d+(?:\.\d+)?)\s*({_UNITS})(?![a-z])"
# x-ratelimit-reset-tokens, anthropic-ratelimit-requests-reset, ratelimit-reset, x-rate-limit-reset, ...
_RESET = r"(?:.*-)?rate-?limit\b.*\breset\b.*"
_EPOCH, _EPOCH_MS = (
    1e9,
    1e11,
)  # from here on a number is epoch seconds, from there on milliseconds
_MAX_BODY = 8192  # bytes that are searched
_MAX_HEADER = 100  # characters that are searched: the patterns take quadratic time


def retry_after(headers: Mapping[str, str], body: bytes = b"", now: float = 0.0) -> float | None:
    """Seconds until the provider may be called again, never negative; None if nothing readable says it.

    `headers` have lower-case names. `now`: epoch seconds, for a date in a response without a Date header.
    """
    for name in _MILLISECONDS:
        if (amount := _number(headers.get(name))) is not None:
            return amount / 1000
    value = headers.get("retry-after")
    if value is not None and len(value) <= _MAX_HEADER:
        for found in (_number(value), _until(value, headers.get("date"), now), _duration(value)):
            if found is not None:
                return found
    return _from_text(body[:_MAX_BODY].decode("utf-8", "replace")) if body else None


def reset_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until the rate limits of a response are reset; None if nothing readable says it.

    Of several limits, the last reset of those with nothing remaining counts; if there are none, the first
    reset of all. `6m0s` and `12ms` (OpenAI, Groq), seconds (Cerebras), epoch seconds (SambaNova) or
    milliseconds (OpenRouter), a date of RFC 3339 (Anthropic). https://platform.openai.com/docs/guides/rate-limits
    """
    exhausted: list[float] = []
    others: list[float] = []
    for name, value in headers.items():
        if len(name) + len(value) <= _MAX_HEADER and re.fullmatch(_RESET, name := name.lower()):
            remaining = _number(headers.get(name.replace("reset", "remaining")))
            if (seconds := _seconds_until_reset(value, headers.get("date"), now)) is not None:
                (exhausted if remaining == 0 else others).append(seconds)
    return max(exhausted) if exhausted else min(others, default=None)


def _seconds_until_reset(value: str, date: str | None, now: float) -> float | None:
    number = _number(value)
    if number is not None and number < _EPOCH:
        return number
    if number is not None:
        return max(0.0, (number / 1000 if number >= _EPOCH_MS else number) - now)
    for found in (_duration(value), _until(value, date, now)):
        if found is not None:
            return found
    try:
        return max(0.0, datetime.fromisoformat(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _number(text: str | None) -> float | None:
    try:
        amount = float(text or "")
    except ValueError:
        return None
    return amount if math.isfinite(amount) and amount >= 0 else None


def _until(value: str, date: str | None, now: float) -> float | None:
    """Seconds until an HTTP date, counted from the response's Date header if it has one."""
    at = _epoch(value)
    if at is None:
        return None
    since = _epoch(date) if date else None
    return max(0.0, at - (now if since is None else since))


def _epoch(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def _from_text(text: str) -> float | None:
    found = re.search(_IN_TEXT, text)
    if found is None:
        return None
    return _number(found[3]) if found[3] else _duration(found[1] or found[2])


def _duration(text: str) -> float | None:
    """Seconds of "6s", "320ms", "1m23.5s", "2 minutes"; None if the text has anything else."""
    amounts = re.findall(_AMOUNT, text)
    if not amounts or re.sub(_AMOUNT, "", text).strip():
        return None
    return sum(float(amount) * _unit(unit.lower()) for amount, unit in amounts)


def _unit(unit: str) -> float:
    return 0.001 if unit.startswith(("ms", "milli")) else _SECONDS[unit[0]]
