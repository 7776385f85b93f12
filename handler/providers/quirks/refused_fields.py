"""Refuses fields that would choose another model, change the price, or have an address fetched."""

from __future__ import annotations

from collections.abc import Collection

from handler.errors import Json
from rules import compile_pattern

_MODEL = "model="  # before a pattern of model names


def refused_field(
    chat: Json, refuse: Collection[str], allow: Collection[str] = (), *, model: str
) -> str | None:
    """The first field of the request that the row refuses and no rule allows; None if there is none.

    An entry of `refuse` is a field, a field with a value (`service_tier=priority`), a type of tool
    (`tools.browser`) or a pattern for `model`, the name that the provider would be sent (`model=*:online`).
    """
    patterns = [entry.removeprefix(_MODEL) for entry in refuse if entry.startswith(_MODEL)]
    if "model" not in allow and any(
        compile_pattern(pattern, ignore_case=True)(model) for pattern in patterns
    ):
        return "model"
    for name, value in chat.items():
        if value is not None and name not in allow:
            entries = {name, f"{name}={value}" if isinstance(value, str) else name}
            if name == "tools" and isinstance(value, list):
                entries |= {f"tools.{tool.get('type')}" for tool in value if isinstance(tool, dict)}
            if not entries.isdisjoint(refuse):
                return name
    return None
