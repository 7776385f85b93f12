"""API keys: what one may do, how its record is read, how one is made (contract, section 2).

A record holds the SHA-256 of the key, never the key. What cannot be read in a record means: disabled.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from handler.errors import Forbidden
from handler.store.attributes import Item
from handler.store.tables import LAST_USED
from rules import InvalidRecord, read_switch

PREFIX = "sk-sluice-"
_FORM = re.compile(re.escape(PREFIX) + r"[A-Za-z0-9_-]{43}")  # 256 random bits

# a scope, and what it includes
SCOPES: Mapping[str, frozenset[str]] = {
    "chat": frozenset({"chat"}),
    "manage": frozenset({"manage", "chat"}),
}
REPLACED = "replaced_at"  # when `keys rotate` put another record beside this one
LATEST = 253_402_300_799  # the last second of the year 9999; a later one was meant as milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key's record, without its hash."""

    id: str
    name: str = ""
    project: str = "default"
    scopes: frozenset[str] = SCOPES["chat"]
    models: tuple[str, ...] | None = None  # patterns; None: all, (): none
    metadata: Mapping[str, Any] = field(default_factory=dict)
    expires_at: float | None = None  # epoch seconds
    enabled: bool = True

    def require(self, scope: str) -> None:
        """Raises Forbidden unless the key has the scope."""
        if scope not in self.scopes:
            raise Forbidden(f"This needs an API key with scope `{scope}`.", code="scope_required")

    def is_expired(self, now: float) -> bool:
        return self.expires_at is not None and now >= self.expires_at


def is_well_formed(key: str) -> bool:
    return _FORM.fullmatch(key) is not None


def malformed_reason(key: str) -> str:
    """Says why a text is no key, without quoting it."""
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
    """The record to store for {"key": ..., "name": ..., ...}: the key hashed, id and date added if missing.

    Raises InvalidRecord; its text never holds the key.
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
    """Raises InvalidRecord for what cannot be read. Unknown attributes are fine unless they look misspelt."""
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
    """The id to show for a record that cannot be read: its own, or the one that a new key would get."""
    id = item.get("id")
    return id if isinstance(id, str) and id.strip() else default_id(hash)


def default_id(hash: str) -> str:
    return f"key-{hash[:10]}"


def _refuse_misspelt(name: str) -> None:
    from difflib import get_close_matches  # not worth its load time on the ordinary path

    near = [_MEANT[name]] if name in _MEANT else get_close_matches(name, _READERS, n=1, cutoff=0.75)
    if near:
        raise InvalidRecord(name, f"unknown field, did you mean `{near[0]}`?")


def _text(name: str, value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise InvalidRecord(name, "is not a text")


def _flag(name: str, value: Any) -> bool:
    try:
        return read_switch(value)
    except InvalidRecord:
        raise InvalidRecord(name, "is neither true nor false") from None


def _texts(name: str, value: Any) -> tuple[str, ...]:
    """A list, a set, or one text that stands for a list of one."""
    values = sorted(value, key=str) if isinstance(value, set | frozenset) else value
    return tuple(_word(name, one) for one in (values if isinstance(values, list | tuple) else [values]))


def _word(name: str, value: Any) -> str:
    """Checks one text of a list: a comma or a space means that several were typed as one."""
    text = _text(name, value).strip()
    words = re.findall(r"[^\s,;\[\]\"']+", text)
    if words != [text]:
        raise InvalidRecord(name, f"is one text, but has to be a list: {json.dumps(words)}")
    return text


def _scopes(name: str, value: Any) -> frozenset[str]:
    given = _texts(name, value)
    if unknown := [scope for scope in given if scope not in SCOPES]:
        raise InvalidRecord(name, f"unknown scope `{unknown[0]}`; there are {', '.join(SCOPES)}")
    return frozenset().union(*(SCOPES[scope] for scope in given))


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise InvalidRecord(name, "is not a map")


def _moment(name: str, value: Any) -> float:
    """Epoch seconds of epoch seconds or RFC 3339, either also as text; without an offset UTC is meant."""
    try:
        seconds = float(value) if isinstance(value, int | float | Decimal | str) else None
    except ValueError:
        seconds = _rfc3339(str(value))
    except OverflowError:
        seconds = None
    if seconds is None or isinstance(value, bool) or not 0 <= seconds <= LATEST:
        raise InvalidRecord(name, "is neither a date as in 2027-01-31T12:00:00Z nor epoch seconds")
    return seconds


def _rfc3339(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text.strip().upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return None


_NOT_READ = frozenset({"hash", "created_at", REPLACED, LAST_USED})  # ours, and no permission
_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "id": _text,
    "name": lambda name, value: value if value == "" else _text(name, value),
    "project": _text,
    "enabled": _flag,
    "expires_at": _moment,
    "models": _texts,
    "scopes": _scopes,
    "metadata": _mapping,
}
_MEANT = {
    **dict.fromkeys(("active", "deleted", "deleted_at", "disabled", "revoked", "revoked_at"), "enabled"),
    **dict.fromkeys(("expiry", "expiration", "expires", "not_after", "ttl", "valid_until"), "expires_at"),
}
_MAY_BE_NULL = frozenset({"expires_at", "models", "metadata"})
