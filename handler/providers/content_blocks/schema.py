"""Translates a JSON Schema for the compilers of Anthropic and Bedrock, or not at all: it is never weakened.

An object that lists its properties is closed, as both demand. A map, a free object, a value of any kind and
a recursive schema cannot be compiled. What only narrows a value further goes into its description.
https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, NamedTuple

from handler.providers.schemas.drafts import to_2020_12, unescape_step
from handler.providers.schemas.merging import (
    UNIT_CHARACTERS,
    CannotTranslate,
    Merger,
    items_of,
    members_of,
    patterns_of,
    required_of,
    types_of,
    values_of,
    weight,
)
from handler.providers.translator import Json


class Size(NamedTuple):
    """The counts that the compilers limit."""

    optional: int = 0  # properties
    unions: int = 0  # properties of several types
    branches: int = 0  # of the grammar: each optional property of an object doubles them

    def plus(self, other: Size) -> Size:
        return Size(*map(sum, zip(self, other, strict=True)))

    @property
    def fits(self) -> bool:
        return all(count <= most for count, most in zip(self, MOST, strict=True))


# In one request. The branches are as litellm counts them, the others are documented.
MOST = Size(optional=24, unions=16, branches=2048)
STRICT_TOOLS = 20
KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")  # the name of a property

_DEEPEST = 60
_UNIONS = ("anyOf", "oneOf")
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_KEPT = frozenset({"type", "enum", "const", "title", "description", "default"})
_ABOUT = frozenset({"title", "description", "default"})
# Words that are translated, or need no translation.
_SAID = _KEPT | {
    *("properties", "required", "additionalProperties", "unevaluatedProperties", "items", "$defs"),
    *("$schema", "$id", "$anchor", "$comment", "examples", "discriminator"),
    *("deprecated", "readOnly", "writeOnly"),
}
_BESIDE_UNION = frozenset(
    {*_ABOUT, *_UNIONS, "$defs", "$schema", "$id", "$anchor", "$comment", "examples", "discriminator"}
)
# Words that may require a property that the object does not list.
_ASKING = frozenset({"if", "then", "else", "dependentSchemas", "dependentRequired"})


class Compiled(NamedTuple):
    schema: Json
    size: Size


def compiled(schema: Json) -> Compiled | None:
    """Translates the schema; None where it has no equal there, or exceeds their limits."""
    try:
        found = _Compiler(to_2020_12(schema)).run()
    except CannotTranslate:
        return None
    return found if found is not None and found.size.fits else None


def told(description: Any, words: Mapping[str, Any]) -> str:
    """Appends to a description the words that the compilers do not know."""
    text = "; ".join(f"{word}: {json.dumps(value, ensure_ascii=False)}" for word, value in words.items())
    return f"{description or ''} ({text})".strip()


class _Compiler:
    """Compiles one schema. Its methods raise CannotTranslate, and return None for `False`."""

    def __init__(self, root: Json) -> None:
        self._root = root
        self._merger = Merger(root)
        self._size = Size()
        self._references: dict[str, set[str]] = {}  # of the root, "", and of each definition
        self._waiting = [""]  # those that are not compiled yet

    def run(self) -> Compiled | None:
        made: dict[str, Json] = {}
        while self._waiting:
            name = self._waiting.pop()
            self._references[name] = set()
            schema = self._schema(members_of(self._root, "$defs")[name] if name else self._root, name, 0)
            if schema is None:
                raise CannotTranslate
            made[name] = schema
        self._refuse_cycles()
        head = made.pop("")
        return Compiled({**head, **({"$defs": made} if made else {})}, self._size)

    def _refuse_cycles(self) -> None:
        from graphlib import CycleError, TopologicalSorter

        try:
            TopologicalSorter(self._references).prepare()
        except CycleError as error:
            raise CannotTranslate from error

    def _schema(self, schema: Any, where: str, depth: int) -> Json | None:
        """Translates one subschema. `where`: the definition that it is in."""
        node = self._merger.inline(schema)
        self._merger.spend_size(weight(node) if isinstance(node, dict) else 1)
        if node is False:
            return None
        if node is True or depth > _DEEPEST:
            raise CannotTranslate
        if isinstance(reference := node.get("$ref"), str):
            return self._reference(reference, where, depth)
        if any(isinstance(node.get(word), list) for word in _UNIONS):
            return self._union(node, where, depth)
        return self._plain(node, where, depth)

    def _reference(self, reference: str, where: str, depth: int) -> Json | None:
        _, *steps = reference.split("/")
        name = unescape_step(steps[-1]) if steps else ""
        if steps[:-1] != ["$defs"] or not isinstance(members_of(self._root, "$defs").get(name), dict):
            return self._schema(self._merger.resolve({"$ref": reference}), where, depth + 1)
        self._references[where].add(name)
        if name not in self._references and name not in self._waiting:
            self._waiting.append(name)
        return {"$ref": reference}

    def _union(self, node: Json, where: str, depth: int) -> Json | None:
        """Merges the words beside a union into each alternative. `oneOf` becomes `anyOf`."""
        beside = {word: value for word, value in node.items() if word not in _BESIDE_UNION}
        alternatives: list[Any] = [beside]
        for word in _UNIONS:
            if isinstance(node.get(word), list):
                self._merger.spend_work(len(alternatives) * len(node[word]))
                pairs = product(alternatives, node[word])
                alternatives = [self._merger.intersect(*pair) for pair in pairs]
        made = [one for each in alternatives if (one := self._schema(each, where, depth + 1)) is not None]
        about = {word: node[word] for word in _ABOUT if word in node}
        return {**about, "anyOf": made} if made else None

    def _plain(self, node: Json, where: str, depth: int) -> Json | None:
        values, kinds = values_of(node), types_of(node)
        held = values is not None and all(isinstance(one, str | int | float | None) for one in values)
        if not held and not kinds:
            raise CannotTranslate
        parts: list[Json | None] = [{}]
        words = {word: value for word, value in node.items() if word not in _SAID}
        if not held:
            words |= {word: node[word] for word in ("const", "enum") if word in node}
            parts += [_PARTS[kind](self, node, words, where, depth) for kind in kinds if kind in _PARTS]
        if None in parts:
            return None
        new = {word: node[word] for word in _KEPT if word in node and word not in words}
        for part in parts:
            new |= part or {}
        if isinstance(format := node.get("format"), str) and format in _FORMATS:
            new["format"] = words.pop("format")
        if not words:
            return new
        new["description"] = told(new.get("description"), words)
        self._merger.spend_size(len(new["description"]) // UNIT_CHARACTERS)
        return new

    def _object(self, node: Json, words: Json, where: str, depth: int) -> Json | None:
        opened = node.get("additionalProperties") is not False
        named, required = members_of(node), required_of(node)
        free = opened and ("properties" not in node or not _ASKING.isdisjoint(node))
        maps = opened and "additionalProperties" in node
        if free or maps or patterns_of(node) or not all(map(KEY.fullmatch, named)):
            raise CannotTranslate
        found = {name: self._schema(one, where, depth + 1) for name, one in named.items()}
        properties = {name: one for name, one in found.items() if one is not None}
        if not properties.keys() >= set(required):
            if opened and not named.keys() >= set(required):
                raise CannotTranslate
            return None
        optional = len(properties) - len(set(required))
        unions = sum("anyOf" in one or isinstance(one.get("type"), list) for one in properties.values())
        branches = (1 << min(optional, 30)) * (len(set(required)) + 1)
        self._size = self._size.plus(Size(optional, unions, branches))
        listed = {"properties": properties} if "properties" in node else {}
        return {**listed, **({"required": required} if required else {}), "additionalProperties": False}

    def _array(self, node: Json, words: Json, where: str, depth: int) -> Json | None:
        """Translates an array. A tuple becomes a list of any of its items, its order goes into words."""
        first, rest = items_of(node, "prefixItems"), node.get("items", True)
        if rest is True or rest == {}:
            words.pop("items", None)
            return {}
        if rest is False:
            words["items"] = False
        made = [one for each in (*first, rest) if (one := self._schema(each, where, depth + 1)) is not None]
        unique = list({json.dumps(one, sort_keys=True): one for one in made}.values())
        return {"items": unique[0] if len(unique) == 1 else {"anyOf": unique}} if unique else {}


# Translates the words that hold schemas, by the type of the value.
_PARTS: Mapping[str, Callable[[_Compiler, Json, Json, str, int], Json | None]] = {
    "object": _Compiler._object,
    "array": _Compiler._array,
}


def of_object(parameters: Any) -> Json:
    """The parameters of a tool: an object in any case. PHP says `[]` for an empty one.

    References, `allOf` and unions are refused at the top. References and `allOf` are inlined. A union becomes
    one object: a property accepts what any alternative accepts, what all require is required, and the rest
    goes into the description.
    """
    schema = to_2020_12(parameters) if isinstance(parameters, dict) else {}
    fixed = {word: value for word, value in schema.items() if word not in _COMBINING} | {"type": "object"}
    if _COMBINING.isdisjoint(schema):
        return {**fixed, "properties": members_of(schema)}
    try:
        found = _alternatives(Merger(schema), schema, 0)
    except CannotTranslate:
        found = []
    one = found[0] if len(found) == 1 else {**fixed, **_united(found)}
    head = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    new = {**one, **head, "type": "object", "properties": members_of(one)}
    if len(found) == 1:
        return new
    words = {word: schema[word] for word in _COMBINING if word in schema}
    return {**new, "description": told(new.get("description"), words)}


def _alternatives(merger: Merger, schema: Any, depth: int) -> list[Json]:
    """The alternatives of a schema, each a plain object without `$ref`, `allOf` or unions."""
    if depth > _DEEPEST:
        raise CannotTranslate
    whole = merger.intersect({"type": "object"}, merger.resolve(schema))
    if not isinstance(whole, dict):
        return []
    word = next((word for word in _UNIONS if isinstance(whole.get(word), list)), None)
    if word is None:
        return [whole]
    beside = {name: value for name, value in whole.items() if name != word}
    both = (merger.intersect(beside, one) for one in whole[word])
    return [one for each in both for one in _alternatives(merger, each, depth + 1)]


def _united(objects: list[Json]) -> Json:
    """Unites several objects into one that accepts what any of them accepts."""
    if not objects:
        return {}
    found: dict[str, list[Any]] = {}
    for one in objects:
        for name, member in members_of(one).items():
            found.setdefault(name, []).append(member)
    shared = set.intersection(*(set(required_of(one)) for one in objects))
    required = [name for name in required_of(objects[0]) if name in shared]
    closed = all(one.get("additionalProperties") is False and not patterns_of(one) for one in objects)
    return {
        "properties": {name: _any(members) for name, members in found.items()},
        **({"required": required} if required else {}),
        **({"additionalProperties": False} if closed else {}),
    }


def _any(schemas: list[Any]) -> Any:
    """Unites several schemas into one that accepts what any of them accepts."""
    unique = list({json.dumps(one, sort_keys=True): one for one in schemas if one is not False}.values())
    if len(unique) < 2 or not all(isinstance(one, dict) and one for one in unique):
        return unique[0] if len(unique) == 1 else bool(unique)
    values = [values_of(one) if one.keys() <= {"const", "enum", "type"} else None for one in unique]
    kinds = {json.dumps(one.get("type")): one["type"] for one in unique if "type" in one}
    if None in values or len(kinds) > 1:
        return {"anyOf": unique}
    enum = list({json.dumps(value): value for each in values for value in each or ()}.values())
    return {**({"type": kinds.popitem()[1]} if kinds else {}), "enum": enum}


_COMBINING = frozenset({"allOf", "anyOf", "oneOf", "$ref"})
