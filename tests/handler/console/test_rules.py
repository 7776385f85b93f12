"""Reading, checking, trying and saving rules in the console."""

from __future__ import annotations

import asyncio
import gzip
import json
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from handler.aws.errors import StoreError
from handler.store.attributes import Item
from rules import KINDS
from tests.handler.console.operator import ADMIN, Operator
from tests.support.asgi import call
from tests.support.canned_answers import completion, whole
from tests.support.gateways import MANAGE, model, provider
from tests.support.upstream import Upstream


def route(id: str, **fields: Any) -> Item:
    return {"kind": "route", "id": id, "model": "openai/gpt-5", **fields}


TEST = {"kind": "test", "id": "t", "request": {"messages": []}, "expect": {"rule": "a"}}
BAD = {"kind": "route", "id": "bad", "prefers": "cheap"}
CHAT = {"messages": [{"role": "user", "content": "hi"}]}


async def save(operator: Operator, base: str, records: list[Any], **more: Any) -> Any:
    return await operator.ask("PUT", "rules", {"base": base, "records": records, **more})


async def revision(operator: Operator) -> str:
    return str((await operator.get("rules"))["revision"])


async def test_rules_are_listed_in_the_order_in_which_they_are_asked(operator: Operator) -> None:
    for record in (
        route("b", priority=1),
        route("a", note="never asked"),
        {"kind": "access", "id": "eu", "deny": ["x/*"]},
    ):
        operator.put(record)
    found = await operator.get("rules")
    assert [(one["kind"], one["id"]) for one in found["order"]] == [
        ("route", "b"),
        ("route", "a"),
        ("access", "eu"),
    ]
    assert found["order"][1]["shadowed_by"] == [{"kind": "route", "id": "b"}]
    assert {one["id"] for one in found["warnings"]} >= {"a", "eu"}
    assert [one["id"] for one in found["records"]] == ["eu", "a", "b"]
    assert found["revision"] == found["in_force"]


async def test_a_table_with_a_bad_record_is_listed_with_its_problem(operator: Operator) -> None:
    operator.put(BAD)
    found = await operator.get("rules")
    assert found["problems"][0]["field"] == "prefers"
    assert found["problems"][0]["instead"] == "skipped"
    assert found["records"] == [BAD]


async def test_a_table_that_is_too_large_is_listed_so_that_records_can_be_removed(operator: Operator) -> None:
    await operator.get("rules")  # the rules in force stay, while the table is too large
    records = [route(f"r{number:04}") for number in range(1001)]
    for record in records:
        operator.put(record)
    found = await operator.get("rules")
    assert found["records"] == records
    assert "at most 1000 records" in found["problems"][0]["problem"]
    assert (await save(operator, found["revision"], records[:1000])).status == 200
    assert (await operator.get("rules"))["problems"] == []


async def test_a_saved_rule_decides_the_next_request(operator: Operator) -> None:
    saved = await save(operator, await revision(operator), [route("a"), TEST], message="first")
    assert saved.status == 200, saved.body
    assert [(one["change"], one["id"]) for one in saved.json["changes"]] == [("added", "a"), ("added", "t")]
    found = await operator.get("rules")
    assert found["revision"] == found["in_force"] == saved.json["revision"]
    explained = await operator.ask("POST", "rules/try", {"request": CHAT})
    assert explained.json["rule"] == "a"


async def test_numbers_keep_their_digits(operator: Operator) -> None:
    price = {"input": 0, "output": 0}
    record = {"kind": "model", "id": "up/m", "provider": "up", "name": "m", "price": price}
    text = json.dumps({"base": await revision(operator), "records": [record]})
    text = text.replace('"output": 0', '"output": 0.12345678901234567')
    assert (await operator.ask("PUT", "rules", text.encode())).status == 200
    assert operator.stored()[0]["price"]["output"] == Decimal("0.12345678901234567")


async def test_what_is_read_and_saved_again_is_no_change(operator: Operator) -> None:
    operator.put({"kind": "access", "id": "set", "models": {"openai/*", "gemini/*"}, "deny": None})
    digits = Decimal("0.1234567890123456789012345678")
    price = {"input": digits, "output": 2}
    operator.put({"kind": "model", "id": "up/m", "provider": "up", "name": "m", "price": price})
    operator.put(route("ü", note="a\u2028b\\ \U0001f600", when={"hour": [1, 2], "stream": True}, priority=-1))
    before = operator.stored()
    response = await operator.ask("GET", "rules")
    assert str(digits) in response.body.decode()
    text = b'{"base": "%s", "records": %s}'
    records = json.dumps(response.json["records"]).replace(str(float(digits)), str(digits))
    saved = await operator.ask("PUT", "rules", text % (response.json["revision"].encode(), records.encode()))
    assert (saved.status, saved.json["changes"]) == (200, []), saved.body
    assert operator.stored() == before


async def test_a_check_says_everything_and_writes_nothing(operator: Operator) -> None:
    operator.put(route("old"))
    records = [route("a", when={"hour": 3}), BAD, TEST]
    checked = await operator.ask("POST", "rules/check", {"records": records}, key=MANAGE)
    assert checked.status == 200
    assert checked.json["problems"][0] | {"problem": "", "instead": ""} == {
        "kind": "route",
        "id": "bad",
        "field": "prefers",
        "problem": "",
        "instead": "",
        "index": 1,
    }
    (test,) = checked.json["tests"]
    assert (test["id"], test["ok"]) == ("t", False)
    assert test["failures"]
    assert {(one["change"], one["id"]) for one in checked.json["changes"]} >= {
        ("added", "a"),
        ("removed", "old"),
    }
    assert operator.stored() == [route("old")]


@pytest.mark.parametrize(
    ("records", "param", "message"),
    [
        pytest.param([route("a"), BAD], "records[1].prefers", "did you mean", id="an unknown field"),
        pytest.param([route("a", when={"imput": 1})], "records[0].when.imput", "", id="an unknown fact"),
        pytest.param([route("a"), 7], "records", "", id="a record that is a number"),
        pytest.param([{"kind": "route"}], "records[0].id", "missing", id="no id"),
        pytest.param([route("a"), route("a", note="x")], "records[0]", "twice", id="one id twice"),
        pytest.param([TEST], "records", "test/t: expected rule a", id="a test that fails"),
        pytest.param([route(str(n)) for n in range(1001)], None, "1001 records", id="too many"),
        pytest.param([route("a", note="x" * 70_000)], "records[0]", "bytes", id="a record that is too large"),
    ],
)
async def test_records_that_are_not_saved(
    operator: Operator, records: list[Any], param: str | None, message: str
) -> None:
    response = await save(operator, await revision(operator), records)
    assert response.status == 400, response.body
    assert message in response.error["message"]
    assert param is None or response.error["param"].startswith(param), response.error
    assert operator.stored() == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        pytest.param({"records": []}, "base", id="no base"),
        pytest.param({"base": "x"}, "records", id="no records"),
        pytest.param({"base": 1, "records": []}, "base", id="a base that is a number"),
        pytest.param({"base": "x", "records": {}}, "records", id="records that are an object"),
        pytest.param({"base": "x", "records": [], "mesage": ""}, "mesage", id="an unknown field"),
        pytest.param({"base": "x", "records": [], "message": "x" * 1001}, "message", id="a long message"),
        pytest.param([], None, id="a list"),
        pytest.param(b"", "base", id="nothing"),
        pytest.param(b"{", None, id="no JSON"),
        pytest.param(b'{"base": "x", "base": "y", "records": []}', None, id="a name twice"),
        pytest.param(b'{"base": "x", "records": [NaN]}', None, id="NaN"),
        pytest.param(b'{"base": "x", "records": ' + b"[" * 200 + b"]" * 200 + b"}", None, id="depth"),
        pytest.param(b"[" * 1_000_000, None, id="more depth"),
    ],
)
async def test_a_bad_body_is_named(operator: Operator, body: Any, param: str | None) -> None:
    response = await operator.ask("PUT", "rules", body)
    assert (response.status, response.error["param"]) == (400, param), response.body
    assert operator.stored() == []


async def test_the_last_record_is_not_removed(operator: Operator) -> None:
    operator.put(route("a"))
    response = await save(operator, await revision(operator), [])
    assert (response.status, response.error["param"]) == (400, "records")
    assert "--yes-delete-everything" in response.error["message"]
    assert operator.stored() == [route("a")]


async def test_a_body_that_is_too_large_is_413(operator: Operator) -> None:
    assert (await operator.ask("PUT", "rules", b" " * 6_000_001)).status == 413


async def test_a_body_that_is_large_only_when_it_is_unpacked_is_413(operator: Operator) -> None:
    body = gzip.compress(b" " * 20_000_000)
    headers = {"authorization": f"Bearer {ADMIN}", "content-encoding": "gzip"}
    response = await call(operator.running.app, "PUT", "/console/api/rules", headers=headers, body=body)
    assert response.status == 413


async def test_of_two_who_edit_at_once_the_second_sees_what_the_first_wrote(operator: Operator) -> None:
    operator.put(route("a"))
    base = await revision(operator)
    assert (await save(operator, base, [route("a", note="first")])).status == 200
    second = await save(operator, base, [route("a", note="second"), route("b")])
    assert (second.status, second.error["code"]) == (409, "rules_changed")
    assert second.error["metadata"]["revision"] == await revision(operator)
    assert [one["id"] for one in second.error["metadata"]["changes"]]
    assert operator.stored() == [route("a", note="first")]


@pytest.mark.parametrize("seed", range(5))
async def test_of_many_who_save_at_once_one_is_first(operator: Operator, seed: int) -> None:
    """Some change one record, some add one: each sees all others' work before its own is written."""
    operator.put(route("a"))
    base, random = await revision(operator), Random(seed)

    async def edit(number: int) -> int:
        await asyncio.sleep(random.random() / 50)
        own = route("a", note=f"{number}") if number % 2 else route(f"n{number}")
        return int((await save(operator, base, [*([] if number % 2 else [route("a")]), own])).status)

    statuses = await asyncio.gather(*map(edit, range(8)))
    assert sorted(statuses) == [200] + [409] * 7
    winner = statuses.index(200)
    expected = [route("a", note=f"{winner}")] if winner % 2 else [route("a"), route(f"n{winner}")]
    assert operator.stored() == expected


async def test_a_record_that_changes_while_it_is_saved_is_not_overwritten(operator: Operator) -> None:
    operator.put(route("a"))
    base = await revision(operator)
    operator.client.before["transact_write_items"] = lambda: operator.put(route("a", note="theirs"))
    response = await save(operator, base, [route("a", note="mine"), route("b")])
    assert (response.status, response.error["code"]) == (409, "rules_changed")
    (change,) = response.error["metadata"]["changes"]
    assert (change["change"], change["after"]["note"]) == ("changed", "theirs")
    assert operator.stored() == [route("a", note="theirs")], "nothing is written, not even the other record"


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_connection_that_is_lost_while_saving_leaves_all_or_nothing(
    operator: Operator, when: str
) -> None:
    operator.put(route("a"))
    base, records = await revision(operator), [route("a", note="mine"), route("b")]
    getattr(operator.client, when)["transact_write_items"] = StoreError("no answer (connection reset)")
    response = await save(operator, base, records)
    assert (response.status, response.error["code"]) == (503, "store_unavailable")
    assert operator.stored() == ([route("a")] if when == "before" else records)
    again = await save(operator, base, records)
    assert again.status == 200, "the same save again does what is left, and nothing if all is done"
    assert operator.stored() == records


async def test_a_trial_explains_each_condition_with_its_value(operator: Operator) -> None:
    records = [route("a", when={"stream": True, "messages": {"gte": 1}})]
    tried = await operator.ask("POST", "rules/try", {"records": records, "request": CHAT}, key=MANAGE)
    (record,) = tried.json["conditions"]
    assert record == {
        "kind": "route",
        "id": "a",
        "in_scope": True,
        "conditions": [
            {"fact": "stream", "condition": "stream is True", "value": False, "holds": False},
            {"fact": "messages", "condition": "messages gte 1", "value": 1, "holds": True},
        ],
    }
    assert tried.json["steps"][0]["outcome"].startswith("failed: stream")
    assert operator.stored() == []


@pytest.mark.parametrize(
    ("caller", "applies"),
    [
        pytest.param({}, False, id="nobody"),
        pytest.param({"key": "k1"}, True, id="a key of the project"),
        pytest.param({"key": "m1"}, False, id="a key of another project"),
        pytest.param({"project": "support"}, True, id="the project"),
        pytest.param({"key": "m1", "project": "support"}, True, id="another project than the key's"),
    ],
)
async def test_a_trial_is_made_as_a_caller(operator: Operator, caller: Any, applies: bool) -> None:
    records = [route("a", scope={"project": "support"})]
    tried = await operator.ask("POST", "rules/try", {"records": records, "request": CHAT, "as": caller})
    assert (tried.json["rule"] == "a") == applies, tried.body


@pytest.mark.parametrize(
    ("at", "applies"), [("mon 09:00", True), ("2026-11-30T09:30:00Z", True), ("tue 09:00", False)]
)
async def test_a_trial_is_made_at_a_time(operator: Operator, at: str, applies: bool) -> None:
    records = [route("a", when={"weekday": "mon", "hour": 9})]
    tried = await operator.ask("POST", "rules/try", {"records": records, "request": CHAT, "at": at})
    assert (tried.json["rule"] == "a") == applies


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        pytest.param({"as": {"key": "nobody"}}, "as.key", id="an unknown key"),
        pytest.param({"as": {"keys": "k1"}}, "as.keys", id="an unknown field of the caller"),
        pytest.param({"at": "noon"}, "at", id="no time"),
        pytest.param({"request": {"messages": "hi"}}, "messages", id="a request that is wrong"),
        pytest.param({"request": []}, "request", id="a request that is a list"),
    ],
)
async def test_a_trial_that_cannot_be_made(operator: Operator, fields: Any, param: str) -> None:
    tried = await operator.ask("POST", "rules/try", {"request": CHAT, **fields})
    assert (tried.status, tried.error["param"]) == (400, param), tried.body


async def test_a_trial_with_bad_records_names_them(operator: Operator) -> None:
    tried = await operator.ask("POST", "rules/try", {"records": [BAD], "request": CHAT})
    assert tried.json["problems"][0]["field"] == "prefers"


async def test_a_store_that_fails_is_503_and_names_no_secret(operator: Operator) -> None:
    await operator.get("rules")
    operator.client.before["scan"] = StoreError("scan sluice-rules: access denied")
    response = await operator.ask("GET", "rules")
    assert (response.status, response.error["code"]) == (503, "store_unavailable")
    assert "access denied" in response.error["message"]
    assert ADMIN not in str(response.body)


async def test_a_saved_set_is_in_the_history_and_can_be_read_and_saved_again(operator: Operator) -> None:
    first = await save(operator, await revision(operator), [route("a")], message="first")
    await operator.get("history")
    second = await save(operator, first.json["revision"], [route("b")], message="second")
    entries = (await operator.get("history"))["data"]
    assert [(one["revision"], one["message"]) for one in entries][:2] == [
        (second.json["revision"], "second"),
        (first.json["revision"], "first"),
    ]
    assert entries[0]["changes"] == {"added": ["route/b"], "changed": [], "removed": ["route/a"]}
    past = await operator.get(f"history/{entries[1]['number']}")
    assert past["records"] == [route("a")]
    assert await operator.get(f"history/{first.json['revision']}") == past
    back = await save(operator, second.json["revision"], past["records"])
    assert back.json["revision"] == first.json["revision"]
    (newest,) = (await operator.get("history?limit=1"))["data"]
    assert (newest["number"], newest["revision"]) == (entries[0]["number"] + 1, first.json["revision"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("history/9", 404, id="an unknown number"),
        pytest.param("history/abc", 404, id="an unknown revision"),
        pytest.param("history/%23", 404, id="a strange character"),
        pytest.param("history?limit=0", 400, id="no entries"),
        pytest.param("history?limit=1001", 400, id="too many entries"),
        pytest.param("history?limit=x", 400, id="a limit that is no number"),
        pytest.param("history?before=-1", 400, id="a number below zero"),
        pytest.param("history?after=1", 400, id="an unknown parameter"),
    ],
)
async def test_a_history_that_is_not_there(operator: Operator, path: str, status: int) -> None:
    assert (await operator.ask("GET", path)).status == status


async def test_a_replay_counts_the_samples(operator: Operator, upstream: Upstream) -> None:
    upstream.script("m", whole(completion()))
    records = [provider(upstream.url), model("up/m", price={"input": 1, "output": 2})]
    assert (await save(operator, await revision(operator), records)).status == 200
    assert (await operator.running.chat(model="up/m")).status == 200
    await operator.running.gateway.settle()
    denied = [*records, {"kind": "access", "id": "none", "models": []}]
    found = await operator.ask("POST", "rules/replay", {"records": denied}, key=MANAGE)
    assert (found.status, found.json["samples"], found.json["refused"]) == (200, 1, 1), found.body
    same = await operator.ask("POST", "rules/replay", {"records": records, "since": "1h"})
    assert (same.json["same"], same.json["refused"]) == (1, 0)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        pytest.param({"since": "8d"}, "since", id="longer than samples are kept"),
        pytest.param({"since": "soon"}, "since", id="no duration"),
        pytest.param({"records": [BAD]}, "records[0].prefers", id="a bad record"),
        pytest.param({"records": None}, "records", id="no records"),
    ],
)
async def test_a_replay_that_is_refused(operator: Operator, fields: Any, param: str) -> None:
    response = await operator.ask("POST", "rules/replay", {"records": [], **fields})
    assert (response.status, response.error["param"]) == (400, param), response.body


async def test_the_schema_has_every_kind(operator: Operator) -> None:
    found = await operator.get("schema")
    assert set(found["kinds"]) == set(KINDS)
    assert found["file"]["$schema"]
