"""Text that goes to a caller or a log, without what looks like key material or an upstream's address."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LOOKED_AT = 2000  # characters beyond the limit: what is redacted may become shorter
# No run without a bound stands before what may fail to match: that would take quadratic time.
_SECRETS = re.compile(
    r"(?i:bearer|basic|api[-_ ]?key|x-api-key|authorization|x-amz-security-token)"
    r"\s{0,4}[:=]?\s{0,4}['\"]?[A-Za-z0-9._~+/*-]{8,}=*"
    r"|\b(?:sk|pk|rk|gsk|xai|hf|AIza|AKIA|ASIA|csk|nvapi|tgp|fw|pplx|r8)[-_]?[A-Za-z0-9_*.-]{10,}"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.?[A-Za-z0-9_-]*"
)
_ADDRESSES = re.compile(r"\bhttps?://[^\s'\"<>)\]}]+")


def redact(text: str, *, limit: int = 500) -> str:
    """`text` with keys and URLs replaced, at most `limit` characters."""
    most = limit + _LOOKED_AT
    if len(text) > most:
        text, *_ = text[:most].rsplit(maxsplit=1) or [""]  # half a key would not look like one
    text = _ADDRESSES.sub("[address]", _SECRETS.sub("[redacted]", text))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def remove_secrets(text: str, secrets: Iterable[str]) -> str:
    """`text` without these credentials, in any simple disguise.

    That is other capitals; escapes of a URL, of JSON or of HTML; base64 or hexadecimal; blanks, line ends or
    any other punctuation between its characters. LEAST characters of one are as good as all of it.
    """
    for secret in secrets:
        cut = _cut if len(_letters(secret)[0]) >= LEAST else _short_cut
        text = cut(text, secret)
    return text


LEAST = 12  # letters and digits of a credential that stand in no text by chance
SHORTEST = 6  # characters of a credential that is looked for at all
_GONE = "[redacted]"
# A character of a text as it stands or escaped: %2F (also %252F), \\u002f, &#47;, &#x2f;, \\n.
_CHARACTER = re.compile(
    r"%(?:25){0,3}([0-9A-Fa-f]{2})|\\{1,2}u00([0-9A-Fa-f]{2})|&#x([0-9A-Fa-f]{2});|&#([0-9]{2,3});|\\[a-z]|(.)",
    re.DOTALL,
)


def _cut(text: str, secret: str) -> str:
    """`text` without any LEAST letters and digits in a row of the secret, in any disguise."""
    pieces = _pieces(secret)
    letters, places = _letters(text)
    hits = [at for at in range(len(letters) - LEAST + 1) if letters[at : at + LEAST] in pieces]
    done, kept = 0, []
    for at in hits:
        start, end = places[at][0], places[at + LEAST - 1][1]
        if start >= done:
            kept += [text[done:start], _GONE]
        done = max(done, end)
    return _no_beginning("".join((*kept, text[done:])), secret)


def _short_cut(text: str, secret: str) -> str:
    """`text` without a secret too short to be matched by a part, unless it may be an ordinary word."""
    if len(secret) < SHORTEST or secret.isalpha() or secret.isdigit():
        return text
    return _no_beginning(re.sub(re.escape(secret), _GONE, text, flags=re.IGNORECASE), secret)


def _no_beginning(text: str, secret: str) -> str:
    """`text` without the secret's beginning where the text was cut off inside it."""
    for length in range(len(secret) - 1, 3, -1):
        if text.endswith(f"{secret[:length]}…"):
            return f"{text[: -length - 1]}{_GONE}…"
    return text


def _letters(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The letters and digits of a text in lower case, its escapes read, and where each one stands."""
    found: list[str] = []
    places: list[tuple[int, int]] = []
    for match in _CHARACTER.finditer(text):
        url, json, html, decimal, plain = match.groups()
        code = url or json or html
        character = chr(int(code, 16)) if code else chr(int(decimal)) if decimal else plain or ""
        if character.isalnum():
            found.append(character.lower()[0])
            places.append(match.span())
    return "".join(found), places


def _pieces(secret: str) -> set[str]:
    """All runs of LEAST letters and digits of a secret, of its base64 at each offset, of its hexadecimal."""
    from base64 import b64encode  # an error is rare: not part of a cold start

    raw = secret.encode()
    # What stands before it in the same base64 text moves its bits; the letters that it shares are left out.
    packed = [b64encode(b"\0" * offset + raw).decode()[-(-offset * 4 // 3) : -3] for offset in range(3)]
    forms = (_letters(form)[0] for form in (secret, raw.hex(), *packed))
    return {form[at : at + LEAST] for form in forms for at in range(len(form) - LEAST + 1)}
