"""Checks a stack on AWS: its function, URL, role, logs and credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from handler.aws.sdk import call_aws
from handler.cli.doctor.finding import Finding, fault, ok, skipped, warning
from handler.cli.doctor.tables import UPDATE
from handler.providers.registry import available_providers, provider_rows
from handler.settings import InvalidSetting, Settings, read_settings
from handler.store.attributes import Item
from handler.store.usage_totals import INDEX
from rules import RuleSet, RuleSetTooLarge

RUNTIME = "python3.13"  # of template.yaml
WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"  # starts the client that streams
MAX_PAGES = 50  # of parameters
READY = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"})
# The calls that the role needs, by what they are made on (template.yaml).
ACTIONS: Mapping[str, tuple[str, ...]] = {
    "RulesTable": ("dynamodb:Scan",),
    "KeysTable": ("dynamodb:GetItem", "dynamodb:UpdateItem"),
    "StateTable": tuple(
        f"dynamodb:{name}" for name in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "BatchGetItem")
    ),
    "index": ("dynamodb:Query",),
    "parameters": ("ssm:GetParametersByPath",),
}
# What the console needs besides: to list keys, and where it may, to change rules and keys.
CONSOLE_READS: Mapping[str, tuple[str, ...]] = {"KeysTable": ("dynamodb:Scan",)}
CONSOLE_WRITES: Mapping[str, tuple[str, ...]] = {
    "RulesTable": ("dynamodb:PutItem", "dynamodb:DeleteItem"),
    "KeysTable": ("dynamodb:PutItem",),
}


class Deployment(NamedTuple):
    """A stack. `connect` makes a client of botocore's for a service."""

    name: str
    status: str
    reason: str | None  # of the status
    date: str | None  # of AWS's answer, for the clock
    outputs: Mapping[str, str]
    resources: Mapping[str, str]  # physical id by logical id
    function: Mapping[str, Any]  # its configuration
    connect: Callable[[str], Any]

    @property
    def variables(self) -> Mapping[str, str]:
        return dict(self.function.get("Environment", {}).get("Variables", {}))

    @property
    def url(self) -> str | None:
        return self.outputs.get("BaseUrl")


def read_deployment(name: str, connect: Callable[[str], Any]) -> Deployment:
    """Return a stack and its function. Raises StoreError."""
    cloudformation = connect("cloudformation")
    answer = call_aws(cloudformation, "describe_stacks", {"StackName": name})
    stack = answer["Stacks"][0]
    listed = call_aws(cloudformation, "describe_stack_resources", {"StackName": name})["StackResources"]
    resources = {one.get("LogicalResourceId"): one.get("PhysicalResourceId") for one in listed}
    arguments = {"FunctionName": resources.get("Gateway")}
    return Deployment(
        name=name,
        status=stack["StackStatus"],
        reason=stack.get("StackStatusReason"),
        date=answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date"),
        outputs={one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", ())},
        resources=resources,
        function=call_aws(connect("lambda"), "get_function_configuration", arguments),
        connect=connect,
    )


def check_stack(stack: Deployment) -> Iterator[Finding]:
    if stack.status in READY:
        yield ok("stack", f"{stack.name} is {stack.status}")
    else:
        text = ": ".join(filter(None, (f"{stack.name} is {stack.status}", stack.reason)))
        mend = "see the stack's events in CloudFormation, and deploy again"
        yield (warning if stack.status == "UPDATE_ROLLBACK_COMPLETE" else fault)("stack", text, mend)


def check_function(stack: Deployment) -> Iterator[Finding]:
    found = stack.function
    runtime, state = found.get("Runtime"), found.get("State", "Active")
    if state not in ("Active", "Inactive") or found.get("LastUpdateStatus", "Successful") == "Failed":
        why = found.get("StateReason") or found.get("LastUpdateStatusReason") or state
        yield fault("function", f"it cannot run: {why}", UPDATE)
    elif runtime != RUNTIME:
        yield warning("function", f"its runtime is {runtime} instead of {RUNTIME}", UPDATE)
    else:
        yield ok("function", f"{runtime}, {found.get('MemorySize')} MB, {found.get('Timeout')} s")


def check_settings(stack: Deployment, settings: Settings) -> Iterator[Finding]:
    """Check that the function's environment can be read, and names the tables of the stack."""
    edit = "correct it in template.yaml, and `make update`"
    try:
        own = read_settings(stack.variables)
    except InvalidSetting as error:
        yield fault("settings", str(error), edit)
        return
    names = {f"SLUICE_{name.upper()}" for name in Settings.field_names}
    unknown = sorted(name for name in stack.variables if name.startswith("SLUICE_") and name not in names)
    for name in unknown:
        text = f"{name} is no setting of this version"
        yield warning("settings", text, "see docs/deploying.md#settings for its name, or update")
    wrong = [
        name
        for name in ("rules_table", "keys_table", "state_table")
        if getattr(own, name) != getattr(settings, name)
    ]
    for name in wrong:
        text = f"SLUICE_{name.upper()} is {getattr(own, name)}, and the stack has {getattr(settings, name)}"
        yield fault("settings", text, edit)
    if not (unknown or wrong):
        yield ok("settings", f"{sum(name in names for name in stack.variables)} can be read")


def check_url(stack: Deployment) -> Iterator[Finding]:
    arguments = {"FunctionName": stack.resources.get("Gateway")}
    found = call_aws(stack.connect("lambda"), "get_function_url_config", arguments)
    streams, mode = bool(stack.variables.get(WRAPPER)), found.get("InvokeMode", "BUFFERED")
    if mode != "RESPONSE_STREAM" and streams:
        text = f"its invoke mode is {mode}, so clients get every stream at once, at its end"
        yield fault("function url", text, f"set InvokeMode RESPONSE_STREAM: {UPDATE}")
    elif mode != "RESPONSE_STREAM":
        text = "streams come at once, at their end, as the stack was deployed with Buffered=true"
        yield warning("function url", text, "deploy with Buffered=false")
    elif not streams:
        text = f"its invoke mode is {mode}, but the function has no {WRAPPER}, so it does not stream"
        yield fault("function url", text, UPDATE)
    else:
        yield ok("function url", f"{mode}, AuthType {found.get('AuthType')}")
    if found.get("Cors"):
        text = "it has a Cors of its own, so browsers see each header twice"
        yield fault(
            "function url", text, "remove Cors from the function's URL: SLUICE_CORS_ORIGINS is enough"
        )


def check_concurrency(stack: Deployment) -> Iterator[Finding]:
    arguments = {"FunctionName": stack.resources.get("Gateway")}
    found = call_aws(stack.connect("lambda"), "get_function_concurrency", arguments)
    reserved = found.get("ReservedConcurrentExecutions")
    if reserved == 0:
        text = "the reserved concurrency is 0, so the function is stopped"
        yield fault(
            "concurrency", text, "deploy with another ReservedConcurrency, or remove it in the console"
        )
    else:
        yield ok(
            "concurrency", "not limited" if reserved is None else f"at most {reserved} requests at a time"
        )


def check_logs(stack: Deployment) -> Iterator[Finding]:
    group = stack.function.get("LoggingConfig", {}).get("LogGroup") or stack.resources.get("Logs")
    arguments = {"logGroupNamePrefix": group}
    groups = call_aws(stack.connect("logs"), "describe_log_groups", arguments)["logGroups"]
    found = next((one for one in groups if one["logGroupName"] == group), None)
    if found is None:
        yield fault("logs", f"there is no log group {group}", UPDATE)
    elif not found.get("retentionInDays"):
        yield warning("logs", f"{group} keeps every line for ever", "deploy with LogRetention")
    else:
        yield ok("logs", f"{group}, kept for {found['retentionInDays']} days")


def check_permissions(stack: Deployment, arns: Mapping[str, str]) -> Iterator[Finding]:
    """Simulate the calls that the role has to be allowed. arns: of the tables, by logical id."""
    role, path = str(stack.function.get("Role")), read_settings_path(stack)
    iam = stack.connect("iam")
    targets = {**arns, "index": f"{arns['StateTable']}/index/{INDEX}"}
    if path:
        _, partition, _, region, account, *_ = arns["StateTable"].split(":")
        targets["parameters"] = f"arn:{partition}:ssm:{region}:{account}:parameter{path}"
    console = stack.variables.get("SLUICE_CONSOLE", "").strip().lower() or "on"
    needed = [ACTIONS, *([CONSOLE_READS] * (console != "off")), *([CONSOLE_WRITES] * (console == "on"))]
    refused, number = [], 0
    for target, arn in targets.items():
        actions = [action for each in needed for action in each.get(target, ())]
        number += len(actions)
        arguments = {"PolicySourceArn": role, "ActionNames": actions, "ResourceArns": [arn]}
        results = call_aws(iam, "simulate_principal_policy", arguments)["EvaluationResults"]
        refused += [(one["EvalActionName"], arn) for one in results if one["EvalDecision"] != "allowed"]
    for action, arn in refused:
        yield fault("permissions", f"the role may not {action} on {arn}", f"restore the role: {UPDATE}")
    if not refused:
        yield ok("permissions", f"the role may make the {number} calls that are needed")


def read_settings_path(stack: Deployment) -> str:
    """Return the path of the credentials; empty if there is none."""
    return stack.variables.get("SLUICE_CREDENTIALS_PATH", "").strip().rstrip("/")


class _Names:
    """The names of the credentials that the function has. Their values are not read."""

    def __init__(self, names: frozenset[str], path: str) -> None:
        self._names, self._path = names, path

    def get(self, name: str) -> str | None:
        return "stored" if name in self._names else None

    def missing(self, name: str) -> str:
        where = f"in Parameter Store under {self._path}" if self._path else "in the function's environment"
        return f"there is no {name} {where}"


def check_credentials(stack: Deployment, items: list[Item], settings: Settings) -> Iterator[Finding]:
    """Check that the providers that are turned on have a credential. `items`: of the Rules table."""
    path = read_settings_path(stack)
    stored = _stored_names(stack.connect("ssm"), path) if path else frozenset()
    names = _Names(stored | {name for name, value in stack.variables.items() if value}, path)
    try:
        own, ruleset = read_settings(stack.variables), RuleSet.read(items)
    except (InvalidSetting, RuleSetTooLarge):
        yield skipped("credentials", "not checked, because settings or rules cannot be read")
        return
    rows = provider_rows(ruleset.enabled("provider"), region=settings.region)
    available, why = available_providers(rows, names, own, lambda: True)
    on = {record.id for record in ruleset.enabled("provider")} | own.providers
    for name, reason in why.items():
        if name.partition(" ")[0] in on:
            mend = f"aws ssm put-parameter --type SecureString --name {path or '/sluice'}/NAME --value ..."
            yield warning("credentials", f"{name} cannot be used: {reason}", mend)
    if available:
        yield ok("credentials", f"providers that can be used: {', '.join(sorted(available))}")
    else:
        mend = (
            f"store one: aws ssm put-parameter --type SecureString --name {path or '/sluice'}/OPENAI_API_KEY"
        )
        yield fault("credentials", "no provider can be used", f"{mend} --value ...")


def _stored_names(client: Any, path: str) -> frozenset[str]:
    names: set[str] = set()
    arguments: dict[str, Any] = {"Path": path, "Recursive": True, "WithDecryption": False}
    for _ in range(MAX_PAGES):
        page = call_aws(client, "get_parameters_by_path", arguments)
        names |= {one["Name"].rpartition("/")[2] for one in page["Parameters"]}
        if not page.get("NextToken"):
            break
        arguments["NextToken"] = page["NextToken"]
    return frozenset(names)
