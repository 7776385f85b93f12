"""Readers of the fields of provider records: id, address, credential, headers, quirks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rules.reading.coercion import (
    Reader,
    any_number,
    invalid,
    mapping_of,
    quoted,
    read_at,
    read_flag,
    read_mapping,
    read_text,
    unordered_list,
)
from rules.records.names import is_credential_name

_PROVIDER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_API_VERSION = re.compile(r"\?api-version=[A-Za-z0-9._-]{1,40}$")  # Azure's
_SECRET = re.compile(r"authorization|apikey|(^|-)(key|token|secret|password|auth)(-|$)")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")

MAX_CREDENTIALS = 10  # of one provider

# Headers that authenticate, or that belong to the connection (RFC 9110, section 7.6.1).
_RESERVED_HEADERS = frozenset(
    (
        *("authorization", "x-amz-security-token", "cookie", "set-cookie", "host", "content-length"),
        *("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
    )
)

# The fields of a provider's quirks, by type; `Quirks` in handler/providers/provider.py documents them.
QUIRKS: Mapping[str, str] = {
    "rename": "map",
    "drop": "set",
    "unable": "set",
    "refuse": "set",
    "drop_null": "flag",
    "drop_empty": "flag",
    "message_drop": "set",
    "call_id_length": "number",
    "alternate": "flag",
    "roles": "map",
    "tool_choice": "map",
    "allowed_tools": "flag",
    "tool_drop": "set",
    "text_content": "flag",
    "tool_texts": "flag",
    "temperature_least": "number",
    "temperature_most": "number",
    "service_tier": "map",
    "legacy": "flag",
    "stream_usage": "flag",
    "finish_reasons": "map",
    "finish_by_calls": "flag",
    "call_ids": "flag",
    "reasoning_tag": "text",
    "traceparent": "flag",
}


def read_provider_id(value: Any) -> str:
    if not _PROVIDER.fullmatch(read_text(value)) or value == "auto":
        raise invalid(f"must be the name of a provider, lower-case and without `/`, got {quoted(value)}")
    if value == "google":
        raise invalid("google/ is another name of gemini/: did you mean `gemini`?")
    return str(value)


def read_notify(value: Any) -> str:
    """Read where an alert goes: the ARN of an SNS topic, or the address of a webhook."""
    if read_text(value).startswith("arn:"):
        if not _TOPIC.fullmatch(value):
            raise invalid(f"must be the ARN of an SNS topic or an https address, got {quoted(value)}")
        return str(value)
    return read_address(value)


def read_credential(value: Any) -> str:
    if not isinstance(value, str) or not is_credential_name(value):
        # Not quoted: the value may be the secret itself.
        raise invalid(
            "must be the name of a credential, such as MISTRAL_API_KEY, and not one of the gateway's own"
        )
    return value


def read_credentials(value: Any) -> tuple[str, ...]:
    """Read the names of a provider's credentials: one, or a list or set of them. No error quotes a value."""
    members = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
    if not isinstance(members, list | tuple):
        return (read_credential(members),)
    names = (read_at(f"[{index}]", read_credential, each) for index, each in enumerate(members))
    distinct = tuple(dict.fromkeys(names))
    if not 0 < len(distinct) <= MAX_CREDENTIALS:
        raise invalid(f"must have from 1 to {MAX_CREDENTIALS} names")
    return distinct


def read_address(value: Any) -> str:
    """Read an http or https URL without user, fragment or query except api-version; drop a final `/`."""
    from urllib.parse import urlsplit  # only part of a cold start where a record needs it

    plain = _API_VERSION.sub("", read_text(value))
    if not plain.isascii() or not plain.isprintable() or set(plain) & set(" \\?#@"):
        raise invalid(
            "must be a URL like https://host/path, without user, fragment or a query other than api-version"
        )
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("https", "http") and parts.hostname and parts.port != 0
    except ValueError:  # an invalid port or IPv6 address
        good = False
    if not good:
        raise invalid(f"must be a URL like https://host/path, got {quoted(value)}")
    return str(value).rstrip("/")


def read_headers(value: Any) -> Mapping[str, str]:
    """Read headers that are sent upstream with every request; their names become lower-case."""
    return {
        name.lower(): read_at(name, _header_reader(name), each) for name, each in read_mapping(value).items()
    }


def _header_reader(name: str) -> Reader[str]:
    low = re.sub(r"[^a-z0-9]+", "-", name.lower())  # some servers treat `_` and `-` alike

    def read(value: Any) -> str:
        if not _HEADER.fullmatch(name):
            raise invalid("is not a name of a header")
        if low in _RESERVED_HEADERS or low.startswith("proxy-") or _SECRET.search(low):
            raise invalid(
                "cannot be set by a record: name a key in `credential`; the others are the connection's"
            )
        if not read_text(value).isascii() or not value.isprintable():
            raise invalid("must be printable ASCII on one line")
        return str(value)

    return read


def _read_texts_by_name(value: Any) -> Mapping[str, str]:
    return {old: read_at(old, read_text, new) for old, new in read_mapping(value).items()}


def _read_names(value: Any) -> frozenset[str]:
    return frozenset(unordered_list(read_text)(value))


_QUIRK_READERS: Mapping[str, Reader[Any]] = {
    "map": _read_texts_by_name,
    "set": _read_names,
    "flag": read_flag,
    "text": read_text,
    "number": any_number(0, 64),
}
read_quirks = mapping_of({quirk: _QUIRK_READERS[type_] for quirk, type_ in QUIRKS.items()})
