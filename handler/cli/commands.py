"""The commands of the command line, for the tables and the bucket on AWS or of a local run.

Exit codes: 0 done; 1 the store did not answer, or the question was answered no; 2 an input is wrong.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from handler.aws.errors import StoreError
from handler.cli import keys, logs, rules, usage
from handler.cli.doctor import command as doctor
from handler.cli.tables import Command, Tables, connect
from handler.cli.terminal import Terminal, process_terminal
from handler.settings import InvalidSetting, Settings, read_settings
from rules import InvalidRecord, RuleSetTooLarge
from rules.review.command_line import InvalidInput

COMMANDS = {
    "keys": ("who may call", keys.VERBS),
    "rules": ("which models answer", rules.VERBS),
    "logs": ("requests and answers that were logged", logs.VERBS),
}


def add_arguments(subparsers: Any) -> None:
    """Add the commands and their verbs to argparse's subparsers."""
    tables = ArgumentParser(add_help=False)
    tables.add_argument("--stack", metavar="NAME", help="use the tables of this CloudFormation stack")
    tables.add_argument("--region", help="AWS region (from the environment)")
    tables.add_argument("--rules-table", metavar="NAME", help="use this Rules table instead")
    tables.add_argument("--keys-table", metavar="NAME", help="use this Keys table instead")
    tables.add_argument("--state-table", metavar="NAME", help="use this State table instead")
    for command, (about, verbs) in COMMANDS.items():
        actions = subparsers.add_parser(command, help=about).add_subparsers(metavar="VERB", required=True)
        for verb, (help, run, add_verb_arguments) in verbs.items():
            parser = actions.add_parser(verb, help=help, parents=[tables])
            parser.set_defaults(act=run)
            add_verb_arguments(parser)
    parser = subparsers.add_parser(
        "doctor", help="check a stack and a running gateway, and say what to mend", parents=[tables]
    )
    parser.set_defaults(act=doctor.diagnose)
    doctor.add_arguments(parser)
    parser = subparsers.add_parser("usage", help="what was used, and its cost", parents=[tables])
    parser.set_defaults(act=usage.show_usage)
    usage.add_arguments(parser)


def run(
    args: Namespace, settings: Settings | None = None, client: Any = None, terminal: Terminal | None = None
) -> int:
    """Run the command that argparse read, and return the exit code. Defaults come from the environment."""
    terminal = terminal or process_terminal()
    command: Command = args.act
    args.environment = lambda: (settings or read_settings()).environment
    try:
        return command(args, lambda: _connect(args, settings or read_settings(), client, terminal), terminal)
    except (InvalidInput, InvalidRecord, InvalidSetting, RuleSetTooLarge) as error:
        terminal.warn(f"sluice: {error}")
        return 2
    except StoreError as error:
        no_table = error.code == "ResourceNotFoundException" and not args.stack
        terminal.warn(f"sluice: {error}{'; pass --stack NAME' if no_table else ''}")
        return 1


def add_gateway_arguments(parser: ArgumentParser) -> None:
    """Add the arguments before a command that make it work through a gateway, without AWS credentials."""
    parser.add_argument(
        "--url", dest="gateway", metavar="URL", help="use the gateway at this address ($SLUICE_URL), not AWS"
    )
    parser.add_argument(
        "--key",
        dest="gateway_key",
        metavar="KEY",
        help="a key of it with scope manage or admin, - for standard input ($SLUICE_API_KEY)",
    )


def _connect(args: Namespace, settings: Settings, client: Any, terminal: Terminal) -> Tables:
    """Return the gateway or the tables that the arguments or the environment name.

    `client`: used instead of a new one; for a gateway, a function that sends requests.
    """
    given = getattr(args, "gateway", None)
    named = [name for name in _OF_AWS if getattr(args, name)]
    if given and named:
        raise InvalidInput(f"--url and --{named[0].replace('_', '-')} exclude each other")
    url = given or (None if named else settings.environment.get("SLUICE_URL"))
    if not url:
        return connect(args, settings, client)
    from handler.cli.gateway.remote import connect_to

    key = getattr(args, "gateway_key", None) or settings.environment.get("SLUICE_API_KEY", "")
    if key == "-":
        key = terminal.read().decode("utf-8", "replace")
    return connect_to(url, key.strip(), settings, client)


_OF_AWS = ("stack", "region", "rules_table", "keys_table", "state_table")
