"""The log of a local run: one line per request that shows its decision, in colour where a person looks on.

The same entries that Lambda logs as JSON (handler/log.py). https://no-color.org is heeded by the caller.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from handler.log import LEVELS, Log

_PLAIN, _DIM, _BOLD = "0", "2", "1"
_STATUS = {2: "32", 4: "33", 5: "31"}  # green, yellow, red, by the first digit
_REASON = {"rule": "35", "preference": "36", "fallback": "33", "budget": "33"}
_LEVEL = {"ERROR": "31", "WARNING": "33"}
_SHOWN_ELSEWHERE = frozenset({"level", "message", "timestamp"})


def console(out: TextIO, *, colour: bool, level: str = "INFO") -> Log:
    """A log that writes a line for people to `out` for each entry of at least `level`."""
    paint = _painted if colour else _unpainted
    least = LEVELS.index(level)

    def log(entry: Mapping[str, Any]) -> None:
        if LEVELS.index(entry.get("level", "INFO")) < least:
            return
        told = _request(entry, paint) if entry.get("message") == "request" else _event(entry, paint)
        out.write(f"{paint(time.strftime('%H:%M:%S'), _DIM)} {told}\n")
        out.flush()

    return log


Paint = Callable[[str, str], str]  # every text of an entry goes through one


def _painted(text: str, code: str) -> str:
    return f"\x1b[{code}m{_clean(text)}\x1b[0m" if text else ""


def _unpainted(text: str, _code: str) -> str:
    return _clean(text)


def _request(entry: Mapping[str, Any], paint: Paint) -> str:
    """Status, model, why this one, what it took."""
    status = str(entry.get("status", ""))
    error = entry.get("error") or {}
    what = entry.get("model") or f"{entry.get('method', '')} {entry.get('path', '')}"
    parts = (
        paint(status, _STATUS.get(int(status[:1] or 0), _PLAIN)),
        paint(str(what), _BOLD),
        _why(entry, paint),
        paint(_attempts(entry.get("attempts") or ()), _PLAIN),
        paint(_tokens(entry.get("usage") or {}), _PLAIN),
        f"${entry['cost']:.6f}" if entry.get("cost") else "",
        paint(f"{entry.get('ms', 0):.0f} ms", _DIM),
        paint("stream", _DIM) if entry.get("stream") else "",
        "client left" if entry.get("left") else "",
        paint("stale rules", _LEVEL["WARNING"]) if entry.get("stale") else "",
        paint(f"{error.get('code')}: {error.get('message')}", _LEVEL["ERROR"]) if error else "",
    )
    return "  ".join(part for part in parts if part)


def _why(entry: Mapping[str, Any], paint: Paint) -> str:
    """The reason, and the rule where one applied: "rule long-prompts"."""
    reason, rule = str(entry.get("reason") or ""), entry.get("rule")
    return paint(" ".join([reason, str(rule)] if rule else [reason]), _REASON.get(reason, _PLAIN))


def _attempts(attempts: Any) -> str:
    """Only what did not go straight: "3 attempts: local/echo-500 server 500"."""
    failed = [attempt for attempt in attempts if attempt.get("class") != "ok"]
    told = ", ".join(
        f"{one.get('model')} {one.get('class')} {one.get('status', '')}".rstrip() for one in failed
    )
    counted = f"{len(attempts)} attempt{'' if len(attempts) == 1 else 's'}"
    return f"{counted}: {told}" if failed else ""


def _tokens(usage: Mapping[str, Any]) -> str:
    estimated = "~" if usage.get("estimated") else ""
    return f"{estimated}{usage.get('input', 0)}+{usage.get('output', 0)} tokens" if usage else ""


def _event(entry: Mapping[str, Any], paint: Paint) -> str:
    """Anything else an operator should know: its message, then its fields."""
    level = str(entry.get("level", "INFO"))
    fields = [f"{name}={value}" for name, value in entry.items() if name not in _SHOWN_ELSEWHERE]
    told = " ".join([str(entry.get("message", "")), *fields])
    return f"{paint(level, _LEVEL.get(level, _PLAIN))}  {paint(told, _PLAIN)}"


def _clean(text: str) -> str:
    """On one line, and nothing that would steer the terminal: some of it was written by a caller."""
    return "".join(char if char.isprintable() else " " for char in text)
