"""Items of the State table: on moto without threads, in memory, or only recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any, TypeVar, cast

from handler.aws.errors import StoreError
from handler.store.attributes import Item
from handler.store.items import Items, Update
from tests.support.inline_client import InlineClient

T = TypeVar("T")


class InlineItems(Items):
    """Items that are called in the event loop's own thread, so that a virtual clock can drive them.

    `down`: raised by every call, if it is given.
    """

    def __init__(self, client: Any, table: str = "sluice-state") -> None:
        super().__init__(InlineClient(client), table)
        self.calls = 0
        self.down: StoreError | None = None

    async def _within(self, call: Awaitable[T]) -> T:
        self.calls += 1
        if self.down is not None:
            cast(Coroutine[Any, Any, T], call).close()
            raise self.down
        return await call


class RecordedItems(Items):
    """Records the calls. `down`: raised by every call that is given. Tests of what is stored use moto."""

    def __init__(self) -> None:
        self.updates: list[Update] = []
        self.down: StoreError | None = None

    async def get(self, id: str, *, consistent: bool = False) -> Item | None:
        self._check()
        return None

    async def get_many(self, ids: Sequence[str], *, consistent: bool = False) -> dict[str, Item]:
        self._check()
        return {}

    async def put(self, item: Item) -> None:
        self._check()

    async def update(self, update: Update) -> Item:
        await self.transact([update])
        return {}

    async def transact(self, updates: Sequence[Update], *, token: str | None = None) -> None:
        self._check()
        self.updates += updates

    async def delete(self, id: str) -> None:
        self._check()

    async def query(
        self, index: str, partition: tuple[str, str], *, prefix: str = "", limit: int = 10_000
    ) -> list[str]:
        self._check()
        return []

    def _check(self) -> None:
        if self.down is not None:
            raise self.down


class MemoryItems(RecordedItems):
    """Keeps the items that are put. A read takes `seconds`."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.items: dict[str, Item] = {}
        self.seconds = seconds
        self.reads = 0

    async def get(self, id: str, *, consistent: bool = False) -> Item | None:
        self.reads += 1
        await asyncio.sleep(self.seconds)
        self._check()
        return self.items.get(id)

    async def put(self, item: Item) -> None:
        self._check()
        self.items[item["id"]] = item
