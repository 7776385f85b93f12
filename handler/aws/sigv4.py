"""Signs requests with Signature Version 4.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"


class Keys(NamedTuple):
    """AWS credentials. `token` belongs to temporary ones."""

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        return "Keys(...)"


def sign(
    url: str, headers: Mapping[str, str], body: bytes, keys: Keys, *, region: str, service: str, now: float
) -> dict[str, str]:
    """Return the headers that sign a POST: `authorization`, `x-amz-date`, and a token if there is one.

    url: encoded, as it is sent. headers: those to cover besides the host, names in lower case. now: epoch
    seconds.
    """
    parts, date = urlsplit(url), time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    added = {"x-amz-date": date} | ({"x-amz-security-token": keys.token} if keys.token else {})
    covered = sorted({"host": parts.netloc, **headers, **added}.items())
    names = ";".join(name for name, _ in covered)
    fields = "".join(f"{name}:{' '.join(value.split())}\n" for name, value in covered)
    path = quote(parts.path or "/", safe="/~")  # what is encoded in it is encoded once more
    pairs = (pair.partition("=") for pair in parts.query.split("&") if pair)
    query = "&".join(f"{name}={value}" for name, _, value in sorted(pairs))
    request = f"POST\n{path}\n{query}\n{fields}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    text = f"{ALGORITHM}\n{date}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = _signing_key(keys.secret_key, date[:8], region, service)
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    given = f"{ALGORITHM} Credential={keys.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**added, "authorization": given}


@lru_cache(maxsize=8)
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
