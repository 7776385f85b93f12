"""API keys: reading their records, of which the unreadable ones disable the key."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from handler.access.keys import Key, generate_key, hash_key, is_well_formed, make_key_record, read_key
from handler.errors import Forbidden
from rules import InvalidRecord

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EPOCH = NOW.timestamp()


@pytest.mark.parametrize(
    ("record", "field", "value"),
    [
        pytest.param({}, "project", "default", id="no project"),
        pytest.param({}, "enabled", True, id="no enabled"),
        pytest.param({"enabled": "false"}, "enabled", False, id="false as a text"),
        pytest.param({"enabled": " True"}, "enabled", True, id="true as a text"),
        pytest.param({"enabled": "Yes"}, "enabled", True, id="yes"),
        pytest.param({"enabled": "OFF"}, "enabled", False, id="off in capitals"),
        pytest.param({"enabled": 0}, "enabled", False, id="0 for enabled"),
        pytest.param({}, "scopes", {"chat"}, id="without scopes it is chat"),
        pytest.param({"scopes": ["manage"]}, "scopes", {"chat", "manage"}, id="manage includes chat"),
        pytest.param({"scopes": ["admin"]}, "scopes", {"chat", "manage", "admin"}, id="admin includes both"),
        pytest.param({"scopes": "manage"}, "scopes", {"chat", "manage"}, id="one text is a list of one"),
        pytest.param({"scopes": {"chat"}}, "scopes", {"chat"}, id="a set of scopes"),
        pytest.param({"scopes": []}, "scopes", set(), id="no scope at all"),
        pytest.param({}, "models", None, id="without models it is all of them"),
        pytest.param({"models": None}, "models", None, id="null models means all of them"),
        pytest.param({"models": []}, "models", (), id="an empty list of models means none"),
        pytest.param({"models": "openai/*"}, "models", ("openai/*",), id="one pattern"),
        pytest.param({"models": {"b", "a"}}, "models", ("a", "b"), id="a set of patterns"),
        pytest.param({"expires_at": None}, "expires_at", None, id="null means no end"),
        pytest.param({"expires_at": EPOCH}, "expires_at", EPOCH, id="epoch seconds"),
        pytest.param({"expires_at": Decimal("1.5")}, "expires_at", 1.5, id="half seconds"),
        pytest.param({"expires_at": f"{int(EPOCH)}"}, "expires_at", EPOCH, id="epoch seconds as a text"),
        pytest.param({"expires_at": "2026-11-20T12:00:00Z"}, "expires_at", EPOCH, id="RFC 3339"),
        pytest.param({"expires_at": "2026-11-20t14:00:00+02:00"}, "expires_at", EPOCH, id="with an offset"),
        pytest.param({"expires_at": " 2026-11-20 12:00:00.000Z "}, "expires_at", EPOCH, id="with a space"),
        pytest.param(
            {"expires_at": "2026-11-20T12:00:00"}, "expires_at", EPOCH, id="without an offset it is UTC"
        ),
        pytest.param(
            {"expires_at": "2026-11-20"}, "expires_at", EPOCH - 43_200, id="a day means its beginning"
        ),
        pytest.param({"metadata": {"team": "x"}}, "metadata", {"team": "x"}, id="metadata"),
        pytest.param({"name": ""}, "name", "", id="an empty name"),
        pytest.param({"owner": "me", "created_at": 7}, "id", "k", id="other attributes are ignored"),
    ],
)
def test_a_record_is_read(record: dict[str, Any], field: str, value: Any) -> None:
    assert getattr(read_key({"hash": "h", "id": "k", **record}), field) == value


ENDS = ("expiry", "valid_until", "not_after", "deleted", "revoked_at")
UNREADABLE = [
    pytest.param({"id": None}, "id", id="no id"),
    pytest.param({"id": ""}, "id", id="an empty id"),
    pytest.param({"id": 7}, "id", id="a number as id"),
    pytest.param({"name": ["x"]}, "name", id="a list as name"),
    pytest.param({"project": ""}, "project", id="an empty project"),
    pytest.param({"project": {"a", "b"}}, "project", id="two projects"),
    pytest.param({"project": None}, "project", id="a null project"),
    pytest.param({"enabled": None}, "enabled", id="null for enabled"),
    pytest.param({"enabled": 2}, "enabled", id="2 for enabled"),
    pytest.param({"enabled": "ja"}, "enabled", id="yes in another language for enabled"),
    pytest.param({"enabled": ""}, "enabled", id="an empty text for enabled"),
    pytest.param({"enabled": {"BOOL": True}}, "enabled", id="typed JSON for enabled"),
    pytest.param({"expires_at": ""}, "expires_at", id="an empty date"),
    pytest.param({"expires_at": "tomorrow"}, "expires_at", id="a word for a date"),
    pytest.param({"expires_at": "20.11.2026"}, "expires_at", id="a German date"),
    pytest.param({"expires_at": "2026-02-30T00:00:00Z"}, "expires_at", id="a day that does not exist"),
    pytest.param({"expires_at": 1_795_000_000_000}, "expires_at", id="milliseconds"),
    pytest.param({"expires_at": -1}, "expires_at", id="before 1970"),
    pytest.param({"expires_at": "nan"}, "expires_at", id="NaN"),
    pytest.param({"expires_at": "inf"}, "expires_at", id="infinity"),
    pytest.param({"expires_at": 10**400}, "expires_at", id="400 digits"),
    pytest.param({"expires_at": True}, "expires_at", id="true for a date"),
    pytest.param({"expires_at": [1]}, "expires_at", id="a list for a date"),
    pytest.param({"expires_at": b"1"}, "expires_at", id="binary for a date"),
    pytest.param({"expires_at": "0001-01-01T00:00:00+23:59"}, "expires_at", id="before the calendar"),
    pytest.param({"expire_at": 1}, "expire_at", id="a misspelt date, which would never end"),
    pytest.param({"Enabled": False}, "Enabled", id="a misspelt flag, which would never disable"),
    pytest.param({"disabled": True}, "disabled", id="the opposite flag"),
    *(pytest.param({name: 1}, name, id=f"{name} as another name of expires_at or enabled") for name in ENDS),
    pytest.param({"model": []}, "model", id="misspelt models, which would allow all"),
    pytest.param({"models": ""}, "models", id="an empty pattern"),
    pytest.param({"models": [""]}, "models", id="an empty pattern in a list"),
    pytest.param({"models": {1, 2}}, "models", id="a number set"),
    pytest.param({"models": {"a": "b"}}, "models", id="a map of models"),
    pytest.param({"models": 7}, "models", id="a number for models"),
    pytest.param({"scopes": None}, "scopes", id="null scopes"),
    pytest.param({"scopes": ["owner"]}, "scopes", id="an unknown scope"),
    pytest.param({"scopes": ["chat", 7]}, "scopes", id="a number among scopes"),
    pytest.param({"metadata": "x"}, "metadata", id="a text for metadata"),
]


@pytest.mark.parametrize(("record", "field"), UNREADABLE)
def test_a_wrong_attribute_makes_the_record_unreadable(record: dict[str, Any], field: str) -> None:
    item = {"hash": "h", "id": "k", "enabled": True, **record}
    with pytest.raises(InvalidRecord) as failure:
        read_key(item)
    assert failure.value.field == field
    assert failure.value.problem


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        pytest.param("openai/*, local/*", ["openai/*", "local/*"], id="commas"),
        pytest.param("openai/* local/*", ["openai/*", "local/*"], id="spaces"),
        pytest.param("openai/*;local/*", ["openai/*", "local/*"], id="semicolons"),
        pytest.param("openai/*\nlocal/*", ["openai/*", "local/*"], id="lines"),
        pytest.param('["openai/*", "local/*"]', ["openai/*", "local/*"], id="JSON"),
        pytest.param("['openai/*']", ["openai/*"], id="Python"),
        pytest.param("openai/*,", ["openai/*"], id="a comma at the end"),
        pytest.param(["a", "b, c"], ["b", "c"], id="in a list"),
    ],
)
@pytest.mark.parametrize("field", ["models", "scopes"])
def test_a_list_typed_as_one_text_says_so(field: str, typed: Any, meant: list[str]) -> None:
    with pytest.raises(InvalidRecord, match=r"`(models|scopes)`: ") as failure:
        read_key({"id": "k", field: typed})
    if not isinstance(typed, list):
        assert failure.value.problem == f"is one text, but has to be a list: {json.dumps(meant)}"


def test_a_record_without_an_id_cannot_be_read() -> None:
    with pytest.raises(InvalidRecord, match="`id`: is missing"):
        read_key({"hash": "h"})


def test_a_scope_is_required() -> None:
    Key(id="k").require("chat")
    with pytest.raises(Forbidden) as failure:
        Key(id="k").require("manage")
    assert (failure.value.status, failure.value.code) == (403, "scope_required")


def test_a_new_key_is_well_formed_and_new() -> None:
    keys = {generate_key() for _ in range(50)}
    assert len(keys) == 50
    assert all(is_well_formed(key) and re.fullmatch(r"sk-sluice-[\w-]{43}", key) for key in keys)


def test_a_record_holds_the_hash_and_never_the_key() -> None:
    key = generate_key()
    record = make_key_record({"key": key, "name": "ci", "project": "support", "models": None}, now=NOW)
    assert record == {
        "hash": hash_key(key),
        "id": f"key-{hash_key(key)[:10]}",
        "enabled": True,
        "created_at": "2026-11-20T12:00:00Z",
        "name": "ci",
        "project": "support",
    }
    assert make_key_record({"key": key, "id": "mine"}, now=NOW)["id"] == "mine"


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        pytest.param({}, "key", id="no key"),
        pytest.param({"key": "sk-other-secret"}, "key", id="a key of another form"),
        pytest.param({"key": 7}, "key", id="a number as key"),
        pytest.param({"key": generate_key(), "scopes": "all"}, "scopes", id="an unknown scope"),
    ],
)
def test_a_wrong_entry_is_refused_without_quoting_it(entry: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRecord) as failure:
        make_key_record(entry, now=NOW)
    assert failure.value.field == field
    assert str(entry.get("key", "no key")) not in str(failure.value)
