"""Generated answers of providers' translators, whole and as streams."""

from __future__ import annotations

import random
from itertools import pairwise

from handler.errors import Json
from handler.wire.splice import dump
from tests.handler.formats.anthropic.builders import chunk

SIGNATURE = "QUJDRA=="
WORDS = ("Hi", "ä\u2028b", '1 < 2 & "q"', "\U0001f600", "line\nline", "sluicev1", "{}")


def words(random_: random.Random) -> str:
    return " ".join(random_.choice(WORDS) for _ in range(random_.randint(1, 4)))


def answer_of(random_: random.Random) -> Json:
    """Return an assistant message as providers' translators make it."""
    calls = [_call(random_, index) for index in range(random_.choice([0, 0, 1, 3]))]
    message: Json = {"content": words(random_) if not calls or random_.random() < 0.5 else None}
    if calls:
        message["tool_calls"] = calls
    if random_.random() < 0.5:
        message["reasoning_content"] = words(random_)
    if random_.random() < 0.5:
        message["reasoning_details"] = _details(random_, message.get("reasoning_content", ""))
    if random_.random() < 0.3:
        message["extra_content"] = {"google": {"thought_signature": SIGNATURE}}
    return message


def _call(random_: random.Random, index: int) -> Json:
    arguments: Json = {
        words(random_): random_.choice([1, 1.5, None, "x", [{}], {"a": True}]) for _ in range(2)
    }
    id = random_.choice([f"call_{index}", f"functions.f:{index}", f"sluice_{index}", f"ü {index}"])
    signed = {"thought_signature": SIGNATURE, "extra_content": {"google": {"thought_signature": SIGNATURE}}}
    function = {"name": "look", "arguments": dump(arguments)}
    return {"id": id, "type": "function", "function": function, **(signed if random_.random() < 0.5 else {})}


def _details(random_: random.Random, reasoning: str) -> list[Json]:
    kinds: list[Json] = [
        {
            "type": "reasoning.text",
            "text": reasoning,
            "signature": SIGNATURE,
            "format": "anthropic-claude-v1",
            "model": "c",
        },
        {"type": "reasoning.text", "text": "other", "signature": None},
        {"type": "reasoning.encrypted", "data": SIGNATURE, "format": "openai-responses-v1", "id": "rs_1"},
        {"type": "reasoning.summary", "summary": "s"},
    ]
    return [{**one, "index": index} for index, one in enumerate(random_.sample(kinds, random_.randint(1, 4)))]


def chunks_of(message: Json, random_: random.Random) -> list[Json]:
    """Return a stream of the message, with its texts in pieces."""
    chunks = [chunk(role="assistant", content="")]
    for name in ("reasoning_content", "content"):
        chunks += [chunk(**{name: piece}) for piece in _cut(message.get(name) or "", random_)]
        if name == "reasoning_content" and "reasoning_details" in message:
            chunks += [chunk(reasoning_details=[one]) for one in message["reasoning_details"]]
    for index, call in enumerate(message.get("tool_calls", ())):
        head, *rest = _cut(call["function"]["arguments"], random_)
        chunks.append(
            chunk(tool_calls=[{**call, "index": index, "function": {"name": "look", "arguments": head}}])
        )
        chunks += [chunk(tool_calls=[{"index": index, "function": {"arguments": piece}}]) for piece in rest]
    if "extra_content" in message:
        chunks.append(chunk(extra_content=message["extra_content"]))
    return [*chunks, chunk("tool_calls" if "tool_calls" in message else "stop")]


def _cut(value: str, random_: random.Random) -> list[str]:
    at = sorted(random_.randrange(len(value)) for _ in range(3)) if value else []
    edges = [0, *at, len(value)]
    return [piece for begin, end in pairwise(edges) if (piece := value[begin:end])]
