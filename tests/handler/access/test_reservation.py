"""Reservations: what is still to be taken before a candidate is asked."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from handler.access.counters import counters_of
from handler.access.leases import KnownCounters
from handler.access.reservation import Reservation, Use, used_of
from rules import AppliedLimit
from tests.support.ledgers import Limit, budget, candidate, decision, limit

A, B = candidate("up/a", tokens=40, cost=7), candidate("up/b", tokens=60, cost=5)
RECORDS: list[Limit] = [limit("n"), limit("t", tokens=1), budget(1, "m"), limit("b", tokens=1)]


def reservation(*, spent: bool = False) -> Reservation:
    """Of requests, tokens and dollars for both candidates, and of tokens for B alone."""
    request = decision(RECORDS, A, B, of={"b": ["up/b"]})
    counters = tuple(counters_of(request, datetime(2025, 11, 20, tzinfo=UTC)))
    if spent:
        counters = tuple((each, AppliedLimit(one.record, one.candidates, True)) for each, one in counters)
    return Reservation(counters, KnownCounters(lambda: 0.0))


@pytest.mark.parametrize(
    ("taken", "candidates", "used", "needs"),
    [
        pytest.param({}, [A], [], {"n": 1, "t": 40, "m": 7}, id="the first candidate"),
        pytest.param({}, [B], [], {"n": 1, "t": 60, "m": 5, "b": 60}, id="one with its own limit"),
        pytest.param({"n": 1, "t": 40, "m": 7}, [A], [], {}, id="a retry is covered"),
        pytest.param({"n": 1, "t": 40, "m": 7}, [A, B], [], {"t": 60, "m": 5, "b": 60}, id="a hedge: both"),
        pytest.param({"n": 1, "t": 40, "m": 7}, [B], [], {"t": 20, "b": 60}, id="another one: the rest"),
        pytest.param(
            {"n": 1, "t": 40, "m": 7}, [A], [Use("up/a", 15, 2)], {"t": 15, "m": 2}, id="a retry after use"
        ),
        pytest.param(
            {"n": 1, "t": 40, "m": 7}, [B], [Use("up/a", 15, 2)], {"t": 35, "b": 60}, id="another after use"
        ),
        pytest.param({"t": 99, "m": 99}, [A, A], [], {"n": 1}, id="more than enough was taken"),
    ],
)  # fmt: skip
def test_the_need_is_what_is_being_asked_and_was_used_less_what_was_taken(
    taken: dict[str, int], candidates: list[object], used: list[Use], needs: dict[str, int]
) -> None:
    own = reservation()
    for counter, _ in own.counters:
        if counter.record.id in taken:
            own.add(counter, 5, taken[counter.record.id])
    found = own.needs(candidates, used)  # type: ignore[arg-type]
    assert {counter.record.id: need for counter, need in found.items()} == needs


def test_a_spent_budget_needs_nothing() -> None:
    assert reservation(spent=True).needs([A]) == {}


def test_requests_that_the_store_did_not_take_are_not_taken_again() -> None:
    own = reservation()
    own.uncounted |= {counter: "aa" for counter, _ in own.counters}
    assert [counter.record.id for counter in own.needs([A])] == ["t", "m"]


def test_amounts_are_added_by_slot() -> None:
    own = reservation()
    counter = own.counters[1][0]
    for slot, amount in [(5, 3), (6, 4), (5, 1)]:
        own.add(counter, slot, amount)
    assert own.taken[counter] == {5: 4, 6: 4}
    assert own.amount(counter) == 8


def test_only_what_candidates_of_a_limit_used_counts_for_it() -> None:
    used = [Use("up/a", 1, 10), Use("up/b", 2, 20), Use("up/c", 4, 40)]
    totals = {counter.record.id: used_of(counter, one, used) for counter, one in reservation().counters}
    assert totals == {"n": 0, "t": 3, "m": 30, "b": 2}
