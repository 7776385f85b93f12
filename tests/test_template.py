"""template.yaml has exactly what the code needs: settings, AWS calls, parameters, the function URL."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from handler.local.create_tables import read_template
from handler.providers.bedrock.translator import Bedrock
from handler.settings import Settings, read_settings
from handler.store.tables import LAST_USED, TABLES
from handler.store.usage_totals import INDEX
from rules.catalog.catalog import unlisted_model

ROOT = Path(__file__).parent.parent

# The AWS service that each of these files calls.
CALLERS = {
    "handler/manage/keys.py": "dynamodb",
    "handler/manage/rules.py": "dynamodb",
    "handler/store/bucket.py": "s3",
    "handler/store/items.py": "dynamodb",
    "handler/store/tables.py": "dynamodb",
    "handler/store/snapshot.py": "dynamodb",
    "handler/upstream/credentials.py": "ssm",
    "handler/upstream/notifications.py": "sns",
}
# Calls that only the command line makes, with the operator's permissions.
OPERATORS_ONLY = {"s3:ListObjectsV2"}
# A call that the permissions of its parts allow:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
OF_PARTS = {"dynamodb:TransactWriteItems"}
SAM = ROOT / ".venvs" / "sam" / "bin"

# The template for CloudFormation with every condition in it, made without an account.
TRANSLATE = """
import json, sys
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse
template = yaml_parse(open("template.yaml").read())
template["Resources"]["Gateway"]["Properties"]["CodeUri"] = "s3://bucket/key"
json.dump(transform(template, {}, type("Policies", (), {"load": lambda self: {}})()), sys.stdout)
"""


@functools.cache
def loaded() -> dict[str, Any]:
    return read_template()


def function() -> dict[str, Any]:
    return dict(loaded()["Resources"]["Gateway"]["Properties"])


def variables() -> dict[str, Any]:
    return dict(function()["Environment"]["Variables"])


def statements(*, without: Collection[str] = ()) -> Iterator[Mapping[str, Any]]:
    """The statements of the role, as if every condition were true except `without`."""
    document = loaded()["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"]
    for conditional in document["Statement"]:
        condition, statement, *_ = conditional.get("!If", (None, conditional))
        if condition not in without:
            resource = statement["Resource"]  # a table that the stack creates, else one of another region
            yield {**statement, "Resource": resource["!If"][1] if "!If" in resource else resource}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def granted() -> set[str]:
    return {action for statement in statements() for action in as_list(statement["Action"])}


@functools.cache
def operations(service: str) -> dict[str, str]:
    """The methods of a botocore client, with their API operations."""
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(operation): operation for operation in model.operation_names}


def operations_in(path: Path, service: str) -> set[str]:
    """The operations that a file names as a method (`client.scan`) or as a text (`"scan"`)."""
    methods, found = operations(service), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(attr=name) | ast.Constant(value=str(name)) if name in methods:
                found.add(f"{service}:{methods[name]}")
            case _:
                pass
    return found


def signed_permissions() -> set[str]:
    """The permissions of the requests that the gateway signs itself, read from the service's model.

    The other surfaces need the same: https://docs.aws.amazon.com/bedrock/latest/userguide/endpoints.html
    """
    model = botocore.session.get_session().get_service_model("bedrock-runtime")
    needs = {}
    for operation in map(model.operation_model, model.operation_names):
        allowed = re.search(
            r"requires permission for the <code>(bedrock:\w+)</code>", operation.documentation
        )
        needs[operation.http["requestUri"].partition("?")[0]] = allowed and allowed[1]
    paths = {Bedrock().path(unlisted_model("bedrock", "m"), stream=stream) for stream in (False, True)}
    found = {needs[path.replace("/m/", "/{modelId}/")] for path in paths}
    assert None not in found
    return {action for action in found if action}


def test_the_policies_allow_exactly_the_calls_of_the_code() -> None:
    calls = {
        action
        for name, service in CALLERS.items()
        if (ROOT / name).exists()
        for action in operations_in(ROOT / name, service)
    }
    assert granted() == calls - OPERATORS_ONLY - OF_PARTS | signed_permissions() | {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }


def test_no_other_file_of_the_function_calls_aws() -> None:
    """Except the local run and the command line, which use the operator's permissions."""
    suspects = [
        path
        for path in ROOT.glob("handler/**/*.py")
        if str(path.relative_to(ROOT)) not in CALLERS
        and path.relative_to(ROOT).parts[1] not in ("local", "cli", "aws")
    ]
    called = re.compile(r"call_aws\(|[._]client\.call\(")
    assert not [path.name for path in suspects if called.search(path.read_text(encoding="utf-8"))]


# By value of the parameter Console, the conditions that do not hold, and what the function may do.
CONSOLE: dict[str, tuple[set[str], set[str], set[str]]] = {
    "off": ({"ConsoleReads", "ConsoleWrites"}, {"Scan"}, {"GetItem", "UpdateItem"}),
    "read": ({"ConsoleWrites"}, {"Scan"}, {"GetItem", "UpdateItem", "Scan"}),
    "on": (set(), {"Scan", "PutItem", "DeleteItem"}, {"GetItem", "UpdateItem", "Scan", "PutItem"}),
}


@pytest.mark.parametrize("console", CONSOLE)
def test_each_table_is_open_to_its_own_calls_only(console: str) -> None:
    without, rules, keys = CONSOLE[console]
    tables: dict[str, set[str]] = defaultdict(set)
    for statement in statements(without=without):
        for resource in as_list(statement["Resource"]):
            if "!GetAtt" in resource:
                tables[resource["!GetAtt"]] |= set(as_list(statement["Action"]))
    assert tables["RulesTable.Arn"] == {f"dynamodb:{call}" for call in rules}
    assert tables["KeysTable.Arn"] == {f"dynamodb:{call}" for call in keys}
    assert "dynamodb:Scan" not in tables["StateTable.Arn"]
    (query,) = (one for one in statements() if one["Action"] == "dynamodb:Query")
    assert query["Resource"] == {"!Sub": "${StateTable.Arn}/index/" + INDEX}


def test_the_function_cannot_read_what_it_logged() -> None:
    reads = [one for one in statements() if "s3:GetObject" in as_list(one["Action"])]
    assert [one["Resource"] for one in reads] == [{"!Sub": "${Bucket.Arn}/cache/*"}]


def test_the_bucket_is_private_and_only_there_when_asked_for() -> None:
    resource = loaded()["Resources"]["Bucket"]
    assert loaded()["Parameters"]["ContentBucket"]["Default"] == "false"
    assert resource["Condition"] == "HasBucket"
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert set(resource["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert "BucketName" not in resource["Properties"]
    assert variables()["SLUICE_BUCKET"] == {"!If": ["HasBucket", {"!Ref": "Bucket"}, ""]}
    (deny,) = loaded()["Resources"]["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_function_writes_its_own_log_group_only() -> None:
    """A role made by SAM has the managed policy AWSLambdaBasicExecutionRole, which covers every log group."""
    assert function()["Role"] == {"!GetAtt": "Role.Arn"}
    assert function()["LoggingConfig"]["LogGroup"] == {"!Ref": "Logs"}
    (logs,) = [one for one in statements() if any("logs:" in each for each in as_list(one["Action"]))]
    assert logs["Resource"] == {"!GetAtt": "Logs.Arn"}
    assert "ManagedPolicyArns" not in loaded()["Resources"]["Role"]["Properties"]


def test_the_console_is_a_parameter_that_its_setting_follows() -> None:
    parameter, conditions = loaded()["Parameters"]["Console"], loaded()["Conditions"]
    assert (parameter["Default"], parameter["AllowedValues"]) == ("on", ["on", "read", "off"])
    assert variables()["SLUICE_CONSOLE"] == {"!Ref": "Console"}
    assert conditions["ConsoleWrites"] == {"!Equals": [{"!Ref": "Console"}, "on"]}
    assert conditions["ConsoleReads"] == {"!Not": [{"!Equals": [{"!Ref": "Console"}, "off"]}]}


def test_without_the_console_the_function_may_write_only_the_last_use_of_a_key() -> None:
    (update,) = (
        statement
        for statement in statements(without=CONSOLE["read"][0])
        if statement["Resource"] == {"!GetAtt": "KeysTable.Arn"}
        and "dynamodb:UpdateItem" in as_list(statement["Action"])
    )
    attributes = update["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"]
    assert attributes == ["hash", LAST_USED]


def test_nothing_is_allowed_on_every_resource() -> None:
    for statement in statements():
        assert statement["Effect"] == "Allow"
        assert "*" not in as_list(statement["Resource"])
        assert not any("*" in action for action in as_list(statement["Action"]))


def test_the_environment_holds_every_setting_and_nothing_else() -> None:
    fields = set(Settings.field_names) - {"environment"}
    assert set(variables()) - {"AWS_LAMBDA_EXEC_WRAPPER"} == {f"SLUICE_{field.upper()}" for field in fields}


def test_a_setting_without_parameter_has_its_default() -> None:
    literal = {name: value for name, value in variables().items() if isinstance(value, str)}
    given, default = read_settings(literal), Settings()
    assert [
        name
        for name in Settings.field_names
        if name != "environment" and getattr(given, name) != getattr(default, name)
    ] == []
    assert len(literal) >= 8


@pytest.mark.parametrize(
    ("setting", "table"),
    [
        ("SLUICE_RULES_TABLE", "RulesTable"),
        ("SLUICE_KEYS_TABLE", "KeysTable"),
        ("SLUICE_STATE_TABLE", "StateTable"),
    ],
)
def test_a_table_is_a_setting_and_an_output(setting: str, table: str) -> None:
    own = {"!Ref": table}
    shared = {"!If": [f"Own{table.removesuffix('Table')}", own, {"!Ref": f"{table}Name"}]}
    expected = own if table == "StateTable" else shared
    assert variables()[setting] == loaded()["Outputs"][table]["Value"] == expected


@pytest.mark.parametrize("table", ["RulesTable", "KeysTable"])
def test_tables_of_records_outlive_the_stack(table: str) -> None:
    resource = loaded()["Resources"][table]
    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
    assert resource["UpdateReplacePolicy"] == "Retain"
    assert resource["Properties"]["DeletionProtectionEnabled"] is True
    assert resource["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True


@pytest.mark.parametrize("table", ["Rules", "Keys"])
def test_a_table_of_another_region_is_open_to_the_same_calls(table: str) -> None:
    """And no table is created in its place."""
    assert loaded()["Resources"][f"{table}Table"]["Condition"] == f"Own{table}"
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    arn = f"arn:${{AWS::Partition}}:dynamodb:${{AWS::Region}}:${{AWS::AccountId}}:table/${{{table}TableName}}"
    grants = re.findall(rf"Resource: (.*{table}Table\.Arn.*)", text)
    assert grants
    assert set(grants) == {f'!If [Own{table}, !GetAtt {table}Table.Arn, !Sub "{arn}"]'}


def test_no_table_has_a_fixed_name() -> None:
    for name in TABLES:
        assert "TableName" not in loaded()["Resources"][name]["Properties"]


def test_the_entries_exist() -> None:
    module, _, attribute = function()["Handler"].rpartition(".")
    source = (ROOT / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8")
    wrapper = variables()["AWS_LAMBDA_EXEC_WRAPPER"]["!If"][1].removeprefix("/var/task/")
    assert attribute in source
    assert (ROOT / wrapper).stat().st_mode & 0o777 == 0o755
    assert 'exec "$1" -m handler.runtime.loop' in (ROOT / wrapper).read_text(encoding="utf-8")


def test_only_the_streaming_mode_has_the_wrapper() -> None:
    mode, wrapper = function()["FunctionUrlConfig"]["InvokeMode"], variables()["AWS_LAMBDA_EXEC_WRAPPER"]
    assert mode == {"!If": ["Streams", "RESPONSE_STREAM", "BUFFERED"]}
    assert wrapper["!If"][0] == "Streams"
    assert wrapper["!If"][2] == {"!Ref": "AWS::NoValue"}


def test_the_properties_of_the_function() -> None:
    properties = function()
    defaults = {name: parameter["Default"] for name, parameter in loaded()["Parameters"].items()}
    assert (properties["Runtime"], properties["Architectures"]) == ("python3.13", ["arm64"])
    assert (defaults["Memory"], defaults["Timeout"], defaults["Buffered"]) == (512, 900, "false")
    assert (properties["FunctionUrlConfig"]["AuthType"], defaults["UrlAuth"]) == ({"!Ref": "UrlAuth"}, "NONE")
    assert "Cors" not in properties["FunctionUrlConfig"], "the app answers browsers itself"
    assert properties["LoggingConfig"]["LogFormat"] == "JSON"
    assert defaults["BedrockModels"] == ""


def test_the_package_is_made_for_the_functions_python_and_processor() -> None:
    source = (ROOT / "scripts" / "package.py").read_text(encoding="utf-8")
    assert f'default="{function()["Runtime"].removeprefix("python")}"' in source
    assert 'default="aarch64"' in source


@pytest.mark.parametrize("name", sorted(read_template()["Parameters"]))
def test_a_parameter_is_used_and_documented(name: str) -> None:
    source = (ROOT / "template.yaml").read_text(encoding="utf-8")
    documented = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
    default = str(loaded()["Parameters"][name]["Default"])
    row = re.search(rf"^\| `{name}` \|([^|]*)\|([^|]*)\|", documented, re.MULTILINE)
    assert f"!Ref {name}" in source or f"${{{name}}}" in source
    assert row, f"docs/deploying.md has no row for {name}"
    assert row[1].strip().strip("`") == (default or "none")


@pytest.mark.parametrize("name", sorted(read_template()["Outputs"]))
def test_an_output_is_documented(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")


def sam(*command: str) -> str:
    """The output of a program of the SAM environment."""
    assert SAM.exists(), "make sam"
    clean = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "SAM_CLI_TELEMETRY": "0"}
    clean |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
    process = subprocess.run(
        [SAM / command[0], *command[1:]], cwd=ROOT, env=clean, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.mark.slow
def test_the_template_passes_sam_validate() -> None:
    assert "is a valid SAM Template" in sam("sam", "validate", "--lint")


@pytest.mark.slow
def test_sam_builds_the_function_without_docker(tmp_path: Path) -> None:
    assert "Build Succeeded" in sam("sam", "build", "--build-dir", str(tmp_path))
    built = tmp_path / "Gateway"
    assert (built / "handler" / "bootstrap").stat().st_mode & 0o111
    assert (built / "rules" / "catalog" / "catalog.json").exists()
    assert not (built / "tests").exists()
    assert "AWS::CloudWatch::Alarm" in (tmp_path / "Monitoring" / "template.yaml").read_text(encoding="utf-8")


@functools.cache
def transformed() -> dict[str, Any]:
    """The template that CloudFormation gets."""
    return dict(json.loads(sam("python", "-c", TRANSLATE)))


@pytest.mark.slow
def test_anyone_may_call_the_url_but_not_the_function() -> None:
    """Both permissions are needed: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html."""
    resources = transformed()["Resources"]
    permissions = [
        one["Properties"] for one in resources.values() if one["Type"] == "AWS::Lambda::Permission"
    ]
    assert {permission["Action"] for permission in permissions} == {
        "lambda:InvokeFunctionUrl",
        "lambda:InvokeFunction",
    }
    for permission in permissions:
        assert (
            permission.get("FunctionUrlAuthType") == "NONE" or permission.get("InvokedViaFunctionUrl") is True
        )
    url = re.search(r"\$\{(\w+)\.FunctionUrl\}", loaded()["Outputs"]["BaseUrl"]["Value"]["!Sub"])
    assert url is not None
    assert resources[url[1]]["Type"] == "AWS::Lambda::Url"
