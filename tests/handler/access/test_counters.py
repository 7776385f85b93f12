"""Counters: the windows of a time, and ids that no other counter has."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.access.counters import WINDOWS, Counter, bucket_of, counters_of
from rules import Facts
from tests.support.ledgers import Limit, budget, candidate, decision, limit

MAX_ID = 2048  # bytes of a partition key in DynamoDB


@pytest.mark.parametrize(
    ("per", "time", "window", "ends"),
    [
        pytest.param(
            "minute", "2025-12-31T23:59:59.999999", "2025-12-31T23:59", "2026-01-01", id="last minute"
        ),
        pytest.param(
            "minute", "2025-11-20T12:00", "2025-11-20T12:00", "2025-11-20T12:01", id="a full minute"
        ),
        pytest.param("hour", "2025-11-20T23:00", "2025-11-20T23", "2025-11-21", id="an hour before midnight"),
        pytest.param("day", "2025-11-20T00:00", "2025-11-20", "2025-11-21", id="midnight begins a day"),
        pytest.param("day", "2024-02-28T23:59:59", "2024-02-28", "2024-02-29", id="before a leap day"),
        pytest.param("day", "2024-02-29T12:00", "2024-02-29", "2024-03-01", id="a leap day"),
        pytest.param("month", "2024-02-29T12:00", "2024-02", "2024-03-01", id="a leap month"),
        pytest.param("month", "2025-12-01T00:00", "2025-12", "2026-01-01", id="December"),
        pytest.param("month", "2025-01-31T23:59:59", "2025-01", "2025-02-01", id="the end of January"),
    ],
)
def test_a_window_is_named_by_its_beginning_and_ends_where_the_next_begins(
    per: str, time: str, window: str, ends: str
) -> None:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    assert WINDOWS[per](at(time)) == (window, at(ends).timestamp())
    assert WINDOWS[per](at(ends))[0] != window


@given(st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1)), st.sampled_from(sorted(WINDOWS)))
def test_every_time_is_before_the_end_of_its_window(time: datetime, per: str) -> None:
    now = time.replace(tzinfo=UTC)
    window, ends = WINDOWS[per](now)
    assert now.timestamp() < ends
    last = datetime.fromtimestamp(ends - 1, UTC)
    assert WINDOWS[per](last) == (window, ends)


VALUES = [
    pytest.param("", id="an empty text"),
    pytest.param("/", id="a slash"),
    pytest.param("../../budget", id="slashes"),
    pytest.param("%2F", id="a quoted slash"),
    pytest.param("*", id="the bucket of records without `each`"),
    pytest.param("(shared)", id="the name of the shared counter"),
    pytest.param("(counters)", id="the name of the census"),
    pytest.param("sha256:" + "0" * 57, id="what looks hashed"),
    pytest.param("x" * 63, id="the longest that is not hashed"),
    pytest.param("x" * 64, id="the shortest that is hashed"),
    pytest.param("x" * 4096, id="four kilobytes"),
    pytest.param("ü€𝄞" * 21, id="unicode"),
    pytest.param("\ud800", id="half a surrogate pair"),
    pytest.param("\ud800" * 100, id="many halves"),
    pytest.param("\x00\r\n", id="control characters"),
]


def counters(record: Limit, *values: str | None, each: str = "user") -> list[Counter]:
    """The counter of each value, and the two that no value may have."""
    found = []
    for value in values:
        facts: dict[str, Any] = {each: value} if each != "tag" else {"tags": {"team": value}}
        ((counter, _),) = counters_of(decision([record], **facts), datetime(2025, 11, 20, tzinfo=UTC))
        found.append(counter)
    return found


@pytest.mark.parametrize("value", VALUES)
def test_a_hostile_value_has_an_id_of_its_own_that_dynamodb_takes(value: str) -> None:
    record = limit("r" * 64, each="user")
    mine, other, absent = counters(record, value, value + "x", "y")
    assert len({mine.id, other.id, absent.id, mine.shared().id, mine.census_id}) == 5
    assert mine.id.count("/") == 5
    assert mine.id.isascii()
    assert len(mine.id) < MAX_ID
    assert mine.census_id == other.census_id


def test_a_long_name_of_a_record_makes_an_id_that_dynamodb_takes() -> None:
    (mine,), (other,) = (counters(limit("é" * 500 + end, each="user"), "a") for end in "xy")
    assert mine.id != other.id
    assert len(mine.id) < MAX_ID


def test_absent_values_share_a_counter() -> None:
    first, second, named = counters(limit(each="user"), None, None, "None")
    assert first == second != named


RECORDS = {per: limit("x", per=per) for per in ("minute", "hour", "day")}
texts = st.text(max_size=80) | st.sampled_from(["*", "=", "(shared)", "(counters)", "/", "%", "%2F"])
names = st.tuples(st.sampled_from(sorted(RECORDS)), texts, texts)


@given(names, names)
def test_ids_of_two_counters_are_equal_only_if_the_counters_are(
    one: tuple[str, str, str], two: tuple[str, str, str]
) -> None:
    def counter(per: str, id: str, value: str) -> Counter:
        record = RECORDS[per].replaced(id=id)
        window, ends = WINDOWS[per](datetime(2025, 11, 20, tzinfo=UTC))
        return Counter(record, bucket_of("user", Facts(user=value)), window, ends)

    assert (counter(*one).id == counter(*two).id) == (one == two)


@pytest.mark.parametrize(
    ("each", "facts", "bucket", "bounded"),
    [
        pytest.param(None, {"key": "k1"}, "*", False, id="no each: one counter"),
        pytest.param("key", {"key": "k1"}, "=k1", False, id="a key"),
        pytest.param("project", {"project": "p"}, "=p", False, id="a project"),
        pytest.param("user", {"user": "u"}, "=u", True, id="a user, whom the caller names"),
        pytest.param("session", {"session": "s"}, "=s", True, id="a session"),
        pytest.param("agent", {"agent": "a"}, "=a", True, id="an agent"),
        pytest.param("tag.team", {"tags": {"team": "red", "user": "x"}}, "=red", True, id="a tag"),
        pytest.param("tag.team", {"tags": {"other": "red"}}, "=", True, id="an absent tag"),
    ],
)
def test_each_names_the_value_that_is_counted(
    each: str | None, facts: dict[str, Any], bucket: str, bounded: bool
) -> None:
    record = limit(each=each) if each else limit()
    ((counter, _),) = counters_of(decision([record], **facts), datetime(2025, 11, 20, tzinfo=UTC))
    assert (counter.bucket, counter.bounded, counter.value) == (bucket, bounded, bucket.removeprefix("="))


def test_records_that_differ_in_kind_unit_or_window_never_share_a_counter() -> None:
    records: list[Limit] = [
        limit("a"), limit("a", tokens=5), limit("a", per="hour"), limit("a", per="minute"),
        budget(1, "a"), budget(1, "a", per="day"),
    ]  # fmt: skip
    now = datetime(2025, 11, 20, tzinfo=UTC)
    ids = [counter.id for counter, _ in counters_of(decision(records), now)]
    assert len(set(ids)) == len(records)
    assert all(one != two for one, two in pairwise(ids))


@pytest.mark.parametrize(
    ("record", "need", "reserves"),
    [
        pytest.param(limit(), 1, False, id="requests: one, at once"),
        pytest.param(limit(tokens=1), 70, True, id="tokens: the most that an attempt uses"),
        pytest.param(budget(1), 900, True, id="dollars: the most that an attempt costs"),
    ],
)
def test_the_need_of_a_candidate_follows_from_the_unit(record: Limit, need: int, reserves: bool) -> None:
    ((counter, _),) = counters_of(decision([record]), datetime(2025, 11, 20, tzinfo=UTC))
    assert counter.need(candidate(tokens=70, cost=900)) == need
    assert counter.reserves is reserves
    assert counter.expires_at > counter.ends
