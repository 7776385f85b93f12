"""The updates of a counter's item in State: take, settle, give back, alert. No I/O.

    n            requests, tokens or nano-dollars: used, and reserved by requests and leases
    hits         requests that were counted; how fast it grows shows how busy the counter is
    r<slot>      the part of `n` that is reserved until the end of that slot of SLOT seconds
    w0 ... wf    the last writes, by the first digit of their ids: a write that is sent twice counts once,
                 unless another one took its place meanwhile; transactions have tokens
    alert        the highest percentage that an alert was sent for
    alerted      the write that set it
    counted      1 if the counter is one of the number that is bounded
    expires_at   when DynamoDB may delete the item

An instance that dies leaves its reservations. Another one gives them back after their slot (`reclaim`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handler.store.attributes import Item
from handler.store.items import Update

SLOT = 600  # seconds
SKEW = 600  # seconds that the clocks of two instances may differ
LIFETIME = 960  # seconds that a reservation holds: longer than a request on Lambda can take


def slot_until(time: float) -> int:
    """Return the slot that ends LIFETIME seconds after `time` or later."""
    return int((time + LIFETIME) // SLOT) + 1


def has_ended(slot: int, time: float) -> bool:
    """Return True if no instance may still use what is reserved in this slot."""
    return time > slot * SLOT + SKEW


def outlasts(slot: int, time: float) -> bool:
    """Return True if a request that begins now ends before the slot does."""
    return time + LIFETIME <= slot * SLOT


def reserved(item: Item) -> dict[int, int]:
    """Return the reserved amounts of an item, by slot."""
    return {
        int(name[1:]): int(value) for name, value in item.items() if name[0] == "r" and name[1:].isdigit()
    }


def used(item: Item) -> int:
    """Return the settled part of a counter."""
    return int(item.get("n", 0)) - sum(reserved(item).values())


def _lane(write: str) -> str:
    """Return the attribute that remembers this write; `write` is a random hexadecimal id."""
    return f"w{write[0]}"


def was_written(item: Item | None, write: str) -> bool:
    """Return True if the item remembers this write, so it was done although its answer was lost."""
    return item is not None and item.get(_lane(write)) == write


_ONCE = "(attribute_not_exists(#lane) OR #lane <> :write)"


def take(
    id: str, amount: int, *, room: int | None, hits: int, slot: int | None, write: str, expires_at: int
) -> Update:
    """Add `amount`, unless more than `room` is taken already; None: whatever is taken.

    slot: of the reservation; None for what counts at once.
    """
    add = "ADD #n :amount, #hits :hits" + ("" if slot is None else ", #slot :amount")
    names = {"n": "n", "hits": "hits", "lane": _lane(write), "expires": "expires_at"}
    values: dict[str, Any] = {"amount": amount, "hits": hits, "write": write, "expires": expires_at}
    condition = _ONCE
    if room is not None:
        condition += " AND (attribute_not_exists(#n) OR #n <= :room)"
        values["room"] = room
    return Update(
        id,
        f"SET #lane = :write, #expires = :expires {add}",
        condition,
        names if slot is None else {**names, "slot": f"r{slot}"},
        values,
    )


def settle(id: str, change: int, released: Mapping[int, int], *, write: str, expires_at: int) -> Update:
    """Add `change` to the counter, and take the `released` amounts out of their slots.

    The condition fails if a slot was given back meanwhile.
    """
    names = {"n": "n", "lane": _lane(write), "expires": "expires_at"}
    values: dict[str, Any] = {"change": change, "write": write, "expires": expires_at}
    conditions, sets = [_ONCE], ["#lane = :write", "#expires = :expires"]
    for index, (slot, amount) in enumerate(released.items()):
        names[f"s{index}"], values[f"s{index}"] = f"r{slot}", amount
        conditions.append(f"attribute_exists(#s{index})")
        sets.append(f"#s{index} = #s{index} - :s{index}")
    return Update(id, f"SET {', '.join(sets)} ADD #n :change", " AND ".join(conditions), names, values)


def reclaim(id: str, slots: Mapping[int, int]) -> Update:
    """Give back what is reserved in slots that have ended. `slots`: their amounts, if still unchanged."""
    names, values = {"n": "n"}, {"back": -sum(slots.values())}
    for index, (slot, amount) in enumerate(slots.items()):
        names[f"s{index}"], values[f"s{index}"] = f"r{slot}", amount
    conditions = " AND ".join(f"#s{index} = :s{index}" for index in range(len(slots)))
    removed = ", ".join(f"#s{index}" for index in range(len(slots)))
    return Update(id, f"ADD #n :back REMOVE {removed}", conditions, names, values)


def note_alert(id: str, percent: int, known: int | None, *, write: str) -> Update:
    """Record that alerts up to `percent` are sent. `known`: the percentage that the item has; None: none."""
    condition = "attribute_not_exists(#alert)" if known is None else "#alert = :known"
    values: dict[str, Any] = {"percent": percent, "write": write}
    return Update(
        id,
        "SET #alert = :percent, #alerted = :write",
        condition,
        {"alert": "alert", "alerted": "alerted"},
        values if known is None else {**values, "known": known},
    )


def mark_counted(id: str) -> Update:
    """Record that this counter is one of the number that `count_one` counts. Fails if it is already."""
    return Update(
        id, "SET #counted = :one", "attribute_not_exists(#counted)", {"counted": "counted"}, {"one": 1}
    )


def count_one(id: str, expires_at: int) -> Update:
    """Add one to the number of counters of a record in one window."""
    names = {"n": "n", "expires": "expires_at"}
    return Update(id, "SET #expires = :expires ADD #n :one", "", names, {"one": 1, "expires": expires_at})
