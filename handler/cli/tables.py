"""Finds the tables that a command works on: those of a stack, of the arguments, or of the environment."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from handler.aws.errors import StoreError
from handler.aws.sdk import ThreadedClient, call_aws, create_client, scan
from handler.cli.terminal import Terminal
from handler.manage.rules import StoredRules, read_rules
from handler.settings import Settings, read_settings
from handler.store.attributes import Item, deserialize_item
from handler.store.bucket import Bucket
from handler.store.tables import TABLES
from rules.review.command_line import InvalidInput
from rules.review.lint import KnownKeys

T = TypeVar("T")

ATTEMPTS, READ_TIMEOUT = 5, 20  # more, and longer, than for a request
BUCKET_TIMEOUT = 120.0  # seconds for one object, with all attempts
BUCKET_THREADS = 10  # as many as a client keeps connections
NO_BUCKET = "no bucket: pass --stack of a stack with ContentBucket=true, or --bucket, or set SLUICE_BUCKET"
# Of the deployed function: the times that are shown, and in a second region the tables of another stack.
DEPLOYED = ("SLUICE_RULES_TTL", "SLUICE_KEY_TTL", "SLUICE_RULES_TABLE", "SLUICE_KEYS_TABLE")


@dataclass(frozen=True, slots=True)
class Tables:
    """A botocore DynamoDB client, and the settings that name the tables and the bucket."""

    client: Any
    settings: Settings

    def read_rules(self) -> StoredRules:
        return self.run(read_rules)

    def read_keys(self) -> list[Item]:
        return [
            deserialize_item(item) for item in scan(self.client, self.settings.keys_table, consistent=True)
        ]

    def known_keys(self) -> KnownKeys | None:
        """Return the keys that scopes may name, or None where reading them is not allowed."""
        try:
            return KnownKeys.of(self.read_keys())
        except StoreError:
            return None

    def run(self, work: Callable[..., Coroutine[Any, Any, T]], *arguments: Any, **options: Any) -> T:
        """Run a function of `handler.manage` with a client and these settings, and return its result."""
        return asyncio.run(work(ThreadedClient(self.client), self.settings, *arguments, **options))

    def bucket(self) -> Bucket:
        """Return the bucket of the content log. Raises InvalidInput if there is none."""
        if self.settings.bucket is None:
            raise InvalidInput(NO_BUCKET)
        return Bucket(
            self.settings.bucket,
            lambda: _create_client(self.settings, "s3"),
            timeout=BUCKET_TIMEOUT,
            threads=BUCKET_THREADS,
        )


Connect = Callable[[], Tables]  # called only when a command needs the tables: a file is checked without AWS
Command = Callable[[Namespace, Connect, Terminal], int]  # returns the exit code


def connect(args: Namespace, settings: Settings, client: Any = None) -> Tables:
    """Return the tables that the arguments name. `client`: used instead of a new one."""
    settings = select_settings(args, settings)
    return Tables(client or _create_client(settings, "dynamodb"), settings)


def select_settings(args: Namespace, settings: Settings) -> Settings:
    """Return the settings with the region and the tables that the arguments name."""
    if args.region:
        settings = settings.replaced(environment={**settings.environment, "AWS_REGION": args.region})
    if args.stack:
        settings = _settings_of_stack(args.stack, settings)
    return settings.replaced(
        rules_table=args.rules_table or settings.rules_table,
        keys_table=args.keys_table or settings.keys_table,
        state_table=args.state_table or settings.state_table,
        bucket=getattr(args, "bucket", None) or settings.bucket,
    )


def _settings_of_stack(stack: str, settings: Settings) -> Settings:
    """Return the settings with the tables and the times of a stack. Raises InvalidInput."""
    client = _create_client(settings, "cloudformation")
    resources = call_aws(client, "describe_stack_resources", {"StackName": stack})["StackResources"]
    # moto lists a resource without a name where a condition leaves one out.
    made = {one.get("LogicalResourceId"): one.get("PhysicalResourceId") for one in resources}
    environment = _environment_of(made.get("Gateway"), settings)
    others = {name: environment.get(f"SLUICE_{field.upper()}") for name, field in TABLES.items()}
    found = {**others, **{name: id for name, id in made.items() if id}}
    if missing := [name for name in TABLES if not found.get(name)]:
        raise InvalidInput(f"the stack {stack} is not a gateway: it has no {', '.join(missing)}")
    deployed = read_settings(environment)
    return settings.replaced(
        rules_table=found["RulesTable"],
        keys_table=found["KeysTable"],
        state_table=found["StateTable"],
        bucket=found.get("Bucket"),
        rules_ttl=deployed.rules_ttl,
        key_ttl=deployed.key_ttl,
    )


def _environment_of(function: str | None, settings: Settings) -> dict[str, str]:
    """Return the DEPLOYED settings of a function; none of them, for the defaults, where it cannot be read."""
    if not function:
        return {}
    client = _create_client(settings, "lambda")
    try:
        configuration = call_aws(client, "get_function_configuration", {"FunctionName": function})
    except StoreError:
        return {}
    variables = configuration.get("Environment", {}).get("Variables", {})
    return {name: text for name, text in variables.items() if name in DEPLOYED}


def _create_client(settings: Settings, service: str) -> Any:
    return create_client(settings, service=service, attempts=ATTEMPTS, read_timeout=READ_TIMEOUT)
