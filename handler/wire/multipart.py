"""Finds the parts of a multipart form, and replaces one part without changing a byte of the others.

A form that two parsers may read in different ways is refused, so that no field can be hidden from Sluice.
https://www.rfc-editor.org/rfc/rfc7578
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from handler.errors import InvalidRequest

MAX_PARTS = 200
MAX_HEAD = 8000  # bytes of the headers of a part
_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"\\]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_LEGAL = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\n-\x1f]*)")
_PARAMETER = re.compile(rb';[ \t]*([^\s;="]+)=(?:"((?:[^"\\]|\\.)*+)"|([^\s;"]++))[ \t]*')
_DISPOSITION = re.compile(rb"form-data[ \t]*((?:" + _PARAMETER.pattern + rb")*+);?[ \t]*", re.IGNORECASE)
_FILE = frozenset({b"filename", b"filename*"})
_AS_THEY_ARE = (b"7bit", b"8bit", b"binary")  # transfer encodings that leave the content as it is


class FormPart(NamedTuple):
    """A part of a form. Its content is between `start` and `end` in the body."""

    name: str
    is_file: bool
    start: int
    end: int


class Form(NamedTuple):
    """A multipart body and its parts."""

    data: bytes
    boundary: str
    parts: tuple[FormPart, ...]

    @property
    def media_type(self) -> str:
        return f'multipart/form-data; boundary="{self.boundary}"'

    def text(self, part: FormPart) -> str:
        """Return the content of a part. Raises InvalidRequest if it is not UTF-8."""
        try:
            return self.data[part.start : part.end].decode()
        except UnicodeDecodeError:
            raise InvalidRequest(f"{part.name}: expected text in UTF-8", param=part.name) from None

    def with_value(self, name: str, value: str) -> bytes:
        """Return the body with this value of a field, which becomes the first part if there is none."""
        part = next((part for part in self.parts if part.name == name and not part.is_file), None)
        if part is not None:
            return b"".join((self.data[: part.start], value.encode(), self.data[part.end :]))
        head = f'--{self.boundary}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        return head.encode() + self.data


def is_form(content_type: str) -> bool:
    return content_type.lstrip().lower().startswith("multipart/form-data")


def parse_form(data: bytes, content_type: str) -> Form:
    """Return the form of a body. Raises InvalidRequest for one that is not complete."""
    found = _BOUNDARY.search(content_type)
    boundary = (found[1] or found[2]) if found else ""
    if not _LEGAL.fullmatch(boundary):
        raise InvalidRequest("content-type: `boundary` is missing or not legal", param="content-type")
    return Form(data, boundary, tuple(_parts(data, boundary.encode())))


def _parts(data: bytes, boundary: bytes) -> Iterator[FormPart]:
    delimiter = b"\r\n--" + boundary
    if not data.startswith(delimiter[2:]):
        raise _malformed("it does not begin with its boundary")
    delimiters = data.count(delimiter[1:], len(delimiter) - 2)
    if delimiters > MAX_PARTS or delimiters != data.count(delimiter):
        raise _malformed(f"it has over {MAX_PARTS} parts, or lines that end without CR")
    at = len(delimiter) - 2
    for _ in range(delimiters):
        head_end = data.find(b"\r\n\r\n", at, at + MAX_HEAD)
        end = data.find(delimiter, head_end + 2)
        if not data.startswith(b"\r\n", at) or head_end < 0 or end < 0:
            raise _malformed("a part of it has no headers, or no end")
        yield _part(data[at:head_end], head_end + 4, max(end, head_end + 4))
        at = end + len(delimiter)
    if not data.startswith(b"--", at):
        raise _malformed("its last part has no end")


def _part(head: bytes, start: int, end: int) -> FormPart:
    headers = _headers(head)
    disposition = _DISPOSITION.fullmatch(headers.get(b"content-disposition", b""))
    if headers.get(b"content-transfer-encoding", _AS_THEY_ARE[0]).strip().lower() not in _AS_THEY_ARE:
        raise _malformed("a part of it is encoded")
    found = _PARAMETER.findall(disposition[1]) if disposition else []
    parameters = {name.lower(): quoted or plain for name, quoted, plain in found}
    name = parameters.get(b"name", b"\\")
    if len(parameters) != len(found) or b"\\" in name or b"name*" in parameters:
        raise _malformed("a part of it has no name, or several")
    return FormPart(name.decode("utf-8", "replace"), not _FILE.isdisjoint(parameters), start, end)


def _headers(head: bytes) -> dict[bytes, bytes]:
    """Return the headers of a part. Raises InvalidRequest for a line that is none, or a name twice."""
    lines = head.split(b"\r\n")[1:]
    found = [header.groups() for line in lines if (header := _HEADER.fullmatch(line))]
    headers = {name.lower(): value for name, value in found}
    if len(headers) != len(lines):
        raise _malformed("a part of it has a line that is no header, or a header twice")
    return headers


def _malformed(problem: str) -> InvalidRequest:
    return InvalidRequest(f"The body is not a complete multipart form: {problem}.", code="invalid_value")
