"""Encode text as the value of an HTTP header, and decode the values that clients send."""

from __future__ import annotations

from urllib.parse import quote

_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


def encode_header_value(text: str) -> str:
    """Return `text` as printable ASCII without a space at either end; the rest is percent-encoded.

    https://www.rfc-editor.org/rfc/rfc9110#section-5.5
    """
    if text.isascii() and text.isprintable() and text == text.strip(" "):
        return text
    quoted = quote(text, safe=_PRINTABLE, errors="surrogatepass")
    front = quoted.lstrip(" ")
    middle = front.rstrip(" ")
    return "%20" * (len(quoted) - len(front)) + middle + "%20" * (len(front) - len(middle))


def decode_header_value(value: str) -> str:
    """Return `value`, which servers decode as Latin-1 (RFC 9110, section 5.5), as UTF-8 where it is UTF-8."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
