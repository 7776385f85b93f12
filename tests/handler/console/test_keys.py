"""Listing, creating, changing and rotating keys in the console, and what they have left."""

from __future__ import annotations

from typing import Any

import pytest

from handler.access.keys import hash_key
from handler.store.attributes import Item, serialize_item
from tests.handler.console.operator import ADMIN, Operator
from tests.support.canned_answers import completion, whole
from tests.support.gateways import KEY, MANAGE, key_item, model, provider
from tests.support.tables import SETTINGS
from tests.support.upstream import Upstream

FUTURE = "2099-01-31T12:00:00Z"


def keys(operator: Operator) -> dict[str, Item]:
    """The records by hash, without the day of last use, which is written in the background."""
    items = operator.stored(SETTINGS.keys_table)
    return {
        str(item["hash"]): {name: value for name, value in item.items() if name != "last_used"}
        for item in items
    }


async def works(operator: Operator, key: str) -> bool:
    """Whether this instance takes the key for its endpoints."""
    return (await operator.running.get("/v1/models", key=key)).status == 200


async def test_keys_are_listed_without_their_hashes(operator: Operator) -> None:
    response = await operator.ask("GET", "keys", key=MANAGE)
    assert [one["id"] for one in response.json["data"]] == ["a1", "k1", "m1", "n1"]
    assert response.json["truncated"] is False
    for hash in keys(operator):
        assert hash not in response.body.decode()


async def test_a_new_key_is_shown_once_and_works_at_once(operator: Operator) -> None:
    fields = {"name": "ci", "project": "p", "models": ["openai/*"], "expires_at": FUTURE, "scopes": ["chat"]}
    response = await operator.ask("POST", "keys", fields)
    made = response.json
    assert response.status == 201
    assert response.headers["cache-control"] == "no-store"
    assert {name: made["record"][name] for name in fields} == fields
    assert await works(operator, made["key"])
    stored = keys(operator)[hash_key(made["key"])]
    assert (stored["name"], stored["models"]) == ("ci", ["openai/*"])
    everything = (await operator.ask("GET", "keys")).body + str(operator.running.lines).encode()
    assert made["key"].encode() not in everything


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        pytest.param({}, "name", id="no name"),
        pytest.param({"name": ""}, "name", id="an empty name"),
        pytest.param({"name": " "}, "name", id="a name of spaces"),
        pytest.param({"name": "x" * 201}, "name", id="a long name"),
        pytest.param({"name": "x", "hash": "0" * 64}, "hash", id="a hash"),
        pytest.param({"name": "x", "id": "k1"}, "id", id="the id of another key"),
        pytest.param({"name": "x", "scopes": ["root"]}, "scopes", id="an unknown scope"),
        pytest.param({"name": "x", "scopes": []}, "scopes", id="no scope"),
        pytest.param({"name": "x", "models": "openai/*"}, "models", id="models that are a text"),
        pytest.param({"name": "x", "models": ["a,b"]}, "models", id="models with a comma"),
        pytest.param({"name": "x", "models": ["a", 1]}, "models[1]", id="a model that is a number"),
        pytest.param({"name": "x", "models": ["a"] * 101}, "models", id="too many models"),
        pytest.param({"name": "x", "expires_at": "soon"}, "expires_at", id="no date"),
        pytest.param({"name": "x", "expires_at": []}, "expires_at", id="a list for a date"),
        pytest.param({"name": "x", "expires_at": True}, "expires_at", id="true for a date"),
        pytest.param({"name": "x", "expires_at": "2020-01-01"}, "expires_at", id="a date in the past"),
        pytest.param({"name": "x", "project": ""}, "project", id="an empty project"),
    ],
)
async def test_a_key_that_is_not_created(operator: Operator, fields: Any, param: str) -> None:
    before = keys(operator)
    response = await operator.ask("POST", "keys", fields)
    assert response.status == 400
    assert response.error["param"] == param, response.error
    assert keys(operator) == before


async def test_a_disabled_key_is_refused_at_once_and_an_enabled_one_works_at_once(operator: Operator) -> None:
    assert await works(operator, KEY)
    disabled = await operator.ask("PATCH", "keys/k1", {"enabled": False})
    assert disabled.json["record"]["state"] == "disabled"
    assert not await works(operator, KEY)
    assert (await operator.ask("PATCH", "keys/k1", {"enabled": True})).json["record"]["state"] == "on"
    assert await works(operator, KEY)


async def test_a_change_writes_only_the_fields_that_it_has(operator: Operator) -> None:
    hash = hash_key(KEY)
    before = keys(operator)[hash]
    change = {"name": "new", "models": ["openai/*"], "expires_at": FUTURE}
    assert (await operator.ask("PATCH", "keys/k1", change)).status == 200
    assert keys(operator)[hash] == {**before, **change}
    assert (await operator.ask("PATCH", "keys/k1", {"models": None, "expires_at": None})).status == 200
    assert keys(operator)[hash] == {**before, "name": "new"}


@pytest.mark.parametrize("name", ["a1", f"sha256:{hash_key(ADMIN)}"])
@pytest.mark.parametrize(
    ("param", "value"),
    [
        pytest.param("enabled", False, id="disabled"),
        pytest.param("expires_at", 1_763_640_000 + 600, id="expired in minutes"),
        pytest.param("expires_at", 1, id="expired"),
    ],
)
async def test_a_key_cannot_end_itself(operator: Operator, name: str, param: str, value: Any) -> None:
    response = await operator.ask("PATCH", f"keys/{name}", {param: value, "name": "x"})
    assert (response.status, response.error["param"]) == (400, param)
    assert "the key that you use" in response.error["message"]
    assert keys(operator)[hash_key(ADMIN)] == {**keys(operator)[hash_key(ADMIN)], "enabled": True}
    assert "expires_at" not in keys(operator)[hash_key(ADMIN)]
    assert (await operator.ask("PATCH", f"keys/{name}", {"expires_at": FUTURE})).status == 200


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"enabled": False}, id="disabled"),
        pytest.param({"scopes": ["manage"]}, id="without the scope"),
        pytest.param({"expires_at": 1}, id="expired"),
        pytest.param({"scopes": ["root"]}, id="unreadable"),
        pytest.param(None, id="removed"),
    ],
)
async def test_a_key_that_is_still_known_here_writes_nothing_once_it_is(
    operator: Operator, change: Any
) -> None:
    assert (await operator.ask("POST", "keys", {"name": "x"})).status == 201
    hash, stored = hash_key(ADMIN), keys(operator)
    if change is None:
        operator.database.delete_item(TableName=SETTINGS.keys_table, Key={"hash": {"S": hash}})
    else:
        operator.put({**stored[hash], **change}, SETTINGS.keys_table)
    before = keys(operator)
    assert (await operator.ask("GET", "session")).status == 200, "it is known for a minute"
    for method, path, body in (
        ("POST", "keys", {"name": "x"}),
        ("PATCH", "keys/k1", {"enabled": False}),
        ("POST", "keys/k1/rotate", {}),
        ("PUT", "rules", {"base": "e3b0c44298fc", "records": []}),
    ):
        assert (await operator.ask(method, path, body)).status in (401, 403), path
    assert keys(operator) == before


@pytest.mark.parametrize(
    ("change", "param"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({"enabled": "no"}, "enabled", id="a text for a switch"),
        pytest.param({"enabled": None}, "enabled", id="null for a switch"),
        pytest.param({"scopes": ["admin"]}, "scopes", id="other scopes"),
        pytest.param({"hash": "x"}, "hash", id="the hash"),
        pytest.param({"name": None}, "name", id="null for a name"),
        pytest.param({"models": ["a b"]}, "models", id="models with a space"),
        pytest.param({"expires_at": 1}, "expires_at", id="a time in the past"),
        pytest.param({"expires_at": {}}, "expires_at", id="an object for a date"),
    ],
)
async def test_a_change_that_is_refused(operator: Operator, change: Any, param: str | None) -> None:
    before = keys(operator)
    response = await operator.ask("PATCH", "keys/k1", change)
    assert (response.status, response.error["param"]) == (400, param), response.body
    assert keys(operator) == before


@pytest.mark.parametrize("path", ["keys/{key}", "keys/{key}/limits", "{key}", "requests/{key}"])
async def test_a_key_in_a_path_is_refused_and_not_logged(operator: Operator, path: str) -> None:
    response = await operator.ask("GET", path.replace("{key}", KEY))
    assert (response.status, response.error["param"]) == (400, "id")
    for unknown in ("sk-sluice-" + "u" * 43, KEY):
        assert (await operator.ask("GET", path.replace("{key}", KEY), key=unknown)).status in (401, 403)
    assert KEY not in response.body.decode() + str(operator.running.lines)
    assert operator.running.lines[-1]["path"].endswith("sk-sluice-...")


@pytest.mark.parametrize(
    "path",
    [
        *("keys/nobody", "keys/nobody/limits", "keys/ "),
        *(f"keys/sha256:{hash}" for hash in ("0" * 64, "", "0" * 3000, "x" * 64)),
    ],
)
async def test_an_unknown_key_is_404(operator: Operator, path: str) -> None:
    response = await operator.ask("GET", path)
    assert (response.status, response.error["code"]) == (404, "key_not_found")


async def test_the_id_of_a_key_may_have_slashes(operator: Operator) -> None:
    operator.put(key_item("x", id="team/a"), SETTINGS.keys_table)
    assert (await operator.get("keys/team/a"))["data"][0]["id"] == "team/a"
    assert (await operator.get("keys/team%2Fa/limits"))["data"] == []
    assert (await operator.ask("PATCH", "keys/team/a", {"name": "x"})).status == 200


async def test_a_rotated_key_has_two_records(operator: Operator) -> None:
    response = await operator.ask("POST", "keys/k1/rotate", {"overlap": "2h"})
    new = response.json["key"]
    assert response.status == 201
    assert response.json["old_until"]
    assert await works(operator, new)
    assert await works(operator, KEY)
    assert [one["state"] for one in (await operator.get("keys/k1"))["data"]] == ["on", "replaced"]
    assert (await operator.ask("PATCH", "keys/k1", {"enabled": False})).status == 200
    assert not await works(operator, new)
    assert not await works(operator, KEY)


async def test_a_rotation_without_an_overlap_ends_the_old_key_at_once(operator: Operator) -> None:
    assert await works(operator, KEY)
    assert (await operator.ask("POST", "keys/k1/rotate", {"overlap": "0m"})).status == 201
    assert not await works(operator, KEY)


@pytest.mark.parametrize("overlap", ["", "1", "soon", "-1h", "1y", "100000h", "1h\n", 5, None])
async def test_an_overlap_that_is_no_duration(operator: Operator, overlap: Any) -> None:
    response = await operator.ask("POST", "keys/k1/rotate", {"overlap": overlap})
    assert (response.status, response.error["param"]) == (400, "overlap")


@pytest.mark.parametrize(
    ("method", "path", "body", "operation"),
    [
        pytest.param("PATCH", "keys/k1", {"name": "x"}, "update_item", id="a change"),
        pytest.param("POST", "keys/k1/rotate", {}, "transact_write_items", id="a rotation"),
    ],
)
async def test_a_key_that_is_deleted_meanwhile_is_not_written(
    operator: Operator, method: str, path: str, body: Any, operation: str
) -> None:
    def delete() -> None:
        operator.database.delete_item(
            TableName=SETTINGS.keys_table, Key=serialize_item({"hash": hash_key(KEY)})
        )

    await operator.get("keys")  # the key that asks is known, and its day of last use written
    await operator.running.gateway.settle()
    operator.client.before[operation] = delete
    response = await operator.ask(method, path, body)
    assert (response.status, response.error["code"]) == (409, "key_changed"), response.body
    assert hash_key(KEY) not in keys(operator)
    assert len(keys(operator)) == 3


LIMITS: list[Item] = [
    {"kind": "limit", "id": "rpm", "requests": 10, "per": "minute", "each": "key"},
    {"kind": "limit", "id": "tokens", "tokens": 5000, "per": "day", "when": {"model": "openai/*"}},
    {"kind": "budget", "id": "money", "usd": "2.5", "per": "month", "each": "project"},
    {"kind": "limit", "id": "users", "requests": 3, "per": "hour", "each": "user"},
    {"kind": "limit", "id": "foreign", "requests": 3, "per": "hour", "scope": {"project": "other"}},
    {"kind": "limit", "id": "off", "requests": 3, "per": "hour", "enabled": False},
]


async def test_a_key_has_what_its_requests_left_of_the_limits_that_apply(
    operator: Operator, upstream: Upstream
) -> None:
    upstream.script("m", whole(completion()))
    for record in (*LIMITS, provider(upstream.url), model("up/m", price={"input": 1, "output": 2})):
        operator.put(record)
    for _ in range(3):
        assert (await operator.running.chat(model="up/m")).status == 200
    await operator.running.gateway.settle()
    found = {one["id"]: one for one in (await operator.get("keys/k1/limits"))["data"]}
    assert set(found) == {"rpm", "tokens", "money", "users"}
    rpm, money = found["rpm"], found["money"]
    assert (rpm["limit"], rpm["used"], rpm["left"], rpm["unit"]) == (10, 3, 7, "requests")
    assert 0 < rpm["resets_in"] <= 60
    assert (money["limit"], money["unit"]) == (2.5, "usd")
    assert 0 < money["used"] < 0.01
    assert found["tokens"]["when"] == ["model like 'openai/*'"]
    assert (found["users"]["used"], found["users"]["left"]) == (None, None)
    others = {one["id"]: one for one in (await operator.get("keys/m1/limits"))["data"]}
    assert (others["rpm"]["used"], others["money"]["used"]) == (0, 0)
