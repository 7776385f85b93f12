"""The commands `rules ...`, on moto."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.handler.cli.command_line import CommandLine
from tests.support.tables import SETTINGS

GOOD = {"kind": "route", "id": "good", "model": "openai/gpt-5", "priority": Decimal("3")}
BAD = {"kind": "route", "id": "bad", "prefers": "cheap"}
TEST = {"kind": "test", "id": "t", "request": {"messages": []}, "expect": {"rule": "good"}}


def file(tmp_path: Path, *items: Any, text: str | None = None) -> str:
    path = tmp_path / "rules.json"
    path.write_text(text if text is not None else json.dumps(items, default=float), encoding="utf-8")
    return str(path)


def test_pull_edit_push(cli: CommandLine, tmp_path: Path) -> None:
    cli.put_rules(GOOD, {"kind": "access", "id": "all", "models": {"openai/*", "gemini/*"}})
    assert cli.run("rules", "pull") == 0
    pulled = cli.text
    assert cli.run("rules", "push", file(tmp_path, text=pulled)) == 0
    assert cli.printed == ["nothing to change"]

    edited = pulled.replace('"priority": 3', '"priority": 5')
    assert cli.run("rules", "push", file(tmp_path, text=edited)) == 0
    assert cli.printed == [
        "~ route/good",
        "    priority: 3 -> 5",
        "0 added, 1 changed, 0 removed; in force within 60 seconds",
    ]
    assert cli.questions == ["0 added, 1 changed, 0 removed: write to sluice-rules?"]
    assert cli.stored()[1] == {**GOOD, "priority": 5}


NUMBERS = ["0", "-1", "0.1", "12345678901234567890123456789012345678", "0.00000000000000000000001", "1.5"]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_survives_pull_and_push(cli: CommandLine, tmp_path: Path, number: str) -> None:
    record = {"kind": "route", "id": "r", "model": "openai/gpt-5", "set": {"x": Decimal(number)}}
    cli.put_rules(record)
    cli.run("rules", "pull")
    assert f'"x": {Decimal(number):f}' in cli.text
    assert cli.run("rules", "push", file(tmp_path, text=cli.text.replace('"r"', '"s"')), "--yes") == 0
    first, second = cli.stored()
    assert (first["set"], second["set"]) == (record["set"], record["set"])


def test_a_push_from_standard_input(cli: CommandLine) -> None:
    cli.stdin = json.dumps([{**GOOD, "priority": 3}]).encode()
    assert cli.run("rules", "push", "--yes") == 0
    assert cli.stored() == [GOOD]
    assert cli.questions == []


@pytest.mark.parametrize(("answer", "code"), [(False, 1), (None, 2)], ids=["answered no", "no terminal"])
def test_without_confirmation_nothing_is_written(
    cli: CommandLine, tmp_path: Path, answer: bool | None, code: int
) -> None:
    cli.answer = answer
    assert cli.run("rules", "push", file(tmp_path, GOOD)) == code
    assert "+ route/good" in cli.printed
    assert cli.stored() == []


def test_pruning_removes_the_records_that_are_not_in_the_file(cli: CommandLine, tmp_path: Path) -> None:
    cli.put_rules(GOOD, {"kind": "route", "id": "gone", "model": "openai/gpt-5"})
    assert cli.run("rules", "push", file(tmp_path, GOOD)) == 0
    assert cli.printed == ["nothing to change"]
    assert cli.run("rules", "push", "--prune", file(tmp_path, GOOD)) == 0
    assert cli.printed[0] == "- route/gone"
    assert [item["id"] for item in cli.stored()] == ["good"]


def test_emptying_the_table_needs_its_own_option_and_takes_longer(cli: CommandLine, tmp_path: Path) -> None:
    cli.put_rules(GOOD, TEST)
    assert cli.run("rules", "push", "--prune", "--yes", file(tmp_path)) == 2
    assert "to remove all 2 records add --yes-delete-everything" in cli.text
    assert len(cli.stored()) == 2
    assert cli.run("rules", "push", file(tmp_path), "--yes") == 0
    assert cli.printed == ["nothing to change"]
    assert cli.run("rules", "push", "--prune", "--yes-delete-everything", file(tmp_path)) == 0
    assert "2 removed; in force within 420 seconds: the old rules stay for 300" in cli.text
    assert cli.stored() == []
    assert cli.run("rules", "push", "--prune", file(tmp_path)) == 0, "an empty table needs no option"


def test_a_push_warns_of_scopes_without_a_key_and_of_what_never_applies(
    cli: CommandLine, tmp_path: Path
) -> None:
    cli.run("keys", "create", "--name", "x", "--project", "support")
    other = {**GOOD, "id": "worse", "scope": {"project": ["support", "suport"]}}
    assert cli.run("rules", "push", file(tmp_path, GOOD, other, {**other, "id": "x"}), "--yes") == 0
    assert cli.warnings == [
        "warning: route/x: `record`: never applies: route/worse goes first (its id comes first) and applies "
        "wherever this one does",
        "warning: route/worse: `scope.project`: there is no key of project 'suport'",
        "warning: route/x: `scope.project`: there is no key of project 'suport'",
    ]


def test_a_check_compares_scopes_with_the_given_keys(cli: CommandLine, tmp_path: Path) -> None:
    rules = file(tmp_path, {**GOOD, "scope": {"project": "suport", "key": "k1"}})
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps([{"id": "k1", "key": "sk-sluice-" + "k" * 43}]))
    assert cli.run("rules", "check", rules) == 0
    assert cli.printed[0].startswith("note: the keys and projects in scopes were not checked")
    assert cli.run("rules", "check", rules, "--keys", str(keys)) == 0
    assert cli.printed[:-1] == ["warning: route/good: `scope.project`: there is no key of project 'suport'"]
    cli.run("keys", "create", "--name", "x", "--project", "suport")
    assert cli.run("rules", "check", rules, "--keys-table", SETTINGS.keys_table) == 0
    assert cli.printed[:-1] == ["warning: route/good: `scope.key`: there is no key with the id 'k1'"]
    keys.write_text("{}")
    assert cli.run("rules", "check", rules, "--keys", str(keys)) == 2


def test_a_push_needs_no_permission_to_read_keys(cli: CommandLine, tmp_path: Path) -> None:
    assert cli.run("rules", "push", file(tmp_path, GOOD), "--yes", "--keys-table", "nowhere") == 0
    assert len(cli.stored()) == 1


def test_a_large_push_is_written_in_batches(cli: CommandLine, tmp_path: Path) -> None:
    many = [{"kind": "route", "id": f"r{n:03}", "model": "openai/gpt-5"} for n in range(130)]
    assert cli.run("rules", "push", file(tmp_path, *many), "--yes") == 0
    assert cli.stored() == many


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


@pytest.mark.parametrize(("items", "message"), REFUSED)
def test_a_wrong_set_is_refused(cli: CommandLine, tmp_path: Path, items: list[Any], message: str) -> None:
    assert cli.run("rules", "push", file(tmp_path, *items), "--yes") == 2
    assert message in cli.text
    assert cli.stored() == []


def route_setting(number: str) -> str:
    return f'[{{"kind": "route", "id": "r", "model": "openai/gpt-5", "set": {{"x": {number}}}}}]'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "this is not JSON", id="an empty file"),
        pytest.param("{}", "a rule set is a JSON list of records", id="an object"),
        pytest.param('{"revision": "x"}', "a rule set is a JSON list", id="a revision without records"),
        pytest.param('{"records": {}}', "a rule set is a JSON list", id="records that are no list"),
        pytest.param('{"records": [], "rev": 1}', "a rule set is a JSON list", id="another member"),
        pytest.param('{"records": [], "revision": 1}', "`revision` is a number", id="a revision as a number"),
        pytest.param('[{"kind": "route", "kind": "alias"}]', "'kind' is there twice", id="a name twice"),
        pytest.param('[{"priority": NaN}]', "NaN is not a number", id="NaN"),
        pytest.param("[" * 100_000, "this is not JSON", id="very deep"),
        pytest.param('[{"priority": 1e99999999999999999999}]', "this is not JSON", id="an enormous exponent"),
        pytest.param('["\udc80"]', "this is not JSON", id="broken UTF-8"),
        pytest.param(
            route_setting("1e-999"), "route/r: `record`: the number 1E-999 is out of", id="a number too small"
        ),
        pytest.param(route_setting("9" * 40), "has more than 38 digits", id="a number too long"),
    ],
)
def test_a_file_that_is_not_a_set_is_refused(
    cli: CommandLine, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "rules.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    for verb in ("push", "check"):
        code = cli.run("rules", verb, str(path))
        if verb == "push":
            assert code == 2
            assert message in cli.text
    assert cli.stored() == []


def test_a_missing_file(cli: CommandLine) -> None:
    assert cli.run("rules", "push", "nowhere.json") == 2
    assert cli.warnings == ["sluice: nowhere.json: No such file or directory"]


def test_a_push_that_fails_a_test_of_the_table_is_refused(cli: CommandLine, tmp_path: Path) -> None:
    cli.put_rules(GOOD, TEST)
    assert cli.run("rules", "push", file(tmp_path, {**GOOD, "enabled": False}), "--yes") == 2
    assert "test/t: expected rule good, got no rule" in cli.text
    assert "1 of 1 tests do not hold: nothing was written" in cli.text


def test_a_bad_record_in_the_table_does_not_refuse_a_push(cli: CommandLine, tmp_path: Path) -> None:
    cli.put_rules(BAD)
    assert cli.run("rules", "push", file(tmp_path, GOOD), "--yes") == 0
    assert cli.warnings[0].startswith("note: in the table already: route/bad: `prefers`")
    assert len(cli.stored()) == 2


def test_a_bad_record_is_pulled_and_can_be_corrected(cli: CommandLine, tmp_path: Path) -> None:
    cli.put_rules(BAD)
    cli.run("rules", "pull")
    corrected = cli.text.replace("prefers", "prefer")
    assert cli.run("rules", "push", file(tmp_path, text=corrected), "--yes") == 0
    assert cli.stored() == [{"kind": "route", "id": "bad", "prefer": "cheap"}]


def test_a_table_that_changed_during_the_question_is_not_overwritten(
    cli: CommandLine, tmp_path: Path
) -> None:
    cli.concurrent_write = {**GOOD, "note": "changed in the console"}
    assert cli.run("rules", "push", file(tmp_path, {**GOOD, "priority": 9})) == 2
    assert "the table changed since it was read" in cli.text
    assert cli.stored()[0]["priority"] == 3


def test_a_list_of_rules_shows_every_record_on_a_line(cli: CommandLine) -> None:
    cli.put_rules(GOOD, BAD, {"kind": "access", "id": "a", "models": ["*"], "scope": {"project": ["x", "y"]}})
    cli.put_rules({"kind": "log", "id": "l", "sample": 1, "days": 1, "enabled": False})
    assert cli.run("rules", "list") == 0
    lines = [re.split("  +", line) for line in cli.printed]
    assert lines[0] == ["KIND", "ID", "STATE", "SCOPE", "NOTE"]
    assert ["route", "good", "on", "all"] in lines
    assert ["access", "a", "on", "project=x,y"] in lines
    assert ["log", "l", "disabled", "all"] in lines
    assert [line[:3] for line in lines if "BAD" in line] == [["route", "bad", "BAD"]]


def test_a_check_warns_of_an_unknown_model_in_like(cli: CommandLine) -> None:
    team = {"kind": "model", "id": "azure/team", "provider": "azure", "name": "team"}
    cli.put_rules({**team, "like": "azure/gtp-5"})
    assert cli.run("rules", "check") == 0
    assert cli.printed[0].startswith(
        "warning: model/azure/team: `like`: the catalogue has no model 'azure/gtp-5'"
    )


def test_a_check_of_the_table_and_of_a_file(cli: CommandLine, tmp_path: Path) -> None:
    cli.put_rules(GOOD, TEST, {"kind": "alias", "id": "a", "models": ["gtp-5"]})
    assert cli.run("rules", "check") == 0
    assert cli.printed[0].startswith("warning: alias/a: `models`: there is no model 'gtp-5'")
    assert cli.printed[-1] == "3 records, 0 problems, 1 of 1 tests hold"
    assert cli.run("rules", "check", file(tmp_path, BAD, TEST)) == 2
    assert cli.printed[-1] == "1 record, 1 problem, 0 of 1 tests hold"
    assert cli.printed[0].startswith("route/bad: `prefers`: unknown field, did you mean `prefer`?")


def test_a_file_is_checked_without_aws(tmp_path: Path) -> None:
    cli = CommandLine(None)
    assert cli.run("rules", "check", file(tmp_path, {"kind": "mcp", "id": "m", "url": "https://a"})) == 0
    assert cli.printed == ["1 record, 0 problems, 0 of 0 tests hold"]


def test_an_explanation_against_the_table(cli: CommandLine, tmp_path: Path) -> None:
    cli.put_rules({**GOOD, "scope": {"project": "support"}, "when": {"hour": 7}})
    cli.run("keys", "create", "--name", "ci", "--project", "support")
    (key,) = cli.stored(SETTINGS.keys_table)
    request = tmp_path / "request.json"
    request.write_text('{"messages": [{"role": "user", "content": "hi"}], "temperature": 0.5}')
    for arguments, rule in (
        (("--project", "support", "--at", "2027-01-31T07:00:00Z"), "good"),
        (("--key", key["id"], "--at", "2027-01-31T08:30:00+01:00"), "good"),
        (("--project", "support", "--at", "2027-01-31T08:00:00Z"), None),
        (("--project", "support", "--at", "wed 07:30"), "good"),
        ((), None),
    ):
        assert cli.run("rules", "explain", str(request), *arguments) == 0
        assert json.loads("\n".join(cli.printed)).get("rule") == rule


def test_an_explanation_warns_of_bad_records_in_the_table(cli: CommandLine) -> None:
    cli.put_rules(BAD)
    cli.stdin = b'{"messages": []}'
    assert cli.run("rules", "explain", "-") == 0
    assert cli.warnings[0].startswith("route/bad: `prefers`")


@pytest.mark.parametrize(
    ("stdin", "arguments", "message"),
    [
        pytest.param(b"[]", (), "a chat request is a JSON object", id="a list as the request"),
        pytest.param(b"{", (), "this is not JSON", id="not JSON"),
        pytest.param(b"{}", ("--key", "nobody"), "there is no key with the id nobody", id="an unknown key"),
        pytest.param(b"{}", ("--at", "noon"), "--at: must be a time like", id="not a time"),
    ],
)
def test_an_explanation_of_wrong_input(
    cli: CommandLine, stdin: bytes, arguments: tuple[str, ...], message: str
) -> None:
    cli.stdin = stdin
    assert cli.run("rules", "explain", "-", *arguments) == 2
    assert message in cli.text
