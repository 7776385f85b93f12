"""The log of a local run: one line per request that shows its decision, in colour where a person looks on.

The same entries that Lambda logs as JSON (handler/log.py). https://no-color.org is heeded by the caller.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from handler.log import LEVELS, Log

_PLAIN, _DIM, _BOLD = "0", "2", "1"
_STATUS = {2: "32", 4: "33", 5: "31"}  # green, yellow, red, by the first digit
_REASON = {"rule": "35", "preference": "36", "fallback": "33", "budget": "33"}
_LEVEL = {"ERROR": "31", "WARNING": "33"}
_SHOWN_ELSEWHERE = frozenset({"level", "message", "timestamp"})


def terminal_log(out: TextIO, *, colour: bool, level: str = "INFO") -> Log:
    """A log that writes a line for people to `out` for each entry of at least `level`."""
    paint = _painted if colour else _unpainted
    least = LEVELS.index(level)

    def log(entry: Mapping[str, Any]) -> None:
        if LEVELS.index(entry.get("level", "INFO")) < least:
            return
        parts = _request(entry) if entry.get("message") == "request" else _event(entry)
        shown = "  ".join(paint(text, code) for text, code in parts if text)
        out.write(f"{paint(time.strftime('%H:%M:%S'), _DIM)} {shown}\n")
        out.flush()

    return log


Part = tuple[str, str]  # a text, and the colour it is shown in


def _painted(text: str, code: str) -> str:
    return f"\x1b[{code}m{_clean(text)}\x1b[0m"


def _unpainted(text: str, _code: str) -> str:
    return _clean(text)


def _request(entry: Mapping[str, Any]) -> Iterator[Part]:
    """Status, model, why this one, what it took, and the id by which a client knows it."""
    status, error = str(entry.get("status", "")), entry.get("error")
    cut = error is not None and status.startswith("2")  # the status had left before the answer broke off
    yield f"{status} broke off" if cut else status, _STATUS.get(5 if cut else int(status[:1] or 0), _PLAIN)
    yield _what(entry), _BOLD
    yield _why(entry), _REASON.get(entry.get("reason") or "", _PLAIN)
    yield _attempts(entry.get("attempts") or ()), _PLAIN
    yield _tokens(entry.get("usage") or {}), _PLAIN
    yield f"${entry['cost']:.6f}" if entry.get("cost") else "", _PLAIN
    yield f"{entry.get('ms', 0):.0f} ms", _DIM
    yield "stream" if entry.get("stream") else "", _DIM
    yield "client left" if entry.get("left") else "", _PLAIN
    yield "stale rules" if entry.get("stale") else "", _LEVEL["WARNING"]
    yield _failure(error, entry.get("attempts") or ()) if error else "", _LEVEL["ERROR"]
    yield entry.get("request_id") or "", _DIM


def _what(entry: Mapping[str, Any]) -> str:
    """The model that answered, was asked last, or was asked for; else what was requested."""
    model = entry.get("model") or entry.get("asked_model")
    return model or f"{entry.get('method', '')} {entry.get('path', '')}"


def _why(entry: Mapping[str, Any]) -> str:
    """The reason, and the rule where one applied: "rule long-prompts"."""
    return " ".join(str(entry[name]) for name in ("reason", "rule") if entry.get(name))


def _failure(error: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]]) -> str:
    """Its code, and why: of the last attempt in its own words, since the line has the attempts already."""
    why = attempts[-1].get("detail") if attempts else None
    told = why or error.get("message") or error.get("param")  # what quotes a value has no message here
    return ": ".join(str(one) for one in (error.get("code"), told) if one)


def _attempts(attempts: Any) -> str:
    """Only what did not go straight: "3 attempts: local/echo-500 server 500"."""
    failed = [attempt for attempt in attempts if attempt.get("class") != "ok"]
    told = ", ".join(
        f"{one.get('model')} {one.get('class')} {one.get('status') or one.get('cause') or ''}".rstrip()
        for one in failed
    )
    counted = f"{len(attempts)} attempt{'' if len(attempts) == 1 else 's'}"
    return f"{counted}: {told}" if failed else ""


def _tokens(usage: Mapping[str, Any]) -> str:
    estimated = "~" if usage.get("estimated") else ""
    return f"{estimated}{usage.get('input', 0)}+{usage.get('output', 0)} tokens" if usage else ""


def _event(entry: Mapping[str, Any]) -> Iterator[Part]:
    """Anything else an operator should know: its message, then its fields."""
    level = str(entry.get("level", "INFO"))
    fields = [f"{name}={value}" for name, value in entry.items() if name not in _SHOWN_ELSEWHERE]
    yield level, _LEVEL.get(level, _PLAIN)
    yield " ".join([str(entry.get("message", "")), *fields]), _PLAIN


def _clean(text: str) -> str:
    """On one line, and nothing that would steer the terminal: some of it was written by a caller."""
    return "".join(char if char.isprintable() else " " for char in text)
