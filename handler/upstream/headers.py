"""Forward a few of the client's headers to a provider of the client's own format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

FORWARDED = ("anthropic-beta", "anthropic-version", "openai-beta", "accept-language", "idempotency-key")

_PLAIN = re.compile(r"[\x20-\x7e\t]+")


def forwarded_headers(headers: Mapping[str, str], key_id: str) -> dict[str, str]:
    """Return the client's headers that a provider of the same format receives.

    An idempotency key is sent as a hash with the id of the caller's key: two callers who chose the same
    text share the gateway's account at the provider, and must not get each other's answer.
    """
    found = {name: headers[name] for name in FORWARDED if _PLAIN.fullmatch(headers.get(name, ""))}
    if own := found.get("idempotency-key"):
        found["idempotency-key"] = sha256(f"{key_id}\0{own}".encode()).hexdigest()
    return found
