"""The counters of an hour, in total and by project, key and model; as attributes of an item, and as JSON.

The items of an hour have one number for each counter that is not 0, named `<kind>#<name>#<letter>`:

    kind      t: the total, without a name. p: a project, k: a key, m: a model
    letter    r e c i o: requests, errors, nano-dollars, tokens of input and output
              f s: first tokens, and the sum of their milliseconds; A to L: their histogram (of t and m)
    flushes   how often instances have written to it
    w0 ... wf the last writes, so that one that is sent twice counts once
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from handler.errors import Json
from handler.store.attributes import Item
from rules import NANO

Cell = list[int]  # the numbers in the order of LETTERS
Cells = dict[tuple[str, str], Cell]  # by kind and name

KINDS = {"p": "project", "k": "key", "m": "model"}
TOTAL = ("t", "")
COUNTED = ("requests", "errors", "cost", "input", "output")
BOUNDS = (100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 10_000)  # ms; the last bucket has the rest
LETTERS = "recio" + "fs" + "ABCDEFGHIJKL"
FIRST_TOKENS, SUM, BUCKETS = 5, 6, 7  # places in a cell


def new_cell() -> Cell:
    return [0] * len(LETTERS)


def add_first_token(cell: Cell, milliseconds: int) -> None:
    cell[FIRST_TOKENS] += 1
    cell[SUM] += milliseconds
    cell[BUCKETS + bisect_left(BOUNDS, milliseconds)] += 1


def attributes_of(cells: Cells) -> dict[str, int]:
    """Return the attributes that add these counters to an item."""
    return {
        f"{kind}#{name}#{letter}": number
        for (kind, name), cell in cells.items()
        for letter, number in zip(LETTERS, cell, strict=True)
        if number
    }


def cells_of(item: Item) -> Cells:
    """Return the counters of an item; an attribute that is none of them is left out."""
    cells: Cells = {}
    for attribute, number in item.items():
        kind, name, letter = attribute[:1], attribute[2:-2], attribute[-1:]
        if attribute.count("#") >= 2 and kind in "tpkm" and letter in LETTERS and isinstance(number, int):
            cells.setdefault((kind, name), new_cell())[LETTERS.index(letter)] += number
    return cells


def merged(many: Iterable[Cells]) -> Cells:
    sums: Cells = {}
    for cells in many:
        for key, cell in cells.items():
            sums[key] = [a + b for a, b in zip(sums.get(key, new_cell()), cell, strict=True)]
    return sums


def cells_as_json(cells: Cells) -> Json:
    """Return the counters as `{"total": ..., "by": {"project": {name: ...}, "key": ..., "model": ...}}`."""
    named = {
        word: {name: _cell_as_json(cell, kind) for (of, name), cell in sorted(cells.items()) if of == kind}
        for kind, word in KINDS.items()
    }
    return {"total": _cell_as_json(cells.get(TOTAL, new_cell()), "t"), "by": named}


def _cell_as_json(cell: Cell, kind: str) -> Json:
    numbers: Json = dict(zip(COUNTED, cell, strict=False))
    numbers["cost"] /= NANO
    if kind in "tm":
        numbers["first_token"] = {
            "count": cell[FIRST_TOKENS],
            "sum": cell[SUM],
            "buckets": cell[BUCKETS:],
            **dict(_percentiles(cell[BUCKETS:], {"p50": 0.5, "p95": 0.95})),
        }
    return numbers


def _percentiles(buckets: Cell, parts: Mapping[str, float]) -> Iterator[tuple[str, int | None]]:
    """Yield percentiles in milliseconds, as if each bucket's values were spread evenly; None: no values."""
    until, edges = [*accumulate(buckets)], (0, *BOUNDS, 2 * BOUNDS[-1])
    for name, part in parts.items():
        rank = part * until[-1]
        place = bisect_left(until, rank) if rank else None
        if place is None:
            yield name, None
        else:
            low, high = edges[place], edges[place + 1]
            within = (rank - (until[place] - buckets[place])) / buckets[place]
            yield name, round(low + within * (high - low))
