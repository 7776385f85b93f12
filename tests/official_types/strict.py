"""Strict validation with a client's types, which also finds the members that the types do not have."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx2
from pydantic import BaseModel, TypeAdapter, ValidationError

Json = dict[str, Any]
More = frozenset[str] | None  # names of members that the types may lack; None: any


class Mismatch(Exception):
    """An output that is not what the types say, or that the client reads as something else."""


class Canned:
    """The HTTP client of an official client. It answers every request with `answer`."""

    def __init__(self) -> None:
        self.answer = httpx2.Response(500)
        self.http = httpx2.Client(transport=httpx2.MockTransport(lambda _: self.answer))

    def set(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.answer = httpx2.Response(status, headers=dict(headers), content=body)


def validate(adapter: TypeAdapter[Any], value: Any, more: More) -> None:
    """Raise Mismatch for a value that is not of a type, in strict form."""
    text = json.dumps(value)
    try:
        unknown = set(unknown_members(adapter.validate_json(text, strict=True)))
    except ValidationError as error:
        problems = [one for one in error.errors() if one["type"] != "extra_forbidden"]
        if problems:
            found = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problems[:4])
            raise Mismatch(f"{found} in {text[:400]}") from None
        unknown = {str(one["loc"][-1]) for one in error.errors()}  # Google's types forbid other members
    if more is not None and not unknown <= more:
        raise Mismatch(f"unknown members: {', '.join(sorted(unknown - more))} in {text[:400]}")


def unknown_members(value: Any) -> Iterator[str]:
    """Yield the name of each member that is not in the types."""
    match value:
        case BaseModel():
            yield from value.model_extra or ()
            for name in type(value).model_fields:
                yield from unknown_members(getattr(value, name))
        case list() | tuple():
            for one in value:
                yield from unknown_members(one)


def data_of(stream: bytes) -> list[Any]:
    """Return the data of a stream's complete events, parsed except for `[DONE]`."""
    events = stream.decode().replace("\r\n", "\n").split("\n\n")[:-1]
    data = [
        line.removeprefix("data:").strip()
        for event in events
        for line in event.split("\n")
        if line.startswith("data:")
    ]
    return [one if one == "[DONE]" else json.loads(one) for one in data]


def must_equal(theirs: Any, ours: Any, what: str) -> None:
    if theirs != ours:
        texts = json.dumps(theirs)[:900], json.dumps(ours)[:900]
        raise Mismatch(f"the client has another {what}:\n  {texts[0]}\n  {texts[1]}")


def raised(call: Callable[[], Any], kind: Any) -> Any:
    """Return the error of this kind that a call raises."""
    try:
        call()
    except kind as error:
        return error
    raise Mismatch("the client raises no error")


def without_empty(value: Any, *names: str) -> Any:
    """Return the value without members that are null or empty, or that have one of the names."""
    if isinstance(value, dict):
        members = {name: without_empty(one, *names) for name, one in value.items() if name not in names}
        return {name: one for name, one in members.items() if one not in (None, [], "", {})}
    return [without_empty(one, *names) for one in value] if isinstance(value, list) else value
