"""Providers on one loopback port that keep a prompt cache for each account, as the vendors do."""

from __future__ import annotations

import json
from collections import Counter

from tests.support.canned_answers import Reply, completion, whole
from tests.support.upstream import Request, Upstream

Account = tuple[str, str]  # the path of the provider's address, and the credential


class CachingProviders(Upstream):
    """Each provider has a path. `down`: the accounts that answer with an error, and its status."""

    def __init__(self) -> None:
        super().__init__()
        self.cached: dict[Account, set[str]] = {}
        self.down: dict[Account, int] = {}
        self.hits: Counter[Account] = Counter()
        self.misses: Counter[Account] = Counter()

    def address_of(self, provider: str) -> str:
        return f"http://{self.address}/{provider}"

    def _reply(self, request: Request) -> Reply:
        account = request.path.split("/")[1], (request.header("authorization") or "").removeprefix("Bearer ")
        if status := self.down.get(account):
            return whole({"error": {"message": f"Bearer {account[1]} is refused."}}, status=status)
        messages = request.json.get("messages", [])
        known = self.cached.setdefault(account, set())
        earlier = json.dumps(messages[:-2])  # the request of the turn before
        (self.hits if earlier in known else self.misses)[account] += 1
        known.add(json.dumps(messages))
        return whole(completion())
