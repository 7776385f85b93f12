"""The tables of a local run are the tables of template.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handler.local.create_tables import create_tables, definitions, template
from handler.settings import Settings
from handler.store.tables import TABLES
from tests.support.tables import SETTINGS, dynamodb


@pytest.fixture
def client() -> Iterator[Any]:
    with dynamodb() as client:
        yield client


@pytest.mark.parametrize("logical", list(TABLES))
def test_a_created_table_is_what_the_template_says(client: Any, logical: str) -> None:
    name = getattr(SETTINGS, TABLES[logical])
    wanted = definitions()[logical]
    made = client.describe_table(TableName=name)["Table"]
    assert made["KeySchema"] == wanted["KeySchema"]
    assert made["AttributeDefinitions"] == wanted["AttributeDefinitions"]
    assert made["BillingModeSummary"]["BillingMode"] == wanted["BillingMode"]
    assert made["DeletionProtectionEnabled"] == wanted.get("DeletionProtectionEnabled", False)
    expiry = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    attribute = wanted.get("TimeToLiveSpecification", {}).get("AttributeName")
    assert expiry.get("AttributeName") == attribute


def test_only_missing_tables_are_created(client: Any) -> None:
    assert create_tables(client, SETTINGS) == []
    assert create_tables(client, Settings(rules_table="other-rules")) == ["other-rules"]


def test_every_table_of_the_template_is_known_here() -> None:
    resources = template()["Resources"].items()
    assert {name for name, each in resources if each["Type"] == "AWS::DynamoDB::Table"} == set(TABLES)


def test_cloudformation_tags_do_not_disturb_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(
        "a: !Ref X\nb: !Sub ['${Y}', {Y: !GetAtt Z.Arn}]\nc: !If [P, {k: v}, !Ref 'AWS::NoValue']\n"
    )
    assert template(path) == {
        "a": {"!Ref": "X"},
        "b": {"!Sub": ["${Y}", {"Y": {"!GetAtt": "Z.Arn"}}]},
        "c": {"!If": ["P", {"k": "v"}, {"!Ref": "AWS::NoValue"}]},
    }
