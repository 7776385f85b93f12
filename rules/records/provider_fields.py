"""Readers of what a record says of a provider: name, address, credential, headers, quirks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rules.records.coercion import (
    Reader,
    amount,
    any_order,
    flag,
    mapping,
    members,
    shown,
    text,
    within,
    wrong,
)

_PROVIDER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_CREDENTIAL = re.compile(r"[A-Z][A-Z0-9_]*_(KEY|TOKEN)")
_API_VERSION = re.compile(r"\?api-version=[A-Za-z0-9._-]{1,40}$")  # Azure's
_SECRET = re.compile(r"authorization|apikey|(^|-)(key|token|secret|password|auth)(-|$)")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")

# How a provider is authenticated: `Authorization: Bearer`, AWS's signature, nothing at all, or a header that
# holds the credential alone.
AUTH = ("bearer", "x-api-key", "x-goog-api-key", "api-key", "sigv4", "none")

# Credentials that are the gateway's own, not a provider's.
_RESERVED = ("AWS_", "SLUICE_", "LAMBDA_")

# Headers that authenticate, or that the connection owns (RFC 9110, section 7.6.1).
_OWN_HEADERS = frozenset(
    (
        *("authorization", "x-amz-security-token", "cookie", "set-cookie", "host", "content-length"),
        *("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
    )
)

# The fields of a provider's quirks, and what each holds; handler/providers/translator.py says what they do.
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
    "temperature_least": "number",
    "temperature_most": "number",
    "service_tier": "map",
    "legacy": "flag",
    "stream_usage": "flag",
    "finish_reasons": "map",
    "finish_by_calls": "flag",
    "call_ids": "flag",
    "reasoning_tag": "text",
}


def provider_id(value: Any) -> str:
    if not _PROVIDER.fullmatch(text(value)) or value == "auto":
        raise wrong(f"must be a provider's name, lower-case and without `/`, got {shown(value)}")
    if value == "google":
        raise wrong("google/ means gemini/: did you mean `gemini`?")
    return str(value)


def credential(value: Any) -> str:
    if not _CREDENTIAL.fullmatch(text(value)) or value.startswith(_RESERVED):
        # Not quoted: what stands here may be the secret itself.
        raise wrong(
            "must be the name of a credential, such as MISTRAL_API_KEY, and not one of the gateway's own"
        )
    return str(value)


def address(value: Any) -> str:
    """An http or https address: no user, no fragment, no query but api-version, no `/` at its end."""
    from urllib.parse import urlsplit  # not part of a cold start that has no such record

    plain = _API_VERSION.sub("", text(value))
    if not plain.isascii() or not plain.isprintable() or set(plain) & set(" \\?#@"):
        raise wrong(
            "must be an address like https://host/path, without user, fragment or a query but api-version"
        )
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("https", "http") and parts.hostname and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        good = False
    if not good:
        raise wrong(f"must be an address like https://host/path, got {shown(value)}")
    return str(value).rstrip("/")


def headers(value: Any) -> Mapping[str, str]:
    """Headers sent upstream with every request, names in lower case."""
    return {sent.lower(): within(sent, _header(sent), each) for sent, each in mapping(value).items()}


def _header(sent: str) -> Reader[str]:
    low = re.sub(r"[^a-z0-9]+", "-", sent.lower())  # to some servers `_` and `-` are one

    def read(value: Any) -> str:
        if not _HEADER.fullmatch(sent):
            raise wrong("is no name of a header")
        if low in _OWN_HEADERS or low.startswith("proxy-") or _SECRET.search(low):
            raise wrong("is not for a record to set: credentials go by name, the rest is the connection's")
        if not text(value).isascii() or not value.isprintable():
            raise wrong("must be printable ASCII on one line")
        return str(value)

    return read


def _renamed(value: Any) -> Mapping[str, str]:
    return {old: within(old, text, new) for old, new in mapping(value).items()}


def _named(value: Any) -> frozenset[str]:
    return frozenset(any_order(text)(value))


_QUIRK_READERS: Mapping[str, Reader[Any]] = {
    "map": _renamed,
    "set": _named,
    "flag": flag,
    "text": text,
    "number": amount(0, 64),
}
quirks = members({quirk: _QUIRK_READERS[holds] for quirk, holds in QUIRKS.items()})
