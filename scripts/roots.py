"""Splits a file of root certificates into a folder from which OpenSSL reads the one that it needs.

OpenSSL looks a root up by a hash of its subject, as the name of its file. `openssl rehash` makes such names,
but is not on every machine. The hash is that of X509_NAME_hash_ex in OpenSSL's crypto/x509/x509_cmp.c, over
the form that x509_name_canon in x_name.c makes of a name. Standard library only.

    python scripts/roots.py FILE FOLDER
"""

from __future__ import annotations

import hashlib
import re
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_EXPLICIT_VERSION, _SET, _UTF8 = 0xA0, 0x31, 0x0C
# ASN.1's types of text, and how Python decodes them; values of other types are hashed as they are.
_TEXTS = {
    0x0C: "utf-8",  # UTF8String
    0x13: "latin-1",  # PrintableString
    0x14: "latin-1",  # T61String
    0x16: "latin-1",  # IA5String
    0x1A: "latin-1",  # VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}


def split(bundle: Path, folder: Path) -> int:
    """Write each certificate of a PEM file to a file of its own. Returns how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    found = _CERTIFICATE.findall(bundle.read_text(encoding="utf-8"))
    for one in found:
        name, number = subject_hash(ssl.PEM_cert_to_DER_cert(one)), 0
        while (path := folder / f"{name}.{number}").exists():  # another of the same subject
            number += 1
        path.write_text(one + "\n", encoding="ascii")
    return len(found)


def subject_hash(certificate: bytes) -> str:
    """Return what `openssl x509 -subject_hash` prints for a certificate in DER form."""
    ((_, whole),) = _elements(certificate)
    _, signed = next(_elements(whole))
    fields = [value for tag, value in _elements(signed) if tag != _EXPLICIT_VERSION]
    _serial, _algorithm, _issuer, _validity, subject, *_ = fields
    canonical = b"".join(_canonical_set(value) for _, value in _elements(subject))
    return f"{int.from_bytes(hashlib.sha1(canonical).digest()[:4], 'little'):08x}"


def _canonical_set(attributes: bytes) -> bytes:
    return _element(_SET, b"".join(sorted(_canonical(value) for _, value in _elements(attributes))))


def _canonical(attribute: bytes) -> bytes:
    """Return an attribute of a name, its text in UTF-8 and small letters with single spaces."""
    (_, kind), (tag, value) = _elements(attribute)
    if tag in _TEXTS:
        text = value.decode(_TEXTS[tag]).encode()
        tag, value = _UTF8, b" ".join(text.split()).lower()
    return _element(0x30, _element(0x06, kind) + _element(tag, value))


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and value of each element."""
    at = 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length > 0x7F:
            size = length & 0x7F
            length, at = int.from_bytes(der[at : at + size], "big"), at + size
        yield tag, der[at : at + length]
        at += length


def _element(tag: int, value: bytes) -> bytes:
    length = len(value)
    if length > 0x7F:
        size = (length.bit_length() + 7) // 8
        return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + value
    return bytes([tag, length]) + value


if __name__ == "__main__":
    split(Path(sys.argv[1]), Path(sys.argv[2]))
