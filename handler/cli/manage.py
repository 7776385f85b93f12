"""The command line for whoever runs a gateway: `keys ...` and `rules ...`, against AWS or a local DynamoDB.

Exit codes: 0 done, 1 not done (the store gave no answer, or the person said no), 2 something given is wrong.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from handler.attributes import Item, wire_item
from handler.cli.editing import Connect, Tables, check_rules, list_rules, pull_rules, push_rules, read_set
from handler.cli.stack import ATTEMPTS, READ_TIMEOUT, chosen_settings
from handler.cli.terminal import Terminal, Unusable, columns, read_json, this_terminal
from handler.keys import SCOPES, Key, key_record, new_key, read_key
from handler.settings import InvalidSetting, Settings, settings_from
from handler.store import StoreError, ask
from handler.store import client as aws_client
from rules import InvalidRecord, decide, facts_of_request
from rules.checking import at_hand  # not in the front door: no request needs these
from rules.fields import moment
from rules.spelling import within

Command = Callable[[Namespace, Connect, Terminal], int]


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


def _create_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--name", required=True, help="whose it is, for people")
    parser.add_argument("--project", default="default", help="what it is for, as rules know it (%(default)s)")
    parser.add_argument("--models", nargs="+", metavar="PATTERN", help="only these, as in openai/* (all)")
    parser.add_argument(
        "--scope", choices=list(SCOPES), default="chat", help="manage includes chat (%(default)s)"
    )
    parser.add_argument("--expires", metavar="DATE", help="like 2027-01-31T12:00:00Z (never)")


def _revoke_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="as `keys list` shows it")


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
    parser.add_argument("--key", metavar="ID", help="the key that asks: its project and models hold")
    parser.add_argument("--project", help="of the key that asks (default)")
    parser.add_argument("--function", help="what x-sluice-function would say")
    parser.add_argument("--at", metavar="TIME", help="like 2027-01-31T12:00:00Z or `mon 09:00`, in UTC (now)")


def run(
    given: Namespace, settings: Settings | None = None, client: Any = None, terminal: Terminal | None = None
) -> int:
    """Does what `add_arguments` read; what is not given is made of the environment."""
    person = terminal or this_terminal()

    def connect() -> Tables:
        chosen = chosen_settings(given, settings or settings_from())
        return Tables(client or aws_client(chosen, attempts=ATTEMPTS, read_timeout=READ_TIMEOUT), chosen)

    try:
        act: Command = given.act
        return act(given, connect, person)
    except (Unusable, InvalidRecord, InvalidSetting) as error:
        person.warn(f"sluice: {error}")
        return 2
    except StoreError as error:
        lost = error.code == "ResourceNotFoundException" and not given.stack
        person.warn(f"sluice: {error}{'; which stack is meant? --stack NAME' if lost else ''}")
        return 1


def create_key(given: Namespace, connect: Connect, terminal: Terminal) -> int:
    """The key alone goes to standard output, so that a script can keep it."""
    now, key = datetime.now(UTC), new_key()
    given_fields = {name: getattr(given, name) for name in ("name", "project", "models")}
    entry = {"key": key, **given_fields, "scopes": [given.scope], "expires_at": given.expires}
    record = key_record(entry, now=now)
    if read_key(record).expired(now.timestamp()):
        raise Unusable(f"--expires: {given.expires} is past")
    tables = connect()
    ask(tables.client, "put_item", {"TableName": tables.settings.keys_table, "Item": wire_item(record)})
    terminal.say(key)
    terminal.warn(f"{record['id']}: this is the only time the key is shown; the table holds its hash")
    return 0


def list_keys(given: Namespace, connect: Connect, terminal: Terminal) -> int:
    rows = sorted(_row(item, datetime.now(UTC).timestamp()) for item in connect().read_keys())
    for line in columns(("ID", "NAME", "PROJECT", "STATE", "SCOPES", "CREATED", "EXPIRES"), rows):
        terminal.say(line)
    return 0


def _row(item: Item, now: float) -> tuple[str, ...]:
    id, name, created, expires = (
        str(item.get(field, "")) for field in ("id", "name", "created_at", "expires_at")
    )
    try:
        key = read_key(item)
    except InvalidRecord as error:
        return id, name, "", f"disabled ({error})", "", created, expires
    state = "disabled" if not key.enabled else "expired" if key.expired(now) else "on"
    return id, name, key.project, state, " ".join(sorted(key.scopes)), created, expires


def revoke_key(given: Namespace, connect: Connect, terminal: Terminal) -> int:
    tables = connect()
    for item in _records_of_key(tables, given.id):
        arguments = {
            "TableName": tables.settings.keys_table,
            "Key": wire_item({"hash": item["hash"]}),
            "UpdateExpression": "SET #enabled = :no",
            "ConditionExpression": "attribute_exists(#hash)",  # never makes a record anew
            "ExpressionAttributeNames": {"#enabled": "enabled", "#hash": "hash"},
            "ExpressionAttributeValues": wire_item({":no": False}),
        }
        ask(tables.client, "update_item", arguments)
    terminal.say(f"{given.id}: disabled; in force within {tables.settings.key_ttl:g} seconds")
    return 0


def _records_of_key(tables: Tables, id: str) -> list[Item]:
    """Raises Unusable when there are none."""
    items = tables.read_keys()
    if found := [item for item in items if item.get("id") == id]:
        return found
    near = get_close_matches(id, [str(item.get("id", "")) for item in items], n=1)
    raise Unusable(f"there is no key with the id {id}{f', did you mean {near[0]}?' if near else ''}")


def explain(given: Namespace, connect: Connect, terminal: Terminal) -> int:
    request = read_json(given.request, terminal, number=float)
    if not isinstance(request, dict):
        raise Unusable(f"{given.request}: a chat request is a JSON object")
    tables = connect()
    ruleset = read_set(tables.read_rules())
    key = read_key(_records_of_key(tables, given.key)[0]) if given.key else Key(id="")
    weekday, hour = within("--at", moment, given.at or datetime.now(UTC).isoformat())
    facts = facts_of_request(
        request,
        project=given.project or key.project,
        key=key.id,
        key_models=key.models,
        function=given.function,
    )
    facts = replace(facts, weekday=weekday, hour=hour)
    catalog, live = at_hand(ruleset)
    terminal.say(json.dumps(decide(facts, ruleset, catalog, live).explain(), indent=2, ensure_ascii=False))
    for problem in ruleset.problems:
        terminal.warn(str(problem))
    terminal.warn("every provider counts as available here; POST /explain tells what a running gateway has")
    return 0


# command -> what it is about, and its verbs: what each is about, does, and is given
COMMANDS: Mapping[str, tuple[str, Mapping[str, tuple[str, Command, Callable[[ArgumentParser], object]]]]] = {
    "keys": (
        "who may call",
        {
            "create": ("make a key; it is shown once", create_key, _create_arguments),
            "list": ("every key, without what would let anyone use it", list_keys, _no_arguments),
            "revoke": ("disable a key", revoke_key, _revoke_arguments),
        },
    ),
    "rules": (
        "which models answer",
        {
            "list": ("every record on one line", list_rules, _no_arguments),
            "check": ("read every record and run the set's own tests", check_rules, _check_arguments),
            "pull": ("the table as JSON, to be edited", pull_rules, _no_arguments),
            "push": ("put the records of a file into the table", push_rules, _push_arguments),
            "explain": ("which model would answer a request, and why", explain, _explain_arguments),
        },
    ),
}
