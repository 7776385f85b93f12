"""Parse the request of an operation besides chat: JSON, or a multipart form of files and fields."""

from __future__ import annotations

from typing import Any

from handler.errors import InvalidRequest, Json
from handler.formats.chat.foreign_fields import check_headers
from handler.formats.chat.request import Chat, chat_of
from handler.formats.operations.fields import FIELDS
from handler.formats.operations.operation import Operation, OperationRequest
from handler.formats.options import Headers
from handler.formats.validators import validate
from handler.wire.multipart import Form, is_form, parse_form
from handler.wire.strict_json import loads

LONGEST_FIELD = 100_000  # bytes of a field of a form
_FLAGS = {"true": True, "false": False}


def parse_operation(
    operation: Operation, body: bytes, headers: Headers, max_n: int
) -> tuple[Chat, OperationRequest]:
    """Return the request, with its fields in the place of a chat's. Raises InvalidRequest."""
    check_headers(headers)
    content_type, form = headers.get("content-type", ""), None
    if is_form(content_type):
        form = parse_form(body, content_type)
        text, value = "", fields_of(form)
    else:
        text, value = loads(body)
    validate(FIELDS[operation.name], value)
    n = value.get("n")
    if n is not None and n > max_n:
        raise InvalidRequest(f"n: expected an integer from 1 to {max_n}, got {int(n)}", param="n")
    return chat_of(text, value, headers), OperationRequest(operation=operation, form=form)


def fields_of(form: Form) -> Json:
    """Return the fields of a form that are not files. A repeated field is a list, as its values are sent."""
    fields: dict[str, Any] = {}
    for part in form.parts:
        if part.name == "model" and (part.is_file or part.name in fields):
            raise InvalidRequest("model: expected one field", param="model")
        if part.is_file:
            continue
        if part.end - part.start > LONGEST_FIELD:
            raise InvalidRequest(f"{part.name[:64]}: at most {LONGEST_FIELD} bytes", param=part.name[:64])
        value = _value(part.name, form.text(part))
        if part.name in fields:
            given = fields[part.name]
            value = [*given, value] if isinstance(given, list) else [given, value]
        fields[part.name] = value
    return fields


def file_bytes(form: Form | None) -> int:
    """Return the size of all files of a form."""
    return sum(part.end - part.start for part in form.parts if part.is_file) if form else 0


def _value(name: str, text: str) -> Any:
    if name == "stream":
        return _FLAGS.get(text.strip().lower(), text)
    return int(text) if name == "n" and text.isdecimal() and len(text) < 10 else text
