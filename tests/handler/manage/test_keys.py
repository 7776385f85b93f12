"""Finding one of many keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from handler.manage.keys import MAX_KEYS, NoSuchKey, find_key, list_keys
from handler.store.attributes import serialize_item
from tests.support.gateways import key_item
from tests.support.tables import SETTINGS


class Many:
    """A table with one more key than are listed, the disabled one last."""

    def __init__(self) -> None:
        keys = [key_item(str(number), id=f"key-{number}") for number in range(MAX_KEYS)]
        self.items = [*map(serialize_item, keys), serialize_item(key_item("x", id="last"))]

    async def call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        return {"Items": self.items}


async def test_a_key_is_found_beyond_those_that_are_listed() -> None:
    assert len(await list_keys(Many(), SETTINGS)) == MAX_KEYS
    assert [item["id"] for item in await find_key(Many(), SETTINGS, "last")] == ["last"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [pytest.param("kye-12", "did you mean key-1", id="misspelt"), pytest.param("x" * 9999, "x$", id="long")],
)
async def test_an_unknown_key_is_compared_with_some(name: str, hint: str) -> None:
    with pytest.raises(NoSuchKey, match=hint) as error:
        await find_key(Many(), SETTINGS, name)
    assert len(str(error.value)) < 200
