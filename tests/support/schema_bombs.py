"""Schemas and answers of much hidden work: `python -m tests.support.schema_bombs SEED COUNT` checks some.

Prints how many were checked, refused and stopped. tests/handler/structured/test_schema_work.py limits the
processor time of a run, so work that is not counted fails the test.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from random import Random
from typing import Any

from handler.structured.schema import BadSchema, Schema

Json = dict[str, Any]

PATTERNS = (
    *(
        "a",
        "^a*$",
        "^(a+)+$",
        "[ab]*a[ab]{200}c",
        r"^\w{1,50}-\d+$",
        "^(?!b)[ab]*c",
        r"(?=a)[ab]*?a[ab]{50}c",
    ),
    *(r"^(a|aa)+\1$", r"(?<=a)b", r"^(?=.*[A-Z])(?=.*\d).{8,}$", r"(.*)*(?=c)"),
)
REFERENCE_FORMS = (
    *("#/$defs/d{}", "#d{}", "#/$defs/d{}/anyOf/0", "#/$defs/d{}/anyOf/+0", "#/$defs/d{}/anyOf/00"),
    *("#/%24defs/d{}", "#/$defs/%64{}", "#%64{}", "#/$defs/q/const/{}", "#/x-mine/d{}", "#/examples/{}"),
)
IN_PLACE = ("allOf", "anyOf", "oneOf")
INSIDE = ("items", "contains", "additionalProperties", "unevaluatedItems", "unevaluatedProperties")


class SchemaMaker:
    """Makes a schema of `size` definitions that refer to each other repeatedly, in several spellings."""

    def __init__(self, random: Random, size: int) -> None:
        self.random = random
        self.size = size
        self.reference_forms = (
            random.sample(REFERENCE_FORMS, 2) if random.random() < 0.3 else REFERENCE_FORMS[:1]
        )
        self.keywords = random.sample([*IN_PLACE, *INSIDE, "properties", "patternProperties", "if"], 4)
        self.leaves = random.sample(["pattern", "enum", "const", "uniqueItems", "required", "maxLength"], 2)

    def schema(self) -> Json:
        parts = {f"d{at}": self.part(at) for at in range(self.size)}
        for at, part in enumerate(parts.values()):
            if any("#d" in one or "#%" in one for one in self.reference_forms):
                part["$anchor"] = f"d{at}"
        head = self.random.choice(["$ref", "items", "properties"])
        first = {"$ref": self.reference(0)}
        root: Json = {"$defs": parts, head: dict.fromkeys("ab", first) if head == "properties" else first}
        if head == "$ref":
            root["$ref"] = first["$ref"]
        if self.random.random() < 0.1:
            root["$defs"]["q"] = {"const": [{"$anchor": f"d{at}"} for at in range(self.size)]}
        if self.random.random() < 0.2:
            root[self.random.choice(INSIDE)] = False
        return root

    def part(self, at: int) -> Json:
        part: Json = {}
        last = at == self.size - 1
        for keyword in self.random.sample(self.keywords, self.random.randint(1, 2)):
            if not last or self.random.random() < 0.2:
                part[keyword] = self.inside(keyword, at)
        for keyword in self.leaves:
            if last or self.random.random() < 0.2:
                part[keyword] = self.leaf(keyword)
        return part

    def inside(self, keyword: str, at: int) -> Any:
        one = {"$ref": self.reference(min(at + self.random.choice([1, 1, 1, 2, 0]), self.size - 1))}
        if keyword in IN_PLACE:
            return [one] * self.random.choice([1, 2, 2, 3, 20])
        if keyword == "properties":
            return dict.fromkeys(self.random.choice(["a", "ab", "abcdefgh"]), one)
        if keyword == "patternProperties":
            return dict.fromkeys(self.random.sample(PATTERNS, 2), one)
        return one

    def leaf(self, keyword: str) -> Any:
        many = self.random.choice([1, 30, 1000])
        return {
            "pattern": self.random.choice(PATTERNS),
            "enum": [{"a": at} for at in range(many)] if self.random.random() < 0.5 else list(range(many)),
            "const": ["ab"] * many,
            "uniqueItems": True,
            "required": [f"a{at}" for at in range(many)],
            "maxLength": 1_000_000,
        }[keyword]

    def reference(self, at: int) -> str:
        return self.random.choice(self.reference_forms).format(at)


def answer(random: Random) -> Any:
    match random.randint(0, 6):
        case 0:
            value: Any = "ab" * 10
            for _ in range(random.choice([3, 30, 90])):
                value = dict.fromkeys(random.choice(["a", "ab"]), value) if random.random() < 0.9 else [value]
                if len(json.dumps(value)) > 100_000:
                    break
            return value
        case 1:
            return ["ab" * random.choice([1, 100])] * random.choice([10, 1000, 30_000])
        case 2:
            return random.choice("ab") * random.choice([10, 1000, 100_000])
        case 3:
            return "".join(random.choice("ab") for _ in range(random.choice([100, 20_000])))
        case 4:
            return {f"a{at}": {"a": 1} for at in range(random.choice([10, 1000, 20_000]))}
        case 5:
            return [{"a": ["ab"] * 10, "b": at} for at in range(random.choice([10, 15, 3000]))]
        case _:
            return {"a" * 100_000: {"b": ["ab"] * 1000}, "b": 1}


def hold(seed: int) -> str:
    """Runs one case and returns its outcome."""
    random = Random(seed)
    schema, value = SchemaMaker(random, random.choice([1, 2, 4, 8, 30])).schema(), answer(random)
    try:
        mismatch = Schema(schema).find_mismatch(value) or ""
    except BadSchema:
        return "refused"
    return "too much work" if "too much" in mismatch else "held"


if __name__ == "__main__":
    first, count = map(int, sys.argv[1:])
    sys.stdout.write(json.dumps(Counter(map(hold, range(first, first + count)))))
