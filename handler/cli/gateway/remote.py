"""The functions of `handler.manage` that commands use, done by the API of a gateway's console.

So a command works with AWS's tables or with a gateway's URL and key, and needs not know which.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from handler.cli.gateway.client import GatewayClient, Send, changes_of, segment, send_http
from handler.cli.tables import Tables
from handler.cli.usage import read_usage
from handler.manage import history, keys, replay, rules
from handler.manage.changes import as_json
from handler.settings import Settings
from handler.store.attributes import Item
from handler.store.bucket import Bucket
from handler.store.history import Entry
from handler.store.usage_report import Group, Question, Report
from handler.store.usage_totals import COUNTS
from rules import RuleSet
from rules.review.command_line import InvalidInput

T = TypeVar("T")
Json = Mapping[str, Any]
_UNITS = {"w": timedelta(weeks=1), "d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}


def connect_to(url: str, key: str | None, settings: Settings, send: Send | None = None) -> Remote:
    """Return the gateway at an address. Its times, and its address in the place of tables, are settings."""
    client = GatewayClient(url, key, send or send_http)
    deployed = client.call("GET", "session")["settings"]
    place = {"rules_table": client.url, "keys_table": client.url, "state_table": client.url}
    times = {name: float(deployed[f"SLUICE_{name.upper()}"]) for name in ("rules_ttl", "key_ttl")}
    return Remote(client, settings.replaced(**place, **times))


@dataclass(frozen=True, slots=True)
class Remote(Tables):
    """A gateway in the place of the tables."""

    client: GatewayClient

    def read_keys(self) -> list[Item]:
        return [dict(one) for one in _list_keys(self.client)]

    def run(self, work: Callable[..., Coroutine[Any, Any, T]], *arguments: Any, **options: Any) -> T:
        """Do what a function of `handler.manage` does, by calls of the API."""
        done: T = _CALLS[work](self.client, *arguments, **options)
        return done

    def bucket(self) -> Bucket:
        raise InvalidInput("the content log is in S3: pass --stack and use AWS credentials")


def _read_rules(client: GatewayClient) -> rules.StoredRules:
    found = client.call("GET", "rules")
    return rules.StoredRules(found["revision"], found["records"])


def _check_base(client: GatewayClient, base: str, stored: rules.StoredRules, records: Sequence[Any]) -> None:
    if stored.revision == base:
        return
    try:
        past: Sequence[Item] | None = _read_entry(client, base).items
    except InvalidInput:  # the history does not have it
        past = None
    rules.refuse_unseen(stored, records, past)


def _push(
    client: GatewayClient, base: str, records: Sequence[Any], *, message: str | None = None
) -> rules.Pushed:
    body = {"base": base, "records": list(records), **({"message": message} if message else {})}
    found = client.call("PUT", "rules", body)
    return rules.Pushed(found["revision"], changes_of(found["changes"]))


def _list_history(client: GatewayClient, *, limit: int = 20, before: int | None = None) -> list[Entry]:
    return [_entry(one) for one in client.call("GET", "history", limit=limit, before=before)["data"]]


def _read_entry(client: GatewayClient, which: str) -> history.PastRules:
    found = client.call("GET", f"history/{segment(which)}")
    return history.PastRules(_entry(found), found["records"])


def _entry(found: Json) -> Entry:
    names: Json = {name: tuple(found["changes"][name]) for name in ("added", "changed", "removed")}
    same: Json = {name: found[name] for name in ("number", "revision", "previous", "message", "more")}
    at = int(datetime.fromisoformat(found["at"].replace("Z", "+00:00")).timestamp())
    return Entry(at=at, parts=0, **names, **same)


def _replay_rules(client: GatewayClient, before: RuleSet, after: RuleSet, *, since: str) -> Any:
    """Replay against the rules that the gateway has in force, which are `before`."""
    records = [as_json(item) for item in after.items.values()]
    return client.call("POST", "rules/replay", {"records": records, "since": since})


def _list_keys(client: GatewayClient) -> Any:
    return client.call("GET", "keys")["data"]


def _show_key(client: GatewayClient, name: str) -> Any:
    return client.call("GET", f"keys/{segment(name)}")["data"]


def _create_key(client: GatewayClient, fields: Json) -> keys.NewKey:
    given = {name: value for name, value in fields.items() if value is not None}
    return _new_key(client.call("POST", "keys", given))


def _update_key(client: GatewayClient, name: str, fields: Json) -> Any:
    return client.call("PATCH", f"keys/{segment(name)}", fields)["data"]


def _rotate_key(
    client: GatewayClient, name: str, overlap: timedelta, fields: Json | None = None
) -> keys.NewKey:
    unit, length = next((unit, length) for unit, length in _UNITS.items() if not overlap % length)
    body = {"overlap": f"{overlap // length}{unit}", **(fields or {})}
    return _new_key(client.call("POST", f"keys/{segment(name)}/rotate", body))


def _new_key(found: Json) -> keys.NewKey:
    return keys.NewKey(found["key"], found["record"], found["old_until"])


def _read_usage(client: GatewayClient, question: Question) -> Report:
    days: Json = {"from": f"{question.first}", "to": f"{question.last}", "by": ",".join(question.by)}
    found = client.ask("GET", "/usage", **days)
    groups = [Group(tuple(row[name] for name in question.by), _counts(row)) for row in found["data"]]
    return Report(question, groups, _counts(found["total"]), found["truncated"])


def _counts(row: Json) -> dict[str, int]:
    return {name: int(row["cost_nano" if name == "cost" else name]) for name in COUNTS}


# By function of `handler.manage`, what does the same at a gateway. The first argument is its client.
_CALLS: Mapping[Any, Callable[..., Any]] = {
    rules.read_rules: _read_rules,
    rules.check_base: _check_base,
    rules.push: _push,
    history.list_history: _list_history,
    history.read_entry: _read_entry,
    replay.replay_rules: _replay_rules,
    keys.list_keys: _list_keys,
    keys.show_key: _show_key,
    keys.create_key: _create_key,
    keys.update_key: _update_key,
    keys.rotate_key: _rotate_key,
    read_usage: _read_usage,
}
