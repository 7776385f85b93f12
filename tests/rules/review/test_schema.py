"""The JSON Schema of records accepts what reading accepts, and finds common mistakes."""

from __future__ import annotations

import ast
import json
import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from rules import KINDS, InvalidRecord, read_record
from rules.review.schema import record_schemas, rules_schema

ROOT = Path(__file__).parent.parent.parent.parent
Item = dict[str, Any]


@cache
def validator(kind: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(record_schemas()[kind])


def is_accepted(record: Item) -> bool:
    return validator(record["kind"]).is_valid(record)


def can_be_read(record: Item) -> bool:
    try:
        read_record(record)
    except InvalidRecord:
        return False
    return True


def records_in(value: Any) -> Iterator[Item]:
    """Every object in the value that has the kind of a record."""
    match value:
        case {"kind": str(kind)} if kind in KINDS:
            yield value
        case dict():
            for each in value.values():
                yield from records_in(each)
        case list() | tuple():
            for each in value:
                yield from records_in(each)


def written_in_docs() -> Iterator[Item]:
    for page in (ROOT / "docs").glob("*.md"):
        for block in re.findall(r"```json\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            try:
                yield from records_in(json.loads(block))
            except ValueError:
                continue


def written_in_tests() -> Iterator[Item]:
    for path in ROOT.glob("tests/**/*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if '"kind"' in text else ():
            if isinstance(node, ast.Dict):
                try:
                    value = ast.literal_eval(node)
                    yield from records_in([json.loads(json.dumps(value))])
                except (TypeError, ValueError):
                    continue


@cache
def good_records() -> tuple[Item, ...]:
    examples = json.loads((ROOT / "handler" / "local" / "examples.json").read_text(encoding="utf-8"))
    found = [*examples, *written_in_docs(), *written_in_tests()]
    distinct = {json.dumps(record, sort_keys=True): record for record in found}
    return tuple(record for _, record in sorted(distinct.items()) if can_be_read(record))


def test_every_good_record_of_the_docs_and_of_the_tests_is_accepted() -> None:
    assert {record["kind"] for record in good_records()} == set(KINDS)
    assert len(good_records()) > 150
    assert [record for record in good_records() if not is_accepted(record)] == []


# What a person may write in the place of any value.
VALUES: list[Any] = [
    *(None, True, False, 0, 1, 1.0, 2.5, -3, 10**9, "", " ", "x", "1", "0.5", "1e3", "01", "true", "Yes"),
    *(" OFF ", "a*", "openai/gpt-5", "mon 9", "tag.team", "low", "user", "day", "cheap", "none", "resume"),
    *([], ["x"], ["openai/gpt-5"], ["a", "b"], [1], {}, {"model": "m", "weight": "2"}, {"x": 1}),
    *({"gt": "5"}, {"exists": "true"}, {"not": ["a", "b"]}, {"in": "x"}, {"like": ["a*"]}, {"lt": 24}),
    *(
        {"project": "p"},
        {"model": "a*"},
        {"tags.team": 3},
        {"stream": "true"},
        {"tools": True},
        {"hour": [9]},
    ),
    *({"input": "1", "output": 0}, {"prefer": "cheap"}, {"connect": "2"}, {"n": 2.0}, "MISTRAL_API_KEY"),
    *("https://example.com/v1", 30, 90, {"reasoning": [True, "low"]}, {"tools": True}, {"header.x-a": "b"}),
]


def mutated(record: Item, choose: random.Random) -> Item:
    """Return the record with one to three other fields or values, some of them inside of others."""
    new = json.loads(json.dumps(record))
    for _ in range(choose.randint(1, 3)):
        target = new
        inner = [value for value in new.values() if isinstance(value, dict) and value]
        if inner and choose.random() < 0.4:
            target = choose.choice(inner)
            target[choose.choice([*target])] = choose.choice(VALUES)
        else:
            names = sorted(name.removesuffix("_") for name in KINDS[record["kind"]].field_names)
            field = choose.choice([*new, *names])
            if field not in ("kind", "id"):
                target[field] = choose.choice(VALUES)
    return dict(new)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_can_be_read_is_accepted(seed: int) -> None:
    choose = random.Random(seed)
    tried = [mutated(choose.choice(good_records()), choose) for _ in range(4_000)]
    readable = [record for record in tried if can_be_read(record)]
    assert len(readable) > 300
    assert [record for record in readable if not is_accepted(record)] == []


ROUTE = {"kind": "route", "id": "r", "model": "openai/gpt-5"}
LIMIT = {"kind": "limit", "id": "l", "requests": 5, "per": "day"}
MISTAKES = [
    pytest.param({**ROUTE, "prefers": "cheap"}, id="an unknown field"),
    pytest.param({**ROUTE, "prefer": "cheapest"}, id="an unknown preference"),
    pytest.param({**ROUTE, "retries": 4}, id="too many retries"),
    pytest.param({**ROUTE, "retries": "two"}, id="a number in words"),
    pytest.param({**ROUTE, "model": ""}, id="an empty text"),
    pytest.param({**ROUTE, "scope": {}}, id="an empty scope"),
    pytest.param({**ROUTE, "scope": {"team": "x"}}, id="an unknown member of a scope"),
    pytest.param({**ROUTE, "when": {"modell": "x"}}, id="an unknown fact"),
    pytest.param({**ROUTE, "when": {"hour": {"more": 5}}}, id="an unknown operator"),
    pytest.param({**ROUTE, "when": {"hour": 24}}, id="an hour that does not exist"),
    pytest.param({**ROUTE, "when": {"user": {}}}, id="no operator"),
    pytest.param({**ROUTE, "split": [{"model": "m"}]}, id="an arm without a weight"),
    pytest.param({**ROUTE, "id": " r"}, id="a space before the id"),
    pytest.param({"kind": "route", "model": "m"}, id="no id"),
    pytest.param({**LIMIT, "per": "month"}, id="a window of another kind"),
    pytest.param({**LIMIT, "scope": {"function": "f"}}, id="a scope that the caller chooses"),
    pytest.param({**LIMIT, "when": {"user": "u"}}, id="a condition that the caller chooses"),
    pytest.param({"kind": "alias", "id": "a", "models": []}, id="no model"),
    pytest.param(
        {"kind": "alias", "id": "a", "models": "m", "when": {"user": "u"}}, id="an alias with `when`"
    ),
    pytest.param({"kind": "log", "id": "l", "sample": 2, "days": 1}, id="a share above 1"),
    pytest.param({"kind": "log", "id": "l", "sample": 1, "days": 2}, id="days that S3 has no rule for"),
]


@pytest.mark.parametrize("record", MISTAKES)
def test_a_mistake_is_found(record: Item) -> None:
    assert not can_be_read(record)
    assert not is_accepted(record)


@pytest.mark.parametrize(
    ("file", "accepted"),
    [
        pytest.param([ROUTE, LIMIT], True, id="a list"),
        pytest.param({"revision": "0a1b", "records": [ROUTE]}, True, id="what `rules pull` prints"),
        pytest.param({"records": []}, True, id="without a revision"),
        pytest.param([{**ROUTE, "retries": 9}], False, id="a record with a mistake"),
        pytest.param([{"kind": "rout", "id": "x"}], False, id="an unknown kind"),
        pytest.param([{"id": "x"}], False, id="no kind"),
        pytest.param(["x"], False, id="a text"),
        pytest.param({"rules": []}, False, id="another object"),
    ],
)
def test_a_rule_file(file: Any, accepted: bool) -> None:
    schema = rules_schema()
    assert jsonschema_rs.Draft202012Validator(schema).is_valid(file) is accepted


def test_every_field_is_described() -> None:
    for kind, schema in record_schemas().items():
        for name, field in schema["properties"].items():
            shown = field["anyOf"][0] if "description" not in field else field
            assert shown["description"].endswith("."), (kind, name)


def test_the_schemas_are_small_and_json() -> None:
    assert len(json.dumps(rules_schema())) < 80_000
    assert json.loads(json.dumps(rules_schema())) == rules_schema()
    assert jsonschema_rs.meta.is_valid(rules_schema())
