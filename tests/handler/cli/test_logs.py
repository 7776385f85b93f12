"""The commands for the content log, on moto's S3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handler.content.content_log import compress, timestamp
from handler.content.keys import edit_key, entry_key
from tests.handler.cli.command_line import CommandLine
from tests.support.buckets import NAME, s3, stored

Json = dict[str, Any]
NOW = datetime.now(UTC)
HI = {"role": "user", "content": "hi"}


class Logs(CommandLine):
    """The command line, and a bucket with entries."""

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self.client = client
        self.settings = self.settings.replaced(bucket=NAME, environment={"AWS_REGION": "us-east-1"})

    def put(self, id: str, *, days: int = 30, ago: timedelta = timedelta(), **fields: Any) -> None:
        """Put an entry. `id`: of the request, and of the answer with a `c` before it."""
        at, project = NOW - ago, fields.get("project", "default")
        message = {"role": "assistant", "content": f"answer {id}"}
        value = {
            "at": timestamp(at),
            "request_id": id,
            "project": project,
            "model": "up/m",
            "status": 200,
            "tags": {},
            "request": {"messages": [HI]},
            "answer": {"id": f"c{id}", "choices": [{"message": message, "finish_reason": "stop"}]},
            **fields,
        }
        self.put_object(entry_key(days, at, project, id), compress(value))

    def edit(self, tags: Json, project: str = "default", **filters: str) -> None:
        found = [{"field": field.replace("_", "."), "equals": value} for field, value in filters.items()]
        at = datetime.now(UTC) + timedelta(seconds=1)
        value = {"at": timestamp(at), "filters": found, "tags": tags}
        self.put_object(edit_key(project, at), compress(value))

    def put_object(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=NAME, Key=key, Body=data)

    def exported(self, *arguments: str) -> list[str]:
        """The ids of the exported entries."""
        assert self.run("logs", "export", "--format", "raw", *arguments) == 0, self.warnings
        return [json.loads(line)["request_id"] for line in self.printed]


@pytest.fixture
def logs() -> Iterator[Logs]:
    with s3() as client:
        yield Logs(client)


def test_an_export_for_fine_tuning_is_a_line_for_each_conversation(logs: Logs) -> None:
    logs.put("r1")
    logs.put("r2", error={"message": "down"})
    logs.put("r3", answer={"choices": [{"message": {"content": "x"}, "finish_reason": "length"}]})
    logs.put("r4", request={"messages": [{"role": "user", "content": "Ümlaut \ud83d"}]})
    assert logs.run("logs", "export") == 0
    assert logs.printed == [
        '{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "answer r1"}]}',
        '{"messages": [{"role": "user", "content": "\\u00dcmlaut \\ud83d"},'
        ' {"role": "assistant", "content": "answer r4"}]}',
    ]
    assert logs.warnings == [
        "1 left out: entries with an answer that was cut off or filtered",
        "1 left out: entries with no whole answer",
    ]


def test_entries_of_every_retention_are_exported_but_none_from_before(logs: Logs) -> None:
    logs.put("old", ago=timedelta(days=8))
    logs.put("week", ago=timedelta(days=6))
    logs.put("short", days=1)
    logs.put("long", days=365, ago=timedelta(hours=1))
    assert sorted(logs.exported()) == ["long", "short", "week"]
    assert sorted(logs.exported("--since", "30m")) == ["short"]
    assert len(logs.exported("--since", "2w")) == 4


def test_many_entries_are_exported(logs: Logs) -> None:
    for number in range(1_050):
        logs.put(f"r{number:04}")
    assert logs.exported() == [f"r{number:04}" for number in range(1_050)]


WHERE = [
    pytest.param(["tags.good=yes"], ["r1"], id="a tag"),
    pytest.param(["tags.good!=yes"], ["r2", "r3"], id="not a tag"),
    pytest.param(["model=up/*"], ["r1", "r2"], id="a pattern"),
    pytest.param(["status=500"], ["r3"], id="a number"),
    pytest.param(["stream=true"], ["r2"], id="a flag"),
    pytest.param(["model=up/*", "tags.good!=yes"], ["r2"], id="two conditions"),
    pytest.param(["tags.a=b=c"], ["r3"], id="a value with an equals sign"),
    pytest.param(["rule=x"], [], id="a field that is null"),
    pytest.param(["rule!=x"], ["r1", "r2", "r3"], id="not, of a field that is null"),
]


@pytest.mark.parametrize(("where", "ids"), WHERE)
def test_conditions(logs: Logs, where: list[str], ids: list[str]) -> None:
    logs.put("r1", tags={"good": "yes"})
    logs.put("r2", stream=True)
    logs.put("r3", model="x/m", status=500, tags={"a": "b=c"}, rule=None)
    assert logs.exported(*(each for text in where for each in ("--where", text))) == ids


@pytest.mark.parametrize("where", ["tags", "tags.=x", "colour=red", "=x", "request=x"])
def test_a_condition_that_cannot_be_read_is_an_error(logs: Logs, where: str) -> None:
    assert logs.run("logs", "export", "--where", where) == 2
    assert "expected FIELD=VALUE" in logs.text


def test_one_project_is_exported_without_reading_the_others(logs: Logs) -> None:
    logs.put("r1", project="a/b")
    logs.put("r2", project="a")
    key = entry_key(30, NOW, "a", "broken")
    logs.put_object(key, b"not gzip")
    assert logs.exported("--project", "a/b") == ["r1"]
    assert logs.run("logs", "export") == 1
    assert "not an object of the content log" in logs.text


def test_other_objects_are_not_exported(logs: Logs) -> None:
    logs.put("r1")
    logs.put_object("log/30/notes.txt", b"x")
    logs.put_object("cache/x", b"x")
    assert logs.exported() == ["r1"]


def test_tags_are_exported_as_they_are_after_all_edits(logs: Logs) -> None:
    logs.put("r1", tags={"job": "a"})
    logs.put("r2", project="ops")
    logs.edit({"good": "yes"}, requestId="r1")
    logs.edit({"good": "no"}, completionId="cr2", project="default")
    logs.edit({"job": None, "seen": "1"}, tags_job="a")
    assert logs.run("logs", "export", "--format", "raw") == 0
    tags = {entry["request_id"]: entry["tags"] for entry in map(json.loads, logs.printed)}
    assert tags == {"r1": {"good": "yes", "seen": "1"}, "r2": {}}, "an edit is about its own project only"


def test_a_tag_is_set_and_removed(logs: Logs) -> None:
    logs.put("r1", tags={"job": "a"}, ago=timedelta(days=10))
    assert logs.run("logs", "tag", "r1", "good=yes", "job=", "note=a=b") == 0
    assert logs.warnings == ["r1: tags of 1 entry changed"]
    assert logs.exported("--since", "2w", "--where", "tags.good=yes", "--where", "tags.note=a=b") == ["r1"]
    assert json.loads(logs.printed[0])["tags"] == {"good": "yes", "note": "a=b"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        pytest.param(["r2", "a=b"], 1, "no entry", id="no such id"),
        pytest.param(["r", "a=b"], 1, "no entry", id="the beginning of an id"),
        pytest.param(["r1", "a=b", "--project", "ops"], 1, "no entry", id="an id of another project"),
        pytest.param(["r1", "a=b", "--since", "12h"], 1, "no entry", id="an entry that is older"),
        pytest.param(["../r1", "a=b"], 2, "not a request id", id="no id"),
        pytest.param(["r1", "a"], 2, "not NAME=VALUE", id="no value"),
        pytest.param(["r1", "=b"], 2, "not NAME=VALUE", id="no name"),
        pytest.param(["r1", *(f"t{n}=1" for n in range(17))], 2, "more than 16", id="too many tags"),
    ],
)
def test_a_tag_that_is_refused(logs: Logs, arguments: list[str], code: int, message: str) -> None:
    logs.put("r1", ago=timedelta(days=2))
    assert logs.run("logs", "tag", *arguments) == code
    assert message in logs.text
    assert stored(logs.client, "log/edits/") == {}


def test_without_a_bucket_it_says_how_to_name_one(logs: Logs) -> None:
    logs.settings = logs.settings.replaced(bucket=None)
    assert logs.run("logs", "export") == 2
    assert "ContentBucket" in logs.text
    assert logs.run("logs", "export", "--bucket", NAME) == 0
    assert logs.run("logs", "export", "--bucket", "another") == 1
    assert "there is no such bucket" in logs.text
