"""The command `doctor`: runs the checks, and prints a line for each finding.

Exit codes: 0 nothing to mend; 1 warnings; 2 faults, or an argument is wrong.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from functools import partial
from typing import Any

from handler import __version__
from handler.aws.errors import StoreError
from handler.aws.sdk import call_aws, create_client
from handler.cli.doctor.finding import EXIT_CODES, Finding, fault, guarded
from handler.cli.doctor.gateway import check_clock, check_gateway
from handler.cli.doctor.probe import Probe
from handler.cli.doctor.stack import (
    Deployment,
    check_concurrency,
    check_credentials,
    check_function,
    check_logs,
    check_permissions,
    check_settings,
    check_stack,
    check_url,
    read_deployment,
)
from handler.cli.doctor.tables import EXPECTED, check_keys, check_rules, check_tables
from handler.cli.tables import ATTEMPTS, READ_TIMEOUT, Connect, Tables
from handler.cli.terminal import Terminal, escape, format_json
from handler.settings import InvalidSetting, Settings
from handler.store.attributes import Item
from handler.store.tables import TABLES
from rules.review.command_line import InvalidInput

SEE_STACK = "check --stack, --region, and that this machine has a network and AWS credentials"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--url", metavar="URL", help="check the gateway at this address ($SLUICE_URL); of a stack, its own"
    )
    parser.add_argument(
        "--key",
        metavar="KEY",
        help="a key of the gateway, best with scope admin; - reads standard input ($SLUICE_API_KEY)",
    )
    parser.add_argument("--model", metavar="NAME", help="the model to ask for a stream (the cheapest one)")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def diagnose(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Check a stack and a gateway, print what was found, and return the exit code."""
    environment = args.environment()
    url = args.url or args.gateway or (None if args.stack else environment.get("SLUICE_URL"))
    if not (args.stack or url):
        raise InvalidInput("pass --stack NAME for all checks, or --url URL for a running gateway")
    key = args.key or args.gateway_key or environment.get("SLUICE_API_KEY")
    if key == "-":
        key = terminal.read().decode("utf-8", "replace").strip()
    if url:
        Probe(url, key)  # a wrong address is named before anything is checked
    found = []
    for finding in _findings(args, url, connect, key):
        one = finding._replace(text=_line(finding.text), mend=_line(finding.mend))
        found.append(one)
        if not args.json:
            mend = f" -> {one.mend}" if one.mend else ""
            terminal.print(f"{one.state:<8} {one.check}: {one.text}{mend}")
    code = max((EXIT_CODES[one.state] for one in found), default=0)
    if args.json:
        terminal.print(format_json({"version": __version__, "findings": [one._asdict() for one in found]}))
    else:
        counts = (f"{sum(one.state == state for one in found)} {state}" for state in EXIT_CODES)
        terminal.print(", ".join(counts))
    return code


def _line(text: str) -> str:
    """Return a text on one line, as a terminal may show it."""
    return escape(" ".join(text.split()))


def _findings(args: Namespace, url: str | None, connect: Connect, key: str | None) -> Iterator[Finding]:
    if args.stack:
        try:
            tables = connect()
            stack = read_deployment(args.stack, partial(_client, tables.settings))
        except (StoreError, InvalidInput, InvalidSetting) as error:
            yield fault("stack", str(error), SEE_STACK)
        else:
            yield from _of_stack(stack, tables)
            url = url or stack.url
    if url:
        yield from check_gateway(Probe(url, key), args.model)


def _of_stack(stack: Deployment, tables: Tables) -> Iterator[Finding]:
    settings = tables.settings
    yield from check_stack(stack)
    yield check_clock(stack.date, time.time())
    yield from check_function(stack)
    yield from check_settings(stack, settings)
    yield from guarded("function url", lambda: check_url(stack), "lambda:GetFunctionUrlConfig")
    yield from guarded("concurrency", lambda: check_concurrency(stack), "lambda:GetFunctionConcurrency")
    yield from guarded("logs", lambda: check_logs(stack), "logs:DescribeLogGroups")
    described = "dynamodb:DescribeTable, DescribeTimeToLive and DescribeContinuousBackups"
    yield from guarded("tables", lambda: check_tables(tables.client, settings), described)
    arns = partial(_arns, tables)
    yield from guarded("permissions", lambda: check_permissions(stack, arns()), "iam:SimulatePrincipalPolicy")
    keys: list[Item] = []
    yield from guarded("keys", lambda: _keys(tables, keys), "dynamodb:Scan on the Keys table")
    yield from guarded("rules", lambda: check_rules(tables, keys), "dynamodb:Scan on the Rules table")
    yield from guarded(
        "credentials",
        lambda: check_credentials(stack, tables.read_rules().items, settings),
        "ssm:GetParametersByPath",
    )


def _keys(tables: Tables, found: list[Item]) -> Iterator[Finding]:
    """Check the keys, which the check of rules needs as well."""
    found += tables.read_keys()
    return check_keys(found)


def _client(settings: Settings, service: str) -> Any:
    return create_client(settings, service=service, attempts=ATTEMPTS, read_timeout=READ_TIMEOUT)


def _arns(tables: Tables) -> dict[str, str]:
    names = {name: getattr(tables.settings, TABLES[name]) for name in EXPECTED}
    return {
        name: call_aws(tables.client, "describe_table", {"TableName": table})["Table"]["TableArn"]
        for name, table in names.items()
    }
