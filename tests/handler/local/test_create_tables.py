"""The tables of a local run, which are those of template.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from handler.aws.sdk import create_client
from handler.local.create_tables import create_bucket, create_tables, read_definitions, read_template
from handler.settings import Settings
from handler.store.tables import TABLES
from tests.support.tables import SETTINGS, dynamodb


@pytest.fixture
def client() -> Iterator[Any]:
    with dynamodb() as client:
        yield client


@pytest.mark.parametrize("logical", list(TABLES))
def test_a_created_table_is_as_in_the_template(client: Any, logical: str) -> None:
    name = getattr(SETTINGS, TABLES[logical])
    expected = read_definitions()[logical]
    created = client.describe_table(TableName=name)["Table"]
    assert created["KeySchema"] == expected["KeySchema"]
    assert created["AttributeDefinitions"] == expected["AttributeDefinitions"]
    indexes = [
        {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
        for index in created.get("GlobalSecondaryIndexes", ())
    ]
    assert indexes == expected.get("GlobalSecondaryIndexes", [])
    assert created["BillingModeSummary"]["BillingMode"] == expected["BillingMode"]
    assert created["DeletionProtectionEnabled"] == expected.get("DeletionProtectionEnabled", False)
    expiry = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    attribute = expected.get("TimeToLiveSpecification", {}).get("AttributeName")
    assert expiry.get("AttributeName") == attribute


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_a_bucket_is_created_in_any_region(region: str) -> None:
    with mock_aws():
        s3 = create_client(Settings(environment={"AWS_REGION": region}), service="s3")
        create_bucket(s3, "content")
        s3.put_object(Bucket="content", Key="a", Body=b"")


def test_only_missing_tables_are_created(client: Any) -> None:
    assert create_tables(client, SETTINGS) == []
    assert create_tables(client, Settings(rules_table="other-rules")) == ["other-rules"]


def test_every_table_of_the_template_is_created() -> None:
    resources = read_template()["Resources"].items()
    assert {name for name, each in resources if each["Type"] == "AWS::DynamoDB::Table"} == set(TABLES)


def test_cloudformation_tags_are_read_as_plain_values(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(
        "a: !Ref X\nb: !Sub ['${Y}', {Y: !GetAtt Z.Arn}]\nc: !If [P, {k: v}, !Ref 'AWS::NoValue']\n"
    )
    assert read_template(path) == {
        "a": {"!Ref": "X"},
        "b": {"!Sub": ["${Y}", {"Y": {"!GetAtt": "Z.Arn"}}]},
        "c": {"!If": ["P", {"k": "v"}, {"!Ref": "AWS::NoValue"}]},
    }
