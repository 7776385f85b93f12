"""`rules ...` as a person uses them, and which tables are meant, against moto."""

from __future__ import annotations

import json
import re
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from handler.cli.tables import chosen_settings
from handler.settings import Settings
from handler.store.dynamodb import create_client
from tests.handler.cli.person import Person
from tests.support.tables import SETTINGS

GOOD = {"kind": "route", "id": "good", "model": "openai/gpt-5", "priority": Decimal("3")}
BAD = {"kind": "route", "id": "bad", "prefers": "cheap"}
TEST = {"kind": "test", "id": "t", "request": {"messages": []}, "expect": {"rule": "good"}}


def file(tmp_path: Path, *items: Any, text: str | None = None) -> str:
    path = tmp_path / "rules.json"
    path.write_text(text if text is not None else json.dumps(items, default=float), encoding="utf-8")
    return str(path)


def test_pull_edit_push(person: Person, tmp_path: Path) -> None:
    person.puts(GOOD, {"kind": "access", "id": "all", "models": {"openai/*", "gemini/*"}})
    assert person.does("rules", "pull") == 0
    pulled = person.text
    assert person.does("rules", "push", file(tmp_path, text=pulled)) == 0
    assert person.said == ["nothing to change"]

    edited = pulled.replace('"priority": 3', '"priority": 5')
    assert person.does("rules", "push", file(tmp_path, text=edited)) == 0
    assert person.said == [
        "~ route/good",
        "    priority: 3 -> 5",
        "0 added, 1 changed, 0 removed; in force within 60 seconds",
    ]
    assert person.asked == ["0 added, 1 changed, 0 removed: write to sluice-rules?"]
    assert person.finds()[1] == {**GOOD, "priority": 5}


NUMBERS = ["0", "-1", "0.1", "12345678901234567890123456789012345678", "0.00000000000000000000001", "1.5"]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_survives_pull_and_push(person: Person, tmp_path: Path, number: str) -> None:
    record = {"kind": "route", "id": "r", "model": "openai/gpt-5", "set": {"x": Decimal(number)}}
    person.puts(record)
    person.does("rules", "pull")
    assert f'"x": {Decimal(number):f}' in person.text
    assert person.does("rules", "push", file(tmp_path, text=person.text.replace('"r"', '"s"')), "--yes") == 0
    first, second = person.finds()
    assert (first["set"], second["set"]) == (record["set"], record["set"])


def test_a_push_from_standard_input(person: Person) -> None:
    person.stdin = json.dumps([{**GOOD, "priority": 3}]).encode()
    assert person.does("rules", "push", "--yes") == 0
    assert person.finds() == [GOOD]
    assert person.asked == []


@pytest.mark.parametrize(("answer", "code"), [(False, 1), (None, 2)], ids=["no", "nobody to ask"])
def test_without_a_yes_nothing_is_written(
    person: Person, tmp_path: Path, answer: bool | None, code: int
) -> None:
    person.answer = answer
    assert person.does("rules", "push", file(tmp_path, GOOD)) == code
    assert "+ route/good" in person.said
    assert person.finds() == []


def test_pruning_removes_what_the_file_does_not_hold(person: Person, tmp_path: Path) -> None:
    person.puts(GOOD, {"kind": "route", "id": "gone", "model": "openai/gpt-5"})
    assert person.does("rules", "push", file(tmp_path, GOOD)) == 0
    assert person.said == ["nothing to change"]
    assert person.does("rules", "push", "--prune", file(tmp_path, GOOD)) == 0
    assert person.said[0] == "- route/gone"
    assert [item["id"] for item in person.finds()] == ["good"]


def test_emptying_the_table_needs_a_yes_of_its_own_and_names_its_true_time(
    person: Person, tmp_path: Path
) -> None:
    person.puts(GOOD, TEST)
    assert person.does("rules", "push", "--prune", "--yes", file(tmp_path)) == 2
    assert "to remove all 2 records add --yes-delete-everything" in person.text
    assert len(person.finds()) == 2
    assert person.does("rules", "push", file(tmp_path), "--yes") == 0
    assert person.said == ["nothing to change"]
    assert person.does("rules", "push", "--prune", "--yes-delete-everything", file(tmp_path)) == 0
    assert "2 removed; in force within 420 seconds: the rules from before" in person.text
    assert person.finds() == []
    assert person.does("rules", "push", "--prune", file(tmp_path)) == 0, "there is nothing left to protect"


def test_a_push_warns_of_scopes_without_a_key_and_of_what_never_applies(
    person: Person, tmp_path: Path
) -> None:
    person.does("keys", "create", "--name", "x", "--project", "support")
    other = {**GOOD, "id": "worse", "scope": {"project": ["support", "suport"]}}
    assert person.does("rules", "push", file(tmp_path, GOOD, other, {**other, "id": "x"}), "--yes") == 0
    assert person.warned == [
        "warning: route/x: `record`: never applies: route/worse goes first (its id comes first) and applies "
        "wherever this one does",
        "warning: route/worse: `scope.project`: there is no key of project 'suport'",
        "warning: route/x: `scope.project`: there is no key of project 'suport'",
    ]


def test_a_check_compares_scopes_with_the_keys_it_is_given(person: Person, tmp_path: Path) -> None:
    rules = file(tmp_path, {**GOOD, "scope": {"project": "suport", "key": "k1"}})
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps([{"id": "k1", "key": "sk-sluice-" + "k" * 43}]))
    assert person.does("rules", "check", rules) == 0
    assert person.said[0].startswith("note: the keys and projects in scopes were not checked")
    assert person.does("rules", "check", rules, "--keys", str(keys)) == 0
    assert person.said[:-1] == ["warning: route/good: `scope.project`: there is no key of project 'suport'"]
    person.does("keys", "create", "--name", "x", "--project", "suport")
    assert person.does("rules", "check", rules, "--keys-table", SETTINGS.keys_table) == 0
    assert person.said[:-1] == ["warning: route/good: `scope.key`: there is no key with the id 'k1'"]
    keys.write_text("{}")
    assert person.does("rules", "check", rules, "--keys", str(keys)) == 2


def test_a_push_needs_no_right_to_read_keys(person: Person, tmp_path: Path) -> None:
    assert person.does("rules", "push", file(tmp_path, GOOD), "--yes", "--keys-table", "nowhere") == 0
    assert len(person.finds()) == 1


def test_a_large_push_is_written_in_batches(person: Person, tmp_path: Path) -> None:
    many = [{"kind": "route", "id": f"r{n:03}", "model": "openai/gpt-5"} for n in range(130)]
    assert person.does("rules", "push", file(tmp_path, *many), "--yes") == 0
    assert person.finds() == many


REFUSED = [
    pytest.param([BAD], "route/bad: `prefers`: unknown field", id="a bad record"),
    pytest.param([GOOD, {**GOOD, "priority": 4}], "is there twice", id="the same record twice"),
    pytest.param([{"id": "x"}], "`kind`: is missing", id="no kind"),
    pytest.param(["text"], "record", id="a text among the records"),
    pytest.param([TEST], "test/t: expected rule good, got no rule", id="a test that does not hold"),
    pytest.param(
        [{"kind": "route", "id": str(n), "model": "openai/gpt-5"} for n in range(1_001)],
        "1001 records",
        id="too many records",
    ),
]


@pytest.mark.parametrize(("items", "why"), REFUSED)
def test_a_wrong_set_is_refused(person: Person, tmp_path: Path, items: list[Any], why: str) -> None:
    assert person.does("rules", "push", file(tmp_path, *items), "--yes") == 2
    assert why in person.text
    assert person.finds() == []


def route_setting(number: str) -> str:
    return f'[{{"kind": "route", "id": "r", "model": "openai/gpt-5", "set": {{"x": {number}}}}}]'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "this is not JSON", id="an empty file"),
        pytest.param("{}", "a rule set is a JSON list of records", id="an object"),
        pytest.param('[{"kind": "route", "kind": "alias"}]', "'kind' is there twice", id="a name twice"),
        pytest.param('[{"priority": NaN}]', "NaN is not a number", id="NaN"),
        pytest.param("[" * 100_000, "this is not JSON", id="very deep"),
        pytest.param('[{"priority": 1e99999999999999999999}]', "this is not JSON", id="an absurd exponent"),
        pytest.param('["\udc80"]', "this is not JSON", id="broken UTF-8"),
        pytest.param(
            route_setting("1e-999"), "route/r: the number 1E-999 is out of", id="a number too small"
        ),
        pytest.param(route_setting("9" * 40), "has more than 38 digits", id="a number too long"),
    ],
)
def test_a_file_that_is_no_set_is_refused(person: Person, tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "rules.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    for verb in ("push", "check"):
        code = person.does("rules", verb, str(path))
        if verb == "push":
            assert code == 2
            assert why in person.text
    assert person.finds() == []


def test_a_file_that_is_not_there(person: Person) -> None:
    assert person.does("rules", "push", "nowhere.json") == 2
    assert person.warned == ["sluice: nowhere.json: No such file or directory"]


def test_a_test_of_the_table_holds_back_a_push_that_breaks_it(person: Person, tmp_path: Path) -> None:
    person.puts(GOOD, TEST)
    assert person.does("rules", "push", file(tmp_path, {**GOOD, "enabled": False}), "--yes") == 2
    assert "test/t: expected rule good, got no rule" in person.text
    assert "1 of 1 tests do not hold: nothing was written" in person.text


def test_what_is_bad_in_the_table_does_not_hold_back_a_push(person: Person, tmp_path: Path) -> None:
    person.puts(BAD)
    assert person.does("rules", "push", file(tmp_path, GOOD), "--yes") == 0
    assert person.warned[0].startswith("note: in the table already: route/bad: `prefers`")
    assert len(person.finds()) == 2


def test_a_bad_record_is_pulled_so_that_it_can_be_mended(person: Person, tmp_path: Path) -> None:
    person.puts(BAD)
    person.does("rules", "pull")
    mended = person.text.replace("prefers", "prefer")
    assert person.does("rules", "push", file(tmp_path, text=mended), "--yes") == 0
    assert person.finds() == [{"kind": "route", "id": "bad", "prefer": "cheap"}]


def test_a_table_changed_while_the_person_thought_is_not_written_over(person: Person, tmp_path: Path) -> None:
    person.meanwhile = {**GOOD, "note": "changed in the console"}
    assert person.does("rules", "push", file(tmp_path, {**GOOD, "priority": 9})) == 2
    assert "the table was changed meanwhile" in person.text
    assert person.finds()[0]["priority"] == 3


def test_a_list_of_rules_shows_every_record_on_a_line(person: Person) -> None:
    person.puts(GOOD, BAD, {"kind": "access", "id": "a", "models": ["*"], "scope": {"project": ["x", "y"]}})
    person.puts({"kind": "log", "id": "l", "sample": 1, "days": 1, "enabled": False})
    assert person.does("rules", "list") == 0
    lines = [re.split("  +", line) for line in person.said]
    assert lines[0] == ["KIND", "ID", "STATE", "SCOPE", "NOTE"]
    assert ["route", "good", "on", "all"] in lines
    assert ["access", "a", "on", "project=x,y"] in lines
    assert ["log", "l", "disabled", "all"] in lines
    assert [line[:3] for line in lines if "BAD" in line] == [["route", "bad", "BAD"]]


def test_checking_names_a_model_that_a_record_is_like_and_nobody_knows(person: Person) -> None:
    team = {"kind": "model", "id": "azure/team", "provider": "azure", "name": "team"}
    person.puts({**team, "like": "azure/gtp-5"})
    assert person.does("rules", "check") == 0
    assert person.said[0].startswith(
        "warning: model/azure/team: `like`: the catalogue has no model 'azure/gtp-5'"
    )


def test_checking_the_table_and_a_file(person: Person, tmp_path: Path) -> None:
    person.puts(GOOD, TEST, {"kind": "alias", "id": "a", "models": ["gtp-5"]})
    assert person.does("rules", "check") == 0
    assert person.said[0].startswith("warning: alias/a: `models`: there is no model 'gtp-5'")
    assert person.said[-1] == "3 records, 0 problems, 1 of 1 tests hold"
    assert person.does("rules", "check", file(tmp_path, BAD, TEST)) == 2
    assert person.said[-1] == "1 record, 1 problem, 0 of 1 tests hold"
    assert person.said[0].startswith("route/bad: `prefers`: unknown field, did you mean `prefer`?")


def test_a_file_is_checked_without_aws(tmp_path: Path) -> None:
    person = Person(None)
    assert (
        person.does("rules", "check", file(tmp_path, {"kind": "log", "id": "l", "sample": 1, "days": 1})) == 0
    )
    assert person.said == [
        "note: log/l: not active: this version does not serve the kind yet",
        "1 record, 0 problems, 0 of 0 tests hold",
    ]


def test_an_explanation_against_the_table(person: Person, tmp_path: Path) -> None:
    person.puts({**GOOD, "scope": {"project": "support"}, "when": {"hour": 7}})
    person.does("keys", "create", "--name", "ci", "--project", "support")
    (key,) = person.finds(SETTINGS.keys_table)
    request = tmp_path / "request.json"
    request.write_text('{"messages": [{"role": "user", "content": "hi"}], "temperature": 0.5}')
    for arguments, rule in (
        (("--project", "support", "--at", "2027-01-31T07:00:00Z"), "good"),
        (("--key", key["id"], "--at", "2027-01-31T08:30:00+01:00"), "good"),
        (("--project", "support", "--at", "2027-01-31T08:00:00Z"), None),
        (("--project", "support", "--at", "wed 07:30"), "good"),
        ((), None),
    ):
        assert person.does("rules", "explain", str(request), *arguments) == 0
        assert json.loads("\n".join(person.said)).get("rule") == rule


def test_an_explanation_names_what_is_bad_in_the_table(person: Person) -> None:
    person.puts(BAD)
    person.stdin = b'{"messages": []}'
    assert person.does("rules", "explain", "-") == 0
    assert person.warned[0].startswith("route/bad: `prefers`")


@pytest.mark.parametrize(
    ("stdin", "arguments", "why"),
    [
        pytest.param(b"[]", (), "a chat request is a JSON object", id="a list for a request"),
        pytest.param(b"{", (), "this is not JSON", id="no JSON"),
        pytest.param(b"{}", ("--key", "nobody"), "there is no key with the id nobody", id="an unknown key"),
        pytest.param(b"{}", ("--at", "noon"), "--at: must be a time like", id="a time that is none"),
    ],
)
def test_an_explanation_of_nothing(
    person: Person, stdin: bytes, arguments: tuple[str, ...], why: str
) -> None:
    person.stdin = stdin
    assert person.does("rules", "explain", "-", *arguments) == 2
    assert why in person.text


def test_a_missing_table_asks_for_the_stack(person: Person) -> None:
    assert person.does("rules", "pull", "--rules-table", "nowhere") == 1
    assert person.warned == [
        "sluice: scan nowhere: there is no such table; which stack is meant? --stack NAME"
    ]


def test_trouble_on_the_way_is_said_plainly(person: Person) -> None:
    class Throttled:
        def scan(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "arn:aws:x"}}, "Scan")

    person.database = Throttled()
    for arguments in (("keys", "list"), ("rules", "list"), ("rules", "pull"), ("rules", "check")):
        assert person.does(*arguments) == 1
        assert person.text in ("sluice: scan sluice-keys: throttled", "sluice: scan sluice-rules: throttled")


def resources(*names: str) -> str:
    table = {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        },
    }
    return json.dumps({"Resources": dict.fromkeys(names, table)})


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with mock_aws():
        yield create_client(REGION, service="cloudformation")


REGION = Settings(environment={"AWS_REGION": "eu-west-1"})


def test_a_stack_names_the_tables(aws: Any) -> None:
    aws.create_stack(StackName="mine", TemplateBody=resources("RulesTable", "KeysTable", "StateTable"))
    person = Person(None)
    person.settings = Settings()
    assert person.does("keys", "list", "--stack", "mine", "--region", "eu-west-1") == 0
    assert person.said == ["ID  NAME  PROJECT  STATE  SCOPES  MODELS  CREATED  EXPIRES  LAST USED"]


FUNCTION: dict[str, Any] = {
    "Role": {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            }
        },
    },
    "Gateway": {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Code": {"ZipFile": "x = 1"},
            "Handler": "index.x",
            "Runtime": "python3.13",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Environment": {
                "Variables": {"SLUICE_RULES_TTL": "5", "SLUICE_KEY_TTL": "30", "SLUICE_MAX_N": "?"}
            },
        },
    },
}


def test_the_times_shown_are_those_of_the_deployed_function(aws: Any) -> None:
    tables = json.loads(resources("RulesTable", "KeysTable", "StateTable"))["Resources"]
    for name, more, expected in (("with", FUNCTION, (5, 30)), ("without", {}, (15, 60))):
        aws.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {**tables, **more}}))
        given = ArgumentParser().parse_args([])
        given.stack, given.region, given.rules_table, given.keys_table = name, None, None, "mine"
        chosen = chosen_settings(given, replace(REGION, rules_ttl=0, key_ttl=0))
        assert (chosen.rules_ttl, chosen.key_ttl, chosen.keys_table) == (*expected, "mine")


@pytest.mark.parametrize(
    ("stack", "code", "why"),
    [
        pytest.param(
            "other", 2, "the stack other is no gateway: it has no KeysTable, StateTable", id="another's"
        ),
        pytest.param(
            "none", 1, "sluice: describe stack resources: Stack with id none does not exist", id="none"
        ),
    ],
)
def test_a_stack_that_is_not_ours(aws: Any, stack: str, code: int, why: str) -> None:
    aws.create_stack(StackName="other", TemplateBody=resources("RulesTable"))
    person = Person(None)
    person.settings = REGION
    assert person.does("rules", "pull", "--stack", stack) == code
    assert why in person.text
