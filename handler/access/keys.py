"""API keys: their permissions, their records, and the generation of new ones (contract, section 2).

A record holds the SHA-256 of the key, never the key itself. A record that cannot be read disables its key.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from handler.errors import Forbidden
from handler.store.attributes import Item
from handler.store.tables import LAST_USED
from rules import EMPTY, Frozen, InvalidRecord, read_switch

PREFIX = "sk-sluice-"
_PATTERN = re.compile(re.escape(PREFIX) + r"[A-Za-z0-9_-]{43}")  # 256 random bits

# Each scope and the scopes that it includes.
SCOPES: Mapping[str, frozenset[str]] = {
    "chat": frozenset({"chat"}),
    "manage": frozenset({"manage", "chat"}),
    "admin": frozenset({"admin", "manage", "chat"}),
}
REPLACED = "replaced_at"  # when `keys rotate` added another record with this id
LATEST = 253_402_300_799  # the last second of the year 9999; larger numbers are probably milliseconds


class Key(Frozen):
    """What a key's record says, without the hash."""

    id: str
    name: str = ""
    project: str = "default"
    scopes: frozenset[str] = SCOPES["chat"]
    models: tuple[str, ...] | None = None  # patterns; None: all, (): none
    metadata: Mapping[str, Any] = EMPTY
    expires_at: float | None = None  # epoch seconds
    enabled: bool = True

    def require(self, scope: str) -> None:
        """Raise Forbidden unless the key has the scope."""
        if scope not in self.scopes:
            raise Forbidden(f"This needs an API key with scope `{scope}`.", code="scope_required")

    def is_expired(self, now: float) -> bool:
        return self.expires_at is not None and now >= self.expires_at


def is_well_formed(key: str) -> bool:
    return _PATTERN.fullmatch(key) is not None


def malformed_reason(key: str) -> str:
    """Return the reason why a text is not a key, without quoting it."""
    body = key.removeprefix(PREFIX)
    if body == key:
        return f"a key begins with `{PREFIX}`"
    if not (body.isascii() and body.replace("-", "").replace("_", "").isalnum()):
        return f"after `{PREFIX}` it may hold only letters, digits, `-` and `_`"
    return f"after `{PREFIX}` it has {len(body)} characters instead of 43"


def hash_key(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def generate_key() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def make_key_record(entry: Mapping[str, Any], *, now: datetime) -> Item:
    """Return the record to store for {"key": ..., "name": ..., ...}, with an id and a date if it has none.

    Raises InvalidRecord, whose message never holds the key.
    """
    key = entry.get("key")
    if not isinstance(key, str) or not is_well_formed(key):
        raise InvalidRecord("key", f"is not `{PREFIX}` and 43 url-safe characters")
    hash = hash_key(key)
    defaults = {"id": default_id(hash), "enabled": True, "created_at": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
    given = {name: value for name, value in entry.items() if name != "key" and value is not None}
    record = {**defaults, **given, "hash": hash}
    read_key(record)
    return record


def read_key(item: Mapping[str, Any]) -> Key:
    """Return the key of a record. Raises InvalidRecord for an attribute that is wrong or looks misspelt."""
    for name in item.keys() - _READERS.keys() - _NOT_READ:
        _refuse_misspelt(name)
    if "id" not in item:
        raise InvalidRecord("id", "is missing")
    found = {
        name: read(name, item[name])
        for name, read in _READERS.items()
        if name in item and not (item[name] is None and name in _MAY_BE_NULL)
    }
    return Key(**found)


def display_id(hash: str, item: Mapping[str, Any]) -> str:
    """Return the id of a record that may be unreadable, or the id that a new key would get."""
    id = item.get("id")
    return id if isinstance(id, str) and id.strip() else default_id(hash)


def default_id(hash: str) -> str:
    return f"key-{hash[:10]}"


def _refuse_misspelt(name: str) -> None:
    from difflib import get_close_matches  # slow to import, and few records need it

    meant = [_SYNONYMS[name]] if name in _SYNONYMS else get_close_matches(name, _READERS, n=1, cutoff=0.75)
    if meant:
        raise InvalidRecord(name, f"unknown field, did you mean `{meant[0]}`?")


def _read_text(name: str, value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise InvalidRecord(name, "is not a text")


def _read_flag(name: str, value: Any) -> bool:
    try:
        return read_switch(value)
    except InvalidRecord:
        raise InvalidRecord(name, "is neither true nor false") from None


def _read_list(name: str, value: Any) -> tuple[str, ...]:
    """Read a list, a set, or one text, which means a list of one."""
    values = sorted(value, key=str) if isinstance(value, set | frozenset) else value
    return tuple(
        _read_list_item(name, one) for one in (values if isinstance(values, list | tuple) else [values])
    )


def _read_list_item(name: str, value: Any) -> str:
    """Read one text of a list. A comma or a space in it means that several were typed as one."""
    text = _read_text(name, value).strip()
    words = re.findall(r"[^\s,;\[\]\"']+", text)
    if words != [text]:
        raise InvalidRecord(name, f"is one text, but has to be a list: {json.dumps(words)}")
    return text


def _read_scopes(name: str, value: Any) -> frozenset[str]:
    given = _read_list(name, value)
    if unknown := [scope for scope in given if scope not in SCOPES]:
        raise InvalidRecord(name, f"unknown scope `{unknown[0]}`; there are {', '.join(SCOPES)}")
    return frozenset().union(*(SCOPES[scope] for scope in given))


def _read_map(name: str, value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise InvalidRecord(name, "is not a map")


def _read_time(name: str, value: Any) -> float:
    """Read epoch seconds or an RFC 3339 date as epoch seconds. A date without an offset is in UTC."""
    try:
        seconds = float(value) if isinstance(value, int | float | Decimal | str) else None
    except ValueError:
        seconds = _parse_rfc3339(str(value))
    except OverflowError:
        seconds = None
    if seconds is None or isinstance(value, bool) or not 0 <= seconds <= LATEST:
        raise InvalidRecord(name, "is neither a date as in 2027-01-31T12:00:00Z nor epoch seconds")
    return seconds


def _parse_rfc3339(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text.strip().upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return None


_NOT_READ = frozenset({"hash", "created_at", REPLACED, LAST_USED})  # the gateway's own
_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "id": _read_text,
    "name": lambda name, value: value if value == "" else _read_text(name, value),
    "project": _read_text,
    "enabled": _read_flag,
    "expires_at": _read_time,
    "models": _read_list,
    "scopes": _read_scopes,
    "metadata": _read_map,
}
_SYNONYMS = {
    **dict.fromkeys(("active", "deleted", "deleted_at", "disabled", "revoked", "revoked_at"), "enabled"),
    **dict.fromkeys(("expiry", "expiration", "expires", "not_after", "ttl", "valid_until"), "expires_at"),
}
_MAY_BE_NULL = frozenset({"expires_at", "models", "metadata"})
