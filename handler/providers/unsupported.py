"""The error for a part of a request that a provider's wire format cannot represent."""

from __future__ import annotations

from handler.errors import Unsupported


def unsupported(where: str, problem: str) -> Unsupported:
    """Return the error for one part of a request. `where`: its path, such as `messages[0].content`."""
    return Unsupported(f"{where}: {problem}", failure_class="invalid_request", param=where)
