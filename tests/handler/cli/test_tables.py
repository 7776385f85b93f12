"""The tables that `--stack` and the other arguments name, on moto."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from handler.aws.sdk import create_client
from handler.cli.tables import select_settings
from handler.settings import Settings
from tests.handler.cli.command_line import CommandLine


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
    cli = CommandLine(None)
    cli.settings = Settings()
    assert cli.run("keys", "list", "--stack", "mine", "--region", "eu-west-1") == 0
    assert cli.printed == ["ID  NAME  PROJECT  STATE  SCOPES  MODELS  CREATED  EXPIRES  LAST USED"]


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
        args = Namespace(stack=name, region=None, rules_table=None, keys_table="mine", state_table=None)
        settings = select_settings(args, REGION.replaced(rules_ttl=0, key_ttl=0))
        assert (settings.rules_ttl, settings.key_ttl, settings.keys_table) == (*expected, "mine")


def test_a_stack_of_a_second_region_names_the_tables_that_it_shares(aws: Any) -> None:
    function = json.loads(json.dumps(FUNCTION))
    shared = {"SLUICE_RULES_TABLE": "sluice-RulesTable-1", "SLUICE_KEYS_TABLE": "sluice-KeysTable-1"}
    function["Gateway"]["Properties"]["Environment"]["Variables"] = shared
    state = json.loads(resources("StateTable"))["Resources"]
    aws.create_stack(StackName="second", TemplateBody=json.dumps({"Resources": {**state, **function}}))
    args = Namespace(stack="second", region=None, rules_table=None, keys_table=None, state_table=None)
    settings = select_settings(args, REGION)
    assert (settings.rules_table, settings.keys_table) == tuple(shared.values())
    assert settings.state_table not in ("sluice-state", "")


def test_a_stack_names_its_bucket(aws: Any) -> None:
    tables = json.loads(resources("RulesTable", "KeysTable", "StateTable"))["Resources"]
    bucket = {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "stacks-own"}}}
    for name, more, code in (("with", bucket, 0), ("without", {}, 2)):
        aws.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {**tables, **more}}))
        cli = CommandLine(None)
        cli.settings = REGION.replaced(bucket="of-the-environment")
        assert cli.run("logs", "export", "--stack", name) == code, cli.text


@pytest.mark.parametrize(
    ("stack", "code", "message"),
    [
        pytest.param(
            "other",
            2,
            "the stack other is not a gateway: it has no KeysTable, StateTable",
            id="the stack of something else",
        ),
        pytest.param(
            "none",
            1,
            "sluice: describe stack resources: Stack with id none does not exist",
            id="no such stack",
        ),
    ],
)
def test_a_stack_that_is_not_a_gateway(aws: Any, stack: str, code: int, message: str) -> None:
    aws.create_stack(StackName="other", TemplateBody=resources("RulesTable"))
    cli = CommandLine(None)
    cli.settings = REGION
    assert cli.run("rules", "pull", "--stack", stack) == code
    assert message in cli.text
