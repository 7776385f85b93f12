"""`keys ...` as a person uses them, against moto."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handler.access.auth import Auth
from handler.access.keys import Key, generate_key, hash_key
from handler.errors import Unauthenticated
from handler.store.attributes import serialize_item
from handler.store.dynamodb import scan
from handler.store.tables import Store
from tests.handler.cli.person import Person
from tests.support.tables import SETTINGS, dynamodb


@pytest.fixture(scope="module")
def database() -> Iterator[Any]:
    with dynamodb() as client:
        yield client


@pytest.fixture
def person(database: Any) -> Person:
    """A person before empty tables: making them anew for each test takes ten times as long."""
    for table, names in ((SETTINGS.keys_table, ("hash",)), (SETTINGS.rules_table, ("kind", "id"))):
        for item in scan(database, table):
            database.delete_item(TableName=table, Key={name: item[name] for name in names})
    return Person(database)


def stores(person: Person, **fields: Any) -> str:
    """A record of a new key, which is returned."""
    key = generate_key()
    put_record(person, **{"hash": hash_key(key), "id": "k", **fields})
    return key


def put_record(person: Person, **item: Any) -> None:
    person.database.put_item(TableName=SETTINGS.keys_table, Item=serialize_item(item))


def records(person: Person) -> dict[str, dict[str, Any]]:
    return {item["hash"]: item for item in person.finds(SETTINGS.keys_table)}


async def admitted(person: Person, key: str) -> Key | None:
    """Presents the key to a gateway that has not seen it before."""
    try:
        return await Auth(Store(person.database, SETTINGS), SETTINGS).authenticate({"x-api-key": key})
    except Unauthenticated:
        return None


async def test_a_key_is_made_shown_once_and_revoked(person: Person) -> None:
    assert (
        person.does("keys", "create", "--name", "ci", "--project", "support", "--models", "openai/*", "b")
        == 0
    )
    (key,) = person.said
    (record,) = person.finds(SETTINGS.keys_table)
    assert key not in str(record)
    assert record["hash"] == hash_key(key)
    headers = {"x-api-key": key}
    store = Store(person.database, SETTINGS)
    made = await Auth(store, SETTINGS).authenticate(headers)
    assert (made.name, made.project, made.models, made.scopes) == (
        "ci",
        "support",
        ("openai/*", "b"),
        frozenset({"chat"}),
    )

    assert person.does("keys", "list") == 0
    row = rf"{made.id}  ci    support  on     chat    openai/\* b  20\S+"
    assert re.fullmatch(row, person.said[1])
    assert hash_key(key) not in person.text

    assert person.does("keys", "revoke", made.id) == 0
    assert person.said == [f"{made.id}: disabled; in force within 60 seconds"]
    with pytest.raises(Unauthenticated):
        await Auth(store, SETTINGS).authenticate(headers)
    person.does("keys", "list")
    assert " disabled " in person.said[1]


def test_a_key_may_manage_and_end(person: Person) -> None:
    assert (
        person.does("keys", "create", "--name", "x", "--scope", "manage", "--expires", "2099-01-01T00:00:00Z")
        == 0
    )
    (record,) = person.finds(SETTINGS.keys_table)
    assert (record["scopes"], record["expires_at"], "models" in record) == (
        ["manage"],
        "2099-01-01T00:00:00Z",
        False,
    )


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        pytest.param(("--expires", "soon"), "--expires: 'soon' is neither 90m", id="a word for a date"),
        pytest.param(
            ("--expires", "2020-01-01T00:00:00Z"), "--expires: 2020-01-01T00:00:00Z is in the past", id="past"
        ),
        pytest.param(("--project", ""), "`project`: is not a text", id="an empty project"),
        pytest.param(("--models", ""), "`models`: is not a text", id="an empty pattern"),
    ],
)
def test_a_key_that_could_not_be_used_is_not_made(
    person: Person, arguments: tuple[str, ...], why: str
) -> None:
    assert person.does("keys", "create", "--name", "x", *arguments) == 2
    assert why in person.text
    assert person.finds(SETTINGS.keys_table) == []
    assert "sk-sluice-" not in person.text


def test_a_list_of_keys_shows_what_is_wrong_with_one(person: Person) -> None:
    wrong: list[dict[str, Any]] = [{"enabled": "maybe"}, {"expires_at": 1}, {"id": 7}]
    for number, fields in enumerate(wrong):
        item = {"hash": f"h{number}", "id": f"k{number}", "name": "a\x1bb", **fields}
        person.database.put_item(TableName=SETTINGS.keys_table, Item=serialize_item(item))
    assert person.does("keys", "list") == 0
    assert "disabled (`enabled`: is neither true nor false)" in person.said[1]
    assert " expired " in person.said[2]
    assert "disabled (`id`: is not a text)" in person.said[3]
    assert "\x1b" not in person.text


def test_revoking_a_key_that_is_not_there_makes_none(person: Person) -> None:
    put_record(person, hash="h", id="key-abc")
    assert person.does("keys", "revoke", "key-abd") == 2
    assert person.warned == ["sluice: there is no key with the id key-abd, did you mean key-abc?"]
    assert person.finds(SETTINGS.keys_table) == [{"hash": "h", "id": "key-abc"}]


@pytest.mark.parametrize("named", ["by its id", "by itself", "on standard input"])
@pytest.mark.parametrize("verb", ["revoke", "disable"])
async def test_a_key_is_disabled_by_its_id_or_by_itself(person: Person, verb: str, named: str) -> None:
    key = stores(person)
    person.stdin = f"{key}\n".encode()
    argument = {"by its id": "k", "by itself": f" {key} ", "on standard input": "-"}[named]
    assert await admitted(person, key)
    assert person.does("keys", verb, argument) == 0
    assert person.said == ["k: disabled; in force within 60 seconds"]
    assert await admitted(person, key) is None
    assert key not in person.text
    assert person.does("keys", "enable", argument) == 0
    assert person.said == ["k: on; in force within 10 seconds"]
    assert await admitted(person, key)


PARTS = {
    "a key that is not in the table": (generate_key(), "that key is not in the table"),
    "half a key": (generate_key()[:30], "give all of it, or its id"),
    "a key with its header": (f"Bearer {generate_key()}", "give all of it, or its id"),
    "a key in quotes": (f"'{generate_key()}'", "give all of it, or its id"),
}


@pytest.mark.parametrize(("text", "why"), PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("verb", ["revoke", "disable", "enable", "show", "rotate", "update"])
def test_what_looks_like_a_key_is_never_printed(person: Person, verb: str, text: str, why: str) -> None:
    stores(person)
    more = ("--name", "x") if verb == "update" else ()
    assert person.does("keys", verb, text, *more) == 2
    assert why in person.text
    assert text[-20:] not in person.text


def test_a_record_that_cannot_be_read_is_disabled_all_the_same_and_not_enabled(person: Person) -> None:
    stores(person, models="a, b")
    assert person.does("keys", "revoke", "k") == 0
    assert person.does("keys", "enable", "k") == 2
    assert person.warned == ['sluice: `models`: is one text, but has to be a list: ["a", "b"]']
    assert person.does("keys", "update", "k", "--models", "a", "b") == 0
    assert person.does("keys", "enable", "k") == 0


async def test_a_new_key_beside_the_old_one(person: Person) -> None:
    old = stores(
        person,
        name="ci",
        project="p",
        models=["openai/*"],
        scopes=["manage"],
        team="mine",
        last_used="2026-11-01",
    )
    assert person.does("keys", "rotate", "k", "--overlap", "7d") == 0
    (new,) = person.said
    assert "the old one is good until" in person.warned[0]
    before, after = await admitted(person, old), await admitted(person, new)
    assert before is not None
    assert after is not None
    assert (after.id, after.project, after.models, after.scopes) == ("k", "p", before.models, before.scopes)
    assert after.expires_at is None
    assert before.expires_at == pytest.approx((datetime.now(UTC) + timedelta(days=7)).timestamp(), abs=120)
    record = records(person)[hash_key(new)]
    assert (record["team"], "last_used" in record) == ("mine", False)
    person.does("keys", "list")
    assert [re.split("  +", line)[3] for line in person.said] == ["STATE", "on", "replaced"]


async def test_after_a_rotation_the_id_means_the_new_key_and_revoking_it_both(person: Person) -> None:
    old = stores(person)
    person.does("keys", "rotate", "k")
    (new,) = person.said
    ends = records(person)[hash_key(old)]["expires_at"]
    assert person.does("keys", "update", "k", "--expires", "30d", "--name", "later") == 0
    assert records(person)[hash_key(old)]["expires_at"] == ends, "the old one still ends"
    assert records(person)[hash_key(new)]["name"] == "later"
    assert person.does("keys", "revoke", "k") == 0
    assert person.said == ["k: disabled; in force within 60 seconds"] * 2
    assert [await admitted(person, key) for key in (old, new)] == [None, None]


@pytest.mark.parametrize(
    ("fields", "arguments", "old", "new"),
    [
        pytest.param({"enabled": False}, (), "disabled", "on", id="a revoked key stays revoked"),
        pytest.param({}, ("--overlap", "0m"), "expired", "on", id="without an overlap the old one ends now"),
        pytest.param(
            {"expires_at": 1}, ("--expires", "30d"), "expired", "on", id="an expired one needs an end"
        ),
        pytest.param({"expires_at": "2099-01-01T00:00:00Z"}, (), "replaced", "on", id="an end is taken over"),
    ],
)
def test_a_rotation_changes_the_old_key(
    person: Person, fields: dict[str, Any], arguments: tuple[str, ...], old: str, new: str
) -> None:
    first = stores(person, **fields)
    assert person.does("keys", "rotate", "k", *arguments) == 0
    (second,) = person.said
    person.does("keys", "list", "--json")
    found = {one["replaced_at"] is not None: one for one in json.loads(person.text)}
    assert (found[True]["state"], found[False]["state"]) == (old, new)
    if fields.get("expires_at") == "2099-01-01T00:00:00Z":
        assert records(person)[hash_key(second)]["expires_at"] == fields["expires_at"]
        assert records(person)[hash_key(first)]["expires_at"] < "2099"


@pytest.mark.parametrize(
    ("fields", "arguments", "why"),
    [
        pytest.param(
            {"expires_at": 1}, (), "--expires: the old key's date is in the past", id="an expired key"
        ),
        pytest.param({"models": "a, b"}, (), "`models`: is one text", id="a record that cannot be read"),
        pytest.param({}, ("--expires", "soon"), "--expires: 'soon' is neither 90m", id="a word for a date"),
    ],
)
def test_a_key_that_is_not_rotated(
    person: Person, fields: dict[str, Any], arguments: tuple[str, ...], why: str
) -> None:
    stores(person, **fields)
    before = records(person)
    assert person.does("keys", "rotate", "k", *arguments) == 2
    assert why in person.text
    assert records(person) == before


def test_of_two_keys_with_one_id_none_is_guessed(person: Person) -> None:
    first, _ = stores(person), stores(person)
    assert person.does("keys", "rotate", "k") == 2
    assert person.warned == ["sluice: 2 keys have this id: give the key itself"]
    assert person.does("keys", "rotate", first) == 0


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        pytest.param(("--name", "b"), {"name": "b"}, id="the name"),
        pytest.param(("--models", "a", "b/*"), {"models": ["a", "b/*"]}, id="the models"),
        pytest.param(("--all-models",), {"models": None}, id="no list of models"),
        pytest.param(("--expires", "never"), {"expires_at": None}, id="no end"),
        pytest.param(("--expires", "2099-01-31"), {"expires_at": "2099-01-31"}, id="a date"),
        pytest.param(
            ("--name", "b", "--all-models", "--expires", "never"),
            {"name": "b", "models": None, "expires_at": None},
            id="all of them",
        ),
    ],
)
def test_an_update_changes_only_the_given_fields(
    person: Person, arguments: tuple[str, ...], fields: dict[str, Any]
) -> None:
    key = stores(person, name="a", models=["a"], expires_at="2098-01-01", team="mine")
    before = records(person)[hash_key(key)]
    assert person.does("keys", "update", "k", *arguments) == 0
    expected = {name: value for name, value in {**before, **fields}.items() if value is not None}
    assert records(person)[hash_key(key)] == expected


def test_a_duration_may_be_very_long(person: Person) -> None:
    key = stores(person)
    for text, days in (("30d", 30), ("2w", 14), ("48h", 2)):
        assert person.does("keys", "update", "k", "--expires", text) == 0
        ends = datetime.fromisoformat(records(person)[hash_key(key)]["expires_at"])
        assert abs(ends - datetime.now(UTC) - timedelta(days=days)) < timedelta(minutes=2)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        pytest.param((), "nothing to change", id="nothing"),
        pytest.param(
            ("--expires", "2020-01-01"), "--expires: 2020-01-01 is in the past", id="a date that is past"
        ),
        pytest.param(("--expires", "30"), "--expires: 30 is in the past", id="a number without its unit"),
        pytest.param(("--models", "a,b"), 'is one text, but has to be a list: ["a", "b"]', id="commas"),
        pytest.param(("--name", " "), "`name`: is not a text", id="an empty name"),
    ],
)
def test_a_change_that_would_lock_the_key_out_is_not_written(
    person: Person, arguments: tuple[str, ...], why: str
) -> None:
    stores(person)
    before = records(person)
    assert person.does("keys", "update", "k", *arguments) == 2
    assert why in person.text
    assert records(person) == before


def test_a_listing_warns_of_patterns_that_admit_no_model(person: Person) -> None:
    stores(person, models=["openai/*", "opneai/*", "openai/mine"])
    person.puts({"kind": "model", "id": "openai/mine", "provider": "openai", "name": "mine"})
    assert person.does("keys", "list") == 0
    (warning,) = person.warned
    assert warning.startswith("warning: k: `models`: no model of the catalogue is like 'opneai/*'")


def test_every_listing_comes_as_json_too(person: Person) -> None:
    key = stores(person, name="a\x9bb", models=["x/*"], last_used="2026-11-28", expires_at=4_102_444_800)
    put_record(person, hash="h", id="wrong", enabled="maybe", scopes=["chat"])
    for arguments in (("keys", "list"), ("keys", "show", "k"), ("rules", "list")):
        person.puts(
            {"kind": "route", "id": "r", "model": "openai/gpt-5"}, {"kind": "route", "id": "bad", "x": 1}
        )
        assert person.does(*arguments, "--json") == 0
        assert person.text.isascii()
        assert hash_key(key) not in person.text
        found = {one["id"]: one for one in json.loads(person.text)}
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


def test_a_list_shows_models_and_the_day_of_last_use(person: Person) -> None:
    put_record(person, hash="1", id="k1", name="a", last_used="2026-11-28")
    put_record(person, hash="2", id="k2", name="b", models=["x/*", "y"])
    put_record(person, hash="3", id="k3", name="c", models=[])
    person.does("keys", "list")
    rows = [re.split("  +", line) for line in person.said]
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


def test_everything_about_a_key_is_shown(person: Person) -> None:
    stores(person, name="a", metadata={"team": "x"}, models=["x/*"])
    assert person.does("keys", "show", "k") == 0
    logged = dict(re.split("  +", line, maxsplit=1) for line in person.said if "  " in line)
    assert (logged["name"], logged["models"], logged["state"]) == ("a", "x/*", "on")
