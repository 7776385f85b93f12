"""Removes credentials and URLs from text that goes to a caller or a log."""

from __future__ import annotations

import re
from collections.abc import Iterable

_EXAMINED = 2000  # characters beyond the limit, because redacted text may become shorter
# No unbounded run comes before a part that may fail to match: that would take quadratic time.
# Compiled by `re` when the first error needs them.
_SECRETS = (
    r"(?i:bearer|basic|api[-_ ]?key|x-api-key|authorization|x-amz-security-token)"
    r"\s{0,4}[:=]?\s{0,4}['\"]?[A-Za-z0-9._~+/*-]{8,}=*"
    r"|\b(?:sk|pk|rk|gsk|xai|hf|AIza|AKIA|ASIA|csk|nvapi|tgp|fw|pplx|r8)[-_]?[A-Za-z0-9_*.-]{10,}"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.?[A-Za-z0-9_-]*"
)
_ADDRESSES = r"\bhttps?://[^\s'\"<>)\]}]+"

MIN_MATCH = 12  # letters and digits of a credential that are in no text by chance
MIN_SECRET = 6  # characters; a shorter credential is not searched for
_REMOVED = "[redacted]"
# One character, plain or escaped: %2F (also %252F), \\u002f, &#47;, &#x2f;, \\n.
_CHARACTER = (
    r"(?s)%(?:25){0,3}([0-9A-Fa-f]{2})|\\{1,2}u00([0-9A-Fa-f]{2})|&#x([0-9A-Fa-f]{2});|&#([0-9]{2,3});"
    r"|\\[a-z]|(.)"
)


def redact(text: str, *, limit: int = 500) -> str:
    """Return `text` with everything that looks like a key or a URL replaced, at most `limit` characters."""
    most = limit + _EXAMINED
    if len(text) > most:
        text, *_ = text[:most].rsplit(maxsplit=1) or [""]  # half a key does not look like one
    text = re.sub(_ADDRESSES, "[address]", re.sub(_SECRETS, "[redacted]", text))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def remove_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without these credentials, also where they are written in another way.

    That is in other capitals; escaped for URLs, JSON or HTML; in base64 or hexadecimal; with blanks, line
    ends or other punctuation between the characters. MIN_MATCH characters of one are removed like all of it.
    """
    for secret in secrets:
        remove = _remove if len(_alphanumerics(secret)[0]) >= MIN_MATCH else _remove_short
        text = remove(text, secret)
    return text


def _remove(text: str, secret: str) -> str:
    """Remove every run of MIN_MATCH letters and digits that is also in the secret."""
    runs = _runs(secret)
    letters, places = _alphanumerics(text)
    hits = [at for at in range(len(letters) - MIN_MATCH + 1) if letters[at : at + MIN_MATCH] in runs]
    done, parts = 0, []
    for at in hits:
        start, end = places[at][0], places[at + MIN_MATCH - 1][1]
        if start >= done:
            parts += [text[done:start], _REMOVED]
        done = max(done, end)
    return _remove_cut_off("".join((*parts, text[done:])), secret)


def _remove_short(text: str, secret: str) -> str:
    """Remove a secret too short to be matched by a part, unless it may be an ordinary word or number."""
    if len(secret) < MIN_SECRET or secret.isalpha() or secret.isdigit():
        return text
    return _remove_cut_off(re.sub(re.escape(secret), _REMOVED, text, flags=re.IGNORECASE), secret)


def _remove_cut_off(text: str, secret: str) -> str:
    """Remove the beginning of the secret from a text that was cut off inside it."""
    for length in range(len(secret) - 1, 3, -1):
        if text.endswith(f"{secret[:length]}…"):
            return f"{text[: -length - 1]}{_REMOVED}…"
    return text


def _alphanumerics(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return the letters and digits of a text in lower case, escapes decoded, and the place of each."""
    found: list[str] = []
    places: list[tuple[int, int]] = []
    for match in re.finditer(_CHARACTER, text):
        url, json, html, decimal, plain = match.groups()
        code = url or json or html
        character = chr(int(code, 16)) if code else chr(int(decimal)) if decimal else plain or ""
        if character.isalnum():
            found.append(character.lower()[0])
            places.append(match.span())
    return "".join(found), places


def _runs(secret: str) -> set[str]:
    """Return the runs of MIN_MATCH letters and digits in a secret, its hexadecimal and its base64."""
    from base64 import b64encode  # errors are rare: not part of a cold start

    raw = secret.encode()
    # Text before it in the same base64 shifts its bits; letters that hold bits of both are left out.
    encoded = [b64encode(b"\0" * offset + raw).decode()[-(-offset * 4 // 3) : -3] for offset in range(3)]
    forms = (_alphanumerics(form)[0] for form in (secret, raw.hex(), *encoded))
    return {form[at : at + MIN_MATCH] for form in forms for at in range(len(form) - MIN_MATCH + 1)}
