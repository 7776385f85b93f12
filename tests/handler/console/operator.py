"""A gateway on moto's tables, and the calls that an operator makes to its console."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from handler.aws.errors import StoreError
from handler.aws.sdk import scan
from handler.store.attributes import Item, deserialize_item, serialize_item
from handler.store.tables import Store
from tests.support.asgi import Response, call
from tests.support.gateways import KEYS, RunningGateway, key_item, start_gateway
from tests.support.inline_client import InlineClient
from tests.support.tables import SETTINGS
from tests.support.virtual_clock import now

ADMIN = "sk-sluice-" + "a" * 43
TABLES = {SETTINGS.rules_table: ("kind", "id"), SETTINGS.keys_table: ("hash",), SETTINGS.state_table: ("id",)}


class Client(InlineClient):
    """`before` and `after`: by operation, what happens around the next call of it: a function or an error."""

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] = {}

    async def call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        _do(self.before.pop(operation, None))
        answer = await super().call(operation, arguments)
        _do(self.after.pop(operation, None))
        return answer


def _do(what: Any) -> None:
    if isinstance(what, StoreError):
        raise what
    if what is not None:
        what()


class Operator:
    """`ask` makes a call with the key of an administrator, and returns its answer."""

    def __init__(self, database: Any, records: Iterable[Item] = ()) -> None:
        self.database, self.client = database, Client(database)
        for table, names in TABLES.items():
            for item in scan(database, table):
                database.delete_item(TableName=table, Key={name: item[name] for name in names})
        for key in (*KEYS, key_item(ADMIN, id="a1", project="ops", scopes=["admin"])):
            self.put(key, SETTINGS.keys_table)
        for record in records:
            self.put(record)
        self.running: RunningGateway = start_gateway(
            store=Store(self.client, SETTINGS), now=now, SLUICE_SAMPLES="100"
        )

    def put(self, item: Item, table: str = SETTINGS.rules_table) -> None:
        self.database.put_item(TableName=table, Item=serialize_item(item))

    def stored(self, table: str = SETTINGS.rules_table) -> list[Item]:
        found = (deserialize_item(item) for item in scan(self.database, table))
        return sorted(found, key=lambda item: str(item["id"]))

    async def ask(self, method: str, path: str, body: Any = None, *, key: str = ADMIN) -> Response:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {key}"}
        return await call(self.running.app, method, f"/console/api/{path}", headers=headers, body=data)

    async def get(self, path: str) -> Any:
        """The JSON of a call that succeeds."""
        response = await self.ask("GET", path)
        assert response.status == 200, (response.body, self.running.lines[-2:])
        return response.json
