"""Translates a JSON Schema to the subset that Anthropic and Bedrock enforce. The schema is never weakened.

An object that lists its properties is closed, as both providers require. A map, an object without properties,
a value of any type and a recursive schema are not supported. Keywords that only restrict a value further move
into `description`.
https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, NamedTuple

from handler.errors import Json
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


class Size(NamedTuple):
    """The counts that the providers limit, of one schema or of all in a request."""

    optional: int = 0  # optional properties
    unions: int = 0  # properties of several types
    branches: int = 0  # of the grammar: each optional property of an object doubles them

    def plus(self, other: Size) -> Size:
        return Size(*map(sum, zip(self, other, strict=True)))

    @property
    def is_within_limits(self) -> bool:
        return all(count <= limit for count, limit in zip(self, LIMITS, strict=True))


# For one request. The limit of branches is the one that litellm uses; the others are documented.
LIMITS = Size(optional=24, unions=16, branches=2048)
MAX_STRICT_TOOLS = 20
PROPERTY_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
MAX_DEPTH = 60

UNION_KEYWORDS = ("anyOf", "oneOf")
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_COPIED = frozenset({"type", "enum", "const", "title", "description", "default"})
_ANNOTATIONS = frozenset({"title", "description", "default"})
# Keywords that are translated or can be left out. All others move into the description.
_HANDLED = _COPIED | {
    *("properties", "required", "additionalProperties", "unevaluatedProperties", "items", "$defs"),
    *("$schema", "$id", "$anchor", "$comment", "examples", "discriminator"),
    *("deprecated", "readOnly", "writeOnly"),
}
# Keywords of a union that are not merged into its alternatives.
_UNION_ONLY = frozenset(
    {
        *(*_ANNOTATIONS, *UNION_KEYWORDS),
        *("$defs", "$schema", "$id", "$anchor", "$comment", "examples", "discriminator"),
    }
)
# Keywords that may require a property which the object does not list.
_CONDITIONS = frozenset({"if", "then", "else", "dependentSchemas", "dependentRequired"})


class SupportedSchema(NamedTuple):
    schema: Json
    size: Size


def supported_schema(schema: Json) -> SupportedSchema | None:
    """Translate the schema. Return None if it has no equivalent or exceeds the limits."""
    try:
        found = _Translation(to_2020_12(schema)).run()
    except CannotTranslate:
        return None
    return found if found is not None and found.size.is_within_limits else None


def describe_keywords(description: Any, keywords: Mapping[str, Any]) -> str:
    """Append keywords that the providers do not support to a description."""
    text = "; ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in keywords.items())
    return f"{description or ''} ({text})".strip()


class _Translation:
    """The translation of one schema.

    The methods raise CannotTranslate for a schema without an equivalent, and return None for one that no
    value matches.
    """

    def __init__(self, root: Json) -> None:
        self._root = root
        self._merger = Merger(root)
        self._size = Size()
        self._references: dict[str, set[str]] = {}  # by definition; "" is the root
        self._pending = [""]  # definitions still to translate

    def run(self) -> SupportedSchema | None:
        translated: dict[str, Json] = {}
        while self._pending:
            name = self._pending.pop()
            self._references[name] = set()
            schema = self._schema(members_of(self._root, "$defs")[name] if name else self._root, name, 0)
            if schema is None:
                raise CannotTranslate
            translated[name] = schema
        self._refuse_cycles()
        root = translated.pop("")
        return SupportedSchema({**root, **({"$defs": translated} if translated else {})}, self._size)

    def _refuse_cycles(self) -> None:
        from graphlib import CycleError, TopologicalSorter

        try:
            TopologicalSorter(self._references).prepare()
        except CycleError as error:
            raise CannotTranslate from error

    def _schema(self, schema: Any, definition: str, depth: int) -> Json | None:
        """Translate a subschema. `definition`: the name of the definition that contains it."""
        node = self._merger.inline(schema)
        self._merger.spend_size(weight(node) if isinstance(node, dict) else 1)
        if node is False:
            return None
        if node is True or depth > MAX_DEPTH:
            raise CannotTranslate
        if isinstance(reference := node.get("$ref"), str):
            return self._reference(reference, definition, depth)
        if any(isinstance(node.get(keyword), list) for keyword in UNION_KEYWORDS):
            return self._union(node, definition, depth)
        return self._plain(node, definition, depth)

    def _reference(self, reference: str, definition: str, depth: int) -> Json | None:
        _, *steps = reference.split("/")
        name = unescape_step(steps[-1]) if steps else ""
        if steps[:-1] != ["$defs"] or not isinstance(members_of(self._root, "$defs").get(name), dict):
            return self._schema(self._merger.resolve({"$ref": reference}), definition, depth + 1)
        self._references[definition].add(name)
        if name not in self._references and name not in self._pending:
            self._pending.append(name)
        return {"$ref": reference}

    def _union(self, node: Json, definition: str, depth: int) -> Json | None:
        """Merge the other keywords into each alternative. `oneOf` becomes `anyOf`."""
        common = {keyword: value for keyword, value in node.items() if keyword not in _UNION_ONLY}
        alternatives: list[Any] = [common]
        for keyword in UNION_KEYWORDS:
            if isinstance(node.get(keyword), list):
                self._merger.spend_work(len(alternatives) * len(node[keyword]))
                pairs = product(alternatives, node[keyword])
                alternatives = [self._merger.intersect(*pair) for pair in pairs]
        new = [one for each in alternatives if (one := self._schema(each, definition, depth + 1)) is not None]
        annotations = {keyword: value for keyword, value in node.items() if keyword in _ANNOTATIONS}
        return {**annotations, "anyOf": new} if new else None

    def _plain(self, node: Json, definition: str, depth: int) -> Json | None:
        values, kinds = values_of(node), types_of(node)
        enumerated = values is not None and all(isinstance(one, str | int | float | None) for one in values)
        if not enumerated and not kinds:
            raise CannotTranslate
        parts: list[Json | None] = [{}]
        described = {keyword: value for keyword, value in node.items() if keyword not in _HANDLED}
        if not enumerated:
            described |= {keyword: node[keyword] for keyword in ("const", "enum") if keyword in node}
            translators = [_PARTS[kind] for kind in kinds if kind in _PARTS]
            parts += [translate(self, node, described, definition, depth) for translate in translators]
        if None in parts:
            return None
        copied = _COPIED - described.keys()
        new = {keyword: value for keyword, value in node.items() if keyword in copied}
        for part in parts:
            new |= part or {}
        if isinstance(format := node.get("format"), str) and format in _FORMATS:
            new["format"] = described.pop("format")
        if not described:
            return new
        new["description"] = describe_keywords(new.get("description"), described)
        self._merger.spend_size(len(new["description"]) // UNIT_CHARACTERS)
        return new

    def _object(self, node: Json, described: Json, definition: str, depth: int) -> Json | None:
        is_open = node.get("additionalProperties") is not False
        listed, required = members_of(node), required_of(node)
        is_free = is_open and ("properties" not in node or not _CONDITIONS.isdisjoint(node))
        is_map = is_open and "additionalProperties" in node
        if is_free or is_map or patterns_of(node) or not all(map(PROPERTY_NAME.fullmatch, listed)):
            raise CannotTranslate
        found = {name: self._schema(one, definition, depth + 1) for name, one in listed.items()}
        properties = {name: one for name, one in found.items() if one is not None}
        if not properties.keys() >= set(required):
            if is_open and not listed.keys() >= set(required):
                raise CannotTranslate
            return None
        optional = len(properties) - len(set(required))
        unions = sum("anyOf" in one or isinstance(one.get("type"), list) for one in properties.values())
        branches = (1 << min(optional, 30)) * (len(set(required)) + 1)
        self._size = self._size.plus(Size(optional, unions, branches))
        return {
            **({"properties": properties} if "properties" in node else {}),
            **({"required": required} if required else {}),
            "additionalProperties": False,
        }

    def _array(self, node: Json, described: Json, definition: str, depth: int) -> Json | None:
        """Translate an array. A tuple becomes a list of any of its items; their order is described."""
        first, rest = items_of(node, "prefixItems"), node.get("items", True)
        if rest is True or rest == {}:
            described.pop("items", None)
            return {}
        if rest is False:
            described["items"] = False
        items = (self._schema(one, definition, depth + 1) for one in (*first, rest))
        unique = list({json.dumps(one, sort_keys=True): one for one in items if one is not None}.values())
        return {"items": unique[0] if len(unique) == 1 else {"anyOf": unique}} if unique else {}


# Translates the keywords that contain schemas, by the type of the value.
_PARTS: Mapping[str, Callable[[_Translation, Json, Json, str, int], Json | None]] = {
    "object": _Translation._object,
    "array": _Translation._array,
}
