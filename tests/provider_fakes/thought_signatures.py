"""Signatures of thoughts and ids, as services make them: only their own text has them."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

_SECRET = b"known to the services alone"


def sign(*parts: Any) -> str:
    """The signature of these values."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()
    return base64.b64encode(hmac.digest(_SECRET, text, "sha256")).decode()


def is_genuine(signature: str, *parts: Any) -> bool:
    return hmac.compare_digest(signature.encode(), sign(*parts).encode())
