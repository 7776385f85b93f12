"""Failover: the next attempt after a failure and the pause before it, without a network."""

from __future__ import annotations

import pytest

from handler.errors import ACTIONS, LimitReached, NotSent, Unsupported, UpstreamError
from handler.relay.failover import Failover, Step
from rules import Candidate
from tests.handler.relay.failures import make_failure
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
    """The candidates' names and the pauses before their attempts. The last of `failures` repeats."""
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


A1, A2, A3 = (Candidate(A.model, account=f"A{number}_KEY") for number in (1, 2, 3))


def tried(*candidates: Candidate, failures: list[UpstreamError]) -> list[str]:
    """The keys of the candidates in the order of their attempts, without retries and waits."""
    failover = Failover(candidates, retries=0, retry_after_max=3.0, jitter=lambda: 0.5)
    keys, step = list[str](), failover.first()
    while step is not None and step.delay == 0:
        keys.append(step.candidate.key)
        error = failures[min(len(keys), len(failures)) - 1]
        step = failover.after(step.candidate, error, now=0.0, deadline=FOREVER)
    return keys


ALL_ACCOUNTS = ["one/a A1_KEY", "one/a A2_KEY", "one/a A3_KEY", "one/b"]


@pytest.mark.parametrize("failure_class", ["auth", "permission", "not_found", "quota", "rate_limit"])
def test_a_failure_of_an_account_goes_to_the_next_account(failure_class: str) -> None:
    assert tried(A1, A2, A3, B, failures=[make_failure(failure_class)]) == ALL_ACCOUNTS


@pytest.mark.parametrize(
    "error",
    [
        *map(make_failure, ("server", "overloaded", "network", "timeout_first_token", "protocol")),
        Unsupported("No.", failure_class="invalid_request"),
        LimitReached("No.", status=429, type="rate_limit_error", code="rate_limit_exceeded"),
    ],
    ids=lambda error: type(error).__name__ if isinstance(error, NotSent) else error.failure_class,
)
def test_a_failure_that_all_accounts_share_goes_to_the_next_model(error: UpstreamError) -> None:
    assert tried(A1, A2, A3, B, failures=[error]) == ["one/a A1_KEY", "one/b"]
    assert tried(A1, A2, B, A3, failures=[make_failure("auth"), error]) == [
        "one/a A1_KEY",
        "one/a A2_KEY",
        "one/b",
    ]


def test_a_mistake_of_the_caller_goes_to_no_other_account() -> None:
    assert tried(A1, A2, failures=[make_failure("invalid_request")]) == ["one/a A1_KEY"]


def test_each_account_has_its_own_rate_limit() -> None:
    failures = [make_failure("rate_limit", 9), make_failure("rate_limit", 4), make_failure("server")]
    assert play(A1, A2, failures=failures, retries=0) == [("a", 0), ("a", 0), ("a", 4), ("a", 5)]


SERVER, RATE_LIMITED, SILENT = (
    make_failure("server"),
    make_failure("rate_limit"),
    make_failure("timeout_first_token"),
)
CASES = [
    pytest.param([A, B], [SERVER], [("a", 0), ("a", 0.25), ("b", 0), ("b", 0.25)], id="a retry each"),
    pytest.param([A, B], [SILENT], [("a", 0), ("b", 0)], id="a silent candidate is not retried"),
    pytest.param(
        [A], [SERVER, SILENT], [("a", 0), ("a", 0.25)], id="a silent candidate is not retried after a retry"
    ),
    pytest.param([A, B], [make_failure("invalid_request")], [("a", 0)], id="a request error ends the call"),
    pytest.param(
        [A, B], [make_failure("overloaded", 3)], [("a", 0), ("a", 3), ("b", 0), ("b", 3)], id="Retry-After"
    ),
    pytest.param(
        [A, B],
        [make_failure("overloaded", 6)],
        [("a", 0), ("b", 0)],
        id="a long Retry-After prevents a retry",
    ),
    pytest.param(
        [A, B],
        [RATE_LIMITED],
        [("a", 0), ("b", 0), ("a", 1), ("b", 0)],
        id="rate limits: the next candidate at once, then the first that is ready",
    ),
    pytest.param(
        [A],
        [RATE_LIMITED],
        [("a", 0), ("a", 1), ("a", 2)],
        id="a rate limit of the only candidate: one second, then two",
    ),
    pytest.param(
        [A], [make_failure("rate_limit", 2)], [("a", 0), ("a", 2), ("a", 2)], id="a Retry-After sets the wait"
    ),
    pytest.param(
        [A], [make_failure("rate_limit", 20)], [("a", 0), ("a", 20), ("a", 20)], id="a wait of 20 s"
    ),
    pytest.param([A], [make_failure("rate_limit", 21)], [("a", 0)], id="a longer wait ends the call"),
    pytest.param(
        [A, B],
        [make_failure("rate_limit", 9), make_failure("rate_limit", 3), make_failure("auth")],
        [("a", 0), ("b", 0), ("b", 3), ("a", 6)],
        id="the first that is ready, as the waits run at the same time",
    ),
    pytest.param(
        [A, B],
        [RATE_LIMITED, make_failure("auth"), make_failure("auth")],
        [("a", 0), ("b", 0), ("a", 1)],
        id="one of two is rate limited",
    ),
    pytest.param(
        [A],
        [SERVER, RATE_LIMITED, RATE_LIMITED, SERVER],
        [("a", 0), ("a", 0.25), ("a", 1), ("a", 2)],
        id="waits do not add retries",
    ),
    pytest.param(
        [A, A], [SERVER], [("a", 0), ("a", 0.25), ("a", 0), ("a", 0.25)], id="a candidate listed twice"
    ),
    pytest.param(
        [A, B],
        [make_failure("rate_limit", 2), SILENT, make_failure("auth")],
        [("a", 0), ("a", 2), ("b", 0)],
        id="a short rate limit is waited for before failover, and then forgotten",
    ),
    pytest.param(
        [A, B],
        [
            make_failure("rate_limit", 3),
            make_failure("rate_limit", 1),
            make_failure("auth"),
            make_failure("auth"),
        ],
        [("a", 0), ("a", 3), ("b", 0), ("a", 1)],
        id="a second short rate limit fails over at once",
    ),
    pytest.param(
        [A, B],
        [make_failure("rate_limit", 3.1), make_failure("auth"), make_failure("auth")],
        [("a", 0), ("b", 0), ("a", 3.1)],
        id="a longer rate limit is not waited for while another candidate is ready",
    ),
    pytest.param(
        [A, B],
        [make_failure("rate_limit", 0), make_failure("auth")],
        [("a", 0), ("a", 0), ("b", 0)],
        id="a Retry-After of zero is short",
    ),
]


@pytest.mark.parametrize(("candidates", "failures", "steps"), CASES)
def test_the_order_of_attempts(
    candidates: list[Candidate], failures: list[UpstreamError], steps: list[tuple[str, float]]
) -> None:
    assert play(*candidates, failures=failures) == steps


@pytest.mark.parametrize(
    ("retry_after_max", "after", "names"),
    [(0, 0.5, "ab"), (0, 0, "aab"), (5, 5, "aab"), (5, 5.5, "ab"), (20, 20, "aab"), (3, None, "ab")],
)
def test_a_rule_sets_the_longest_wait_before_failover(
    retry_after_max: float, after: float | None, names: str
) -> None:
    failures = [
        make_failure("rate_limit", after),
        *([make_failure("rate_limit", 60)] if len(names) > 2 else []),
    ]
    steps = play(A, B, failures=[*failures, make_failure("content_policy")], retry_after_max=retry_after_max)
    assert "".join(name for name, _ in steps) == names


UNSUPPORTED = Unsupported("Not supported.", failure_class="invalid_request")


@pytest.mark.parametrize(
    ("failures", "pinned", "names"),
    [
        pytest.param([UNSUPPORTED], None, "abc", id="the next candidate may support it"),
        pytest.param([UNSUPPORTED], "one/a", "a", id="a pinned model is not replaced"),
        pytest.param(
            [make_failure("auth"), UNSUPPORTED], "one/a", "abc", id="a fallback is not the pinned model"
        ),
        pytest.param([UNSUPPORTED], "one/b", "ab", id="the pinned model comes second because it cools"),
    ],
)
def test_unsupported_content_fails_over_unless_the_model_is_pinned(
    failures: list[UpstreamError], pinned: str | None, names: str
) -> None:
    assert "".join(name for name, _ in play(A, B, C, failures=failures, pinned=pinned)) == names


@pytest.mark.parametrize("failure_class", sorted(ACTIONS))
def test_every_failure_class_follows_its_row_of_actions(failure_class: str) -> None:
    """With three retries, and no candidate with a larger window."""
    action = ACTIONS[failure_class]
    names = [name for name, _ in play(A, B, failures=[make_failure(failure_class)], retries=3)]
    expected = ["a"] * (4 if action.retry else 1) + ["b"] * (4 if action.retry else 1)
    match failure_class:
        case "rate_limit":
            expected += ["a", "b"]
        case "context_length":
            expected = ["a"]
        case "schema":
            expected = ["a", "a", "b", "b"]
    assert names == (expected if action.failover else ["a"])


@pytest.mark.parametrize("retries", range(4))
def test_the_pause_doubles_with_every_retry(retries: int) -> None:
    assert play(A, failures=[SERVER], retries=retries) == [
        ("a", 0),
        *(("a", 0.25 * 2**count) for count in range(retries)),
    ]


@pytest.mark.parametrize(
    ("windows", "names"),
    [
        pytest.param([8, 16], "ab", id="the next window is larger"),
        pytest.param([8, 8], "a", id="the next window is the same"),
        pytest.param([8, 4, 16], "ac", id="a smaller window is skipped"),
        pytest.param([16, 8, 32], "ac", id="a skipped window does not lower the minimum"),
        pytest.param([8, None], "ab", id="an unknown window may be larger"),
        pytest.param([8, None, 8, 16], "abd", id="an unknown window does not lower the minimum"),
        pytest.param([None, 8], "ab", id="the first window is unknown"),
    ],
)
def test_a_prompt_that_is_too_long_fails_over_only_to_larger_windows(
    windows: list[int | None], names: str
) -> None:
    candidates = [Candidate(model(f"one/{'abcd'[at]}", context=window)) for at, window in enumerate(windows)]
    assert "".join(name for name, _ in play(*candidates, failures=[make_failure("context_length")])) == names


@pytest.mark.parametrize(
    ("failure", "deadline", "names"),
    [
        pytest.param(SERVER, 0.2, "ab", id="no time for the pause before a retry"),
        pytest.param(RATE_LIMITED, 0.5, "ab", id="no time to wait for the rate limit"),
        pytest.param(make_failure("timeout_total"), 0.0, "a", id="the total timeout"),
        pytest.param(SERVER, 0.0, "a", id="no time for another attempt"),
    ],
)
def test_no_attempt_starts_after_the_deadline(failure: UpstreamError, deadline: float, names: str) -> None:
    assert "".join(name for name, _ in play(A, B, failures=[failure], deadline=deadline)) == names


def test_jitter_spreads_the_retries() -> None:
    pauses = set()
    for draw in (0.0, 0.5, 0.999):
        failover = Failover([], retries=1, retry_after_max=3, jitter=iter([draw]).__next__)
        step = failover.after(A, SERVER, now=0, deadline=FOREVER)
        assert isinstance(step, Step)
        pauses.add(round(step.delay, 3))
    assert pauses == {0.125, 0.25, 0.375}
