"""The commands `keys ...`, on moto."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handler.access.auth import Auth
from handler.access.keys import Key, generate_key, hash_key
from handler.aws.sdk import scan
from handler.errors import Unauthenticated
from handler.store.attributes import serialize_item
from handler.store.tables import Store
from tests.handler.cli.command_line import CommandLine
from tests.support.inline_client import InlineClient
from tests.support.tables import SETTINGS, dynamodb


@pytest.fixture(scope="module")
def database() -> Iterator[Any]:
    with dynamodb() as client:
        yield client


@pytest.fixture
def cli(database: Any) -> CommandLine:
    """A command line with empty tables. Creating them for each test would take ten times as long."""
    for table, names in ((SETTINGS.keys_table, ("hash",)), (SETTINGS.rules_table, ("kind", "id"))):
        for item in scan(database, table):
            database.delete_item(TableName=table, Key={name: item[name] for name in names})
    return CommandLine(database)


def store_key(cli: CommandLine, **fields: Any) -> str:
    """Store a record of a new key, and return the key."""
    key = generate_key()
    put_record(cli, **{"hash": hash_key(key), "id": "k", **fields})
    return key


def put_record(cli: CommandLine, **item: Any) -> None:
    cli.database.put_item(TableName=SETTINGS.keys_table, Item=serialize_item(item))


def records(cli: CommandLine) -> dict[str, dict[str, Any]]:
    return {item["hash"]: item for item in cli.stored(SETTINGS.keys_table)}


async def authenticate(cli: CommandLine, key: str) -> Key | None:
    """Authenticate with a gateway that has not cached the key."""
    try:
        return await Auth(Store(InlineClient(cli.database), SETTINGS), SETTINGS).authenticate(
            {"x-api-key": key}
        )
    except Unauthenticated:
        return None


async def test_a_key_is_created_shown_once_and_revoked(cli: CommandLine) -> None:
    assert cli.run("keys", "create", "--name", "ci", "--project", "support", "--models", "openai/*", "b") == 0
    (key,) = cli.printed
    (record,) = cli.stored(SETTINGS.keys_table)
    assert key not in str(record)
    assert record["hash"] == hash_key(key)
    headers = {"x-api-key": key}
    store = Store(InlineClient(cli.database), SETTINGS)
    created = await Auth(store, SETTINGS).authenticate(headers)
    assert (created.name, created.project, created.models, created.scopes) == (
        "ci",
        "support",
        ("openai/*", "b"),
        frozenset({"chat"}),
    )

    assert cli.run("keys", "list") == 0
    row = rf"{created.id}  ci    support  on     chat    openai/\* b  20\S+"
    assert re.fullmatch(row, cli.printed[1])
    assert hash_key(key) not in cli.text

    assert cli.run("keys", "revoke", created.id) == 0
    assert cli.printed == [f"{created.id}: disabled; in force within 60 seconds"]
    with pytest.raises(Unauthenticated):
        await Auth(store, SETTINGS).authenticate(headers)
    cli.run("keys", "list")
    assert " disabled " in cli.printed[1]


def test_a_key_with_a_scope_and_an_expiry(cli: CommandLine) -> None:
    assert (
        cli.run("keys", "create", "--name", "x", "--scope", "manage", "--expires", "2099-01-01T00:00:00Z")
        == 0
    )
    (record,) = cli.stored(SETTINGS.keys_table)
    assert (record["scopes"], record["expires_at"], "models" in record) == (
        ["manage"],
        "2099-01-01T00:00:00Z",
        False,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ("--expires", "soon"), "--expires: 'soon' is neither 90m", id="a word instead of a date"
        ),
        pytest.param(
            ("--expires", "2020-01-01T00:00:00Z"),
            "--expires: 2020-01-01T00:00:00Z is in the past",
            id="a date in the past",
        ),
        pytest.param(("--project", ""), "`project`: is not a text", id="an empty project"),
        pytest.param(("--models", ""), "`models`: is not a text", id="an empty pattern"),
    ],
)
def test_a_key_that_could_not_be_used_is_not_created(
    cli: CommandLine, arguments: tuple[str, ...], message: str
) -> None:
    assert cli.run("keys", "create", "--name", "x", *arguments) == 2
    assert message in cli.text
    assert cli.stored(SETTINGS.keys_table) == []
    assert "sk-sluice-" not in cli.text


def test_a_list_of_keys_shows_the_problem_of_a_record(cli: CommandLine) -> None:
    wrong: list[dict[str, Any]] = [{"enabled": "maybe"}, {"expires_at": 1}, {"id": 7}]
    for number, fields in enumerate(wrong):
        item = {"hash": f"h{number}", "id": f"k{number}", "name": "a\x1bb", **fields}
        cli.database.put_item(TableName=SETTINGS.keys_table, Item=serialize_item(item))
    assert cli.run("keys", "list") == 0
    assert "disabled (`enabled`: is neither true nor false)" in cli.printed[1]
    assert " expired " in cli.printed[2]
    assert "disabled (`id`: is not a text)" in cli.printed[3]
    assert "\x1b" not in cli.text


def test_revoking_an_unknown_key_creates_no_record(cli: CommandLine) -> None:
    put_record(cli, hash="h", id="key-abc")
    assert cli.run("keys", "revoke", "key-abd") == 2
    assert cli.warnings == ["sluice: there is no key with the id key-abd, did you mean key-abc?"]
    assert cli.stored(SETTINGS.keys_table) == [{"hash": "h", "id": "key-abc"}]


@pytest.mark.parametrize("named", ["by its id", "by itself", "on standard input"])
@pytest.mark.parametrize("verb", ["revoke", "disable"])
async def test_a_key_is_disabled_by_its_id_or_by_itself(cli: CommandLine, verb: str, named: str) -> None:
    key = store_key(cli)
    cli.stdin = f"{key}\n".encode()
    argument = {"by its id": "k", "by itself": f" {key} ", "on standard input": "-"}[named]
    assert await authenticate(cli, key)
    assert cli.run("keys", verb, argument) == 0
    assert cli.printed == ["k: disabled; in force within 60 seconds"]
    assert await authenticate(cli, key) is None
    assert key not in cli.text
    assert cli.run("keys", "enable", argument) == 0
    assert cli.printed == ["k: on; in force within 10 seconds"]
    assert await authenticate(cli, key)


NOT_KEYS = {
    "a key that is not in the table": (generate_key(), "that key is not in the table"),
    "half a key": (generate_key()[:30], "give all of it, or its id"),
    "a key with its header": (f"Bearer {generate_key()}", "give all of it, or its id"),
    "a key in quotes": (f"'{generate_key()}'", "give all of it, or its id"),
}


@pytest.mark.parametrize(("text", "message"), NOT_KEYS.values(), ids=NOT_KEYS)
@pytest.mark.parametrize("verb", ["revoke", "disable", "enable", "show", "rotate", "update"])
def test_what_looks_like_a_key_is_never_printed(cli: CommandLine, verb: str, text: str, message: str) -> None:
    store_key(cli)
    more = ("--name", "x") if verb == "update" else ()
    assert cli.run("keys", verb, text, *more) == 2
    assert message in cli.text
    assert text[-20:] not in cli.text


def test_an_unreadable_record_can_be_disabled_and_not_enabled(cli: CommandLine) -> None:
    store_key(cli, models="a, b")
    assert cli.run("keys", "revoke", "k") == 0
    assert cli.run("keys", "enable", "k") == 2
    assert cli.warnings == ['sluice: `models`: is one text, but has to be a list: ["a", "b"]']
    assert cli.run("keys", "update", "k", "--models", "a", "b") == 0
    assert cli.run("keys", "enable", "k") == 0


async def test_after_a_rotation_both_keys_work(cli: CommandLine) -> None:
    old = store_key(
        cli,
        name="ci",
        project="p",
        models=["openai/*"],
        scopes=["manage"],
        team="mine",
        last_used="2026-11-01",
    )
    assert cli.run("keys", "rotate", "k", "--overlap", "7d") == 0
    (new,) = cli.printed
    assert "the old one is good until" in cli.warnings[0]
    before, after = await authenticate(cli, old), await authenticate(cli, new)
    assert before is not None
    assert after is not None
    assert (after.id, after.project, after.models, after.scopes) == ("k", "p", before.models, before.scopes)
    assert after.expires_at is None
    assert before.expires_at == pytest.approx((datetime.now(UTC) + timedelta(days=7)).timestamp(), abs=120)
    record = records(cli)[hash_key(new)]
    assert (record["team"], "last_used" in record) == ("mine", False)
    cli.run("keys", "list")
    assert [re.split("  +", line)[3] for line in cli.printed] == ["STATE", "on", "replaced"]


async def test_after_a_rotation_the_id_means_the_new_key_and_revoking_it_both(cli: CommandLine) -> None:
    old = store_key(cli)
    cli.run("keys", "rotate", "k")
    (new,) = cli.printed
    ends = records(cli)[hash_key(old)]["expires_at"]
    assert cli.run("keys", "update", "k", "--expires", "30d", "--name", "later") == 0
    assert records(cli)[hash_key(old)]["expires_at"] == ends, "the old key still expires"
    assert records(cli)[hash_key(new)]["name"] == "later"
    assert cli.run("keys", "revoke", "k") == 0
    assert cli.printed == ["k: disabled; in force within 60 seconds"] * 2
    assert [await authenticate(cli, key) for key in (old, new)] == [None, None]


@pytest.mark.parametrize(
    ("fields", "arguments", "old", "new"),
    [
        pytest.param({"enabled": False}, (), "disabled", "on", id="a revoked key stays revoked"),
        pytest.param(
            {}, ("--overlap", "0m"), "expired", "on", id="without an overlap the old key expires now"
        ),
        pytest.param(
            {"expires_at": 1}, ("--expires", "30d"), "expired", "on", id="an expired key needs a new expiry"
        ),
        pytest.param(
            {"expires_at": "2099-01-01T00:00:00Z"}, (), "replaced", "on", id="the expiry is inherited"
        ),
    ],
)
def test_a_rotation_changes_the_old_key(
    cli: CommandLine, fields: dict[str, Any], arguments: tuple[str, ...], old: str, new: str
) -> None:
    first = store_key(cli, **fields)
    assert cli.run("keys", "rotate", "k", *arguments) == 0
    (second,) = cli.printed
    cli.run("keys", "list", "--json")
    found = {one["replaced_at"] is not None: one for one in json.loads(cli.text)}
    assert (found[True]["state"], found[False]["state"]) == (old, new)
    if fields.get("expires_at") == "2099-01-01T00:00:00Z":
        assert records(cli)[hash_key(second)]["expires_at"] == fields["expires_at"]
        assert records(cli)[hash_key(first)]["expires_at"] < "2099"


@pytest.mark.parametrize(
    ("fields", "arguments", "message"),
    [
        pytest.param({"expires_at": 1}, (), "the old key has expired: give --expires", id="an expired key"),
        pytest.param({"models": "a, b"}, (), "`models`: is one text", id="a record that cannot be read"),
        pytest.param(
            {}, ("--expires", "soon"), "--expires: 'soon' is neither 90m", id="a word instead of a date"
        ),
    ],
)
def test_a_key_that_is_not_rotated(
    cli: CommandLine, fields: dict[str, Any], arguments: tuple[str, ...], message: str
) -> None:
    store_key(cli, **fields)
    before = records(cli)
    assert cli.run("keys", "rotate", "k", *arguments) == 2
    assert message in cli.text
    assert records(cli) == before


def test_of_two_keys_with_one_id_neither_is_rotated(cli: CommandLine) -> None:
    first, _ = store_key(cli), store_key(cli)
    assert cli.run("keys", "rotate", "k") == 2
    assert cli.warnings == ["sluice: 2 keys have this id: give the key itself"]
    assert cli.run("keys", "rotate", first) == 0


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        pytest.param(("--name", "b"), {"name": "b"}, id="the name"),
        pytest.param(("--models", "a", "b/*"), {"models": ["a", "b/*"]}, id="the models"),
        pytest.param(("--all-models",), {"models": None}, id="all models"),
        pytest.param(("--expires", "never"), {"expires_at": None}, id="no expiry"),
        pytest.param(("--expires", "2099-01-31"), {"expires_at": "2099-01-31"}, id="a date"),
        pytest.param(
            ("--name", "b", "--all-models", "--expires", "never"),
            {"name": "b", "models": None, "expires_at": None},
            id="all of them",
        ),
    ],
)
def test_an_update_changes_only_the_given_fields(
    cli: CommandLine, arguments: tuple[str, ...], fields: dict[str, Any]
) -> None:
    key = store_key(cli, name="a", models=["a"], expires_at="2098-01-01", team="mine")
    before = records(cli)[hash_key(key)]
    assert cli.run("keys", "update", "k", *arguments) == 0
    expected = {name: value for name, value in {**before, **fields}.items() if value is not None}
    assert records(cli)[hash_key(key)] == expected


def test_a_duration_may_be_very_long(cli: CommandLine) -> None:
    key = store_key(cli)
    for text, days in (("30d", 30), ("2w", 14), ("48h", 2)):
        assert cli.run("keys", "update", "k", "--expires", text) == 0
        ends = datetime.fromisoformat(records(cli)[hash_key(key)]["expires_at"])
        assert abs(ends - datetime.now(UTC) - timedelta(days=days)) < timedelta(minutes=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param((), "nothing to change", id="no arguments"),
        pytest.param(
            ("--expires", "2020-01-01"), "--expires: 2020-01-01 is in the past", id="a date in the past"
        ),
        pytest.param(("--expires", "30"), "--expires: 30 is in the past", id="a number without its unit"),
        pytest.param(
            ("--models", "a,b"), 'is one text, but has to be a list: ["a", "b"]', id="a list with commas"
        ),
        pytest.param(("--name", " "), "`name`: is not a text", id="an empty name"),
    ],
)
def test_a_change_that_would_disable_the_key_is_not_written(
    cli: CommandLine, arguments: tuple[str, ...], message: str
) -> None:
    store_key(cli)
    before = records(cli)
    assert cli.run("keys", "update", "k", *arguments) == 2
    assert message in cli.text
    assert records(cli) == before


def test_a_list_warns_of_patterns_that_match_no_model(cli: CommandLine) -> None:
    store_key(cli, models=["openai/*", "opneai/*", "openai/mine"])
    cli.put_rules({"kind": "model", "id": "openai/mine", "provider": "openai", "name": "mine"})
    assert cli.run("keys", "list") == 0
    (warning,) = cli.warnings
    assert warning.startswith("warning: k: `models`: no model in the catalogue matches 'opneai/*'")


def test_every_list_is_available_as_json(cli: CommandLine) -> None:
    key = store_key(cli, name="a\x9bb", models=["x/*"], last_used="2026-11-28", expires_at=4_102_444_800)
    put_record(cli, hash="h", id="wrong", enabled="maybe", scopes=["chat"])
    for arguments in (("keys", "list"), ("keys", "show", "k"), ("rules", "list")):
        cli.put_rules(
            {"kind": "route", "id": "r", "model": "openai/gpt-5"}, {"kind": "route", "id": "bad", "x": 1}
        )
        assert cli.run(*arguments, "--json") == 0
        assert cli.text.isascii()
        assert hash_key(key) not in cli.text
        found = {one["id"]: one for one in json.loads(cli.text)}
        match arguments:
            case ("keys", "list"):
                assert (found["k"]["name"], found["k"]["models"]) == ("a\x9bb", ["x/*"])
                assert found["k"]["expires_at"] == "2100-01-01T00:00:00Z"
                assert (found["k"]["last_used"], found["k"]["state"]) == ("2026-11-28", "on")
                assert found["wrong"]["problem"].startswith("`enabled`: ")
            case ("keys", "show", _):
                assert found.keys() == {"k"}
            case _:
                assert (found["r"]["state"], found["bad"]["state"]) == ("on", "BAD")


def test_a_list_shows_models_and_the_day_of_last_use(cli: CommandLine) -> None:
    put_record(cli, hash="1", id="k1", name="a", last_used="2026-11-28")
    put_record(cli, hash="2", id="k2", name="b", models=["x/*", "y"])
    put_record(cli, hash="3", id="k3", name="c", models=[])
    cli.run("keys", "list")
    rows = [re.split("  +", line) for line in cli.printed]
    assert rows[0] == [
        "ID",
        "NAME",
        "PROJECT",
        "STATE",
        "SCOPES",
        "MODELS",
        "CREATED",
        "EXPIRES",
        "LAST USED",
    ]
    assert [row[5] for row in rows[1:]] == ["all", "x/* y", "none"]
    assert rows[1][-1] == "2026-11-28"


def test_every_field_of_a_key_is_shown(cli: CommandLine) -> None:
    store_key(cli, name="a", metadata={"team": "x"}, models=["x/*"])
    assert cli.run("keys", "show", "k") == 0
    logged = dict(re.split("  +", line, maxsplit=1) for line in cli.printed if "  " in line)
    assert (logged["name"], logged["models"], logged["state"]) == ("a", "x/*", "on")
