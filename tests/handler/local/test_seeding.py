"""The records of a new local run: the examples, or those of files with good and bad records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from handler.access.keys import generate_key, hash_key
from handler.aws.errors import StoreError
from handler.aws.sdk import scan
from handler.local.seeding import EXAMPLES, SeedResult, Seeds, read_seeds, store_seeds
from handler.settings import Settings
from handler.store.attributes import deserialize_item
from rules import KINDS, read_record
from rules.__main__ import main as check_and_explain
from rules.review.command_line import InvalidInput
from tests.support.tables import dynamodb

Json = dict[str, Any]
SETTINGS = Settings()
ROUTE = {"kind": "route", "id": "a", "model": "local/echo"}


def run_seeds(
    seeds: Seeds, *, examples: bool = False
) -> tuple[SeedResult, list[Json], list[Json], list[str]]:
    """Return the counts, the records of both tables, and the reports."""
    reports: list[str] = []
    with dynamodb() as client:
        result = store_seeds(client, SETTINGS, seeds, examples=examples, report=reports.append)
        tables = (SETTINGS.rules_table, SETTINGS.keys_table)
        rules, keys = ([deserialize_item(item) for item in scan(client, table)] for table in tables)
    return result, rules, keys, reports


def test_an_embedded_run_starts_with_the_examples_and_a_new_key() -> None:
    result, rules, (key,), reports = run_seeds(Seeds(), examples=True)
    assert result.new_key
    assert (key["hash"], key["scopes"]) == (hash_key(result.new_key), ["manage", "admin"])
    assert result.new_key not in json.dumps(key)
    assert (result.rules, reports) == (len(rules), [])
    assert {(rule["kind"], rule["id"]) for rule in rules} == {(one["kind"], one["id"]) for one in examples()}


def test_a_run_on_a_given_dynamodb_writes_no_examples() -> None:
    result, rules, keys, reports = run_seeds(Seeds())
    assert (result, rules, keys, reports) == (SeedResult(rules=0, keys=0), [], [], [])


def test_each_file_replaces_its_own_examples() -> None:
    result, rules, keys, _ = run_seeds(Seeds(rules=[ROUTE]), examples=True)
    assert (rules, len(keys), bool(result.new_key)) == ([ROUTE], 1, True)
    key = generate_key()
    result, rules, keys, _ = run_seeds(Seeds(keys=[{"key": key, "name": "ci"}]), examples=True)
    assert (len(rules), keys[0]["hash"], keys[0]["name"]) == (len(examples()), hash_key(key), "ci")
    assert result.new_key is None


@pytest.mark.parametrize(
    ("entry", "words", "stored"),
    [
        pytest.param(
            {**ROUTE, "prefers": "fast"},
            ("rule 2", "route a", "prefers", "did you mean `prefer`"),
            True,
            id="a misspelt field",
        ),
        pytest.param(
            {**ROUTE, "when": {"hour": "x"}}, ("route a", "hour"), True, id="a condition of a wrong type"
        ),
        pytest.param({"kind": "rout", "id": "a"}, ("rout a", "kind"), True, id="an unknown kind"),
        pytest.param(
            {"kind": "route", "model": "local/echo"},
            ("rule 2", "id"),
            False,
            id="no id, which the table needs",
        ),
        pytest.param({"kind": "", "id": "a"}, ("rule 2",), False, id="an empty kind"),
        pytest.param("route", ("rule 2", '"route"'), False, id="not an object"),
        pytest.param(
            {**ROUTE, "note": "x" * 500_000}, ("route a", "ize"), False, id="larger than an item may be"
        ),
        pytest.param(
            {**ROUTE, "priority": float("inf")}, ("route a",), False, id="a number that no table can hold"
        ),
    ],
)
def test_a_bad_rule_is_reported_and_the_others_are_stored(
    entry: Any, words: tuple[str, ...], stored: bool
) -> None:
    result, rules, _, reports = run_seeds(Seeds(rules=[{**ROUTE, "id": "good"}, entry]))
    assert all(word in " ".join(reports) for word in words), reports
    assert (result.rules, len(rules)) == (1 + stored, 1 + stored)


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        pytest.param({"name": "ci"}, "`key`", id="no key"),
        pytest.param({"key": "sk-other-1"}, "`key`", id="a key of another form"),
        pytest.param({"key": generate_key(), "scopes": ["root"]}, "scopes", id="an unknown scope"),
        pytest.param({"key": generate_key(), "expires": "2027-01-31"}, "expires", id="a misspelt field"),
        pytest.param("sk-sluice-x", "expected a record", id="not an object"),
    ],
)
def test_a_bad_key_is_reported_and_never_shown(entry: Any, word: str) -> None:
    _, _, keys, reports = run_seeds(Seeds(keys=[entry, {"key": generate_key()}]))
    assert (len(keys), len(reports), word in reports[0]) == (1, 1, True)
    assert "key 1" in reports[0]
    assert "sk-sluice-x" not in reports[0]


def test_a_failing_store_is_not_reported_as_a_bad_record() -> None:
    with dynamodb() as client, pytest.raises(StoreError):
        store_seeds(client, Settings(rules_table="other"), Seeds(rules=[ROUTE]), examples=False, report=print)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(None, "No such file", id="a missing file"),
        pytest.param("{nonsense", "not JSON", id="not JSON"),
        pytest.param('{"kind": "route"}', "a rule set is a JSON list", id="one record without a list"),
    ],
)
def test_a_file_without_a_list_cannot_be_served(text: str | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput, match=words):
        read_seeds(rules=str(path), keys=None)


def test_a_file_that_was_pulled_can_be_served(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"revision": "0a1b2c3d4e5f", "records": [ROUTE]}), encoding="utf-8")
    assert read_seeds(rules=str(path), keys=None).rules == [ROUTE]


def examples() -> list[Json]:
    records: list[Json] = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return records


@pytest.mark.parametrize("record", examples(), ids=lambda record: f"{record['kind']} {record['id']}")
def test_an_example_is_a_readable_record_of_an_active_kind(record: Json) -> None:
    assert read_record(record).id == record["id"]
    assert record["kind"] in KINDS


def test_the_examples_pass_their_own_tests() -> None:
    assert check_and_explain(["check", str(EXAMPLES)]) == 0
