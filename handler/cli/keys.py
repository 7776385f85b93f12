"""The commands `keys create | list | show | revoke | ...` (docs/deploying.md).

A key is named by its id or by the key itself, which is hashed at once and never printed.
"""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from handler.access.auth import UNKNOWN_TTL
from handler.access.keys import REPLACED, SCOPES, generate_key, make_key_record, read_key
from handler.aws.sdk import call_aws
from handler.cli.key_records import (
    HEAD,
    current_record,
    describe,
    find_records,
    format_cell,
    format_date,
    pattern_warnings,
    sort_key,
    table_row,
    update_record,
    update_request,
    with_fields,
)
from handler.cli.tables import Command, Connect
from handler.cli.terminal import Terminal, format_json, format_table
from handler.store.attributes import serialize_item
from handler.store.tables import LAST_USED
from rules import InvalidRecord
from rules.review.command_line import InvalidInput

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(rf"(\d{{1,5}})([{''.join(_UNITS)}])")
_NOT_INHERITED = frozenset({"hash", "created_at", LAST_USED, REPLACED})  # by the new key of a rotation


def parse_duration(text: str) -> timedelta:
    """Parse "90m", "24h", "30d" or "2w" for argparse."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ArgumentTypeError(f"{text!r} is not a duration like 90m, 24h, 30d or 2w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def create_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--name", required=True, help="display name of the key")
    parser.add_argument(
        "--project", default="default", help="the project that scopes of rules name (%(default)s)"
    )
    parser.add_argument(
        "--models", nargs="+", metavar="PATTERN", help="allow only these models, such as 'openai/*' (all)"
    )
    parser.add_argument(
        "--scope", choices=list(SCOPES), default="chat", help="manage includes chat, admin both (%(default)s)"
    )
    parser.add_argument(
        "--expires", metavar="WHEN", help="30d, 12h, or a date like 2027-01-31T12:00:00Z (never)"
    )


def list_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def key_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="id of the key, or the key itself (-: standard input)")


def show_arguments(parser: ArgumentParser) -> None:
    key_arguments(parser)
    list_arguments(parser)


def rotate_arguments(parser: ArgumentParser) -> None:
    key_arguments(parser)
    parser.add_argument(
        "--overlap",
        metavar="TIME",
        type=parse_duration,
        default=parse_duration("24h"),
        help="how long the old key still works, such as 90m or 7d (24h)",
    )
    parser.add_argument("--expires", metavar="WHEN", help="when the new key expires (like the old one)")


def update_arguments(parser: ArgumentParser) -> None:
    key_arguments(parser)
    parser.add_argument("--name", help="display name of the key")
    models = parser.add_mutually_exclusive_group()
    models.add_argument(
        "--models", nargs="+", metavar="PATTERN", help="allow only these models, such as 'openai/*'"
    )
    models.add_argument("--all-models", action="store_true", help="allow all models")
    parser.add_argument(
        "--expires", metavar="WHEN", help="30d, 12h, a date like 2027-01-31T12:00:00Z, or never"
    )


def create_key(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Create a key. Only the key goes to standard output, so that a script can store it."""
    now, key = datetime.now(UTC), generate_key()
    fields = {name: getattr(args, name) for name in ("name", "project", "models")}
    expires = _expiry(args.expires, now)
    record = make_key_record({"key": key, **fields, "scopes": [args.scope], "expires_at": expires}, now=now)
    _refuse_past(record, args.expires, now)
    tables = connect()
    put = {"TableName": tables.settings.keys_table, "Item": serialize_item(record)}
    call_aws(tables.client, "put_item", put)
    terminal.print(key)
    terminal.warn(f"{record['id']}: this is the only time the key is shown; the table holds its hash")
    return 0


def list_keys(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    now, tables = datetime.now(UTC), connect()
    records = sorted((describe(item, now) for item in tables.read_keys()), key=sort_key)
    if args.json:
        terminal.print(format_json(records))
        return 0
    for line in pattern_warnings(tables, records):
        terminal.warn(line)
    for line in format_table(HEAD, map(table_row, records)):
        terminal.print(line)
    return 0


def show_key(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    now = datetime.now(UTC)
    items = sorted(find_records(connect(), args.key, terminal), key=lambda item: REPLACED in item)
    records = [describe(item, now) for item in items]
    if args.json:
        terminal.print(format_json(records))
        return 0
    for number, record in enumerate(records):
        if number:
            terminal.print("")
        rows = ((name, format_cell(value)) for name, value in record.items() if value is not None)
        for line in format_table(("FIELD", "VALUE"), rows):
            terminal.print(line)
    return 0


def disable_key(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Disable every record of the key, the unreadable ones too."""
    tables = connect()
    for item in find_records(tables, args.key, terminal):
        update_record(tables, item, {"enabled": False}, terminal, within=tables.settings.key_ttl)
    return 0


def enable_key(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    tables = connect()
    item = current_record(find_records(tables, args.key, terminal))
    read_key({**item, "enabled": True})
    update_record(tables, item, {"enabled": True}, terminal, within=UNKNOWN_TTL)
    return 0


def update_key(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    now = datetime.now(UTC)
    fields = {name: value for name in ("name", "models") if (value := getattr(args, name)) is not None}
    if args.all_models:
        fields["models"] = None
    if args.expires is not None:
        fields["expires_at"] = _expiry(args.expires, now)
    if not fields:
        raise InvalidInput("nothing to change: give --name, --models, --all-models or --expires")
    tables = connect()
    item = current_record(find_records(tables, args.key, terminal))
    _refuse_past(fields if "expires_at" in fields else {}, args.expires, now)
    read_key(with_fields(item, fields))
    update_record(tables, item, fields, terminal, within=tables.settings.key_ttl)
    return 0


def rotate_key(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Create a key with the id and rights of the old one, and let the old one expire, in one transaction."""
    now, key, tables = datetime.now(UTC), generate_key(), connect()
    item = current_record(find_records(tables, args.key, terminal))
    old, table = read_key(item), tables.settings.keys_table
    expires = item.get("expires_at") if args.expires is None else _expiry(args.expires, now)
    inherited = {name: value for name, value in item.items() if name not in _NOT_INHERITED}
    record = make_key_record({**inherited, "expires_at": expires, "key": key, "enabled": True}, now=now)
    _refuse_past(record, args.expires or "the old key's date", now)
    ends = now + args.overlap
    if old.expires_at is not None:
        ends = min(ends, datetime.fromtimestamp(old.expires_at, UTC))
    fields = {"expires_at": format_date(ends), REPLACED: format_date(now)}
    update = update_request(table, item, fields, unless=REPLACED)
    put = {"TableName": table, "Item": serialize_item(record)}
    call_aws(tables.client, "transact_write_items", {"TransactItems": [{"Put": put}, {"Update": update}]})
    terminal.print(key)
    until = f"is good until {format_date(ends)}" if old.enabled else "stays disabled"
    terminal.warn(f"{record['id']}: this is the only time the new key is shown; the old one {until}")
    return 0


def _expiry(text: str | None, now: datetime) -> str | None:
    """Return the date of `--expires`, which is a date or a duration from now; None for `never` and None."""
    if text is None or text == "never":
        return None
    try:
        return format_date(now + parse_duration(text))
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


# Each verb: its help, its command, and a function that adds its arguments.
VERBS: Mapping[str, tuple[str, Command, Callable[[ArgumentParser], object]]] = {
    "create": ("create a key, which is shown only once", create_key, create_arguments),
    "list": ("list every key's state, models and last use", list_keys, list_arguments),
    "show": ("show every field of a key", show_key, show_arguments),
    "revoke": ("disable a key", disable_key, key_arguments),
    "disable": ("disable a key, like revoke", disable_key, key_arguments),
    "enable": ("enable a disabled key", enable_key, key_arguments),
    "update": ("change a key's name, models or expiry", update_key, update_arguments),
    "rotate": ("create a key with the same id; the old one expires later", rotate_key, rotate_arguments),
}
