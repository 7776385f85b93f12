"""The bodies and parameters that the console's API takes. An error names the field: `as.project`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from handler.console.call import ConsoleCall
from handler.endpoints.exchange.http import read_body
from handler.errors import InvalidRequest
from handler.log import RequestLog
from handler.manage.replay import SINCE
from handler.store.history import MAX_LISTED, MAX_MESSAGE
from handler.wire.strict_json import loads

LONGEST_NAME = 200
MAX_PATTERNS = 100
MAX_BODY = 3_000_000  # bytes: the records of a set take at most 1 MB in their shortest form


class Body(BaseModel):
    """A body: unknown fields are errors, and a number in a text is none."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _keep_one_unknown(cls, value: Any) -> Any:
        """Only the first unknown field is named, and each of the others would take time and memory."""
        known = {field.alias or name for name, field in cls.model_fields.items()}
        unknown = [name for name in value if name not in known] if isinstance(value, dict) else []
        return (
            {name: value[name] for name in value if name in known or name == unknown[0]} if unknown else value
        )


Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Records = list[Any]  # what people write: `rules` reads it, and says what is wrong
Models = Annotated[list[Name], Field(max_length=MAX_PATTERNS)]
Moment = Any  # a date as in 2027-01-31T12:00:00Z, or epoch seconds: `handler.access.keys` reads it


class Check(Body):
    records: Records


class Caller(Body):
    key: Name | None = None
    project: Name | None = None
    function: Name | None = None


class Try(Body):
    records: Records | None = None
    request: dict[str, Any]
    as_: Annotated[Caller, Field(alias="as")] = Caller()
    at: str | None = None


class Save(Body):
    base: Name
    records: Records
    message: Annotated[str, Field(max_length=MAX_MESSAGE)] | None = None


class Replay(Body):
    records: Records
    since: str = SINCE


class Page(BaseModel):
    """Parameters of a query, which are texts."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=MAX_LISTED)] = 20
    before: Annotated[int, Field(ge=0)] | None = None


class NewKey(Body):
    name: Name
    project: Name = "default"
    scopes: Annotated[list[str], Field(min_length=1, max_length=9)] = ["chat"]
    models: Models | None = None
    expires_at: Moment = None


class KeyChange(Body):
    """Null means all models, and no expiry."""

    enabled: bool = True
    name: Annotated[str, Field(max_length=LONGEST_NAME)] = ""
    models: Models | None = None
    expires_at: Moment = None


class Rotation(Body):
    overlap: Annotated[str, Field(pattern=r"^[0-9]{1,5}[mhdw]$")] = "24h"
    expires_at: Moment = None

    @property
    def length(self) -> timedelta:
        units = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
        return timedelta(**{units[self.overlap[-1]]: int(self.overlap[:-1])})


T = TypeVar("T", bound=BaseModel)


async def body_of(call: ConsoleCall, model: type[T]) -> T:
    """Return the body of a call; an empty one is an object without fields. Raises GatewayError."""
    entry: RequestLog = call.request.scope["sluice.entry"]
    body = await read_body(call.request.receive, entry.headers, min(MAX_BODY, call.gateway.settings.max_body))
    text, value = loads(body or b"{}")
    if isinstance(value, dict) and "records" in value:
        value["records"] = json.loads(text, parse_float=_exact)["records"]
    return _validated(model, value)


def _exact(text: str) -> Decimal:
    """Read a number of a record with every digit. Raises InvalidRequest."""
    try:
        return Decimal(text)
    except InvalidOperation:
        raise InvalidRequest(f"records: the number {text[:50]} is out of range", param="records") from None


def parameters_of(call: ConsoleCall, model: type[T]) -> T:
    """Return the parameters in the query of a call. Raises InvalidRequest."""
    return _validated(model, dict(call.request.query_params))


def _validated(model: type[T], value: Any) -> T:
    if not isinstance(value, dict):
        raise InvalidRequest("The body is not a JSON object.")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = _path(first["loc"])
        names = [field.alias or name for name, field in model.model_fields.items()]
        close = get_close_matches(path, names, n=1)
        problem = {
            "missing": "is missing",
            "extra_forbidden": "unknown field" + (f", did you mean `{close[0]}`?" if close else ""),
        }.get(first["type"], first["msg"].removeprefix("Input "))
        raise InvalidRequest(f"{path}: {problem}", param=path) from None


def _path(parts: Sequence[str | int]) -> str:
    """Return `records[3].when` of ("records", 3, "when"), cut where a caller chose a long name."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:99]}" for part in parts)
    return text.removeprefix(".")
