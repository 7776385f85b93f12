"""The command `usage`: what GET /usage reports about every key, as a table, CSV or JSON."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from handler.aws.client import AwsClient
from handler.cli.tables import Connect
from handler.cli.terminal import Row, Terminal, format_json, format_table
from handler.errors import InvalidRequest
from handler.settings import Settings
from handler.store.items import Items
from handler.store.usage_report import DEFAULTS, Question, Report, format_dollars, read_question, read_report
from rules.review.command_line import InvalidInput

TIMEOUT = 120.0  # seconds for one call of the store
COLUMNS = ("requests", "errors", "input", "cached", "output")  # of the table, before the cost
FLAGS = {"from": "--since", "to": "--until", "by": "--by"}  # of the parameters of GET /usage


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--by",
        metavar="NAMES",
        default=DEFAULTS["by"],
        help="what to group by: day,project,key,model,session,agent,tag.<name> (%(default)s)",
    )
    parser.add_argument(
        "--since",
        metavar="WHEN",
        default=DEFAULTS["from"],
        help="the first day in UTC, such as 2026-01-31, or the last days: 7d (%(default)s)",
    )
    parser.add_argument(
        "--until", metavar="WHEN", default=DEFAULTS["to"], help="the last day, likewise; 1d is today (today)"
    )
    parser.add_argument(
        "--format", choices=("table", "csv", "json"), default="table", help="of the output (%(default)s)"
    )


def show_usage(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    parameters = {"from": args.since, "to": args.until, "by": args.by}
    try:
        question = read_question(parameters, datetime.now(UTC).date())
    except InvalidRequest as error:
        message = error.message.removeprefix(f"{error.param}: ")
        raise InvalidInput(f"{FLAGS[str(error.param)]}: {message}") from error
    report = connect().run(read_usage, question)
    if args.format == "table":
        for line in format_table(*_table(report)):
            terminal.print(line)
    else:
        text = report.as_csv() if args.format == "csv" else format_json(report.as_json())
        terminal.print(text.rstrip("\r\n"))
    for warning in _warnings(report):
        terminal.warn(warning)
    return 0


async def read_usage(client: AwsClient, settings: Settings, question: Question) -> Report:
    """Return the usage of all keys. Raises StoreError."""
    return await read_report(Items(client, settings.state_table, timeout=TIMEOUT), question)


def _table(report: Report) -> tuple[Row, list[Row]]:
    by = report.question.by
    head = (*(name.upper() for name in by), *map(str.upper, COLUMNS), "DOLLARS")
    rows = [(*(value or "-" for value in group.values), *_cells(group.counts)) for group in report.groups]
    total = (*("total" if number == 0 else "" for number in range(len(by))), *_cells(report.total))
    return head, [*rows, total] if by else rows


def _cells(counts: Mapping[str, int]) -> Row:
    return (*(str(counts.get(name, 0)) for name in COLUMNS), format_dollars(counts.get("cost", 0))[:-3])


def _warnings(report: Report) -> Iterator[str]:
    if unpriced := report.total.get("unpriced", 0):
        yield f"requests whose cost is unknown, because a model has no price: {unpriced}"
    if report.truncated:
        yield "there are more rows than are shown: ask for fewer days, or group by less"
