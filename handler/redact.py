"""Text that goes to a caller or a log, without what looks like key material or an upstream's address."""

from __future__ import annotations

import re

_LOOKED_AT = 2000  # characters beyond the limit: what is redacted may become shorter
# No run without a bound stands before what may fail to match: that would take quadratic time.
_SECRETS = re.compile(
    r"(?i:bearer|basic|api[-_ ]?key|x-api-key|authorization|x-amz-security-token)"
    r"\s{0,4}[:=]?\s{0,4}['\"]?[A-Za-z0-9._~+/*-]{8,}=*"
    r"|\b(?:sk|pk|rk|gsk|xai|hf|AIza|AKIA|ASIA|csk|nvapi|tgp|fw|pplx|r8)[-_]?[A-Za-z0-9_*.-]{10,}"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.?[A-Za-z0-9_-]*"
)
_ADDRESSES = re.compile(r"\bhttps?://[^\s'\"<>)\]}]+")


def redacted(text: str, *, limit: int = 500) -> str:
    """`text` with keys and URLs replaced, at most `limit` characters."""
    most = limit + _LOOKED_AT
    if len(text) > most:
        text, *_ = text[:most].rsplit(maxsplit=1) or [""]  # half a key would not look like one
    text = _ADDRESSES.sub("[address]", _SECRETS.sub("[redacted]", text))
    return text if len(text) <= limit else text[: limit - 1] + "…"
