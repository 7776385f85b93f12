"""The headers about limits, and times in OpenAI's form."""

from __future__ import annotations

import pytest

from handler.access.counters import Counter
from handler.access.leases import KnownCounters
from handler.access.reservation import Reservation
from handler.endpoints.exchange.limit_headers import duration, limit_headers
from rules import AppliedLimit
from tests.support.ledgers import Limit, budget, limit


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(0, "0ms", id="nothing"),
        pytest.param(-5, "0ms", id="the past"),
        pytest.param(0.0004, "0ms", id="less than a millisecond"),
        pytest.param(0.017, "17ms", id="milliseconds"),
        pytest.param(0.9996, "1s", id="nearly a second"),
        pytest.param(1, "1s", id="a second"),
        pytest.param(59.7, "59.7s", id="tenths"),
        pytest.param(59.9996, "1m0s", id="nearly a minute"),
        pytest.param(60, "1m0s", id="a minute"),
        pytest.param(360, "6m0s", id="minutes"),
        pytest.param(3599.9999, "1h0m0s", id="nearly an hour"),
        pytest.param(3600.25, "1h0m0.25s", id="an hour"),
        pytest.param(86_399, "23h59m59s", id="a day, less a second"),
        pytest.param(86_400 * 31, "744h0m0s", id="a month"),
    ],
)
def test_a_duration_is_written_as_openai_does(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def headers(*counters: tuple[Limit, int | None]) -> dict[str, str]:
    """The headers of records, with how much of each is taken; None: unknown."""
    known = KnownCounters(lambda: 1000.0)
    applied = []
    for number, (record, taken) in enumerate(counters):
        counter = Counter(record, "*", f"w{number}", 1030.5)
        applied.append((counter, AppliedLimit(record, frozenset())))
        if taken is not None:
            known.observe(counter, {"n": taken})
    return limit_headers(Reservation(tuple(applied), known))


def test_requests_and_tokens_have_three_headers_each() -> None:
    assert headers((limit(requests=10), 4), (limit(tokens=1000), 1001)) == {
        "x-ratelimit-limit-requests": "10",
        "x-ratelimit-remaining-requests": "6",
        "x-ratelimit-reset-requests": "30.5s",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "30.5s",
    }


def test_of_several_limits_the_one_is_shown_of_which_the_smallest_part_is_left() -> None:
    found = headers((limit(requests=10), 4), (limit(requests=1000), 900), (limit(requests=5), 2))
    assert (found["x-ratelimit-limit-requests"], found["x-ratelimit-remaining-requests"]) == ("1000", "100")


@pytest.mark.parametrize(
    ("taken", "alert"),
    [
        pytest.param(499, None, id="less than half"),
        pytest.param(500, "budget money 50%", id="half"),
        pytest.param(999, "budget money 99%", id="nearly all"),
        pytest.param(1000, "budget money 100%", id="all"),
        pytest.param(2000, "budget money 200%", id="more than all"),
        pytest.param(None, None, id="unknown"),
    ],
)
def test_a_budget_is_shown_from_half_of_it(taken: int | None, alert: str | None) -> None:
    assert headers((budget(1000), taken)).get("x-sluice-alert") == alert


def test_several_budgets_are_in_one_header() -> None:
    found = headers((budget(10, "a"), 9), (budget(10, "b"), 5), (budget(10, "c"), 1))
    assert found == {"x-sluice-alert": "budget a 90%, budget b 50%"}


def test_what_is_unknown_is_not_shown() -> None:
    assert headers((limit(), None)) == {}
    assert limit_headers(None) == {}
