"""AWS Signature V4 as the receiver computes it, written from the specification without botocore.

https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/]+/(\d{8})/([^/]+)/([^/]+)/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature="
)


def signature_of(url: str, headers: Mapping[str, str], body: bytes, secret: str) -> str:
    """The correct signature of this request. `headers`: names in lower case, `authorization` among them."""
    found = _AUTHORIZATION.match(headers["authorization"])
    assert found, headers["authorization"]
    day, region, service, names = found.groups()
    parts = urlsplit(url)
    known = {"host": parts.netloc, **headers}
    request = "\n".join(
        [
            "POST",
            quote(parts.path, safe="/~"),  # encoded twice
            parts.query,
            *(f"{name}:{known[name]}" for name in names.split(";")),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, digest])
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
