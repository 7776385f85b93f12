"""The log of a local run: one line for each request, with its decision, in colour on a terminal.

The entries are those that Lambda logs as JSON (handler/log.py). The caller follows https://no-color.org.
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
_NOT_FIELDS = frozenset({"level", "message", "timestamp"})


def terminal_log(out: TextIO, *, colour: bool, level: str = "INFO") -> Log:
    """Return a log that writes a readable line to `out` for each entry of at least `level`."""
    paint = _paint if colour else _plain
    min_level = LEVELS.index(level)

    def log(entry: Mapping[str, Any]) -> None:
        if LEVELS.index(entry.get("level", "INFO")) < min_level:
            return
        parts = _request_parts(entry) if entry.get("message") == "request" else _event_parts(entry)
        line = "  ".join(paint(text, code) for text, code in parts if text)
        out.write(f"{paint(time.strftime('%H:%M:%S'), _DIM)} {line}\n")
        out.flush()

    return log


Part = tuple[str, str]  # a text and its colour


def _paint(text: str, code: str) -> str:
    return f"\x1b[{code}m{_clean(text)}\x1b[0m"


def _plain(text: str, _code: str) -> str:
    return _clean(text)


def _request_parts(entry: Mapping[str, Any]) -> Iterator[Part]:
    """Yield status, model, reason, attempts, usage, times, error and request id."""
    status, error = str(entry.get("status", "")), entry.get("error")
    cut = error is not None and status.startswith("2")  # the answer broke off after its status was sent
    yield f"{status} broke off" if cut else status, _STATUS.get(5 if cut else int(status[:1] or 0), _PLAIN)
    yield _target(entry), _BOLD
    yield _reason(entry), _REASON.get(entry.get("reason") or "", _PLAIN)
    yield _attempts(entry.get("attempts") or ()), _PLAIN
    yield _tokens(entry.get("usage") or {}), _PLAIN
    yield f"${entry['cost']:.6f}" if entry.get("cost") else "", _PLAIN
    yield "cached" if entry.get("cache") == "hit" else "", _PLAIN
    yield f"{entry.get('ms', 0):.0f} ms", _DIM
    yield "stream" if entry.get("stream") else "", _DIM
    yield "client left" if entry.get("left") else "", _PLAIN
    yield "stale rules" if entry.get("stale") else "", _LEVEL["WARNING"]
    yield _failure(error, entry.get("attempts") or ()) if error else "", _LEVEL["ERROR"]
    yield entry.get("request_id") or "", _DIM


def _target(entry: Mapping[str, Any]) -> str:
    """Return the model that answered or was tried last, else the requested model, else method and path."""
    model = entry.get("model") or entry.get("asked_model")
    return model or f"{entry.get('method', '')} {entry.get('path', '')}"


def _reason(entry: Mapping[str, Any]) -> str:
    """Return the reason, and the rule if one applied: "rule long-prompts"."""
    return " ".join(str(entry[name]) for name in ("reason", "rule") if entry.get(name))


def _failure(error: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]]) -> str:
    """Return the error's code, and the provider's words on the last attempt or else the error's own."""
    detail = attempts[-1].get("detail") if attempts else None
    reason = (
        detail or error.get("message") or error.get("param")
    )  # a message that quotes a value is not logged
    return ": ".join(str(part) for part in (error.get("code"), reason) if part)


def _attempts(attempts: Any) -> str:
    """Return the failed attempts, if there are any: "3 attempts: local/echo-500 server 500"."""
    failed = [attempt for attempt in attempts if attempt.get("class") != "ok"]
    failures = ", ".join(
        f"{one.get('model')} {one.get('class')} {one.get('status') or one.get('cause') or ''}".rstrip()
        for one in failed
    )
    count = f"{len(attempts)} attempt{'' if len(attempts) == 1 else 's'}"
    return f"{count}: {failures}" if failed else ""


def _tokens(usage: Mapping[str, Any]) -> str:
    estimated = "~" if usage.get("estimated") else ""
    return f"{estimated}{usage.get('input', 0)}+{usage.get('output', 0)} tokens" if usage else ""


def _event_parts(entry: Mapping[str, Any]) -> Iterator[Part]:
    """Yield the level, message and fields of an entry that is not a request."""
    level = str(entry.get("level", "INFO"))
    fields = [f"{name}={value}" for name, value in entry.items() if name not in _NOT_FIELDS]
    yield level, _LEVEL.get(level, _PLAIN)
    yield " ".join([str(entry.get("message", "")), *fields]), _PLAIN


def _clean(text: str) -> str:
    """Replace line ends and control characters, since callers wrote some of the text."""
    return "".join(char if char.isprintable() else " " for char in text)
