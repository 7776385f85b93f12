"""Random conversations, of what several formats can say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from tests.support.talk import Assistant, Media, Result, Talk, Turn, User

Json = dict[str, Any]

PNG = Media("image/png", "iVBORw0KGgo=")
JPEG = Media("image/jpeg", "/9j/4AAQSkY+")
LINK = Media("image/png", link="https://a.example/b.png")
PDF = Media("application/pdf", "JVBERi0xLjQ=")
WORDS = (
    "Hi",
    "ä\u2028b",
    '1 < 2 & "q"',
    "\U0001f600",
    "line\n line",
    "sluicev1",
    "{}",
    "\\u0041",
    "[DONE]",
    "日本",
)
VALUES: tuple[Any, ...] = (
    1,
    1.5,
    None,
    True,
    "x",
    "",
    "é\n",
    [],
    {},
    [{"a": None}],
    {"b": [1, [2]]},
    -0.25,
    10**12,
)
SCHEMAS: tuple[Json, ...] = (
    {"type": "object", "properties": {"a": {"type": "string", "description": "ä"}}, "required": ["a"]},
    {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "enum": ["x", "y"]},
            "list": {"type": "array", "items": {"type": "integer"}},
            "inner": {"type": "object", "properties": {"n": {"type": ["number", "null"]}}},
        },
        "required": ["kind"],
        "additionalProperties": False,
    },
)
CLOSED: Json = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "array", "items": {"type": "integer"}}},
    "required": ["city", "days"],
    "additionalProperties": False,
}


def words(random: Random) -> str:
    return " ".join(random.choices(WORDS, k=random.randint(1, 4))) + "."


def arguments(random: Random) -> Json:
    names = random.sample(("a", "b c", "ü", "$ref", "type", "_raw", "value"), random.randrange(4))
    return {name: random.choice(VALUES) for name in names}


def random_talk(random: Random) -> Talk:
    tools = {
        name: random.choice(SCHEMAS)
        for name in random.sample(("look", "find_it", "a-b"), random.randrange(4))
    }
    notes = {name: words(random) for name in tools if random.random() < 0.5}
    parallel = not tools or random.random() < 0.7
    choices = ["auto", "any", "none", *tools, *[""] * parallel] if tools else [""]
    plain = random.random() < 0.6
    return Talk(
        turns=tuple(_turns(random, list(tools))),
        system=random.choice(("", words(random))),
        tools=tools,
        notes=notes,
        parallel=parallel,
        choice=random.choice(choices),
        schema=None if plain else CLOSED,
        stop=random.choice(((), ("END",), ("a", "\U0001f600", "c d", "e"))),
        effort=random.choice(("", "low", "medium", "high")),
        max_tokens=random.choice((1500, 20_000)),
        temperature=random.choice((None, 0.5)),
        top_p=random.choice((None, 0.25)),
    )


def _turns(random: Random, tools: list[str]) -> Iterator[Turn]:
    for number in range(random.randint(1, 4)):
        if number:
            yield from _answer(random, number, tools)
        yield User(tuple(_parts(random)))
    if tools and random.random() < 0.5:
        yield from _calls(random, 9, tools)


def _answer(random: Random, number: int, tools: list[str]) -> Iterator[Turn]:
    """Yield calls and their results, an answer in words, or both."""
    calls = tools and random.random() < 0.6
    if calls:
        yield from _calls(random, number, tools)
    if not calls or random.random() < 0.7:
        yield Assistant(words(random))


def _calls(random: Random, number: int, tools: list[str]) -> Iterator[Turn]:
    text = random.choice(("", words(random)))
    ids = [f"call_{number}{at}" for at in range(random.randint(1, 3))]
    calls = tuple((id, random.choice(tools), arguments(random)) for id in ids)
    yield Assistant(text, calls)
    yield tuple(_result(random, id, name) for id, name, _ in calls)


def _result(random: Random, id: str, name: str) -> Result:
    text = random.choice((words(random), json.dumps(arguments(random)), "0", "null"))
    media = random.choice(((), (), (PNG,), (JPEG, PNG), (PDF,)))
    parts = random.choice(((text, *media), (*media, text), media or (text,), (text, words(random), *media)))
    return Result(id, name, parts, failed=random.random() < 0.2)


def _parts(random: Random) -> list[str | Media]:
    media = random.sample((PNG, JPEG, LINK, PDF), random.choice((0, 0, 0, 1, 2)))
    parts: list[str | Media] = [words(random), *media]
    if random.random() < 0.3:
        parts.append(words(random))
    if random.random() < 0.3:
        random.shuffle(parts)
    return parts
