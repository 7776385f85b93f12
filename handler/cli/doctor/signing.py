"""Signs requests to a function URL that takes only those of AWS identities (AuthType AWS_IAM).

https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from handler.aws.sdk import create_signer

Sign = Callable[[str, str, bytes, Mapping[str, str]], Mapping[str, str]]  # method, URL, body, headers

_FUNCTION_URL = re.compile(r"[a-z0-9]+\.lambda-url\.([a-z0-9-]+)\.on\.aws")


def signer_of(host: str) -> Sign | None:
    """Return what signs requests to a host; None if it is no function URL, or without AWS credentials."""
    match = _FUNCTION_URL.fullmatch(host)
    return create_signer("lambda", match[1]) if match else None
