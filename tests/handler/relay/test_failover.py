"""handler/relay/failover.py: what follows a failed attempt, asked without any network."""

from __future__ import annotations

import pytest

from handler.errors import ACTIONS, Unsupported, UpstreamError
from handler.relay.failover import Failover, Step
from rules import Candidate
from tests.handler.relay.failures import failed
from tests.support.running_relay import model

A, B, C = (Candidate(model(f"one/{name}")) for name in "abc")
FOREVER = 1e9


def play(
    *candidates: Candidate,
    failures: list[UpstreamError],
    retries: int = 1,
    retry_after_max: float = 3.0,
    deadline: float = FOREVER,
    pinned: str | None = None,
) -> list[tuple[str, float]]:
    """Who is tried, after which pause, when attempts fail like this, the last way again and again."""
    failover = Failover(
        candidates,
        retries=retries,
        retry_after_max=retry_after_max,
        jitter=lambda: 0.5,
        pinned=pinned,
    )
    now, steps, step = 0.0, [], failover.first()
    while step is not None:
        now += step.delay
        steps.append((step.candidate.model.name, step.delay))
        error = failures[min(len(steps), len(failures)) - 1]
        step = failover.after(step.candidate, error, now=now, deadline=deadline)
    return steps


SERVER, LIMITED, SILENT = failed("server"), failed("rate_limit"), failed("timeout_first_token")
CASES = [
    pytest.param([A, B], [SERVER], [("a", 0), ("a", 0.25), ("b", 0), ("b", 0.25)], id="a retry each"),
    pytest.param([A, B], [SILENT], [("a", 0), ("b", 0)], id="a silent route is never retried"),
    pytest.param([A], [SERVER, SILENT], [("a", 0), ("a", 0.25)], id="nor after a retry"),
    pytest.param([A, B], [failed("invalid_request")], [("a", 0)], id="the caller's fault ends it"),
    pytest.param(
        [A, B], [failed("overloaded", 3)], [("a", 0), ("a", 3), ("b", 0), ("b", 3)], id="Retry-After"
    ),
    pytest.param(
        [A, B], [failed("overloaded", 6)], [("a", 0), ("b", 0)], id="a retry does not wait for long"
    ),
    pytest.param(
        [A, B],
        [LIMITED],
        [("a", 0), ("b", 0), ("a", 1), ("b", 0)],
        id="limits: next at once, then who is ready",
    ),
    pytest.param([A], [LIMITED], [("a", 0), ("a", 1), ("a", 2)], id="a second, then two, then no more"),
    pytest.param([A], [failed("rate_limit", 2)], [("a", 0), ("a", 2), ("a", 2)], id="as long as it says"),
    pytest.param([A], [failed("rate_limit", 20)], [("a", 0), ("a", 20), ("a", 20)], id="up to 20 s"),
    pytest.param([A], [failed("rate_limit", 21)], [("a", 0)], id="longer is the caller's to wait"),
    pytest.param(
        [A, B],
        [failed("rate_limit", 9), failed("rate_limit", 3), failed("auth")],
        [("a", 0), ("b", 0), ("b", 3), ("a", 6)],
        id="whoever is ready first, and the other one's time has been running",
    ),
    pytest.param(
        [A, B],
        [LIMITED, failed("auth"), failed("auth")],
        [("a", 0), ("b", 0), ("a", 1)],
        id="one of two limited",
    ),
    pytest.param(
        [A],
        [SERVER, LIMITED, LIMITED, SERVER],
        [("a", 0), ("a", 0.25), ("a", 1), ("a", 2)],
        id="waits renew no retry",
    ),
    pytest.param(
        [A, A], [SERVER], [("a", 0), ("a", 0.25), ("a", 0), ("a", 0.25)], id="a candidate listed twice"
    ),
    pytest.param(
        [A, B],
        [failed("rate_limit", 2), SILENT, failed("auth")],
        [("a", 0), ("a", 2), ("b", 0)],
        id="a limit that ends soon is waited for, and forgotten then",
    ),
    pytest.param(
        [A, B],
        [failed("rate_limit", 3), failed("rate_limit", 1), failed("auth"), failed("auth")],
        [("a", 0), ("a", 3), ("b", 0), ("a", 1)],
        id="but once: after a second one the next is asked now",
    ),
    pytest.param(
        [A, B],
        [failed("rate_limit", 3.1), failed("auth"), failed("auth")],
        [("a", 0), ("b", 0), ("a", 3.1)],
        id="one that ends later is not waited for while another can be asked",
    ),
    pytest.param(
        [A, B],
        [failed("rate_limit", 0), failed("auth")],
        [("a", 0), ("a", 0), ("b", 0)],
        id="at once is soon",
    ),
]


@pytest.mark.parametrize(("candidates", "failures", "steps"), CASES)
def test_the_order_of_attempts(
    candidates: list[Candidate], failures: list[UpstreamError], steps: list[tuple[str, float]]
) -> None:
    assert play(*candidates, failures=failures) == steps


@pytest.mark.parametrize(
    ("retry_after_max", "after", "tried"),
    [(0, 0.5, "ab"), (0, 0, "aab"), (5, 5, "aab"), (5, 5.5, "ab"), (20, 20, "aab"), (3, None, "ab")],
)
def test_a_rule_sets_the_limit_that_is_waited_for(
    retry_after_max: float, after: float | None, tried: str
) -> None:
    failures = [failed("rate_limit", after), *([failed("rate_limit", 60)] if len(tried) > 2 else [])]
    steps = play(A, B, failures=[*failures, failed("content_policy")], retry_after_max=retry_after_max)
    assert "".join(name for name, _ in steps) == tried


NO_PLACE = Unsupported("There is no place for it.", failure_class="invalid_request")


@pytest.mark.parametrize(
    ("failures", "pinned", "tried"),
    [
        pytest.param([NO_PLACE], None, "abc", id="the next candidate may have a place for it"),
        pytest.param([NO_PLACE], "one/a", "a", id="but the one model that was named is not replaced"),
        pytest.param([failed("auth"), NO_PLACE], "one/a", "abc", id="a fallback is no such model"),
        pytest.param([NO_PLACE], "one/b", "ab", id="which may be cooling, and so be asked later"),
    ],
)
def test_what_a_format_cannot_carry_is_the_candidates_problem(
    failures: list[UpstreamError], pinned: str | None, tried: str
) -> None:
    assert "".join(name for name, _ in play(A, B, C, failures=failures, pinned=pinned)) == tried


@pytest.mark.parametrize("failure_class", sorted(ACTIONS))
def test_every_class_does_what_its_row_says(failure_class: str) -> None:
    """With three retries allowed and no candidate that could do better."""
    action = ACTIONS[failure_class]
    tried = [name for name, _ in play(A, B, failures=[failed(failure_class)], retries=3)]
    expected = ["a"] * (4 if action.retry else 1) + ["b"] * (4 if action.retry else 1)
    match failure_class:
        case "rate_limit":
            expected += ["a", "b"]
        case "context_length":
            expected = ["a"]
        case "schema":
            expected = ["a", "a", "b", "b"]
    assert tried == (expected if action.failover else ["a"])


@pytest.mark.parametrize("retries", range(4))
def test_retries_double_their_pause(retries: int) -> None:
    assert play(A, failures=[SERVER], retries=retries) == [
        ("a", 0),
        *(("a", 0.25 * 2**count) for count in range(retries)),
    ]


@pytest.mark.parametrize(
    ("windows", "tried"),
    [
        pytest.param([8, 16], "ab", id="the next one's window is larger"),
        pytest.param([8, 8], "a", id="it is the same"),
        pytest.param([8, 4, 16], "ac", id="the smaller one is left out"),
        pytest.param([16, 8, 32], "ac", id="what is left out does not lower the bar"),
        pytest.param([8, None], "ab", id="it is not known, so it may be larger"),
        pytest.param([8, None, 8, 16], "abd", id="what is not known does not lower the bar"),
        pytest.param([None, 8], "ab", id="the first one's is not known"),
    ],
)
def test_a_prompt_that_is_too_long_goes_only_to_larger_windows(windows: list[int | None], tried: str) -> None:
    candidates = [Candidate(model(f"one/{'abcd'[at]}", context=window)) for at, window in enumerate(windows)]
    assert "".join(name for name, _ in play(*candidates, failures=[failed("context_length")])) == tried


@pytest.mark.parametrize(
    ("failure", "deadline", "tried"),
    [
        pytest.param(SERVER, 0.2, "ab", id="no time for the pause before a retry: the next one"),
        pytest.param(LIMITED, 0.5, "ab", id="no time to wait for the limit"),
        pytest.param(failed("timeout_total"), 0.0, "a", id="the time is up"),
        pytest.param(SERVER, 0.0, "a", id="no time at all"),
    ],
)
def test_nothing_begins_after_the_deadline(failure: UpstreamError, deadline: float, tried: str) -> None:
    assert "".join(name for name, _ in play(A, B, failures=[failure], deadline=deadline)) == tried


def test_jitter_spreads_the_retries() -> None:
    pauses = set()
    for draw in (0.0, 0.5, 0.999):
        failover = Failover([], retries=1, retry_after_max=3, jitter=iter([draw]).__next__)
        step = failover.after(A, SERVER, now=0, deadline=FOREVER)
        assert isinstance(step, Step)
        pauses.add(round(step.delay, 3))
    assert pauses == {0.125, 0.25, 0.375}
