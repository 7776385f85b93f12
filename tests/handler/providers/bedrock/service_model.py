"""botocore's model of the Bedrock service, and checks against it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session


@cache
def operation(name: str) -> Any:
    return botocore.session.get_session().get_service_model("bedrock-runtime").operation_model(name)


def with_blobs(value: Any, shape: Any) -> Any:
    """Return the value as botocore has it: bytes instead of base64."""
    if shape.type_name == "blob":
        return base64.b64decode(value, validate=True)
    if shape.type_name == "list":
        return [with_blobs(one, shape.member) for one in value]
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        return {
            name: with_blobs(one, shape.members[name]) if name in shape.members else one
            for name, one in value.items()
        }
    return value


def violations(value: Any, shape: Any, where: str = "") -> Iterator[str]:
    """Yield each text that is not among its choices or does not match its pattern. botocore ignores both."""
    if shape.type_name == "list":
        for at, one in enumerate(value):
            yield from violations(one, shape.member, f"{where}[{at}]")
    elif shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        for name, one in value.items():
            yield from violations(one, shape.members[name], f"{where}.{name}")
    elif shape.type_name == "string":
        pattern, longest = shape.metadata.get("pattern"), shape.metadata.get("max")
        if shape.metadata.get("enum") and value not in shape.metadata["enum"]:
            yield f"{where}: {value!r} is not a choice"
        if (pattern and not re.fullmatch(pattern, value)) or (longest and len(value) > longest):
            yield f"{where}: {value!r} does not match"
