"""Which arm of a split a request takes: always the same one for the same sticky value."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from rules.facts.facts import Facts
from rules.records.fields import Arm
from rules.records.kinds import RouteRecord

POINTS = 2**64


def pick(record: RouteRecord, facts: Facts, arms: Sequence[Arm]) -> Arm:
    """One of `arms`, which are those of the record that can be taken; at least one.

    It is drawn among all arms of the record first and, when it fell on one that cannot be taken, again
    among the rest: so who was on another arm stays there.
    """
    value, left, draw = sticky_value(record, facts), list(record.split or arms), 0
    while (chosen := _at(left, _point(record.id, value, facts.random, draw))) not in arms:
        left.remove(chosen)
        draw += 1
    return chosen


def sticky_value(record: RouteRecord, facts: Facts) -> str | None:
    """What the arm sticks to: the user if there is one, unless the record says; None: each on its own."""
    sort = record.sticky or "user"
    if sort.startswith("tag."):
        return facts.tags.get(sort.removeprefix("tag."))
    return {"user": facts.user, "key": facts.key, "request": None}[sort]


def _point(id: str, value: str | None, random: float, draw: int) -> float:
    if value is None and draw == 0:
        return random
    text = "\0".join((id, repr(random) if value is None else value, str(draw)))
    return int.from_bytes(sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big") / POINTS


def _at(arms: Sequence[Arm], point: float) -> Arm:
    place = point * sum(arm.weight for arm in arms)
    for arm in arms[:-1]:
        place -= arm.weight
        if place < 0:
            return arm
    return arms[-1]
