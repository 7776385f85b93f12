"""The name of a request's answer in the cache: a hash of everything that affects the answer. No I/O."""

from __future__ import annotations

import json
from hashlib import sha256

from handler.relay.call import Call

VERSION = 1  # of the key and of what is stored; another one starts an empty cache

# Fields of a body that do not affect the answer; docs/rules.md has the reasons. Every other field does.
NEUTRAL_FIELDS = frozenset(
    {
        "model",  # the candidate's id is in the key instead
        *("stream", "stream_options"),  # the same answer in another form
        *("metadata", "user", "safety_identifier", "store"),  # the provider's records
        *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),  # the price, not the answer
    }
)
NEUTRAL_HEADERS = frozenset({"idempotency-key"})  # of those that are forwarded


def cache_key(call: Call) -> str:
    """Return the name of the answer by the call's first candidate. Two projects never share one.

    The fields of the body count in any order. Inside them the order stays, because models write the members
    of an object in the order of its schema.
    """
    decision, model = call.decision, call.decision.candidates[0].model
    row, project, record = call.rows[model.provider], decision.facts.project, decision.cache
    body = {name: call.body[name] for name in sorted(call.body.keys() - NEUTRAL_FIELDS)}
    headers = {name: call.headers[name] for name in sorted(call.headers.keys() - NEUTRAL_HEADERS)}
    provider = [model.id, row.dialect, row.base_url]
    format = [decision.facts.dialect, call.chat.legacy]
    affecting = [VERSION, project, record and record.id, provider, format, headers, body]
    digest = sha256(json.dumps(affecting, separators=(",", ":")).encode()).hexdigest()
    return f"cache/{sha256(project.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}/{digest}"
