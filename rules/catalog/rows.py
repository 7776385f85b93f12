"""The rows of catalog.json. A cold start only reads the file: a row is parsed when it is first looked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rules.catalog.price import NANO, Price, price_of

Row = Sequence[Any]

COLUMNS = (
    "id", "pool", "context", "max_output", "input", "output", "cached_input",
    "can", "quality", "speed", "auto", "rules", "more_prices",
)  # fmt: skip
(
    ID, POOL, CONTEXT, MAX_OUTPUT, INPUT, OUTPUT, CACHED, CAN, QUALITY, SPEED, AUTO, RULES, MORE_PRICES,
) = range(len(COLUMNS))  # fmt: skip

MAX_FOUND = 500  # ids that are remembered, because requests name the same models again
MAX_SEARCHES = 32  # of the whole text; then all rows are parsed, which takes as long


class Rows:
    """`text`: one row in each line, all ASCII, sorted by id in lower case; the lines end with commas."""

    def __init__(self, text: str = "") -> None:
        self._text = f"\n{text}"
        self._searches = 0
        self._found: dict[str, Row | None] = {}  # what `get` has looked for
        self._by_id: dict[str, Row] | None = None  # every row, once they are parsed
        self._by_pool: dict[str, list[str]] = {}  # ids; of every pool, once all rows are parsed

    def get(self, low: str) -> Row | None:
        """Return the row of an id in lower case."""
        if self._by_id is not None:
            return self._by_id.get(low)
        if low not in self._found:
            if len(self._found) >= MAX_FOUND:
                self._found.clear()
            self._found[low] = self._search(low)
        return self._found[low]

    def _search(self, low: str) -> Row | None:
        start, end, text = 0, len(self._text), self._text
        while start < end:  # from the end of a line to that of another one
            at = text.rfind("\n", start, (start + end) // 2 + 1)
            if at < 0:
                at = text.find("\n", start, end)
                if at < 0:
                    return None
            id = text[at + 3 : text.find('"', at + 3)].lower()
            if id == low and text[at + 1 : at + 3] == '["':
                return _parse(text, at)
            if id < low and text[at + 1 : at + 3] == '["':
                start = text.find("\n", at + 1)
                start = end if start < 0 else start
            else:
                end = at
        return None

    def in_pool(self, pool: str) -> list[str]:
        """Return the ids of the rows in a pool, in lower case."""
        found = self._by_pool.get(pool)
        if found is None and self._by_id is None and self._may_search():
            rows = self._with(f'","{pool}",')
            found = self._by_pool[pool] = [row[ID].lower() for row in rows if row[POOL] == pool]
        elif found is None:
            self._all()
            found = self._by_pool.get(pool)
        return found or []

    def auto(self) -> list[str]:
        """Return the ids of the models that are eligible when a request names none."""
        return [row[ID].lower() for row in self._with(',1,"') if row[AUTO]]

    def of_provider(self, provider: str) -> list[str]:
        """Return the ids of a provider's models, in lower case."""
        return [row[ID].lower() for row in self._with(f'["{provider}/')]

    def ids(self) -> Iterator[str]:
        yield from self._all()

    def _may_search(self) -> bool:
        self._searches += 1
        return self._searches <= MAX_SEARCHES

    def _with(self, part: str) -> Iterator[Row]:
        """Yield the rows whose line has this text."""
        at = self._text.find(part)
        while at >= 0:
            yield _parse(self._text, self._text.rfind("\n", 0, at))
            end = self._text.find("\n", at)
            at = self._text.find(part, end) if end >= 0 else -1

    def _all(self) -> dict[str, Row]:
        if self._by_id is None:
            self._by_id = {row[ID].lower(): row for row in json.loads(f"[{self._text.strip().rstrip(',')}]")}
            self._by_pool = {}
            for low, row in self._by_id.items():
                self._by_pool.setdefault(row[POOL], []).append(low)
        return self._by_id


def _parse(text: str, start: int) -> Row:
    """Return the row in the line after the line break at `start`."""
    end = text.find("\n", start + 1)
    row: Row = json.loads(text[start + 1 : None if end < 0 else end].rstrip(","))
    return row


def price_of_row(row: Row) -> Price | None:
    """Return the price of a row.

    Its last column, which few rows have, lists the rarer prices: "cache_write=2.5;above=200000 input=4". The
    first group is without a tier, and each following one is a tier.
    """
    if row[INPUT] is None or row[OUTPUT] is None:
        return None
    prices: dict[str, Any] = {"input": _nano(row[INPUT]), "output": _nano(row[OUTPUT])}
    if row[CACHED] is not None:
        prices["cached_input"] = _nano(row[CACHED])
    if len(row) <= MORE_PRICES:
        return Price(**prices)
    more, *tiers = (
        dict(_more_price(*field.split("=")) for field in group.split())
        for group in row[MORE_PRICES].split(";")
    )
    return price_of({**prices, **more, "tiers": tiers})


def _more_price(name: str, value: str) -> tuple[str, str | int]:
    return name, value if name == "service" else int(value) if name == "above" else _nano(float(value))


def _nano(dollars: float) -> int:
    return round(dollars * NANO)
