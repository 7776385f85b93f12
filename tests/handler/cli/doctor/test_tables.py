"""The checks of the tables, and of the rules and keys in them, on moto."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from handler.access.keys import generate_key, hash_key
from handler.cli.doctor.tables import EXPECTED, check_keys, check_rules, check_tables
from handler.cli.tables import Tables
from handler.local.create_tables import read_definitions
from handler.store.attributes import serialize_item
from tests.support.tables import SETTINGS, dynamodb

RULES, KEYS, STATE = SETTINGS.rules_table, SETTINGS.keys_table, SETTINGS.state_table


@pytest.fixture
def database() -> Iterator[Any]:
    with dynamodb() as client:
        for table in (RULES, KEYS):
            enabled = {"PointInTimeRecoveryEnabled": True}
            client.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=enabled)
        yield client


def test_the_expected_tables_are_those_of_the_template() -> None:
    for name, definition in read_definitions().items():
        expected = EXPECTED[name]
        assert expected.keys == tuple(one["AttributeName"] for one in definition["KeySchema"])
        assert expected.backed_up == bool(definition.get("PointInTimeRecoverySpecification"))
        assert expected.backed_up == bool(definition.get("DeletionProtectionEnabled"))
        assert expected.expires == bool(definition.get("TimeToLiveSpecification"))


def test_nothing_is_wrong_with_the_tables_of_the_template(database: Any) -> None:
    assert [one.state for one in check_tables(database, SETTINGS)] == ["ok"] * 3


def recreate(client: Any, table: str, *keys: str, **more: Any) -> None:
    client.update_table(TableName=table, DeletionProtectionEnabled=False)
    client.delete_table(TableName=table)
    client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        KeySchema=[
            {"AttributeName": name, "KeyType": kind}
            for name, kind in zip(keys, ("HASH", "RANGE"), strict=False)
        ],
        **more,
    )


def without_expiry(client: Any) -> None:
    off = {"AttributeName": "expires_at", "Enabled": False}
    client.update_time_to_live(TableName=STATE, TimeToLiveSpecification=off)


def with_another_expiry(client: Any) -> None:
    without_expiry(client)
    client.update_time_to_live(
        TableName=STATE, TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True}
    )


def without_recovery(client: Any) -> None:
    client.update_continuous_backups(
        TableName=KEYS, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )


@pytest.mark.parametrize(
    ("damage", "state", "text"),
    [
        pytest.param(without_expiry, "fault", "do not expire", id="no time to live"),
        pytest.param(
            with_another_expiry, "fault", "`ttl` instead of `expires_at`", id="another time to live"
        ),
        pytest.param(without_recovery, "warning", "no point-in-time recovery", id="no recovery"),
        pytest.param(
            lambda client: recreate(client, KEYS, "key"),
            "fault",
            "its keys are key instead of hash",
            id="other keys",
        ),
        pytest.param(
            lambda client: recreate(client, STATE, "id"), "fault", "no index usage_day", id="no index"
        ),
        pytest.param(
            lambda client: client.update_table(TableName=RULES, DeletionProtectionEnabled=False),
            "warning",
            "not protected",
            id="no protection from deletion",
        ),
    ],
)
def test_each_fault_is_found(database: Any, damage: Callable[[Any], object], state: str, text: str) -> None:
    damage(database)
    found = [*check_tables(database, SETTINGS)]
    assert any(one.state == state and text in one.text and one.mend for one in found), found


def findings_of_rules(database: Any, *records: dict[str, Any]) -> list[Any]:
    for record in records:
        database.put_item(TableName=RULES, Item=serialize_item(record))
    return [*check_rules(Tables(database, SETTINGS), [])]


@pytest.mark.parametrize(
    ("record", "state", "text"),
    [
        pytest.param(
            {"kind": "route", "id": "r", "model": "auto", "priority": 3}, "ok", "1 records", id="good"
        ),
        pytest.param({"kind": "route", "id": "r", "prio": 3}, "fault", "route/r: `prio`", id="unreadable"),
        pytest.param(
            {
                "kind": "test",
                "id": "t",
                "request": {"messages": [{"role": "user", "content": "hi"}], "model": "openai/gpt-5-mini"},
                "expect": {"model": "anthropic/claude-haiku-4-5"},
            },
            "fault",
            "test/t: expected",
            id="a test that does not hold",
        ),
        pytest.param(
            {"kind": "access", "id": "a", "scope": {"key": "nobody"}, "models": ["openai/*"]},
            "warning",
            "nobody",
            id="a scope without a key",
        ),
    ],
)
def test_rules(database: Any, record: dict[str, Any], state: str, text: str) -> None:
    found = findings_of_rules(database, record)
    assert any(one.state == state and text in one.text for one in found), found
    assert all(one.mend for one in found if one.state != "ok")


def key(**fields: Any) -> dict[str, Any]:
    return {"hash": hash_key(generate_key()), "id": "k", **fields}


@pytest.mark.parametrize(
    ("items", "state", "text"),
    [
        pytest.param([key(scopes=["admin"])], "ok", "1 of 1", id="a key with scope admin"),
        pytest.param([key()], "warning", "none of them has scope `admin`", id="none with scope admin"),
        pytest.param(
            [key(), key(scopes=["admin"], expires_at="2020-01-01T00:00:00Z")],
            "warning",
            "none of them",
            id="one with scope admin that expired",
        ),
        pytest.param(
            [key(scopes=["admin"], enabled=False)], "fault", "no key can be used", id="a disabled one"
        ),
        pytest.param([], "fault", "no key can be used", id="no key"),
        pytest.param([key(scopes=["root"])], "fault", "unknown scope `root`", id="an unreadable key"),
    ],
)
def test_keys(items: list[dict[str, Any]], state: str, text: str) -> None:
    found = [*check_keys(items)]
    assert any(one.state == state and text in one.text for one in found), found
    assert all(one.mend for one in found if one.state != "ok")
    assert not any(item["hash"] in str(found) for item in items)
