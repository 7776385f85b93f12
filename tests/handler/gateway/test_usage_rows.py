"""What a finished request adds to the usage totals."""

from __future__ import annotations

from typing import Any

import pytest

from handler.access.keys import Key
from handler.answers.answer import Answer
from handler.answers.usage import COUNTS as TOKEN_COUNTS
from handler.answers.usage import Usage
from handler.errors import AttemptRecord, UpstreamError
from handler.gateway.usage_rows import usage_of_request
from handler.log import RequestLog
from handler.store.usage_totals import COUNTS, TOKENS, UsageRow
from rules import Candidate, Decision, Facts, Model, Price, Reason

LISTED = Candidate(Model(provider="up", name="m", price=Price(input=1_000, output=2_000)))
PIN = Candidate(Model(provider="up", name="typed", listed=False))
FAILED = AttemptRecord("up/m", "server", 500, 5)


def entry(*candidates: Candidate, **fields: Any) -> RequestLog:
    facts = Facts(session="s", agent="a", input_tokens=7)
    decision = Decision(reason=Reason.REQUESTED, candidates=candidates or (LISTED,), facts=facts)
    given = {"key": Key(id="k", project="p"), "decision": decision, **fields}
    return RequestLog(request_id="id", method="POST", path="/", started=0.0, **given)


def row_of(request_log: RequestLog) -> UsageRow:
    counted = usage_of_request(request_log)
    assert counted is not None
    return counted[0]


def test_the_counted_tokens_are_counts_of_a_usage() -> None:
    assert set(TOKENS) <= set(COUNTS) & set(TOKEN_COUNTS)


@pytest.mark.parametrize(
    "request_log",
    [
        pytest.param(entry(), id="refused before an attempt, or only explained"),
        pytest.param(entry(decision=None, attempts=[FAILED]), id="not decided"),
        pytest.param(entry(key=None), id="without a key"),
    ],
)
def test_a_request_that_asked_nobody_is_not_counted(request_log: RequestLog) -> None:
    assert usage_of_request(request_log) is None


COUNTED = [
    pytest.param(
        entry(
            attempts=[FAILED],
            wasted=[(LISTED, Usage(input=10**6, output=3))],
            failure=UpstreamError("x", failure_class="server"),
        ),
        {"requests": 1, "errors": 1, "input": 10**6, "output": 3, "cost": 1_000},
        id="a failure that cost something",
    ),
    pytest.param(
        entry(attempts=[FAILED], failure=UpstreamError("x", failure_class="server")),
        {"requests": 1, "errors": 1},
        id="a failure that cost nothing",
    ),
    pytest.param(
        entry(PIN, attempts=[FAILED], wasted=[(PIN, Usage(input=5))]),
        {"requests": 1, "unpriced": 1, "input": 5},
        id="a model without a price",
    ),
    pytest.param(
        entry(answer=Answer(candidate=LISTED, attempts=[], waited=0.0), cache="hit"),
        {"requests": 1, "hits": 1},
        id="an answer from the cache",
    ),
    pytest.param(
        entry(PIN, attempts=[FAILED], wasted=[(PIN, Usage(input=9, cache_write=2, cache_write_1h=3))]),
        {"requests": 1, "unpriced": 1, "input": 9, "cache_write": 5},
        id="cache writes of both lifetimes",
    ),
    pytest.param(
        entry(client_left=True, wasted=[(PIN, Usage(input=7, estimated=True))]),
        {"requests": 1, "unpriced": 1, "estimated": 1, "input": 7},
        id="a client that left during the first attempt",
    ),
]


@pytest.mark.parametrize(("request_log", "expected"), COUNTED)
def test_the_counts_of_a_request(request_log: RequestLog, expected: dict[str, int]) -> None:
    counted = usage_of_request(request_log)
    assert counted is not None
    row, counts = counted
    assert {name: number for name, number in counts.items() if number} == expected
    assert (row.project, row.key, row.session, row.agent) == ("p", "k", "s", "a")


def test_the_model_is_the_last_one_that_was_tried_or_else_the_first_candidate() -> None:
    tried = row_of(entry(LISTED, PIN, attempts=[FAILED._replace(model="up/typed")]))
    left = row_of(entry(LISTED, PIN, wasted=[(LISTED, Usage(input=7))]))
    assert (tried.model, tried.listed) == ("up/typed", False)
    assert (left.model, left.listed) == ("up/m", True)


def test_tags_are_cut_and_cleaned() -> None:
    tags = {"team": "red", "x" * 200: "y" * 200, "\x00": "gone", "odd\ud800": "a\nb"}
    assert row_of(entry(attempts=[FAILED], tags=tags)).tags == {
        "team": "red",
        "x" * 128: "y" * 128,
        "odd": "ab",
    }
