"""Where a distribution stands before the function's URL, refuses the requests that did not come through it.

scripts/edge.yaml makes such a distribution: it adds the secret, and the address of the client that it saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from hmac import compare_digest

from handler.errors import Forbidden
from handler.log import RequestLog

SECRET, CLIENT_IP = "x-sluice-edge", "x-sluice-client-ip"
LONGEST = 45  # characters of an address


def require_edge(entry: RequestLog, secrets: Sequence[str]) -> None:
    """Take the client's address from the distribution. Raises Forbidden without one of the secrets.

    There are two secrets while the distribution changes to a new one.
    """
    given = entry.headers.get(SECRET, "").encode()
    same = [compare_digest(given, secret.encode()) for secret in secrets]
    if not any(same):
        raise Forbidden(
            "This address takes no requests from clients. Use the gateway's own domain.", code="edge_required"
        )
    entry.source_ip = entry.headers.get(CLIENT_IP, entry.source_ip or "")[:LONGEST] or None
