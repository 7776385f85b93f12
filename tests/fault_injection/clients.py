"""What clients of the formats besides chat observe. The log has the class of an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from handler.formats.converse.errors import STATUSES
from tests.support.client_formats import FORMATS, data_of, error_of
from tests.support.conversations import body_of
from tests.support.talk import Talk, User

if TYPE_CHECKING:
    from tests.fault_injection.gateway import Observation

Json = dict[str, Any]

# Of each format: its statuses for errors that have another status in chat.
OWN_STATUSES: Mapping[str, Mapping[int, int]] = {"converse": STATUSES}


def request(client: str, model: str, *, stream: bool, user: str, tools: tuple[str, ...]) -> tuple[str, Json]:
    """Return path and body of a request."""
    talk = Talk(turns=(User(("hi",)),), tools={name: {"type": "object"} for name in tools}, max_tokens=1024)
    body = body_of(client, talk, model, stream=stream)
    named: dict[str, Json] = {"messages": {"metadata": {"user_id": user}}, "responses": {"user": user}}
    return FORMATS[client].path(model, stream), {**body, **named.get(client, {})}


def read(observed: Observation, client: str, line: Json, *, native: bool) -> None:
    """Read the response of a client. native: it has the provider's own events, which a fake sends in part."""
    format, body = FORMATS[client], observed.response.body
    streamed = observed.stream and observed.response.status == 200
    failure = format.failure(body) if streamed else observed.response.json.get("error")
    if failure is not None:
        if not (streamed or native):
            error_of(client, observed.response.status, observed.response.json)
        attempts = line["attempts"]
        metadata = {"class": attempts[-1]["class"] if attempts else None, "attempts": attempts}
        observed.error = {"code": (line.get("error") or {}).get("code"), "type": "", "metadata": metadata}
    observed.ended_whole = format.ends(body) if streamed else failure is None
    if not observed.ended_whole:
        return
    whole = (
        _native_whole(body)
        if streamed and native
        else format.fold(body)
        if streamed
        else observed.response.json
    )
    said = format.read(whole)
    observed.text, observed.finish = said.text, said.end
    observed.sluice = whole.get("sluice") or {}
    before = [observed.sluice[name] for name in ("resumed_from",) if name in observed.sluice]
    observed.models = [*before, *(one["model"] for one in line["attempts"] if one["class"] == "ok")]
    observed.usage = {"tokens": said.tokens} if said.tokens[1] else None


def _native_whole(stream: bytes) -> Json:
    response: Json = json.loads(data_of(stream)[-1])["response"]
    return response
