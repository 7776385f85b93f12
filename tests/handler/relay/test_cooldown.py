"""The circuit breaker: which candidates cool, for how long, and which request probes them."""

from __future__ import annotations

import pytest

from handler.errors import ACTIONS
from handler.relay.cooldown import FORGET, IN_A_ROW, MAX_CANDIDATES, PROBE, Cooldown, Opening

A, B = "one/a", "two/b"


class Breaker:
    """A cooldown and its clock. `changes`: those that it reported."""

    def __init__(self) -> None:
        self.now = 1_763_600_000.0
        self.changes: list[tuple[str, Opening | None]] = []
        self.cooldown = Cooldown(lambda: self.now)
        self.cooldown.on_change = lambda id, opening: self.changes.append((id, opening))

    def observe(self, *classes: str | tuple[str, float], id: str = A, every: float = 0.0) -> None:
        for one in classes:
            self.now += every
            failure_class, retry_after = (one, None) if isinstance(one, str) else one
            self.cooldown.observe(id, failure_class, retry_after)

    @property
    def seconds_left(self) -> float | None:
        """Seconds until A may be probed; None when it has its own place."""
        seconds_left = self.cooldown.cooling().get(A)
        return None if seconds_left is None else round(seconds_left, 3)

    def probe(self, holder: object = "probe", id: str = A) -> bool:
        """Return True if a request that tries A first now becomes its probe."""
        self.cooldown.probe(id, holder)
        return self.cooldown._open[id].probe is holder


BLAMED = [failure_class for failure_class, action in ACTIONS.items() if action.blame]


@pytest.mark.parametrize("failure_class", BLAMED)
def test_three_failures_in_a_row_start_a_cooldown_and_two_do_not(failure_class: str) -> None:
    breaker = Breaker()
    breaker.observe(failure_class)
    at_once = failure_class in ("auth", "quota")
    assert breaker.seconds_left == (5 if at_once else None)
    if not at_once:
        breaker.observe(failure_class)
        assert breaker.seconds_left is None
        breaker.observe(failure_class)
        assert breaker.seconds_left == 5


@pytest.mark.parametrize(
    "failure_class", [failure_class for failure_class, action in ACTIONS.items() if not action.blame]
)
def test_failures_without_blame_never_start_a_cooldown(failure_class: str) -> None:
    breaker = Breaker()
    breaker.observe(*[failure_class] * 20)
    assert breaker.seconds_left is None
    assert breaker.changes == []


@pytest.mark.parametrize(
    ("seen", "every", "seconds_left"),
    [
        pytest.param(["server", "server", "ok", "server"], 1, None, id="a success takes back half a failure"),
        pytest.param(["server", "ok"] * 4, 1, None, id="every second attempt fails, four times"),
        pytest.param(["server", "ok"] * 4 + ["server"], 1, 5, id="every second attempt fails, five times"),
        pytest.param(["server", "ok", "ok"] * 40, 1, None, id="every third attempt fails"),
        pytest.param(["ok", "timeout_idle"] * 5, 1, 5, id="streams that start and break off"),
        pytest.param(["server"] * 3, IN_A_ROW, 5, id="failures one minute apart"),
        pytest.param(["server"] * 9, IN_A_ROW + 1, None, id="failures more than a minute apart"),
        pytest.param(["server", "network", "protocol"], 1, 5, id="failures of different classes"),
        pytest.param(
            ["server", "invalid_request", "server", "cancelled", "server"],
            1,
            5,
            id="failures without blame in between",
        ),
        pytest.param([("rate_limit", 30)], 0, 30, id="a rate limit with a Retry-After"),
        pytest.param([("overloaded", 7)], 0, 7, id="another class with a Retry-After"),
        pytest.param([("rate_limit", 0.02)], 0, 1, id="a very short Retry-After"),
        pytest.param([("rate_limit", 86_400)], 0, 600, id="a Retry-After of a day"),
        pytest.param([("rate_limit", 0)], 0, None, id="a Retry-After of zero"),
        pytest.param(["auth"], 0, 5, id="a refused credential"),
        pytest.param(["not_found", "permission"], 0, None, id="failures that may concern one request"),
    ],
)
def test_the_outcomes_that_start_a_cooldown(
    seen: list[str | tuple[str, float]], every: float, seconds_left: float | None
) -> None:
    breaker = Breaker()
    breaker.observe(*seen, every=every)
    assert breaker.seconds_left == seconds_left


@pytest.mark.parametrize(
    ("failure_class", "lengths"),
    [
        pytest.param("server", [5, 10, 20, 20, 20], id="a server error: up to 20 s"),
        pytest.param("timeout_first_token", [5, 10, 20, 20, 20], id="a timeout: up to 20 s"),
        pytest.param("auth", [5, 10, 20, 40, 60, 60], id="a refused credential: up to 60 s"),
        pytest.param("not_found", [5, 10, 20, 40, 60, 60], id="an unknown model: up to 60 s"),
    ],
)
def test_each_failed_probe_doubles_the_cooldown(failure_class: str, lengths: list[float]) -> None:
    breaker, seen = Breaker(), []
    breaker.observe(*[failure_class] * 3)
    for _ in lengths:
        seconds_left = breaker.seconds_left
        assert seconds_left is not None
        seen.append(seconds_left)
        breaker.now += seconds_left
        assert breaker.seconds_left is None, "it is in its own place again"
        assert breaker.probe()
        breaker.observe(failure_class)
    assert seen == lengths


def test_one_request_probes_and_the_others_see_the_candidate_cooling() -> None:
    breaker = Breaker()
    breaker.observe(*["server"] * 3)
    assert not breaker.probe("early")
    breaker.now += 5
    assert breaker.seconds_left is None
    assert breaker.probe("first")
    assert breaker.seconds_left == 0
    assert not breaker.probe("second")
    breaker.observe("ok")
    assert breaker.seconds_left is None
    assert A not in breaker.cooldown._open


@pytest.mark.parametrize(
    ("ends", "later"),
    [
        pytest.param(lambda breaker: breaker.cooldown.release("first"), 0, id="the request is over"),
        pytest.param(lambda breaker: breaker.observe("cancelled"), 0, id="its client disconnected"),
        pytest.param(lambda breaker: breaker.observe("invalid_request"), 0, id="its request was invalid"),
        pytest.param(lambda breaker: None, PROBE, id="it never ended"),
    ],
)
def test_an_inconclusive_probe_is_followed_by_another(ends: object, later: float) -> None:
    breaker = Breaker()
    breaker.observe(*["server"] * 3)
    breaker.now += 5
    assert breaker.probe("first")
    assert callable(ends)
    ends(breaker)
    breaker.now += later
    assert breaker.seconds_left is None
    assert breaker.probe("second")


def test_only_its_holder_ends_a_probe() -> None:
    breaker = Breaker()
    breaker.observe(*["server"] * 3)
    breaker.now += 5
    assert breaker.probe("first")
    breaker.cooldown.release("second")
    assert breaker.seconds_left == 0


def test_working_and_unknown_candidates_need_no_probe() -> None:
    breaker = Breaker()
    breaker.observe("ok")
    breaker.cooldown.probe(A, "x")
    breaker.cooldown.probe("un/known", "x")
    breaker.cooldown.release("x")
    assert breaker.seconds_left is None


def test_failures_of_concurrent_requests_do_not_prolong_a_cooldown() -> None:
    breaker = Breaker()
    breaker.observe(*["server"] * 50)
    assert breaker.seconds_left == 5
    assert len(breaker.changes) == 1


def test_only_a_longer_retry_after_prolongs_a_cooldown() -> None:
    breaker = Breaker()
    breaker.observe(*["server"] * 3, ("rate_limit", 2.0), ("rate_limit", 60.0), ("rate_limit", 61.0))
    assert breaker.seconds_left == 60
    assert [opening.level for _, opening in breaker.changes if opening] == [1, 1]


def test_a_success_during_a_cooldown_ends_it() -> None:
    """A cooling candidate is still tried last, and an attempt may have started before the cooldown."""
    breaker = Breaker()
    breaker.observe(*["server"] * 3, "ok")
    assert breaker.seconds_left is None
    assert [opening is None for _, opening in breaker.changes] == [False, True]
    breaker.observe("server")
    assert breaker.seconds_left == 5, "so soon, one failure is enough"
    breaker.observe(*["ok"] * 5, "server", "server")
    assert breaker.seconds_left is None, "after more successes, three are needed again"


def test_candidates_are_independent() -> None:
    breaker = Breaker()
    breaker.observe(*["server"] * 3)
    breaker.observe("server", id=B)
    assert set(breaker.cooldown.cooling()) == {A}


def test_each_change_is_reported_once() -> None:
    breaker = Breaker()
    breaker.observe("ok", "server", "ok", "ok")
    breaker.observe(*["server"] * 5)
    start = breaker.now
    assert breaker.changes == [(A, Opening(start, start + 5, 1))]
    breaker.now += 5
    breaker.observe("server")
    breaker.observe("ok", "ok")
    assert breaker.changes[1:] == [(A, Opening(start + 5, start + 15, 2)), (A, None)]


def test_a_candidate_without_attempts_is_forgotten() -> None:
    breaker = Breaker()
    breaker.observe(*["server"] * 3)
    breaker.now += 5 + FORGET + 1
    assert breaker.seconds_left is None
    breaker.observe("server")
    assert breaker.seconds_left is None, "it counts from the start again"


def test_memory_is_bounded_and_unknown_models_do_not_evict_cooling_candidates() -> None:
    breaker = Breaker()
    breaker.observe(("rate_limit", 500.0))
    for number in range(3 * MAX_CANDIDATES):
        breaker.observe("not_found", id=f"one/{number}")
    assert len(breaker.cooldown._seen) == MAX_CANDIDATES
    assert breaker.seconds_left == 500
    for number in range(3 * MAX_CANDIDATES):
        breaker.observe("quota", id=f"two/{number}")
    assert len(breaker.cooldown._seen) == len(breaker.cooldown._open) == MAX_CANDIDATES


def test_invalidate_forgets_everything() -> None:
    breaker = Breaker()
    breaker.observe(*["server"] * 3)
    breaker.cooldown.invalidate()
    assert breaker.seconds_left is None


# An outage with traffic: the attempts at the candidate, and its recovery.


def attempts_in_place(
    breaker: Breaker, *, outage: float, every: float, until: float, takes: float = 0.0
) -> list[float]:
    """Seconds at which requests try A in its own place. A fails until `outage` seconds have passed.

    Each request makes one retry. `takes`: seconds of a failed attempt.
    """
    attempts, start = [], breaker.now
    while breaker.now < start + until:
        began = breaker.now
        if breaker.seconds_left is None:
            attempts.append(round(began - start, 3))
            breaker.cooldown.probe(A, began)
            breaker.observe(*["ok"] if began - start >= outage else ["server"] * 2, every=takes)
        breaker.now = max(breaker.now, began + every)
    return attempts


@pytest.mark.parametrize("every", [0.5, 1, 2, 3, 4, 5, 7, 10])
@pytest.mark.parametrize("outage", [4, 17, 40, 59, 60, 61, 75, 90, 600])
def test_a_candidate_is_used_within_thirty_seconds_of_its_recovery(outage: float, every: float) -> None:
    attempts = attempts_in_place(Breaker(), outage=outage, every=every, until=outage + 100)
    first = next(at for at in attempts if at >= outage)
    assert first - outage <= 30
    after = [at for at in attempts if at >= outage]
    assert len(after) >= (outage + 100 - first) // every, "every later request uses it"


def test_a_minute_of_outage_costs_few_attempts() -> None:
    """Of twenty requests, one every three seconds, at most six try the failing candidate."""
    assert len([at for at in attempts_in_place(Breaker(), outage=60, every=3, until=60) if at < 60]) <= 6


# Openings of other instances.


@pytest.mark.parametrize(
    ("at", "until", "seconds_left"),
    [
        pytest.param(-2, 8, 8, id="it still cools"),
        pytest.param(-70, -61, None, id="it ended long ago"),
        pytest.param(-30, -5, None, id="it ended, and a probe is due"),
        pytest.param(3, 20, 20, id="a clock that is a little ahead"),
        pytest.param(500, 520, None, id="a clock that is wrong"),
        pytest.param(0, 1e12, 600, id="an end far in the future"),
        pytest.param(float("nan"), 8, None, id="NaN as its start"),
        pytest.param(-2, float("nan"), None, id="NaN as its end"),
        pytest.param(-2, float("inf"), 598, id="infinity as its end"),
    ],
)
def test_an_opening_of_another_instance_is_adopted(
    at: float, until: float, seconds_left: float | None
) -> None:
    breaker = Breaker()
    breaker.cooldown.adopt(A, Opening(breaker.now + at, breaker.now + until, 2))
    assert breaker.seconds_left == seconds_left
    assert breaker.changes == [], "an adopted opening is not reported again"


def test_a_failed_probe_of_an_adopted_opening_continues_its_level() -> None:
    breaker = Breaker()
    breaker.cooldown.adopt(A, Opening(breaker.now - 20, breaker.now - 10, 2))
    assert breaker.probe()
    breaker.observe("server")
    assert breaker.seconds_left == 20


def test_a_later_local_success_outweighs_an_opening() -> None:
    breaker = Breaker()
    early = Opening(breaker.now - 3, breaker.now + 60, 3)
    breaker.observe("ok")
    breaker.cooldown.adopt(A, early)
    assert breaker.seconds_left is None
    breaker.now += 1
    breaker.cooldown.adopt(A, Opening(breaker.now, breaker.now + 9, 3))
    assert breaker.seconds_left == 9


def test_the_longer_of_two_openings_counts() -> None:
    breaker = Breaker()
    breaker.observe(*["server"] * 3)
    breaker.cooldown.adopt(A, Opening(breaker.now - 1, breaker.now + 4, 1))
    assert breaker.seconds_left == 5
    breaker.cooldown.adopt(A, Opening(breaker.now - 1, breaker.now + 40, 1))
    assert breaker.seconds_left == 40


def test_a_successful_probe_ends_an_adopted_opening() -> None:
    breaker = Breaker()
    breaker.cooldown.adopt(A, Opening(breaker.now, breaker.now + 10, 2))
    breaker.now += 10
    assert breaker.probe()
    breaker.observe("ok")
    assert breaker.seconds_left is None
    assert breaker.changes == [(A, None)]


def test_a_candidate_that_recovered_elsewhere_may_be_probed() -> None:
    breaker = Breaker()
    breaker.observe(("rate_limit", 300.0))
    breaker.cooldown.reopened([A, "un/known"])
    assert breaker.seconds_left is None
    assert breaker.probe()
    assert breaker.seconds_left == 0
