"""The keys of entries and edits."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from handler.content.keys import days_prefixes, edit_key, entry_key, project_segment, read_entry_key
from handler.local.create_tables import read_template
from rules import RETENTION

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("project", "segment"),
    [
        pytest.param("support", "support", id="a word"),
        pytest.param("a/b", "a%2Fb", id="a slash"),
        pytest.param("..", "%2E%2E", id="dots"),
        pytest.param("Füße", "F%C3%BC%C3%9Fe", id="umlauts"),
        pytest.param("a~b c", "a~b%20c", id="a tilde and a space"),
        pytest.param("\ud800", "%ED%A0%80", id="half a surrogate pair"),
    ],
)
def test_a_project_is_one_segment(project: str, segment: str) -> None:
    assert project_segment(project) == segment
    found = read_entry_key(entry_key(30, AT, project, "r.1"))
    assert found is not None
    assert (found.day, found.project, found.request_id) == ("2026-03-01", segment, "r.1")


def test_a_long_project_is_its_hash() -> None:
    assert len(project_segment("€" * 1_000)) == 64
    assert project_segment("€" * 1_000) != project_segment("€" * 1_001)


def test_one_request_id_has_different_keys() -> None:
    assert entry_key(30, AT, "p", "r") != entry_key(30, AT, "p", "r")


def test_edits_are_in_the_order_of_time() -> None:
    later = AT.replace(microsecond=1)
    assert edit_key("p", AT) < edit_key("p", later)


@pytest.mark.parametrize(
    "key",
    [
        "log/edits/p/2026~00.json.gz",
        "cache/x",
        "log/30/2026-03-01/a/b/r~00.json.gz",
        "log/30/2026-03-01/p/r.json.gz",
    ],
)
def test_other_keys_are_no_entries(key: str) -> None:
    assert read_entry_key(key) is None


def test_a_prefix_begins_with_the_first_day() -> None:
    key = entry_key(30, AT, "p", "r")
    (after,) = [after for prefix, after in days_prefixes(date(2026, 3, 1)) if key.startswith(prefix)]
    assert after < key < after.replace("2026-03-01", "2026-03-02")


def test_every_retention_has_a_rule_in_the_template() -> None:
    rules = read_template()["Resources"]["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    expiring = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules}
    assert expiring.pop("log/edits/") == max(RETENTION) + 1
    del expiring["cache/"]
    assert expiring == {f"log/{days}/": days for days in RETENTION}
