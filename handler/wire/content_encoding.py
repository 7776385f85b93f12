"""A compressed request body: decoded within the limit of a plain one, or refused with what is taken.

https://www.rfc-editor.org/rfc/rfc9110#section-8.4
"""

from __future__ import annotations

from collections.abc import Mapping

from handler.errors import InvalidRequest, TooLarge, UnsupportedEncoding

# zlib's words for a format: https://docs.python.org/3/library/zlib.html#zlib.decompressobj
_GZIP, _ZLIB, _RAW = 31, 15, -15
ENCODINGS: Mapping[str, tuple[int, ...]] = {
    "gzip": (_GZIP,),
    "x-gzip": (_GZIP,),
    "deflate": (_ZLIB, _RAW),  # without zlib's head too, as some have always sent it
}
ACCEPTED = "gzip, deflate, identity"


def decode_body(body: bytes, encoding: str, limit: int) -> bytes:
    """Decodes a body. Raises TooLarge, InvalidRequest, UnsupportedEncoding."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ENCODINGS:
        message = f"content-encoding: expected one of {ACCEPTED}"
        raise UnsupportedEncoding(message, param="content-encoding", headers={"accept-encoding": ACCEPTED})
    for format in ENCODINGS[encoding]:
        if (plain := _inflated(body, format, limit)) is not None:
            return plain
    raise InvalidRequest(
        f"The body is not complete {encoding} data, or something follows it.", param="content-encoding"
    )


def body_too_large(limit: int) -> TooLarge:
    return TooLarge(f"The request body is larger than {limit} bytes.")


def _inflated(body: bytes, format: int, limit: int) -> bytes | None:
    """Unpacks a body, no further than the limit; None where it is not exactly one body of that format."""
    import zlib  # few requests need it

    stream = zlib.decompressobj(format)
    try:
        plain = stream.decompress(body, limit + 1)
    except zlib.error:
        return None
    if len(plain) > limit:
        raise body_too_large(limit)
    return plain if stream.eof and not stream.unused_data else None
