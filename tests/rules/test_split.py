"""Splits: the arm of each request."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.support.small_catalog import (
    Item,
    access,
    candidate_ids,
    make_decision,
    rejection_reasons,
    route,
)

SPLIT = [{"model": "openai/mid", "weight": 3}, {"model": "xai/wide", "weight": 1}]


def arms(records: list[Item], users: int = 2_000, **facts: Any) -> dict[str, str]:
    return {
        f"u{n}": candidate_ids(make_decision(records=records, user=f"u{n}", **facts))[0] for n in range(users)
    }


def test_a_split_divides_users_by_weight_and_each_user_stays_on_an_arm() -> None:
    first, again = arms([route(split=SPLIT)]), arms([route(split=SPLIT)])
    assert first == again
    assert 0.70 < Counter(first.values())["openai/mid"] / len(first) < 0.80


def test_a_split_depends_on_the_id_of_the_record() -> None:
    assert arms([route("one", split=SPLIT)], 200) != arms([route("two", split=SPLIT)], 200)


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param({"records": [access(deny=["xai/*"])]}, id="an arm that is not admitted"),
        pytest.param({"input_tokens": 90_000, "audio": 1, "gone": "small"}, id="an arm that is not capable"),
    ],
)
def test_an_arm_that_cannot_answer_gives_its_weight_to_the_others(gone: Item) -> None:
    three = [*SPLIT, {"model": "gemini/pro", "weight": 1}]
    if gone.pop("gone", None):
        three[1] = {"model": "openai/mini", "weight": 1}
    records = [route(split=three), *gone.pop("records", [])]
    before, after = arms([route(split=three)], 500), arms(records, 500, **gone)
    left = {"openai/mid", "gemini/pro"}
    assert set(after.values()) == left
    assert all(after[user] == arm for user, arm in before.items() if arm in left)


@pytest.mark.parametrize(
    ("sticky", "facts", "other", "same"),
    [
        pytest.param("user", {"user": "u"}, {"random": 0.99}, True, id="by user"),
        pytest.param(None, {"user": "u"}, {"random": 0.99}, True, id="by user by default"),
        pytest.param(None, {}, {"random": 0.99}, False, id="by request without a user"),
        pytest.param(None, {"session": "s"}, {"random": 0.99}, True, id="by session without a user"),
        pytest.param(
            None,
            {"session": "s", "user": "u"},
            {"random": 0.99, "session": "other"},
            True,
            id="by user, whatever the session",
        ),
        pytest.param(
            "request", {"session": "s"}, {"random": 0.99}, False, id="by request, whatever the session"
        ),
        pytest.param("request", {"user": "u"}, {"random": 0.99}, False, id="by request"),
        pytest.param("key", {"key": "k"}, {"random": 0.99, "user": "other"}, True, id="by key"),
        pytest.param("tag.team", {"tags": {"team": "t"}}, {"random": 0.99}, True, id="by a tag"),
        pytest.param("tag.team", {}, {"random": 0.99}, False, id="by request without the tag"),
    ],
)
def test_the_sticky_value_of_a_split(sticky: str | None, facts: Item, other: Item, same: bool) -> None:
    halves = [{"model": "openai/mid", "weight": 1}, {"model": "xai/wide", "weight": 1}]
    record = route(split=halves, **({"sticky": sticky} if sticky else {}))
    one, two = (
        candidate_ids(make_decision(records=[record], **facts)),
        candidate_ids(make_decision(records=[record], **{**facts, **other})),
    )
    assert (one == two) is same


def test_without_affinity_a_session_does_not_stay_on_an_arm() -> None:
    halves = [{"model": "openai/mid", "weight": 1}, {"model": "xai/wide", "weight": 1}]
    records = [route(split=halves, affinity="none")]
    first = {
        candidate_ids(make_decision(records=records, session="s", random=random))[0] for random in (0.1, 0.9)
    }
    assert first == {"openai/mid", "xai/wide"}


def test_the_fallbacks_answer_if_no_arm_of_a_split_can() -> None:
    decision = make_decision(
        records=[route(split=SPLIT, fallbacks=["gemini/pro"])], available=frozenset({"gemini"})
    )
    assert candidate_ids(decision) == ["gemini/pro"]
    assert set(rejection_reasons(decision)) == {"openai/mid", "xai/wide"}
