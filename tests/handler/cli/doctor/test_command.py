"""The command `doctor`, on moto: what it prints, and its exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws
from moto.iam.responses import IamResponse

from handler.access.keys import generate_key, hash_key
from handler.aws.sdk import create_client
from handler.cli.doctor.stack import RUNTIME, WRAPPER
from handler.local.create_tables import read_definitions
from handler.settings import Settings
from handler.store.attributes import serialize_item
from tests.handler.cli.command_line import CommandLine

URL = "https://no-such-host.invalid"
REGION = Settings(environment={"AWS_REGION": "eu-west-1"})
ASSUME = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
ALLOWED = """<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
<SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults><member>
<EvalActionName>dynamodb:Scan</EvalActionName><EvalDecision>allowed</EvalDecision>
</member></EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"""


def template(**variables: str) -> str:
    """What CloudFormation gets, with the tables of template.yaml."""
    tables = {
        name: {"Type": "AWS::DynamoDB::Table", "Properties": properties}
        for name, properties in read_definitions().items()
    }
    role = {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [ASSUME]}}
    settings = {
        WRAPPER: "/var/task/handler/bootstrap",
        "SLUICE_CREDENTIALS_PATH": "/sluice",
        **{f"SLUICE_{name.upper()}_TABLE": {"Ref": f"{name}Table"} for name in ("Rules", "Keys", "State")},
        **variables,
    }
    function = {
        "Code": {"ZipFile": "x = 1"},
        "Handler": "index.x",
        "Runtime": RUNTIME,
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Environment": {"Variables": settings},
    }
    resources = {
        **tables,
        "Role": {"Type": "AWS::IAM::Role", "Properties": role},
        "Gateway": {"Type": "AWS::Lambda::Function", "Properties": function},
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 30}},
    }
    return json.dumps({"Resources": resources})


class Stack:
    """A stack named `mine` on moto, and the command line."""

    def __init__(self, **variables: str) -> None:
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(StackName="mine", TemplateBody=template(**variables))
        listed = cloudformation.describe_stack_resources(StackName="mine")["StackResources"]
        self.names = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in listed}
        self.client("lambda").create_function_url_config(
            FunctionName=self.names["Gateway"], AuthType="NONE", InvokeMode="RESPONSE_STREAM"
        )
        dynamodb = self.client("dynamodb")
        for name in ("RulesTable", "KeysTable"):
            dynamodb.update_continuous_backups(
                TableName=self.names[name],
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            )
            dynamodb.update_table(TableName=self.names[name], DeletionProtectionEnabled=True)
        dynamodb.update_time_to_live(
            TableName=self.names["StateTable"],
            TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": True},
        )
        self.put("KeysTable", hash=hash_key(generate_key()), id="ops", scopes=["admin"])
        self.client("ssm").put_parameter(Name="/sluice/OPENAI_API_KEY", Value="canary", Type="SecureString")
        self.cli = CommandLine(None)
        self.cli.settings = REGION

    def client(self, service: str) -> Any:
        return create_client(REGION, service=service)

    def put(self, table: str, **item: Any) -> None:
        self.client("dynamodb").put_item(TableName=self.names[table], Item=serialize_item(item))

    def run(self, *arguments: str) -> int:
        return self.cli.run("doctor", "--stack", "mine", *arguments)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(IamResponse, "simulate_principal_policy", lambda _: ALLOWED, raising=False)
    with mock_aws():
        yield


def test_a_good_stack(aws: None) -> None:
    stack = Stack()
    assert stack.run() == 0, stack.cli.text
    assert stack.cli.printed[0] == "ok       stack: mine is CREATE_COMPLETE"
    checks = dict.fromkeys(line[9:].partition(":")[0] for line in stack.cli.printed[:-1])
    expected = (
        *("stack", "clock", "function", "settings", "function url", "concurrency", "logs", "tables"),
        *("permissions", "keys", "rules", "credentials"),
    )
    assert tuple(checks) == expected
    assert stack.cli.printed[-1] == "14 ok, 0 skipped, 0 warning, 0 fault"
    assert "canary" not in stack.cli.text


def test_faults_say_what_to_mend_and_end_with_2(aws: None) -> None:
    stack = Stack()
    stack.put("RulesTable", kind="route", id="r\x1b[2J", prio=3)
    assert stack.run() == 2
    (line,) = (line for line in stack.cli.printed if line.startswith("fault"))
    assert line.startswith('fault    rules: "route/r\\u001b[2J: `prio`')
    assert " -> " in line


def test_warnings_end_with_1(aws: None) -> None:
    stack = Stack(SLUICE_RULE_TTL="3")
    assert stack.run() == 1
    assert any(line.startswith("warning  settings: SLUICE_RULE_TTL") for line in stack.cli.printed)


def test_an_unreadable_setting_is_a_fault(aws: None) -> None:
    stack = Stack(SLUICE_RULES_TTL="soon")
    assert stack.run() == 2
    assert "SLUICE_RULES_TTL" in stack.cli.text


def test_json(aws: None) -> None:
    stack = Stack()
    stack.client("logs").delete_retention_policy(logGroupName=stack.names["Logs"])
    assert stack.run("--json") == 1
    report = json.loads("\n".join(stack.cli.printed))
    (found,) = (one for one in report["findings"] if one["state"] == "warning")
    assert (found["check"], "for ever" in found["text"]) == ("logs", True)
    assert found["mend"]


def test_no_such_stack(aws: None) -> None:
    cli = CommandLine(None)
    cli.settings = REGION
    assert cli.run("doctor", "--stack", "none") == 2
    assert cli.printed[0].startswith("fault    stack: describe stack resources: Stack with id none")
    assert cli.printed[-1] == "0 ok, 0 skipped, 0 warning, 1 fault"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param((), "pass --stack NAME for all checks, or --url URL", id="nothing to check"),
        pytest.param(("--url", "gateway"), "'gateway' is not an address", id="no address"),
    ],
)
def test_a_wrong_argument_is_named(arguments: tuple[str, ...], message: str) -> None:
    cli = CommandLine(None)
    assert cli.run("doctor", *arguments) == 2
    assert message in cli.text


def test_a_key_from_standard_input_is_not_shown() -> None:
    cli, key = CommandLine(None), generate_key()
    cli.stdin = f"{key}\n".encode()
    assert cli.run("doctor", "--url", "https://no-such-host.invalid", "--key", "-") == 2
    assert key not in cli.text
    assert "no-such-host.invalid is not found" in cli.printed[0]


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        pytest.param(("--url", URL, "--key", "-", "doctor"), {}, id="before the command"),
        pytest.param(("doctor", "--key", "-"), {"SLUICE_URL": URL}, id="an address of the environment"),
        pytest.param(("doctor",), {"SLUICE_URL": URL, "SLUICE_API_KEY": "-"}, id="all of the environment"),
    ],
)
def test_address_and_key_are_given_as_for_other_commands(
    arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    cli = CommandLine(None)
    cli.settings, cli.stdin = Settings(environment=environment), b"http://no-key"
    assert cli.run(*arguments) == 2
    assert "no-such-host.invalid is not found" in cli.printed[0]
