"""Affinity: orders equal candidates by conversation, so that each stays where its prompt is cached.

This is rendezvous hashing: a conversation has a hash with each candidate, and the highest goes first. It
needs no store, and all processes agree. A candidate that goes away moves only the conversations that it had.
https://en.wikipedia.org/wiki/Rendezvous_hashing
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any, NamedTuple

from rules.facts.facts import Facts


class Conversation(NamedTuple):
    """The identity of a conversation."""

    by: str  # "session" or "first messages"
    digest: bytes


class Affinity(NamedTuple):
    """The place of a conversation's cache, for an explanation."""

    by: str
    among: tuple[str, ...]  # ids of equal models; the cache is at the first
    account: str | None = None  # the credential, where the provider has several

    def explain(self) -> dict[str, Any]:
        account = {"credential": self.account} if self.account else {}
        return {"by": self.by, "model": self.among[0], **account, "among": sorted(self.among)}


def conversation_of(facts: Facts, *, by_session: bool = True) -> Conversation | None:
    """Return the conversation of a request, by its session or else by its first messages; None without both.

    The key is not part of it: the provider's cache belongs to the gateway's account, so keys share it.
    """
    if facts.session and by_session:
        return Conversation("session", _digest(facts.session))
    if facts.opening:
        return Conversation("first messages", _digest(facts.opening))
    return None


def in_order(names: Iterable[str], conversation: Conversation) -> list[str]:
    """Return the names of equal candidates, that of the conversation's own first."""
    return sorted(names, key=lambda name: sha256(conversation.digest + _bytes(name)).digest(), reverse=True)


def _digest(text: str) -> bytes:
    return sha256(_bytes(text)).digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
