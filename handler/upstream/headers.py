"""Forward a few of the client's headers to a provider of the client's own format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

FORWARDED = ("anthropic-beta", "anthropic-version", "openai-beta", "accept-language", "idempotency-key")

# An open list: Anthropic's clients negotiate features by headers that are not known yet.
_ANTHROPIC = "anthropic-"
_ANTHROPIC_SECRETS = frozenset({"anthropic-api-key", "anthropic-auth-token"})

_PLAIN = re.compile(r"[\x20-\x7e\t]+")


def forwarded_headers(headers: Mapping[str, str], key_id: str) -> dict[str, str]:
    """Return the client's headers that a provider of the same format receives.

    An idempotency key is sent as a hash with the id of the caller's key: two callers who chose the same
    text share the gateway's account at the provider, and must not get each other's answer.
    """
    named = (name for name in headers if name.startswith(_ANTHROPIC) and name not in _ANTHROPIC_SECRETS)
    names = dict.fromkeys((*FORWARDED, *named))
    found = {name: headers[name] for name in names if _PLAIN.fullmatch(headers.get(name, ""))}
    if own := found.get("idempotency-key"):
        found["idempotency-key"] = sha256(f"{key_id}\0{own}".encode()).hexdigest()
    return found


def merged_headers(client: Mapping[str, str], row: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a client and of a provider's row, which has the last word.

    The version of Anthropic's API is the client's own, because its body is written for it. Betas add up.
    """
    merged = {**client, **row}
    if version := client.get("anthropic-version"):
        merged["anthropic-version"] = version
    if "anthropic-beta" in client and "anthropic-beta" in row:
        merged["anthropic-beta"] = f"{client['anthropic-beta']},{row['anthropic-beta']}"
    return merged
