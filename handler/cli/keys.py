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
from handler.access.keys import SCOPES, read_key
from handler.cli.key_records import HEAD, format_cell, name_of, pattern_warnings, state_of, table_row
from handler.cli.tables import Command, Connect, Tables
from handler.cli.terminal import Terminal, format_json, format_table
from handler.manage import keys as manage
from handler.manage.keys import format_date
from rules import InvalidRecord
from rules.review.command_line import InvalidInput

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(rf"(\d{{1,5}})([{''.join(_UNITS)}])")


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
    now = datetime.now(UTC)
    fields = {name: getattr(args, name) for name in ("name", "project", "models")}
    expires = _expiry(args.expires, now)
    made = connect().run(manage.create_key, {**fields, "scopes": [args.scope], "expires_at": expires})
    terminal.print(made.key)
    terminal.warn(f"{made.record['id']}: this is the only time the key is shown; the table holds its hash")
    return 0


def list_keys(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    tables = connect()
    records = tables.run(manage.list_keys)
    if args.json:
        terminal.print(format_json(records))
        return 0
    for line in pattern_warnings(tables, records):
        terminal.warn(line)
    for line in format_table(HEAD, map(table_row, records)):
        terminal.print(line)
    return 0


def show_key(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    records = connect().run(manage.show_key, name_of(args.key, terminal))
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
    return _update(tables, args.key, {"enabled": False}, terminal, within=tables.settings.key_ttl)


def enable_key(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    return _update(connect(), args.key, {"enabled": True}, terminal, within=UNKNOWN_TTL)


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
    return _update(tables, args.key, fields, terminal, within=tables.settings.key_ttl)


def _update(tables: Tables, key: str, fields: Mapping[str, Any], terminal: Terminal, *, within: float) -> int:
    """Write the fields and print the key's new state. `within`: seconds until every instance uses it."""
    for record in tables.run(manage.update_key, name_of(key, terminal), fields):
        terminal.print(f"{record['id']}: {state_of(record)}; in force within {within:g} seconds")
    return 0


def rotate_key(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Create a key with the id and rights of the old one, and let the old one expire."""
    now = datetime.now(UTC)
    fields = {} if args.expires is None else {"expires_at": _expiry(args.expires, now)}
    name = name_of(args.key, terminal)
    try:
        made = connect().run(manage.rotate_key, name, args.overlap, fields)
    except InvalidRecord as error:
        if error.field == "expires_at" and not fields:
            raise InvalidInput("the old key has expired: give --expires") from error
        raise
    terminal.print(made.key)
    until = f"is good until {made.old_until}" if made.old_until else "stays disabled"
    terminal.warn(f"{made.record['id']}: this is the only time the new key is shown; the old one {until}")
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
        key = read_key({"id": "new", "expires_at": text})
    except InvalidRecord:
        raise InvalidInput(
            f"--expires: {text!r} is neither 90m, 12h or 30d nor a date like 2027-01-31"
        ) from None
    if key.is_expired(now.timestamp()):
        raise InvalidInput(f"--expires: {text} is in the past")
    return text


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
