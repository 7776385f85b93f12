"""What is kept of a log line: bounded, without content, and readable whatever is stored."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest

from handler.errors import AttemptRecord
from handler.store.activity.lines import FIELDS, LARGEST, Filter, pack, short_line, unpack
from tests.handler.store.activity.instances import NOON, line

ATTEMPT = AttemptRecord("up/m", "server", 500, 12, detail="the prompt says XYZ", account="B_KEY").logged()
ALL = line(
    source_ip="XYZ",
    user_agent="XYZ",
    user="XYZ",
    session="XYZ",
    agent="XYZ",
    function="XYZ",
    tags={"XYZ": "XYZ"},
    traceparent="XYZ",
    dropped=["XYZ"],
    attempts=[ATTEMPT],
    error={"code": "upstream_error", "message": "up/m: XYZ", "metadata": {"class": "server", "more": "XYZ"}},
)


def test_a_line_has_neither_people_nor_a_providers_words() -> None:
    short = short_line(NOON, ALL)
    assert "XYZ" not in json.dumps(short)
    assert short["timestamp"] == "2026-11-29T12:00:00.000Z"
    assert short["attempts"] == [{"model": "up/m", "class": "server", "status": 500, "ms": 12}]
    assert short["error"] == {"code": "upstream_error", "class": "server"}
    assert short.keys() == {"timestamp", *FIELDS, "attempts", "error"}


def test_a_line_says_which_limit_refused_its_request() -> None:
    error = {"code": "budget_exceeded", "message": "The budget b of $1 a day is used up.", "type": "x"}
    assert short_line(NOON, line(error=error))["error"] == {
        "code": "budget_exceeded",
        "class": None,
        "message": "The budget b of $1 a day is used up.",
    }


@pytest.mark.parametrize("letter", ["a", "é", "😀", "\ud800", '"', "\n"])
def test_a_line_is_bounded_whatever_is_in_it(letter: str) -> None:
    text = letter * 5000
    many = [{**ATTEMPT, "model": text, "cause": text} for _ in range(50)]
    long = dict.fromkeys(("path", "asked_model", "model", "rule", "key", "project", "request_id"), text)
    error = {"code": text, "message": text}
    short = short_line(NOON, line(**long, attempts=many, resumed={"model": text}, error=error))
    assert len(json.dumps(short, separators=(",", ":"))) <= LARGEST
    assert unpack(pack([short])) == [short]


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(None, id="nothing"),
        pytest.param("text", id="a text"),
        pytest.param(b"garbage", id="bytes that nobody packed"),
        pytest.param(zlib.compress(b"{}"), id="no list"),
        pytest.param(zlib.compress(b"[1, null]"), id="a list without lines"),
        pytest.param(zlib.compress(b"\xff"), id="no text"),
        pytest.param(zlib.compress(b"[" * 100_000), id="deep JSON"),
        pytest.param(zlib.compress(b" " * 100_000_000), id="a bomb"),
        pytest.param(pack([{"a": 1}])[:-9], id="a part"),
    ],
)
def test_what_cannot_be_read_is_no_line(stored: Any) -> None:
    assert unpack(stored) == []


FAILED = {"status": 503, "error": {"code": "no_candidate"}}


@pytest.mark.parametrize(
    ("asked_for", "fields", "fits"),
    [
        pytest.param(Filter(), {}, True, id="no filter"),
        pytest.param(Filter(id="id"), {}, True, id="its id"),
        pytest.param(Filter(id="i"), {}, False, id="a part of its id"),
        pytest.param(Filter(key="k"), {}, True, id="its key"),
        pytest.param(Filter(key="k"), {"key": None}, False, id="no key"),
        pytest.param(Filter(model="UP/"), {}, True, id="a part of the model that answered"),
        pytest.param(Filter(model="fast"), {"asked_model": "fast"}, True, id="the model that was asked for"),
        pytest.param(Filter(model="fast"), {"model": None}, False, id="another model"),
        pytest.param(Filter(status="200"), {}, True, id="a status"),
        pytest.param(Filter(status="5xx"), FAILED, True, id="a class of statuses"),
        pytest.param(Filter(status="4xx"), FAILED, False, id="another class of statuses"),
        pytest.param(Filter(status="error"), FAILED, True, id="an error"),
        pytest.param(Filter(status="error"), {}, False, id="no error"),
        pytest.param(Filter(key="k", status="error"), {}, False, id="one of two conditions"),
        pytest.param(Filter(method="POST"), {"method": "POST"}, True, id="its method"),
        pytest.param(Filter(method="POST"), {"method": "GET"}, False, id="another method"),
    ],
)
def test_a_filter_fits(asked_for: Filter, fields: dict[str, Any], fits: bool) -> None:
    assert asked_for.fits(short_line(NOON, line(**fields))) is fits
