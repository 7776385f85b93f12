"""Which candidates go last, for how long, and who may try them again (contract, section 6: Cooldown)."""

from __future__ import annotations

import pytest

from handler.errors import ACTIONS
from handler.relay.cooldown import FORGET, IN_A_ROW, MAX_CANDIDATES, PROBE, Cooldown, Opening

A, B = "one/a", "two/b"


class World:
    """A cooldown and its clock. `news`: what it told of changes."""

    def __init__(self) -> None:
        self.now = 1_763_600_000.0
        self.news: list[tuple[str, Opening | None]] = []
        self.cooldown = Cooldown(lambda: self.now)
        self.cooldown.on_change = lambda id, opening: self.news.append((id, opening))

    def see(self, *classes: str | tuple[str, float], id: str = A, every: float = 0.0) -> None:
        for one in classes:
            self.now += every
            failure_class, retry_after = (one, None) if isinstance(one, str) else one
            self.cooldown.observe(id, failure_class, retry_after)

    @property
    def left(self) -> float | None:
        """Seconds until A may be probed; None when it has its own place."""
        left = self.cooldown.cooling().get(A)
        return None if left is None else round(left, 3)

    def probe(self, holder: object = "probe", id: str = A) -> bool:
        """Whether a request that asks A first now is its probe."""
        self.cooldown.probe(id, holder)
        return self.cooldown._open[id].probe is holder


BLAMED = [failure_class for failure_class, action in ACTIONS.items() if action.blame]


@pytest.mark.parametrize("failure_class", BLAMED)
def test_three_failures_in_a_row_open_it_and_two_do_not(failure_class: str) -> None:
    world = World()
    world.see(failure_class)
    at_once = failure_class in ("auth", "quota")
    assert world.left == (5 if at_once else None)
    if not at_once:
        world.see(failure_class)
        assert world.left is None
        world.see(failure_class)
        assert world.left == 5


@pytest.mark.parametrize(
    "failure_class", [failure_class for failure_class, action in ACTIONS.items() if not action.blame]
)
def test_what_is_not_the_candidates_fault_never_opens_it(failure_class: str) -> None:
    world = World()
    world.see(*[failure_class] * 20)
    assert world.left is None
    assert world.news == []


@pytest.mark.parametrize(
    ("seen", "every", "left"),
    [
        pytest.param(["server", "server", "ok", "server"], 1, None, id="a success between takes back a half"),
        pytest.param(["server", "ok"] * 4, 1, None, id="half of them fail, four times"),
        pytest.param(["server", "ok"] * 4 + ["server"], 1, 5, id="half of them fail, for long"),
        pytest.param(["server", "ok", "ok"] * 40, 1, None, id="a third of them fail"),
        pytest.param(["ok", "timeout_idle"] * 5, 1, 5, id="streams that begin and break off"),
        pytest.param(["server"] * 3, IN_A_ROW, 5, id="a minute between two of them"),
        pytest.param(["server"] * 9, IN_A_ROW + 1, None, id="more than a minute between two of them"),
        pytest.param(["server", "network", "protocol"], 1, 5, id="of different classes"),
        pytest.param(
            ["server", "invalid_request", "server", "cancelled", "server"], 1, 5, id="others between"
        ),
        pytest.param([("rate_limit", 30)], 0, 30, id="one that says when to come back"),
        pytest.param([("overloaded", 7)], 0, 7, id="one of another class that says it"),
        pytest.param([("rate_limit", 0.02)], 0, 1, id="it says: at once"),
        pytest.param([("rate_limit", 86_400)], 0, 600, id="it says: tomorrow"),
        pytest.param([("rate_limit", 0)], 0, None, id="it says: in zero seconds, which says nothing"),
        pytest.param(["auth"], 0, 5, id="our credential is refused"),
        pytest.param(["not_found", "permission"], 0, None, id="perhaps about these requests only"),
    ],
)
def test_what_opens_it(seen: list[str | tuple[str, float]], every: float, left: float | None) -> None:
    world = World()
    world.see(*seen, every=every)
    assert world.left == left


@pytest.mark.parametrize(
    ("failure_class", "lengths"),
    [
        pytest.param("server", [5, 10, 20, 20, 20], id="it may be over at any moment"),
        pytest.param("timeout_first_token", [5, 10, 20, 20, 20], id="silence may be over, too"),
        pytest.param("auth", [5, 10, 20, 40, 60, 60], id="ours to mend"),
        pytest.param("not_found", [5, 10, 20, 40, 60, 60], id="a model that is gone"),
    ],
)
def test_each_failed_probe_doubles_it(failure_class: str, lengths: list[float]) -> None:
    world, seen = World(), []
    world.see(*[failure_class] * 3)
    for _ in lengths:
        left = world.left
        assert left is not None
        seen.append(left)
        world.now += left
        assert world.left is None, "it is in its own place again"
        assert world.probe()
        world.see(failure_class)
    assert seen == lengths


def test_a_probe_is_one_request_and_the_others_see_it_cooling() -> None:
    world = World()
    world.see(*["server"] * 3)
    assert not world.probe("early")
    world.now += 5
    assert world.left is None
    assert world.probe("first")
    assert world.left == 0
    assert not world.probe("second")
    world.see("ok")
    assert world.left is None
    assert A not in world.cooldown._open


@pytest.mark.parametrize(
    ("ends", "later"),
    [
        pytest.param(lambda world: world.cooldown.release("first"), 0, id="the request is over"),
        pytest.param(lambda world: world.see("cancelled"), 0, id="its client left"),
        pytest.param(lambda world: world.see("invalid_request"), 0, id="it was refused for its own fault"),
        pytest.param(lambda world: None, PROBE, id="nobody ended it"),
    ],
)
def test_a_probe_that_taught_nothing_makes_room_for_the_next(ends: object, later: float) -> None:
    world = World()
    world.see(*["server"] * 3)
    world.now += 5
    assert world.probe("first")
    assert callable(ends)
    ends(world)
    world.now += later
    assert world.left is None
    assert world.probe("second")


def test_only_its_holder_ends_a_probe() -> None:
    world = World()
    world.see(*["server"] * 3)
    world.now += 5
    assert world.probe("first")
    world.cooldown.release("second")
    assert world.left == 0


def test_what_works_needs_no_probe_and_an_unknown_one_neither() -> None:
    world = World()
    world.see("ok")
    world.cooldown.probe(A, "x")
    world.cooldown.probe("no/body", "x")
    world.cooldown.release("x")
    assert world.left is None


def test_requests_that_were_under_way_when_it_opened_change_nothing() -> None:
    world = World()
    world.see(*["server"] * 50)
    assert world.left == 5
    assert len(world.news) == 1


def test_a_later_retry_after_prolongs_it_and_a_shorter_does_not() -> None:
    world = World()
    world.see(*["server"] * 3, ("rate_limit", 2.0), ("rate_limit", 60.0), ("rate_limit", 61.0))
    assert world.left == 60
    assert [opening.level for _, opening in world.news if opening] == [1, 1]


def test_a_success_while_it_cools_ends_it_at_once() -> None:
    """As the last of a plan it is still asked; a request may also have begun before."""
    world = World()
    world.see(*["server"] * 3, "ok")
    assert world.left is None
    assert [opening is None for _, opening in world.news] == [False, True]
    world.see("server")
    assert world.left == 5, "so soon, one is enough"
    world.see(*["ok"] * 5, "server", "server")
    assert world.left is None, "as good as new"


def test_candidates_are_apart() -> None:
    world = World()
    world.see(*["server"] * 3)
    world.see("server", id=B)
    assert set(world.cooldown.cooling()) == {A}


def test_changes_are_told_once_each() -> None:
    world = World()
    world.see("ok", "server", "ok", "ok")
    world.see(*["server"] * 5)
    start = world.now
    assert world.news == [(A, Opening(start, start + 5, 1))]
    world.now += 5
    world.see("server")
    world.see("ok", "ok")
    assert world.news[1:] == [(A, Opening(start + 5, start + 15, 2)), (A, None)]


def test_without_news_it_is_forgotten() -> None:
    world = World()
    world.see(*["server"] * 3)
    world.now += 5 + FORGET + 1
    assert world.left is None
    world.see("server")
    assert world.left is None, "it counts from the start again"


def test_memory_is_bounded_and_names_from_callers_do_not_push_out_what_cools() -> None:
    world = World()
    world.see(("rate_limit", 500.0))
    for number in range(3 * MAX_CANDIDATES):
        world.see("not_found", id=f"one/{number}")
    assert len(world.cooldown._seen) == MAX_CANDIDATES
    assert world.left == 500
    for number in range(3 * MAX_CANDIDATES):
        world.see("quota", id=f"two/{number}")
    assert len(world.cooldown._seen) == len(world.cooldown._open) == MAX_CANDIDATES


def test_after_a_restore_nothing_is_known() -> None:
    world = World()
    world.see(*["server"] * 3)
    world.cooldown.invalidate()
    assert world.left is None


# An outage with traffic: when is the candidate asked first, and how soon after it is over?


def attempts_in_place(
    world: World, *, outage: float, every: float, until: float, takes: float = 0.0
) -> list[float]:
    """Seconds at which a request that finds A in its own place asks it, which fails until `outage` is over.

    Each request makes one retry. `takes`: seconds of a failed attempt.
    """
    attempts, start = [], world.now
    while world.now < start + until:
        began = world.now
        if world.left is None:
            attempts.append(round(began - start, 3))
            world.cooldown.probe(A, began)
            world.see(*["ok"] if began - start >= outage else ["server"] * 2, every=takes)
        world.now = max(world.now, began + every)
    return attempts


@pytest.mark.parametrize("every", [0.5, 1, 2, 3, 4, 5, 7, 10])
@pytest.mark.parametrize("outage", [4, 17, 40, 59, 60, 61, 75, 90, 600])
def test_it_is_used_again_within_thirty_seconds_of_its_recovery(outage: float, every: float) -> None:
    attempts = attempts_in_place(World(), outage=outage, every=every, until=outage + 100)
    first = next(at for at in attempts if at >= outage)
    assert first - outage <= 30
    after = [at for at in attempts if at >= outage]
    assert len(after) >= (outage + 100 - first) // every, "and from then on by every request"


def test_a_minute_of_outage_costs_few_attempts() -> None:
    """Twenty requests, one every three seconds: five of them ask the candidate that is down."""
    assert len([at for at in attempts_in_place(World(), outage=60, every=3, until=60) if at < 60]) <= 6


# What other instances saw.


@pytest.mark.parametrize(
    ("at", "until", "left"),
    [
        pytest.param(-2, 8, 8, id="it cools elsewhere"),
        pytest.param(-70, -61, None, id="long over"),
        pytest.param(-30, -5, None, id="over: to be probed"),
        pytest.param(3, 20, 20, id="a clock that is a little ahead"),
        pytest.param(500, 520, None, id="a clock that is wrong"),
        pytest.param(0, 1e12, 600, id="for ever"),
        pytest.param(float("nan"), 8, None, id="no number"),
        pytest.param(-2, float("nan"), None, id="no number either"),
        pytest.param(-2, float("inf"), 598, id="infinity"),
    ],
)
def test_another_instances_opening_counts_here_too(at: float, until: float, left: float | None) -> None:
    world = World()
    world.cooldown.adopt(A, Opening(world.now + at, world.now + until, 2))
    assert world.left == left
    assert world.news == [], "it is no change of ours to tell"


def test_one_that_was_over_shortly_is_probed_and_a_failed_probe_goes_on_where_it_was() -> None:
    world = World()
    world.cooldown.adopt(A, Opening(world.now - 20, world.now - 10, 2))
    assert world.probe()
    world.see("server")
    assert world.left == 20


def test_what_was_seen_here_since_counts_more() -> None:
    world = World()
    early = Opening(world.now - 3, world.now + 60, 3)
    world.see("ok")
    world.cooldown.adopt(A, early)
    assert world.left is None
    world.now += 1
    world.cooldown.adopt(A, Opening(world.now, world.now + 9, 3))
    assert world.left == 9


def test_of_two_openings_the_longer_counts() -> None:
    world = World()
    world.see(*["server"] * 3)
    world.cooldown.adopt(A, Opening(world.now - 1, world.now + 4, 1))
    assert world.left == 5
    world.cooldown.adopt(A, Opening(world.now - 1, world.now + 40, 1))
    assert world.left == 40


def test_its_own_probe_reopens_it_here() -> None:
    world = World()
    world.cooldown.adopt(A, Opening(world.now, world.now + 10, 2))
    world.now += 10
    assert world.probe()
    world.see("ok")
    assert world.left is None
    assert world.news == [(A, None)]


def test_where_another_instance_saw_it_work_it_may_be_probed_now() -> None:
    world = World()
    world.see(("rate_limit", 300.0))
    world.cooldown.reopened([A, "un/known"])
    assert world.left is None
    assert world.probe()
    assert world.left == 0
