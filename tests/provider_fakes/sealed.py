"""Signatures as the services issue them: nobody else can make one, and a changed text does not fit it."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

_SECRET = b"known to the services alone"


def seal(*parts: Any) -> str:
    """The signature of these values."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()
    return base64.b64encode(hmac.digest(_SECRET, text, "sha256")).decode()


def fits(signature: str, *parts: Any) -> bool:
    return hmac.compare_digest(signature.encode(), seal(*parts).encode())
