"""The checks of a stack, each fault from an answer of AWS that shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from handler.cli.doctor import stack as checks
from handler.cli.doctor.finding import Finding, guarded
from handler.cli.doctor.stack import RUNTIME, WRAPPER, Deployment
from handler.local.create_tables import read_template
from handler.settings import Settings

SETTINGS = Settings(environment={"AWS_REGION": "eu-west-1"})
VARIABLES = {
    WRAPPER: "/var/task/handler/bootstrap",
    "SLUICE_CREDENTIALS_PATH": "/sluice",
    "SLUICE_MAX_N": "4",
}
FUNCTION = {"Runtime": RUNTIME, "MemorySize": 512, "Timeout": 900, "Role": "arn:aws:iam::1:role/r"}
ARNS = {
    f"{name}Table": f"arn:aws:dynamodb:eu-west-1:123456789012:table/{name}"
    for name in ("Rules", "Keys", "State")
}
STREAMS = {"InvokeMode": "RESPONSE_STREAM", "AuthType": "NONE"}
CREDENTIAL = {"Name": "/sluice/prod/OPENAI_API_KEY"}
ALLOWED = {"EvaluationResults": [{"EvalActionName": "any", "EvalDecision": "allowed"}]}
REFUSED = {"EvaluationResults": [{"EvalActionName": "dynamodb:Scan", "EvalDecision": "implicitDeny"}]}


def aws_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Operation")


def client(answers: Mapping[str, Any]) -> Any:
    """A client of botocore's that answers each operation from a table."""

    def answering(answer: Any) -> Callable[..., Any]:
        def call(**_: Any) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    return SimpleNamespace(**{name: answering(answer) for name, answer in answers.items()})


ANSWERS: dict[str, Any] = {
    "get_function_url_config": STREAMS,
    "get_function_concurrency": {},
    "describe_log_groups": {"logGroups": [{"logGroupName": "logs", "retentionInDays": 30}]},
    "simulate_principal_policy": ALLOWED,
    "get_parameters_by_path": {"Parameters": [CREDENTIAL]},
}


def deployment(
    *, status: str = "UPDATE_COMPLETE", function: Any = None, variables: Any = None, **answers: Any
) -> Deployment:
    given = {**VARIABLES, **(variables or {})}
    return Deployment(
        name="mine",
        status=status,
        reason=None,
        date=None,
        outputs={},
        resources={"Gateway": "f", "Logs": "logs"},
        function={**FUNCTION, **(function or {}), "Environment": {"Variables": given}},
        connect=lambda service: client({**ANSWERS, **answers}),
    )


CHECKS: Mapping[str, Callable[[Deployment], Iterable[Finding]]] = {
    "stack": checks.check_stack,
    "function": checks.check_function,
    "settings": lambda stack: checks.check_settings(stack, SETTINGS),
    "function url": checks.check_url,
    "concurrency": checks.check_concurrency,
    "logs": checks.check_logs,
    "permissions": lambda stack: checks.check_permissions(stack, ARNS),
    "credentials": lambda stack: checks.check_credentials(stack, [], SETTINGS),
}


@pytest.mark.parametrize("check", CHECKS)
def test_nothing_is_wrong_with_a_good_stack(check: str) -> None:
    (finding,) = CHECKS[check](deployment())
    assert (finding.check, finding.state, finding.mend) == (check, "ok", "")


@pytest.mark.parametrize(
    ("check", "given", "state", "text"),
    [
        pytest.param("stack", {"status": "ROLLBACK_COMPLETE"}, "fault", "ROLLBACK", id="a stack that failed"),
        pytest.param(
            "stack",
            {"status": "UPDATE_ROLLBACK_COMPLETE"},
            "warning",
            "UPDATE_ROLLBACK",
            id="an update that failed",
        ),
        pytest.param(
            "function", {"function": {"Runtime": "python3.9"}}, "warning", "3.9", id="an old runtime"
        ),
        pytest.param(
            "function",
            {"function": {"State": "Failed", "StateReason": "no code"}},
            "fault",
            "no code",
            id="a function that cannot run",
        ),
        pytest.param(
            "settings",
            {"variables": {"SLUICE_MAX_N": "many"}},
            "fault",
            "SLUICE_MAX_N",
            id="an unreadable setting",
        ),
        pytest.param(
            "settings",
            {"variables": {"SLUICE_RULE_TTL": "9"}},
            "warning",
            "SLUICE_RULE_TTL",
            id="a misspelt one",
        ),
        pytest.param(
            "settings",
            {"variables": {"SLUICE_KEYS_TABLE": "old"}},
            "fault",
            "is old",
            id="a table of another stack",
        ),
        pytest.param(
            "function url",
            {"get_function_url_config": {**STREAMS, "InvokeMode": "BUFFERED"}},
            "fault",
            "at its end",
            id="the wrong invoke mode",
        ),
        pytest.param(
            "function url",
            {"get_function_url_config": {"InvokeMode": "BUFFERED"}, "variables": {WRAPPER: ""}},
            "warning",
            "Buffered=true",
            id="a stack without streaming",
        ),
        pytest.param("function url", {"variables": {WRAPPER: ""}}, "fault", WRAPPER, id="no wrapper"),
        pytest.param(
            "function url",
            {"get_function_url_config": {**STREAMS, "Cors": {}}},
            "ok",
            "NONE",
            id="an empty Cors",
        ),
        pytest.param(
            "function url",
            {"get_function_url_config": {**STREAMS, "Cors": {"AllowOrigins": ["*"]}}},
            "fault",
            "Cors",
            id="a Cors of the URL's own",
        ),
        pytest.param(
            "concurrency",
            {"get_function_concurrency": {"ReservedConcurrentExecutions": 0}},
            "fault",
            "stopped",
            id="a function that is stopped",
        ),
        pytest.param(
            "logs",
            {"describe_log_groups": {"logGroups": [{"logGroupName": "logs"}]}},
            "warning",
            "for ever",
            id="logs",
        ),
        pytest.param(
            "logs", {"describe_log_groups": {"logGroups": []}}, "fault", "no log group", id="no logs"
        ),
        pytest.param(
            "permissions",
            {"simulate_principal_policy": REFUSED},
            "fault",
            "dynamodb:Scan on arn",
            id="a poor role",
        ),
        pytest.param(
            "credentials",
            {"get_parameters_by_path": {"Parameters": []}},
            "fault",
            "no provider can be used",
            id="no credential",
        ),
        pytest.param(
            "credentials", {"variables": {"SLUICE_PROVIDERS": "vllm"}}, "warning", "vllm", id="no address"
        ),
    ],
)
def test_each_fault_is_found(check: str, given: dict[str, Any], state: str, text: str) -> None:
    found = [*CHECKS[check](deployment(**given))]
    assert any(one.state == state and text in one.text for one in found), found
    assert all(one.mend for one in found if one.state != "ok")


@pytest.mark.parametrize(
    ("error", "state", "text"),
    [
        pytest.param(aws_error("AccessDenied"), "skipped", "not checked", id="this is not allowed"),
        pytest.param(aws_error("ResourceNotFoundException"), "fault", "there is none", id="it is not there"),
        pytest.param(aws_error("ThrottlingException"), "fault", "throttl", id="another error"),
        pytest.param(
            EndpointConnectionError(endpoint_url="x"), "fault", "no answer", id="there is no network"
        ),
    ],
)
def test_a_check_that_cannot_be_made_says_why(error: Exception, state: str, text: str) -> None:
    stack = deployment(get_function_url_config=error)
    (finding,) = guarded("function url", lambda: checks.check_url(stack), "lambda:GetFunctionUrlConfig")
    assert (finding.state, finding.check) == (state, "function url")
    assert text in finding.text
    assert finding.mend


def test_a_credential_in_the_environment_counts() -> None:
    stack = deployment(variables={"GROQ_API_KEY": "canary"}, get_parameters_by_path={"Parameters": []})
    (finding,) = checks.check_credentials(stack, [], SETTINGS)
    assert (finding.state, "groq" in finding.text, "canary" in finding.text) == ("ok", True, False)


def test_parameters_are_read_page_by_page_and_without_their_values() -> None:
    calls: list[Any] = []

    def page(**arguments: Any) -> Any:
        calls.append(dict(arguments))
        return {"Parameters": [CREDENTIAL], **({} if len(calls) == 2 else {"NextToken": "more"})}

    stack = deployment()._replace(connect=lambda service: SimpleNamespace(get_parameters_by_path=page))
    (finding,) = checks.check_credentials(stack, [], SETTINGS)
    assert "openai" in finding.text
    assert [call.get("NextToken") for call in calls] == [None, "more"]
    assert not any(call["WithDecryption"] for call in calls)


def test_the_role_of_the_template_has_what_is_simulated() -> None:
    statements = read_template()["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"][
        "Statement"
    ]
    granted: dict[str, set[str]] = {}
    for statement in statements:
        allowed = statement["!If"][1] if "!If" in statement else statement
        actions = allowed["Action"] if isinstance(allowed["Action"], list) else [allowed["Action"]]
        granted.setdefault(str(allowed["Resource"]), set()).update(actions)
    for target, needed in checks.ACTIONS.items():
        word = {"index": "/index/", "parameters": "parameter$"}.get(target, f"'{target}.Arn'")
        assert set(needed) <= set().union(*(each for name, each in granted.items() if word in name)), target


@pytest.mark.parametrize(
    ("console", "rules", "keys"),
    [
        pytest.param("off", {"Scan"}, {"GetItem", "UpdateItem"}, id="without the console"),
        pytest.param("read", {"Scan"}, {"GetItem", "UpdateItem", "Scan"}, id="a console that reads"),
        pytest.param(
            "",
            {"Scan", "PutItem", "DeleteItem"},
            {"GetItem", "UpdateItem", "Scan", "PutItem"},
            id="a console that writes, the default",
        ),
    ],
)
def test_the_role_needs_what_the_console_may(console: str, rules: set[str], keys: set[str]) -> None:
    asked: dict[str, set[str]] = {}

    def simulate(*, ActionNames: Iterable[str], ResourceArns: list[str], **_: Any) -> Any:
        asked[ResourceArns[0].rpartition("/")[2]] = {name.removeprefix("dynamodb:") for name in ActionNames}
        return ALLOWED

    stack = deployment(variables={"SLUICE_CONSOLE": console})
    stack = stack._replace(connect=lambda _: SimpleNamespace(simulate_principal_policy=simulate))
    assert [one.state for one in checks.check_permissions(stack, ARNS)] == ["ok"]
    assert (asked["Rules"], asked["Keys"]) == (rules, keys)
