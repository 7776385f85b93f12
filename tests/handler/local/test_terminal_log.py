"""The log lines of a local run."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest

from handler.local.terminal_log import terminal_log

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        pytest.param(
            {
                "status": 200,
                "model": "local/echo",
                "reason": "rule",
                "rule": "support",
                "ms": 81.6,
                "cost": 0.0012,
                "usage": {"input": 2, "output": 9},
                "attempts": [{"model": "local/echo", "class": "ok", "ms": 80}],
            },
            "200  local/echo  rule support  2+9 tokens  $0.001200  82 ms",
            id="a rule's choice",
        ),
        pytest.param(
            {
                "status": 200,
                "model": "a/b",
                "reason": "fallback",
                "ms": 9,
                "stream": True,
                "left": True,
                "stale": True,
                "usage": {"input": 2, "output": 1, "estimated": True},
                "attempts": [
                    {"model": "x/y", "class": "server", "status": 500},
                    {"model": "a/b", "class": "ok"},
                ],
            },
            "fallback  2 attempts: x/y server 500  ~2+1 tokens  9 ms  stream  client left  stale rules",
            id="a failover, after which the client disconnected",
        ),
        pytest.param(
            {
                "status": 401,
                "method": "GET",
                "path": "/v1/models",
                "ms": 1,
                "error": {"code": "invalid_api_key", "message": "No\x1b[2J good\n"},
            },
            "401  GET /v1/models  1 ms  invalid_api_key: No [2J good ",
            id="a refusal with a control sequence in its text",
        ),
        pytest.param(
            {
                "status": 404,
                "path": "/\x1b]0;mine\x07\n07:00:00  200  forged",
                "attempts": [{"model": "x/\x1b[2J", "class": "a\nb"}],
                "reason": "rule",
                "rule": "a\rb",
            },
            "404  GET / ]0;mine  07:00:00  200  forged  rule a b  1 attempt: x/ [2J a b  0 ms",
            id="control sequences in a path and other text of callers",
        ),
        pytest.param(
            {"status": 200, "model": "a/b", "reason": "requested", "ms": 2, "cost": 0.0, "cache": "hit"},
            "200  a/b  requested  cached  2 ms",
            id="a cached answer",
        ),
        pytest.param({"cache": "miss"}, "GET", id="only the method is known"),
    ],
)
def test_a_request_is_one_line(entry: Json, line: str) -> None:
    out = io.StringIO()
    terminal_log(out, colour=False)({"message": "request", "method": "GET", **entry})
    assert out.getvalue().count("\n") == 1
    assert line in out.getvalue()[9:]


def test_in_colour_no_text_of_a_caller_controls_the_terminal() -> None:
    out = io.StringIO()
    log = terminal_log(out, colour=True)
    log({"message": "request", "path": "/\x1b[2J\u202e", "error": {"code": "\x9b1m"}})
    text = re.sub(r"\x1b\[[0-9]{1,2}m", "", out.getvalue())
    assert text.removesuffix("\n").isprintable()


def test_colour_is_for_terminals() -> None:
    plain, coloured = io.StringIO(), io.StringIO()
    entry = {"message": "request", "status": 200, "model": "local/echo", "reason": "requested", "ms": 1}
    terminal_log(plain, colour=False)(entry)
    terminal_log(coloured, colour=True)(entry)
    assert "\x1b" not in plain.getvalue()
    assert "\x1b[32m200\x1b[0m" in coloured.getvalue()


def test_an_entry_that_is_not_a_request_is_one_line() -> None:
    out = io.StringIO()
    log = terminal_log(out, colour=False, level="WARNING")
    log({"level": "ERROR", "message": "a rule is unreadable", "id": "a", "field": "prefers"})
    log({"level": "INFO", "message": "not shown"})
    assert out.getvalue()[9:] == "ERROR  a rule is unreadable id=a field=prefers\n"
