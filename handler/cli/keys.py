"""`keys ...`: the Keys table from the command line (docs/deploying.md).

A key is named by its id or given itself: then it is hashed at once and never printed.
"""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from handler.access.auth import UNKNOWN_TTL
from handler.access.keys import REPLACED, SCOPES, generate_key, make_key_record, read_key
from handler.cli.key_records import (
    HEAD,
    cell_text,
    current_record,
    date_text,
    describe,
    find_records,
    sort_key,
    table_row,
    update_record,
    update_request,
    with_fields,
)
from handler.cli.rules import Connect, pattern_warnings
from handler.cli.terminal import Terminal, columns, json_text
from handler.store.attributes import serialize_item
from handler.store.dynamodb import call_aws
from handler.store.tables import LAST_USED
from rules import InvalidRecord
from rules.review.command_line import InvalidInput

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(rf"(\d{{1,5}})([{''.join(_UNITS)}])")
_OF_ONE_RECORD = frozenset({"hash", "created_at", LAST_USED, REPLACED})  # not inherited by a new key


def duration(text: str) -> timedelta:
    """Parses "90m", "24h", "30d" or "2w" for argparse."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ArgumentTypeError(f"{text!r} is not a length of time like 90m, 24h, 30d or 2w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def create_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--name", required=True, help="the owner, for people")
    parser.add_argument("--project", default="default", help="as in the scope of a rule (%(default)s)")
    parser.add_argument("--models", nargs="+", metavar="PATTERN", help="only these, as in 'openai/*' (all)")
    parser.add_argument(
        "--scope", choices=list(SCOPES), default="chat", help="manage includes chat (%(default)s)"
    )
    parser.add_argument("--expires", metavar="WHEN", help="30d, 12h or like 2027-01-31T12:00:00Z (never)")


def list_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")


def key_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "key", metavar="KEY", help="its id as `keys list` shows it, or the key itself (-: stdin)"
    )


def show_arguments(parser: ArgumentParser) -> None:
    key_arguments(parser)
    list_arguments(parser)


def rotate_arguments(parser: ArgumentParser) -> None:
    key_arguments(parser)
    parser.add_argument(
        "--overlap",
        metavar="TIME",
        type=duration,
        default=duration("24h"),
        help="how long the old key still works: 90m, 24h, 7d (24h)",
    )
    parser.add_argument("--expires", metavar="WHEN", help="when the new key expires (as the old one)")


def update_arguments(parser: ArgumentParser) -> None:
    key_arguments(parser)
    parser.add_argument("--name", help="the owner, for people")
    models = parser.add_mutually_exclusive_group()
    models.add_argument("--models", nargs="+", metavar="PATTERN", help="only these, as in 'openai/*'")
    models.add_argument("--all-models", action="store_true", help="remove the list of models")
    parser.add_argument("--expires", metavar="WHEN", help="30d, 12h, like 2027-01-31T12:00:00Z, or never")


def create_key(given: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Makes a key. Only the key goes to standard output, so that a script can keep it."""
    now, key = datetime.now(UTC), generate_key()
    fields = {name: getattr(given, name) for name in ("name", "project", "models")}
    expires = _expiry(given.expires, now)
    record = make_key_record({"key": key, **fields, "scopes": [given.scope], "expires_at": expires}, now=now)
    _refuse_past(record, given.expires, now)
    tables = connect()
    put = {"TableName": tables.settings.keys_table, "Item": serialize_item(record)}
    call_aws(tables.client, "put_item", put)
    terminal.say(key)
    terminal.warn(f"{record['id']}: this is the only time the key is shown; the table holds its hash")
    return 0


def list_keys(given: Namespace, connect: Connect, terminal: Terminal) -> int:
    now, tables = datetime.now(UTC), connect()
    found = sorted((describe(item, now) for item in tables.read_keys()), key=sort_key)
    if given.json:
        terminal.say(json_text(found))
        return 0
    for line in pattern_warnings(tables, found):
        terminal.warn(line)
    for line in columns(HEAD, map(table_row, found)):
        terminal.say(line)
    return 0


def show_key(given: Namespace, connect: Connect, terminal: Terminal) -> int:
    now = datetime.now(UTC)
    items = sorted(find_records(connect(), given.key, terminal), key=lambda item: REPLACED in item)
    found = [describe(item, now) for item in items]
    if given.json:
        terminal.say(json_text(found))
        return 0
    for number, one in enumerate(found):
        if number:
            terminal.say("")
        known = ((name, cell_text(value)) for name, value in one.items() if value is not None)
        for line in columns(("FIELD", "VALUE"), known):
            terminal.say(line)
    return 0


def disable_key(given: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Disables every record of the key, also those that cannot be read."""
    tables = connect()
    for item in find_records(tables, given.key, terminal):
        update_record(tables, item, {"enabled": False}, terminal, within=tables.settings.key_ttl)
    return 0


def enable_key(given: Namespace, connect: Connect, terminal: Terminal) -> int:
    tables = connect()
    item = current_record(find_records(tables, given.key, terminal))
    read_key({**item, "enabled": True})
    update_record(tables, item, {"enabled": True}, terminal, within=UNKNOWN_TTL)
    return 0


def update_key(given: Namespace, connect: Connect, terminal: Terminal) -> int:
    now = datetime.now(UTC)
    fields = {name: value for name in ("name", "models") if (value := getattr(given, name)) is not None}
    if given.all_models:
        fields["models"] = None
    if given.expires is not None:
        fields["expires_at"] = _expiry(given.expires, now)
    if not fields:
        raise InvalidInput("nothing to change: give --name, --models, --all-models or --expires")
    tables = connect()
    item = current_record(find_records(tables, given.key, terminal))
    _refuse_past(fields if "expires_at" in fields else {}, given.expires, now)
    read_key(with_fields(item, fields))
    update_record(tables, item, fields, terminal, within=tables.settings.key_ttl)
    return 0


def rotate_key(given: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Makes a new key with the id and rights of the old one, in one transaction."""
    now, key, tables = datetime.now(UTC), generate_key(), connect()
    item = current_record(find_records(tables, given.key, terminal))
    old, table = read_key(item), tables.settings.keys_table
    expires = item.get("expires_at") if given.expires is None else _expiry(given.expires, now)
    taken = {name: value for name, value in item.items() if name not in _OF_ONE_RECORD}
    record = make_key_record({**taken, "expires_at": expires, "key": key, "enabled": True}, now=now)
    _refuse_past(record, given.expires or "the old key's date", now)
    ends = now + given.overlap
    if old.expires_at is not None:
        ends = min(ends, datetime.fromtimestamp(old.expires_at, UTC))
    fields = {"expires_at": date_text(ends), REPLACED: date_text(now)}
    update = update_request(table, item, fields, unless=REPLACED)
    put = {"TableName": table, "Item": serialize_item(record)}
    call_aws(tables.client, "transact_write_items", {"TransactItems": [{"Put": put}, {"Update": update}]})
    terminal.say(key)
    until = f"is good until {date_text(ends)}" if old.enabled else "stays disabled"
    terminal.warn(f"{record['id']}: this is the only time the new key is shown; the old one {until}")
    return 0


def _expiry(text: str | None, now: datetime) -> str | None:
    """The date of a `--expires` argument, a date or a duration from now; None for `never` and None."""
    if text is None or text == "never":
        return None
    try:
        return date_text(now + duration(text))
    except ArgumentTypeError:
        pass
    try:
        read_key({"id": "new", "expires_at": text})
    except InvalidRecord:
        raise InvalidInput(
            f"--expires: {text!r} is neither 90m, 12h or 30d nor a date like 2027-01-31"
        ) from None
    return text


def _refuse_past(record: Mapping[str, Any], text: str | None, now: datetime) -> None:
    if read_key({"id": "new", **record}).is_expired(now.timestamp()):
        raise InvalidInput(f"--expires: {text} is in the past")


Command = Callable[[Namespace, Connect, Terminal], int]
VERBS: Mapping[str, tuple[str, Command, Callable[[ArgumentParser], object]]] = {
    "create": ("make a key; it is shown once", create_key, create_arguments),
    "list": ("list every key's state, models and last use", list_keys, list_arguments),
    "show": ("show everything about one key", show_key, show_arguments),
    "revoke": ("disable a key", disable_key, key_arguments),
    "disable": ("disable a key, like revoke", disable_key, key_arguments),
    "enable": ("enable a disabled key", enable_key, key_arguments),
    "update": ("change a key's name, models or expiry", update_key, update_arguments),
    "rotate": ("make a new key with the same id; the old one ends later", rotate_key, rotate_arguments),
}
