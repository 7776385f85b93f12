"""POST /report, /report-anthropic, /logs/update-tags: OpenPipe's endpoints for the content log.

A report stores a call that was made elsewhere, in the project of the key. A change of tags is about entries
of that project only. Both need a `log` record that applies to the key; its sample does not matter here.
https://docs.openpipe.ai/api-reference/post-report
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from handler.access.keys import Key
from handler.aws.errors import StoreError
from handler.endpoints.exchange.http import HttpRequest, read_body
from handler.endpoints.exchange.response import Response, json_response
from handler.errors import InvalidRequest, Json, Unavailable
from handler.formats.chat.fields import TAGS
from handler.formats.chat.request import all_tags
from handler.formats.options import Options, read_options
from handler.formats.validators import (
    Check,
    InvalidValue,
    anything,
    integer,
    list_of,
    shape,
    text,
    text_of_length,
    validate,
)
from handler.gateway.admission import authenticate
from handler.gateway.lifecycle import Gateway
from handler.log import RequestLog, request_line
from handler.wire.strict_json import loads
from rules import Facts, LogRecord

MAX_FILTERS = 10
NOT_COUNTED = -1  # edits are applied when entries are read
RETRY_AFTER = 5.0  # seconds

REPORT = shape(
    {"tags": TAGS, "statusCode": integer(0, 999), "errorMessage": text, "reqPayload": anything},
    required=("reqPayload",),
)


def _field(value: Any) -> None:
    from handler.content.tag_edits import FIELDS  # few requests need it: not at a cold start

    text(value)
    if value not in FIELDS and not (value.startswith("tags.") and 6 <= len(value) <= 69):
        raise InvalidValue(f"expected {', '.join(FIELDS)} or tags.<name>")


_FILTER: Check = shape({"field": _field, "equals": text_of_length(0, 512)}, ("field", "equals"), closed=True)
EDIT = shape(
    {"filters": list_of(_FILTER, least=1, most=MAX_FILTERS), "tags": TAGS}, ("filters", "tags"), closed=True
)


async def report(gateway: Gateway, request: HttpRequest) -> Response:
    """Store a call that was made elsewhere, as it is reported."""
    entry, key, body = await _read(gateway, request, REPORT)
    options, called = read_options(entry.headers), body["reqPayload"]
    entry.tags = all_tags({"tags": body.get("tags")}, options.tags)
    named = called if isinstance(called, dict) else {}
    record = await _record_of(gateway, key, entry, options, model=named.get("model"))
    if record is not None and not options.no_content_log and named.get("store") is not False:
        line = request_line(entry, gateway.clock())
        content = _content(body, entry.tags)
        await _written(gateway.content_log.write(record, line, lambda: content))
    return json_response({"status": "ok"})


async def update_tags(gateway: Gateway, request: HttpRequest) -> Response:
    """Change tags of entries of the key's project that match all filters; null removes a tag."""
    entry, key, body = await _read(gateway, request, EDIT)
    if await _record_of(gateway, key, entry, read_options(entry.headers)) is None:
        return json_response({"matchedLogs": 0})
    removed = {name: None for name, value in body["tags"].items() if value is None}
    edit = {"filters": body["filters"], "tags": {**all_tags(body, {}), **removed}}
    await _written(gateway.content_log.write_edit(key.project, edit))
    return json_response({"matchedLogs": NOT_COUNTED})


async def _read(gateway: Gateway, request: HttpRequest, check: Check) -> tuple[RequestLog, Key, Json]:
    entry: RequestLog = request.scope["sluice.entry"]
    key = await authenticate(gateway, entry)
    _, value = loads(await read_body(request.receive, entry.headers, gateway.settings.max_body))
    if not isinstance(value, dict):
        raise InvalidRequest("The body: expected an object")
    validate(check, value)
    return entry, key, value


async def _record_of(
    gateway: Gateway, key: Key, entry: RequestLog, options: Options, *, model: object = None
) -> LogRecord | None:
    """Return the `log` record that applies to a call of this key; only these facts of it are known."""
    facts = Facts(
        project=key.project,
        key=key.id,
        function=options.function,
        session=options.session,
        agent=options.agent,
        tags=entry.tags,
        model=model if isinstance(model, str) else None,
    )
    policy = await gateway.policies.current()
    record = policy.ruleset.most_specific("log", facts)
    return record if isinstance(record, LogRecord) else None


def _content(body: Mapping[str, Any], tags: Mapping[str, str]) -> Json:
    """Return the content of an entry: the call, with its own times and status."""
    called, answer = body["reqPayload"], body.get("respPayload")
    return {
        "reported": {name: body.get(name) for name in ("requestedAt", "receivedAt")},
        "status": body.get("statusCode"),
        "model": called.get("model") if isinstance(called, dict) else None,
        "error": {"message": body["errorMessage"]} if body.get("errorMessage") else None,
        "tags": dict(tags),
        "request": called,
        "answer": answer,
        "truncated": False,
    }


async def _written(writing: Coroutine[Any, Any, None]) -> None:
    try:
        await writing
    except StoreError as error:
        message = "The content log cannot be written at the moment."
        raise Unavailable(message, code="store_unavailable", retry_after=RETRY_AFTER) from error
