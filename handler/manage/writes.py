"""The writes of a push to the table of rules: each is done only if nobody else has changed its record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from handler.manage.changes import Changes
from handler.store.attributes import Item, serialize_item
from handler.store.items import Update
from rules import KINDS

TURN = "push"  # the id of the item in State that every push changes
MAX_COMPARED = 100  # fields of one record in a condition, of which DynamoDB takes 300 operators and 4 KB

# The fields that a record of each kind may have.
_FIELDS: Mapping[str, tuple[str, ...]] = {
    kind: tuple(name.removesuffix("_") for name in record.field_names) for kind, record in KINDS.items()
}


def take_turn(last: str | None, turn: str) -> Update:
    """Return the write that only one of several pushes at once can do."""
    condition, known = ("#turn = :last", {"last": last}) if last else ("attribute_not_exists(#turn)", {})
    return Update(TURN, "SET #turn = :turn", condition, {"turn": "turn"}, {"turn": turn, **known})


def writes_of(table: str, changes: Changes) -> Iterator[dict[str, Any]]:
    """Yield the items of a transaction: additions first, then changes, then removals."""
    for item in changes.added:
        new = {"Item": serialize_item(item), "ConditionExpression": "attribute_not_exists(id)"}
        yield {"Put": {"TableName": table, **new}}
    for before, after in changes.changed:
        fields = {"Item": serialize_item(after), **_unchanged(before)}
        yield {"Put": {"TableName": table, **fields}}
    for before in changes.removed:
        key = {"Key": serialize_item({"kind": before["kind"], "id": before["id"]})}
        yield {"Delete": {"TableName": table, **key, **_unchanged(before)}}


def _unchanged(item: Item) -> dict[str, Any]:
    """Return the condition that a stored record has the fields of `item`, and no other that its kind has."""
    present = sorted(item)[:MAX_COMPARED]
    absent = [name for name in _FIELDS.get(item["kind"], ()) if name not in item]
    places = {name: number for number, name in enumerate((*present, *absent))}
    clauses = (
        *(f"#{places[name]} = :{places[name]}" for name in present),
        *(f"attribute_not_exists(#{places[name]})" for name in absent),
    )
    return {
        "ConditionExpression": " AND ".join(clauses),
        "ExpressionAttributeNames": {f"#{number}": name for name, number in places.items()},
        "ExpressionAttributeValues": serialize_item({f":{places[name]}": item[name] for name in present}),
    }
