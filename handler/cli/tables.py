"""The tables and the settings of a deployed stack, as the arguments of a command name them."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace

from handler.settings import Settings, read_settings
from handler.store.dynamodb import StoreError, call_aws, create_client
from handler.store.tables import TABLES
from rules.review.command_line import InvalidInput

ATTEMPTS, READ_TIMEOUT = 5, 20  # a person waits longer than a request does
TIMES = ("SLUICE_RULES_TTL", "SLUICE_KEY_TTL")


def chosen_settings(given: Namespace, settings: Settings) -> Settings:
    """The settings with the region and the tables that the arguments name."""
    if given.region:
        settings = replace(settings, environment={**settings.environment, "AWS_REGION": given.region})
    if given.stack:
        settings = _of_stack(given.stack, settings)
    return replace(
        settings,
        rules_table=given.rules_table or settings.rules_table,
        keys_table=given.keys_table or settings.keys_table,
    )


def _of_stack(stack: str, settings: Settings) -> Settings:
    """The settings with the tables and the times of a stack."""
    client = create_client(settings, service="cloudformation", attempts=ATTEMPTS, read_timeout=READ_TIMEOUT)
    resources = call_aws(client, "describe_stack_resources", {"StackName": stack})["StackResources"]
    found = {one["LogicalResourceId"]: one.get("PhysicalResourceId") for one in resources}
    if missing := [name for name in TABLES if not found.get(name)]:
        raise InvalidInput(f"the stack {stack} is no gateway: it has no {', '.join(missing)}")
    deployed = read_settings(_environment_of(found.get("Gateway"), settings))
    return replace(
        settings,
        rules_table=found["RulesTable"],
        keys_table=found["KeysTable"],
        rules_ttl=deployed.rules_ttl,
        key_ttl=deployed.key_ttl,
    )


def _environment_of(function: str | None, settings: Settings) -> dict[str, str]:
    """The TIMES of a Lambda function; empty where they may not be read, and the defaults are shown."""
    if not function:
        return {}
    client = create_client(settings, service="lambda", attempts=ATTEMPTS, read_timeout=READ_TIMEOUT)
    try:
        found = call_aws(client, "get_function_configuration", {"FunctionName": function})
    except StoreError:
        return {}
    variables = found.get("Environment", {}).get("Variables", {})
    return {name: text for name, text in variables.items() if name in TIMES}
