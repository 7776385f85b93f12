"""The commands `rules history | show | diff | rollback`, and pushes of files that were pulled, on moto."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from handler.store.tables import Store
from rules import RuleSet
from tests.handler.cli.command_line import CommandLine
from tests.support.inline_client import InlineClient
from tests.support.tables import SETTINGS

Item = dict[str, Any]


def route(id: str, **fields: Any) -> Item:
    return {"kind": "route", "id": id, "model": "openai/gpt-5", **fields}


def adopt(cli: CommandLine) -> str:
    """Let an instance adopt the table, and return the revision."""

    async def adopted() -> str:
        store = Store(InlineClient(cli.database), SETTINGS)
        items = await store.load_rules()
        revision = RuleSet.read(items).revision
        assert await store.save_adopted(revision, items)
        return revision

    return asyncio.run(adopted())


def edited(tmp_path: Path, text: str, before: str = "", after: str = "") -> str:
    """Write a pulled file with one edit, and return its path."""
    assert before in text
    path = tmp_path / "rules.json"
    path.write_text(text.replace(before, after))
    return str(path)


def pull(cli: CommandLine) -> str:
    assert cli.run("rules", "pull") == 0
    return cli.text


@pytest.fixture
def past(cli: CommandLine) -> list[str]:
    """Three sets of rules that were in force, one after the other; their revisions."""
    cli.put_rules(route("a"))
    first = adopt(cli)
    cli.put_rules(route("a", priority=2), route("b", note="x"))
    second = adopt(cli)
    cli.database.delete_item(TableName=SETTINGS.rules_table, Key={"kind": {"S": "route"}, "id": {"S": "b"}})
    return [first, second, adopt(cli)]


def test_the_history_is_listed_newest_first(cli: CommandLine, past: list[str]) -> None:
    assert cli.run("rules", "history") == 0
    lines = [re.split("  +", line) for line in cli.printed]
    assert lines[0] == ["NUMBER", "REVISION", "IN FORCE SINCE", "CHANGES", "MESSAGE"]
    assert [[line[0], line[1], line[3]] for line in lines[1:]] == [
        ["3", past[2], "- route/b"],
        ["2", past[1], "+ route/b, ~ route/a"],
        ["1", past[0], "+ route/a"],
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line[2]) for line in lines[1:])
    assert cli.run("rules", "history", "--json", "--limit", "1", "--before", "3") == 0
    (entry,) = json.loads(cli.text)
    assert (entry["number"], entry["revision"], entry["previous"]) == (2, past[1], past[0])
    assert entry["changes"] == {"added": ["route/b"], "changed": ["route/a"], "removed": []}


def test_many_changes_are_counted(cli: CommandLine) -> None:
    cli.put_rules(*(route(f"number-{n}") for n in range(9)))
    adopt(cli)
    cli.run("rules", "history")
    assert cli.printed[1].endswith("9 records")


def test_without_a_history_the_list_says_so(cli: CommandLine) -> None:
    assert cli.run("rules", "history") == 0
    assert cli.printed[0].startswith("no set of rules was in force yet")
    assert cli.run("rules", "history", "--json") == 0
    assert json.loads(cli.text) == []


def test_a_set_of_the_history_is_shown_as_a_pull_prints_it(cli: CommandLine, past: list[str]) -> None:
    for which in ("1", past[0], past[0][:6]):
        assert cli.run("rules", "show", which) == 0
        assert json.loads(cli.text) == {"revision": past[0], "records": [route("a")]}


def test_sets_of_the_history_are_compared_with_each_other_and_with_the_table(
    cli: CommandLine, past: list[str]
) -> None:
    assert cli.run("rules", "diff", "1", past[1]) == 0
    difference = ["~ route/a", "    priority: (none) -> 2", "1 added, 1 changed, 0 removed"]
    assert cli.printed == ["+ route/b", *difference]
    cli.put_rules(route("c"))
    assert cli.run("rules", "diff", "3") == 0
    assert cli.printed == ["+ route/c", "1 added, 0 changed, 0 removed"]


@pytest.mark.parametrize("arguments", [("show", "9"), ("diff", "1", "ffff"), ("rollback", "x\x1b[2J")])
def test_an_entry_that_is_not_there(cli: CommandLine, past: list[str], arguments: tuple[str, ...]) -> None:
    assert cli.run("rules", *arguments) == 2
    assert cli.warnings[0].startswith("sluice: the history has no entry ")
    assert cli.warnings[0].isprintable()


def test_a_rollback_shows_the_difference_and_is_a_new_entry(cli: CommandLine, past: list[str]) -> None:
    assert cli.run("rules", "rollback", "2") == 0
    assert cli.printed == ["+ route/b", "1 added, 0 changed, 0 removed; in force within 60 seconds"]
    assert cli.questions == ["1 added, 0 changed, 0 removed: write to sluice-rules?"]
    assert cli.stored() == [route("a", priority=2), route("b", note="x")]
    assert adopt(cli) == past[1]
    cli.run("rules", "history", "--limit", "1")
    assert re.split("  +", cli.printed[1])[:2] == ["4", past[1]]
    assert re.search("back to 2 of 20..-..-..T..:..:..Z$", cli.printed[1])


def test_a_rollback_removes_what_the_set_does_not_have(cli: CommandLine, past: list[str]) -> None:
    cli.put_rules(route("new"), {"kind": "route", "id": "bad", "prefers": "x"})
    assert cli.run("rules", "rollback", past[0], "--yes", "--message", "as before") == 0
    assert cli.printed[-1].startswith("0 added, 1 changed, 2 removed")
    assert cli.stored() == [route("a")]
    adopt(cli)
    cli.run("rules", "history", "--limit", "1")
    assert cli.printed[1].endswith("as before")


@pytest.mark.parametrize(("answer", "code"), [(False, 1), (None, 2)], ids=["answered no", "no terminal"])
def test_a_rollback_needs_a_confirmation(
    cli: CommandLine, past: list[str], answer: bool | None, code: int
) -> None:
    cli.answer = answer
    assert cli.run("rules", "rollback", "1") == code
    assert cli.stored() == [route("a", priority=2)]


def test_a_rollback_to_the_set_in_the_table_changes_nothing(cli: CommandLine, past: list[str]) -> None:
    assert cli.run("rules", "rollback", "3") == 0
    assert cli.printed == ["nothing to change"]


def test_a_message_is_kept_with_the_revision(cli: CommandLine, tmp_path: Path, past: list[str]) -> None:
    file = edited(tmp_path, pull(cli), '"priority": 2', '"priority": 7')
    assert cli.run("rules", "push", file, "--yes", "--message", "Friday's prices \x1b[2J") == 0
    adopt(cli)
    assert cli.run("rules", "history", "--limit", "1") == 0
    assert cli.printed[1].endswith('"Friday\'s prices \\u001b[2J"')
    assert cli.run("rules", "push", file, "--yes", "--message", "x" * 1_001) == 2
    assert cli.warnings == ["sluice: --message has more than 1,000 characters"]


def test_a_push_of_a_pulled_file_is_refused_when_the_table_changed_since(
    cli: CommandLine, tmp_path: Path, past: list[str]
) -> None:
    file = edited(tmp_path, pull(cli), '"priority": 2', '"priority": 7')
    cli.put_rules(route("a", priority=2, note="of another person"), route("theirs"))
    before = cli.stored()
    for prune in ((), ("--prune",)):
        assert cli.run("rules", "push", file, "--yes", *prune) == 2
        assert cli.printed == [
            "changed in the table:",
            "+ route/theirs",
            "~ route/a",
            '    note: (none) -> "of another person"',
        ]
        assert "the table changed since it was read; nothing was written. Pull again" in cli.text
    assert cli.stored() == before


def test_without_the_pulled_set_in_the_history_the_differences_to_the_file_are_shown(
    cli: CommandLine, tmp_path: Path
) -> None:
    cli.put_rules(route("a"))
    file = edited(tmp_path, pull(cli), '"id": "a"', '"id": "a", "note": "mine"')
    cli.put_rules(route("theirs"))
    assert cli.run("rules", "push", file, "--yes") == 2
    assert cli.printed == [
        "the table differs from the file in:",
        "+ route/theirs",
        "~ route/a",
        '    note: "mine" -> (none)',
    ]
    assert cli.run("rules", "push", file, "--yes", "--state-table", "nowhere") == 2, "it needs no State"
    assert cli.stored() == [route("a"), route("theirs")]


def test_a_push_that_was_written_already_is_no_conflict(cli: CommandLine, tmp_path: Path) -> None:
    cli.put_rules(route("a"))
    file = edited(tmp_path, pull(cli), '"id": "a"', '"id": "a", "note": "mine"')
    assert cli.run("rules", "push", file, "--yes") == 0
    assert cli.run("rules", "push", file, "--yes") == 0
    assert cli.printed == ["nothing to change"]


def test_a_push_that_broke_off_is_finished_by_pushing_again(
    cli: CommandLine, tmp_path: Path, past: list[str]
) -> None:
    """Half of the changes are in the table: the file has them too, so they are no conflict."""
    text = pull(cli).replace('"priority": 2', '"priority": 7')
    new = ",".join(json.dumps(route(f"n{n}")) for n in range(3))
    file = edited(tmp_path, text, '"records": [', f'"records": [{new},')
    cli.put_rules(route("n0"), route("n1"))
    assert cli.run("rules", "push", file, "--yes", "--prune") == 0
    assert cli.printed[-1].startswith("1 added, 1 changed, 0 removed")
    assert [item["id"] for item in cli.stored()] == ["a", "n0", "n1", "n2"]


def test_a_pulled_file_can_be_checked(cli: CommandLine, tmp_path: Path, past: list[str]) -> None:
    assert cli.run("rules", "check", edited(tmp_path, pull(cli))) == 0
    assert cli.printed[-1] == "1 record, 0 problems, 0 of 0 tests hold"


def test_the_schema_is_printed_without_a_table(cli: CommandLine) -> None:
    cli.database = None
    assert cli.run("rules", "schema") == 0
    assert json.loads(cli.text)["$defs"]["route"]["properties"]["model"]
