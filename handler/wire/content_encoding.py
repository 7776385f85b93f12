"""Decodes compressed request bodies, within the limit that holds for plain ones.

https://www.rfc-editor.org/rfc/rfc9110#section-8.4
"""

from __future__ import annotations

from collections.abc import Mapping

from handler.errors import InvalidRequest, TooLarge, UnsupportedEncoding

# Formats as zlib's `wbits`: https://docs.python.org/3/library/zlib.html#zlib.decompressobj
_GZIP, _ZLIB, _RAW = 31, 15, -15
_FORMATS: Mapping[str, tuple[int, ...]] = {
    "gzip": (_GZIP,),
    "x-gzip": (_GZIP,),
    "deflate": (_ZLIB, _RAW),  # some clients have always sent it without zlib's header
}
ACCEPTED = "gzip, deflate, identity"


def decode_body(body: bytes, encoding: str, limit: int) -> bytes:
    """Decode a body. Raises TooLarge, InvalidRequest, UnsupportedEncoding.

    encoding: the content-encoding header. limit: bytes of the decoded body.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in _FORMATS:
        message = f"content-encoding: expected one of {ACCEPTED}"
        raise UnsupportedEncoding(message, param="content-encoding", headers={"accept-encoding": ACCEPTED})
    for wbits in _FORMATS[encoding]:
        if (decoded := _decompress(body, wbits, limit)) is not None:
            return decoded
    raise InvalidRequest(
        f"The body is not complete {encoding} data, or something follows it.", param="content-encoding"
    )


def body_too_large(limit: int) -> TooLarge:
    return TooLarge(f"The request body is larger than {limit} bytes.")


def _decompress(body: bytes, wbits: int, limit: int) -> bytes | None:
    """Decompress at most `limit` bytes; None if the body is not exactly one stream of that format."""
    import zlib  # few requests need it

    stream = zlib.decompressobj(wbits)
    try:
        decoded = stream.decompress(body, limit + 1)
    except zlib.error:
        return None
    if len(decoded) > limit:
        raise body_too_large(limit)
    return decoded if stream.eof and not stream.unused_data else None
