"""Rewrites a JSON Schema in a canonical form, which schema_work.py and the validator read in the same way.

Validators differ on `#/items/+1`, on anchors inside data, and on an `$id` below the root. So the validator
gets only keywords that it knows, and each `$ref` as a pointer in one notation; a schema without such a form
is refused. https://json-schema.org/draft/2020-12/json-schema-core
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from handler.errors import Json
from handler.wire.strict_json import levels

SchemaPath = tuple[str, ...]  # from the root to a subschema

MAX_POINTERS = 500_000  # characters of all pointers; a short anchor can name a long one

# Keywords with subschemas: one, a list of them, or some under names.
_SCHEMA_KEYWORDS = frozenset(
    {
        *("allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
        *("items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"),
        *("additionalProperties", "unevaluatedProperties", "propertyNames"),
    }
)
_MAP_KEYWORDS = frozenset(
    {"$defs", "definitions", "properties", "patternProperties", "dependentSchemas", "dependencies"}
)
# Keywords with data. All other keywords have no effect on validation.
_DATA_KEYWORDS = frozenset(
    {
        *("type", "enum", "const", "pattern", "minLength", "maxLength", "contentEncoding"),
        *("contentMediaType", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("minItems", "maxItems", "uniqueItems", "minContains", "maxContains"),
        *("minProperties", "maxProperties", "required", "dependentRequired"),
    }
)
_ANCHORS = ("$anchor", "$dynamicAnchor")
_UNSUPPORTED = frozenset({"$dynamicRef", "$recursiveRef", "$recursiveAnchor"})
_NOT_DATA = _UNSUPPORTED | {"$id", "$ref", "$schema", *_ANCHORS}


class BadSchema(Exception):
    """The value is not a schema, or cannot be used for validation. The message says why."""


class CanonicalSchema(NamedTuple):
    schema: Json
    targets: Mapping[str, Any]  # the subschema that each `$ref` points to


def canonicalize(schema: Json) -> CanonicalSchema:
    """Rewrite a schema in canonical form. Raises BadSchema."""
    anchors = _anchors(schema)
    references: dict[Any, SchemaPath] = {}
    length = 0
    for _, subschema in subschemas(schema):
        _check(subschema, at_root=subschema is schema)
        if "$ref" in subschema:
            path = references[subschema["$ref"]] = _parse_reference(subschema["$ref"], anchors)
            _resolve(schema, path)
            length += len(_pointer(path))
    if length > MAX_POINTERS:
        raise BadSchema("its references are too long")
    pointers = {reference: _pointer(path) for reference, path in references.items()}
    new = _rewrite(schema, pointers)
    if "$schema" in schema:
        new["$schema"] = schema["$schema"]
    return CanonicalSchema(new, {pointers[one]: _resolve(new, path) for one, path in references.items()})


def subschemas(schema: Any) -> Iterator[tuple[SchemaPath, Json]]:
    """Yield every subschema that is an object, with its path, the root first."""
    left: list[tuple[SchemaPath, Any]] = [((), schema)]
    while left:
        path, subschema = left.pop()
        if isinstance(subschema, dict):
            yield path, subschema
            left += [((*path, *steps), child) for steps, child in _children(subschema)]


def _children(schema: Json) -> Iterator[tuple[SchemaPath, Any]]:
    for keyword, value in schema.items():
        if keyword in _MAP_KEYWORDS and isinstance(value, dict):
            yield from (((keyword, name), child) for name, child in value.items())
        elif keyword in _SCHEMA_KEYWORDS and isinstance(value, list):
            yield from (((keyword, str(index)), child) for index, child in enumerate(value))
        elif keyword in _SCHEMA_KEYWORDS:
            yield (keyword,), value


def _rewrite(subschema: Any, pointers: Mapping[str, str]) -> Any:
    """Return the subschema without unknown keywords, its references as pointers."""
    if not isinstance(subschema, dict):
        return subschema
    new: Json = {}
    for keyword, value in subschema.items():
        if keyword == "$ref":
            new[keyword] = pointers[value]
        elif keyword in _MAP_KEYWORDS and isinstance(value, dict):
            new[keyword] = {name: _rewrite(child, pointers) for name, child in value.items()}
        elif keyword in _SCHEMA_KEYWORDS and isinstance(value, list):
            new[keyword] = [_rewrite(child, pointers) for child in value]
        elif keyword in _SCHEMA_KEYWORDS or keyword in _MAP_KEYWORDS:
            new[keyword] = _rewrite(value, pointers)
        elif keyword in _DATA_KEYWORDS:
            new[keyword] = value
    return new


def _check(subschema: Json, *, at_root: bool) -> None:
    """Raise BadSchema for a keyword that validators read in different ways."""
    if "$id" in subschema and not at_root:
        raise BadSchema("`$id` is allowed only at the root")
    for keyword in subschema.keys() & _UNSUPPORTED:
        raise BadSchema(f"`{keyword}` is not supported; use `$ref`")
    for keyword in subschema.keys() & _DATA_KEYWORDS:
        for level in levels(subschema[keyword]):
            for value in level:
                if isinstance(value, dict) and (found := value.keys() & _NOT_DATA):
                    raise BadSchema(f"`{min(found)}` is not allowed in `{keyword}`")


def _anchors(schema: Json) -> dict[str, SchemaPath]:
    anchors: dict[str, SchemaPath] = {}
    for path, subschema in subschemas(schema):
        for keyword in _ANCHORS:
            if keyword in subschema:
                anchor = subschema[keyword]
                if not isinstance(anchor, str) or anchor in anchors or not anchor or "/" in anchor:
                    raise BadSchema(f"`{keyword}` must be a name without `/` that is used once")
                anchors[anchor] = path
    return anchors


def _parse_reference(reference: Any, anchors: Mapping[str, SchemaPath]) -> SchemaPath:
    """Return the path of a reference. https://datatracker.ietf.org/doc/html/rfc6901#section-6"""
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise BadSchema("`$ref` may point only into the schema itself (#...)")
    try:
        fragment = unquote(reference[1:], errors="strict")
    except UnicodeDecodeError:
        raise BadSchema("`$ref` is not UTF-8") from None
    if fragment in anchors:
        return anchors[fragment]
    first, *steps = fragment.split("/")
    if first:
        raise BadSchema("`$ref` points to something that is not a schema")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in steps)


def _resolve(root: Json, path: SchemaPath) -> Any:
    """Return the subschema at a path. Raises BadSchema if there is none, as inside data."""
    found: Any = root
    inside = False  # a list of schemas, or an object of them
    for step in path:
        if not inside:
            known = step in _SCHEMA_KEYWORDS or step in _MAP_KEYWORDS
            found = found.get(step) if known and isinstance(found, dict) else None
            inside = step in _MAP_KEYWORDS or isinstance(found, list)
        else:
            found, inside = _member(found, step), False
    if inside or not isinstance(found, dict | bool):
        raise BadSchema("`$ref` points to something that is not a schema")
    return found


def _member(holder: Any, step: str) -> Any:
    if isinstance(holder, dict):
        return holder.get(step)
    canonical_index = step.isascii() and step.isdecimal() and (step == "0" or step[0] != "0")
    if not isinstance(holder, list) or not canonical_index or len(step) > 9:
        return None
    return holder[int(step)] if int(step) < len(holder) else None


def _pointer(path: SchemaPath) -> str:
    return "#" + "".join(f"/{quote(step.replace('~', '~0').replace('/', '~1'), safe='~$')}" for step in path)
