"""Chooses the arm of a split for a request: always the same one for the same sticky value."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from rules.facts.facts import Facts
from rules.records.kinds import Arm, RouteRecord

POINTS = 2**64


def choose_arm(record: RouteRecord, facts: Facts, arms: Sequence[Arm]) -> Arm:
    """Return one of `arms`: the arms of the record that can answer, at least one.

    The first draw is among all arms of the record. When it selects one that cannot answer, the next draw is
    among the others; so the values on other arms keep theirs.
    """
    value, remaining, draw = _sticky_value(record, facts), list(record.split or arms), 0
    while (arm := _arm_at(remaining, _point(record.id, value, facts.random, draw))) not in arms:
        remaining.remove(arm)
        draw += 1
    return arm


def _sticky_value(record: RouteRecord, facts: Facts) -> str | None:
    """Return the value that stays on one arm, by default the user; None: each request is drawn separately.

    Without a user it is the session, whose prompt is cached where its last request went.
    """
    sticky = record.sticky or "user"
    if sticky.startswith("tag."):
        return facts.tags.get(sticky.removeprefix("tag."))
    session = facts.session if record.affinity != "none" else None
    return {"user": facts.user or session, "key": facts.key, "request": None}[sticky]


def _point(id: str, value: str | None, random: float, draw: int) -> float:
    if value is None and draw == 0:
        return random
    text = "\0".join((id, repr(random) if value is None else value, str(draw)))
    return int.from_bytes(sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big") / POINTS


def _arm_at(arms: Sequence[Arm], point: float) -> Arm:
    place = point * sum(arm.weight for arm in arms)
    for arm in arms[:-1]:
        place -= arm.weight
        if place < 0:
            return arm
    return arms[-1]
