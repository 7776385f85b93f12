"""The command line for whoever runs a gateway: `keys ...` and `rules ...`, against AWS or a local DynamoDB.

Exit codes: 0 done, 1 not done (the store gave no answer, or the person said no), 2 something given is wrong.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from handler.access.keys import Key, read_key
from handler.cli import keys
from handler.cli.key_records import current_record, find_records
from handler.cli.keys import Command, list_arguments
from handler.cli.rules import Connect, Tables, check_rules, list_rules, pull_rules, push_rules
from handler.cli.tables import ATTEMPTS, READ_TIMEOUT, chosen_settings
from handler.cli.terminal import Terminal, this_terminal
from handler.settings import InvalidSetting, Settings, read_settings
from handler.store.dynamodb import StoreError, create_client
from rules import InvalidRecord
from rules.review.command_line import InvalidInput, read_request, read_ruleset
from rules.review.explain import explain as explain_request


def add_arguments(commands: Any) -> None:
    """Adds `keys` and `rules` to argparse's subparsers."""
    where = ArgumentParser(add_help=False)
    where.add_argument("--stack", metavar="NAME", help="the CloudFormation stack whose tables are meant")
    where.add_argument("--region", help="of AWS, where the environment names none")
    where.add_argument("--rules-table", metavar="NAME", help="the Rules table, instead of the stack's")
    where.add_argument("--keys-table", metavar="NAME", help="the Keys table, instead of the stack's")
    for command, (about, verbs) in COMMANDS.items():
        actions = commands.add_parser(command, help=about).add_subparsers(metavar="VERB", required=True)
        for verb, (help, run, add) in verbs.items():
            parser = actions.add_parser(verb, help=help, parents=[where])
            parser.set_defaults(act=run)
            add(parser)


def _no_arguments(_: ArgumentParser) -> None:
    pass


def _push_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", nargs="?", default="-", help="a JSON list of records (-: stdin)"
    )
    parser.add_argument("--yes", action="store_true", help="write without asking")
    parser.add_argument("--prune", action="store_true", help="remove what is not in FILE")
    parser.add_argument(
        "--yes-delete-everything", action="store_true", help="needed to prune by a FILE without records"
    )


def _check_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", nargs="?", help="a JSON list of records, -: stdin (the table)"
    )
    parser.add_argument("--keys", metavar="FILE", help="a JSON list of keys that scopes may name (the table)")


def _explain_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("request", metavar="REQUEST.json", help="a chat request, -: stdin")
    parser.add_argument("--key", metavar="KEY", help="the key that asks, by id: its project and models hold")
    parser.add_argument("--project", help="of the key that asks (default)")
    parser.add_argument("--function", help="what x-sluice-function would say")
    parser.add_argument("--at", metavar="TIME", help="like 2027-01-31T12:00:00Z or `mon 09:00`, in UTC (now)")


def run(
    given: Namespace, settings: Settings | None = None, client: Any = None, terminal: Terminal | None = None
) -> int:
    """Does what `add_arguments` read; what is not given is made of the environment."""
    person = terminal or this_terminal()

    def connect() -> Tables:
        chosen = chosen_settings(given, settings or read_settings())
        return Tables(client or create_client(chosen, attempts=ATTEMPTS, read_timeout=READ_TIMEOUT), chosen)

    try:
        act: Command = given.act
        return act(given, connect, person)
    except (InvalidInput, InvalidRecord, InvalidSetting) as error:
        person.warn(f"sluice: {error}")
        return 2
    except StoreError as error:
        lost = error.code == "ResourceNotFoundException" and not given.stack
        person.warn(f"sluice: {error}{'; which stack is meant? --stack NAME' if lost else ''}")
        return 1


def explain(given: Namespace, connect: Connect, terminal: Terminal) -> int:
    request = read_request(given.request, standard_input=terminal.read)
    tables = connect()
    ruleset = read_ruleset(tables.read_rules())
    key = read_key(current_record(find_records(tables, given.key, terminal))) if given.key else Key(id="")
    caller = {"project": given.project or key.project, "key": key.id, "key_models": key.models}
    at = given.at or datetime.now(UTC).isoformat()
    terminal.say(explain_request(ruleset, request, at=at, function=given.function, **caller))
    for problem in ruleset.problems:
        terminal.warn(str(problem))
    terminal.warn("every provider counts as available here; POST /explain tells what a running gateway has")
    return 0


# command -> what it is about, and its verbs: what each is about, does, and is given
COMMANDS: Mapping[str, tuple[str, Mapping[str, tuple[str, Command, Callable[[ArgumentParser], object]]]]] = {
    "keys": ("who may call", keys.VERBS),
    "rules": (
        "which models answer",
        {
            "list": ("every record on one line", list_rules, list_arguments),
            "check": ("read every record and run the set's own tests", check_rules, _check_arguments),
            "pull": ("the table as JSON, to be edited", pull_rules, _no_arguments),
            "push": ("put the records of a file into the table", push_rules, _push_arguments),
            "explain": ("which model would answer a request, and why", explain, _explain_arguments),
        },
    ),
}
