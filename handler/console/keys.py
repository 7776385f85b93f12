"""The console's calls that list and change keys."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from handler.access.keys import Key, read_key
from handler.console.bodies import KeyChange, NewKey, Rotation, body_of
from handler.console.call import ConsoleCall
from handler.endpoints.exchange.response import Response, json_response
from handler.errors import InvalidRequest, Json
from handler.manage import keys
from handler.manage.limits import read_limits

SOON = 3600.0  # seconds in which a key that expires is as good as disabled


async def list_all(call: ConsoleCall) -> Json:
    """Return the records of all keys; `truncated` if there may be more."""
    records = await keys.list_keys(*call.tables, now=call.gateway.now)
    return {"data": records, "truncated": len(records) == keys.MAX_KEYS}


async def show(call: ConsoleCall) -> Json:
    """Return the records of one key: two after a rotation, the current one first."""
    return {"data": await keys.show_key(*call.tables, call.params["id"], now=call.gateway.now)}


async def limits(call: ConsoleCall) -> Json:
    """Return the limits and budgets that apply to a key, and how much of each is left."""
    record = (await keys.show_key(*call.tables, call.params["id"]))[0]
    key = Key(id=record["id"], project=record["project"] or "default")
    policy = await call.gateway.policies.current()
    found = await read_limits(call.gateway.store.state, policy.ruleset, key, call.gateway.now())
    return {"revision": policy.ruleset.revision, "data": found}


async def create(call: ConsoleCall) -> Response:
    """Create a key, which only this answer holds."""
    body = await body_of(call, NewKey)
    return _shown_once(await keys.create_key(*call.tables, body.model_dump(), now=call.gateway.now))


async def change(call: ConsoleCall) -> Json:
    """Change the fields that the body has. The key that asks can neither disable itself nor expire soon."""
    body, id = await body_of(call, KeyChange), call.params["id"]
    fields = body.model_dump(include=body.model_fields_set)
    if not fields:
        raise InvalidRequest(f"nothing to change: give {', '.join(KeyChange.model_fields)}")
    if name := next((name for name in fields if _ends_key(name, fields[name], call)), None):
        await _refuse_own(call, id, name)
    records = await _changing(keys.update_key, call)(id, fields)
    return {"record": records[0], "data": records}


def _ends_key(name: str, value: Any, call: ConsoleCall) -> bool:
    """Return True if this field with this value makes a key useless now or soon."""
    if name == "expires_at" and value is not None:
        expires_at = read_key({"id": "any", name: value}).expires_at
        return expires_at is not None and expires_at < call.gateway.now().timestamp() + SOON
    return name == "enabled" and value is False


async def _refuse_own(call: ConsoleCall, id: str, field: str) -> None:
    """Raise InvalidRequest if `id`, or BY_HASH and a hash, is the key that asks."""
    if call.key.id in (id, *(record["id"] for record in await keys.show_key(*call.tables, id))):
        message = f"{field}: this is the key that you use here. End it with another one, or rotate it"
        raise InvalidRequest(message, param=field)


async def rotate(call: ConsoleCall) -> Response:
    """Create a key with the id and the rights of an old one, which expires after `overlap`."""
    body = await body_of(call, Rotation)
    fields: Mapping[str, Any] = body.model_dump(include=body.model_fields_set & {"expires_at"})
    return _shown_once(await _changing(keys.rotate_key, call)(call.params["id"], body.length, fields))


def _changing(work: Any, call: ConsoleCall) -> Any:
    """Return a function of `handler.manage` after which this instance reads the changed keys again."""
    return partial(work, *call.tables, now=call.gateway.now, on_change=call.gateway.auth.forget)


def _shown_once(made: keys.NewKey) -> Response:
    return json_response(made._asdict(), 201)
