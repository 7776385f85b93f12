"""Measures how Sluice's work grows with hostile input: `python -m bench.scaling [N]`.

Each step runs on each shape of input at sizes n, 2n and 4n. The work is counted, not timed: lines and calls
of Python, and the length of what a C method works on, because one call of `list.index` or `bytes.join` may
visit everything. Work that grows faster than n log n is marked; tests/stories/test_scaling.py allows none.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from handler.access.keys import Key
from handler.answers.client_stream import ClientStream
from handler.answers.edits import whole
from handler.errors import GatewayError
from handler.formats.chat.request import parse
from handler.gateway.admission import facts_of
from handler.providers.content_blocks.schema import supported_schema
from handler.providers.content_blocks.tool_parameters import object_schema
from handler.providers.google.schema import gemini_schema
from handler.providers.provider import Quirks
from handler.providers.registry import TRANSLATORS
from handler.settings import Settings
from handler.structured.schema import BadSchema, Schema
from handler.wire.splice import dump_unicode, splice_bytes
from rules import LiveState, Model, RuleSet, decide, load_catalog
from tests.support.event_stream import framed

Json = dict[str, Any]
Step = Callable[[], object]

N = 400
MAX_GROWTH = 5.2  # of the work from n to 4n: 4 is linear, 16 quadratic
_CATALOG = load_catalog()
_MODEL = Model(provider="p", name="m")
_QUIRKS = Quirks(drop_null=True, drop_empty=True, alternate=True, call_id_length=9, reasoning_tag="think")
_LINEAR_METHODS = frozenset(
    {
        *("index", "count", "remove", "insert", "copy", "join", "replace", "split", "find", "rfind"),
        *("encode", "decode", "strip", "lstrip", "rstrip", "partition", "rpartition", "lower", "format"),
        *("update", "getvalue", "finditer", "findall", "sub", "search"),
    }
)


def work_of(step: Step) -> int:
    """Counts the lines, calls and lengths of a step."""
    count = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal count
        count += 1
        return trace

    def profile(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal count
        if event == "c_call":
            count += 1
            if arg.__name__ in _LINEAR_METHODS:
                owner = getattr(arg, "__self__", None)
                count += len(owner) // 16 if isinstance(owner, str | bytes | bytearray | list | dict) else 0

    before = sys.gettrace(), sys.getprofile()
    sys.settrace(trace)
    sys.setprofile(profile)
    try:
        step()
    except GatewayError:
        pass
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    return count


# Shapes of a request body.

IMAGE = "data:image/png;base64,aaaa"
USER: Json = {"role": "user", "content": "hi"}


def body(**fields: Any) -> bytes:
    return json.dumps({"messages": [USER], **fields}).encode()


def chat(*messages: Json) -> bytes:
    return body(messages=[USER, *messages])


def call(id: str) -> Json:
    return {"id": id, "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}


def tool(name: str, parameters: Json) -> Json:
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def nested(depth: int, word: str) -> Json:
    schema: Json = {"type": "string"}
    for _ in range(min(depth, 28)):
        schema = {word: [schema]} if word.endswith("Of") else {"type": "object", word: {"a": schema}}
    return schema


def chat_with_calls(ids: Iterable[str]) -> bytes:
    ids = list(ids)
    results = [{"role": "tool", "tool_call_id": id, "content": "ok"} for id in ids]
    return chat({"role": "assistant", "content": None, "tool_calls": [call(id) for id in ids]}, *results)


def cached_parts(n: int, ttl: str) -> bytes:
    marked = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": ttl}}
    return chat({"role": "user", "content": [marked] * n})


IN_TURN: list[Json] = [{"role": "assistant", "content": "a"}, USER]
LEGACY: list[Json] = [
    {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
    {"role": "function", "name": "f", "content": "a"},
]
BODIES: Mapping[str, Callable[[int], bytes]] = {
    "a long text": lambda n: chat({"role": "user", "content": "a" * 50 * n}),
    "a text of quotes": lambda n: chat({"role": "user", "content": '"' * 20 * n}),
    "a text of backslashes": lambda n: chat({"role": "user", "content": "\\" * 20 * n}),
    "a text of escapes": lambda n: chat({"role": "user", "content": "\u20ac\ud83d" * 5 * n}),
    "a text of spaces": lambda n: chat({"role": "user", "content": " " * 50 * n}),
    "many messages": lambda n: chat(*[USER] * n),
    "alternating roles": lambda n: chat(*IN_TURN * n),
    "system messages": lambda n: chat(*[{"role": "system", "content": "a"}] * n),
    "many parts": lambda n: chat({"role": "user", "content": [{"type": "text", "text": "a"}] * n}),
    "many images": lambda n: chat(
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": IMAGE}}] * n,
        }
    ),
    "calls in one message": lambda n: chat_with_calls(f"c{at}" for at in range(n)),
    "calls of one id": lambda n: chat_with_calls(["a"] * n),
    "calls with repeated ids, the new ids taken": lambda n: chat_with_calls(
        [*(f"a_{at}" for at in range(2 * n)), *["a"] * n]
    ),
    "calls in turns": lambda n: chat(
        *(
            one
            for at in range(n)
            for one in (
                {"role": "assistant", "content": None, "tool_calls": [call(f"c{at}")]},
                {"role": "tool", "tool_call_id": f"c{at}", "content": "ok"},
            )
        )
    ),
    "results without a call": lambda n: chat(*[{"role": "tool", "tool_call_id": "x", "content": "ok"}] * n),
    "cache marks": lambda n: cached_parts(n, "5m"),
    "cache marks of an hour": lambda n: cached_parts(n, "1h"),
    "null members": lambda n: chat({**USER, **{f"x{at}": None for at in range(n)}}),
    "unknown fields": lambda n: body(**{f"x{at}": at for at in range(n)}),
    "one list in another": lambda n: body(x=[[[[[]]]]] * n),
    "numbers": lambda n: body(x=list(range(n))),
    "many tools": lambda n: body(tools=[tool(f"f{at}", {"type": "object"}) for at in range(n)]),
    "allowed tools": lambda n: body(
        tools=[tool(f"f{at}", {}) for at in range(n)],
        tool_choice={
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto", "tools": [tool(f"f{at}", {}) for at in range(n)]},
        },
    ),
    "thoughts of a model with a long name": lambda n: chat(
        {
            "role": "assistant",
            "content": "a",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "a", "signature": "a", "model": "claude-" * n + "!"}
            ],
        }
    ),
    "a long legacy conversation": lambda n: chat(*LEGACY * n),
}

SCHEMAS: Mapping[str, Callable[[int], Json]] = {
    "many allOf": lambda n: {"allOf": [{"required": [f"a{at}"]} for at in range(n)]},
    "allOf with properties": lambda n: {"allOf": [{"properties": {f"a{at}": {}}} for at in range(n)]},
    "many anyOf": lambda n: {"anyOf": [{"type": "string", "const": str(at)} for at in range(n)]},
    "many required": lambda n: {
        "type": "object",
        "properties": {f"a{at}": {} for at in range(n)},
        "required": [f"a{at}" for at in range(n)],
    },
    "a long enum": lambda n: {"enum": [str(at) for at in range(n)]},
    "many definitions": lambda n: {
        "$defs": {f"a{at}": {"items": {"$ref": f"#/$defs/a{at + 1}"}} for at in range(n)} | {f"a{n}": {}},
        "$ref": "#/$defs/a0",
    },
    "many references to one": lambda n: {
        "$defs": {"a": {"type": "string"}},
        "properties": {f"a{at}": {"$ref": "#/$defs/a"} for at in range(n)},
    },
    "many anchors": lambda n: {"$defs": {f"a{at}": {"$anchor": f"b{at}"} for at in range(n)}},
    "words nobody knows": lambda n: {f"x-{at}": at for at in range(n)},
    "deep properties": lambda n: {"properties": {str(at): nested(28, "properties") for at in range(n // 20)}},
    "deep allOf": lambda n: {"allOf": [nested(28, "allOf") for _ in range(n // 20)]},
}

# Shapes of a provider's answer: the first events, then one that repeats.


def sse(event: Any) -> bytes:
    return b"data: " + (event if isinstance(event, bytes) else json.dumps(event).encode()) + b"\n\n"


def delta(**fields: Any) -> bytes:
    return sse({"id": "a", "choices": [{"index": 0, "delta": fields}]})


def block_delta(at: int, **fields: Any) -> bytes:
    return sse({"type": "content_block_delta", "index": at, "delta": fields})


def message_start(**block: Any) -> bytes:
    start = {"type": "message_start", "message": {"id": "a", "model": "m"}}
    return sse(start) + block_start(0, **block)


def block_start(at: int, **block: Any) -> bytes:
    return sse({"type": "content_block_start", "index": at, "content_block": block})


def call_starts(n: int) -> list[bytes]:
    return [delta(tool_calls=[{"index": at, "id": f"a{at}", "function": {"name": "f"}}]) for at in range(n)]


def function_calls(n: int) -> list[Json]:
    return [{"functionCall": {"name": "f", "id": f"a{at}"}} for at in range(n)]


def gemini_event(*some: Json) -> bytes:
    return sse({"responseId": "a", "candidates": [{"index": 0, "content": {"parts": list(some)}}]})


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def bedrock_delta(delta: Json) -> bytes:
    return framed({"contentBlockDelta": {"contentBlockIndex": 0, "delta": delta}})


STREAMS: Mapping[str, tuple[str, Callable[[int], Iterable[bytes]]]] = {
    "words": ("openai", lambda n: [delta(content="a")] * n),
    "words in single bytes": ("openai", lambda n: bytewise(delta(content="a") * (n // 4))),
    "one event in single bytes": ("openai", lambda n: bytewise(delta(content="a" * 10 * n))),
    "empty events": ("openai", lambda n: [b"\n" * 10] * n),
    "empty data lines": ("openai", lambda n: [b"data:\n"] * n),
    "comments": ("openai", lambda n: [b": a\n\n"] * n),
    "carriage returns": ("openai", lambda n: [b"\r"] * n),
    "data lines of one event": ("openai", lambda n: [*[b"data: \n"] * n, b"\n"]),
    "spaces before a thought": ("openai", lambda n: [delta(content=" ")] * n),
    "a thought in the content": ("openai", lambda n: [delta(content="<think>"), *[delta(content="a<")] * n]),
    "pieces of a call": (
        "openai",
        lambda n: [delta(tool_calls=[{"index": 0, "id": "a", "function": {"arguments": "a"}}])] * n,
    ),
    "calls": (
        "openai",
        lambda n: call_starts(n),
    ),
    "finish reasons after calls": (
        "openai",
        lambda n: [
            *call_starts(n),
            *[sse({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})] * n,
        ],
    ),
    "choices, then usage": (
        "openai",
        lambda n: [
            *(sse({"choices": [{"index": at, "delta": {"content": "a"}}]}) for at in range(n)),
            *[sse({"choices": [], "usage": {"prompt_tokens": 1}})] * n,
        ],
    ),
    "thoughts": (
        "anthropic",
        lambda n: [
            message_start(type="thinking"),
            *[block_delta(0, type="thinking_delta", thinking="a")] * n,
        ],
    ),
    "pieces of a signature": (
        "anthropic",
        lambda n: [
            message_start(type="thinking"),
            *[block_delta(0, type="signature_delta", signature="a" * 40)] * n,
        ],
    ),
    "pieces of a call's input": (
        "anthropic",
        lambda n: [
            message_start(type="tool_use", id="a", name="f"),
            *[block_delta(0, type="input_json_delta", partial_json="a")] * n,
        ],
    ),
    "blocks": (
        "anthropic",
        lambda n: [
            message_start(type="text"),
            *(block_start(at, type="text") for at in range(n)),
        ],
    ),
    "calls in parts": (
        "google",
        lambda n: [gemini_event(one) for one in function_calls(n)],
    ),
    "parts of one event": ("google", lambda n: [gemini_event(*[{"text": "aaaa"}] * n)]),
    "calls of one event": ("google", lambda n: [gemini_event(*function_calls(n))]),
    "signatures": ("google", lambda n: [gemini_event({"text": "a", "thoughtSignature": "aaaa"})] * n),
    "messages": (
        "bedrock",
        lambda n: [
            framed({"messageStart": {}}),
            *[bedrock_delta({"text": "a"})] * n,
        ],
    ),
    "messages in one piece": (
        "bedrock",
        lambda n: [bedrock_delta({"text": "a"}) * n],
    ),
    "a message in single bytes": (
        "bedrock",
        lambda n: bytewise(bedrock_delta({"text": "a" * 5 * n})),
    ),
    "redacted thoughts": (
        "bedrock",
        lambda n: [bedrock_delta({"reasoningContent": {"redactedContent": "a" * 40}})] * n,
    ),
}
ANSWERS: Mapping[str, tuple[str, Callable[[int], Json]]] = {
    "choices": (
        "openai",
        lambda n: {"choices": [{"index": at, "message": {"content": "a"}} for at in range(n)]},
    ),
    "calls": (
        "openai",
        lambda n: {"choices": [{"message": {"tool_calls": [call(f"a{at}") for at in range(n)]}}]},
    ),
    "blocks": (
        "anthropic",
        lambda n: {
            "type": "message",
            "id": "a",
            "model": "m",
            "role": "assistant",
            "stop_reason": "tool_use",
            "content": [{"type": "tool_use", "id": f"a{at}", "name": "f", "input": {}} for at in range(n)],
            "usage": {"input_tokens": 1, "output_tokens": 1},
        },
    ),
    "parts": (
        "google",
        lambda n: {"candidates": [{"content": {"parts": [{"text": "a"}] * n}, "finishReason": "STOP"}]},
    ),
    "calls in parts": (
        "google",
        lambda n: {"candidates": [{"content": {"parts": function_calls(n)}}]},
    ),
    "blocks of converse": (
        "bedrock",
        lambda n: {
            "output": {"message": {"role": "assistant", "content": [{"text": "a"}] * n}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 1, "outputTokens": 1},
        },
    ),
}


def receive(sent: bytes) -> Step:
    """Parses a request and decides on it."""

    def step() -> None:
        chat = parse(sent, {}, Settings())
        facts = facts_of(chat, key=Key(id="k", name="k"), headers={}, now=datetime.now(UTC), random=0.5)
        decide(facts, RuleSet.EMPTY, _CATALOG, LiveState())

    return step


def translate(dialect: str, sent: bytes) -> Step:
    """Translates a request for a provider."""
    try:
        chat = parse(sent, {}, Settings())
    except GatewayError:
        return lambda: None

    def step() -> None:
        request, _ = TRANSLATORS[dialect].request(chat.body, _MODEL, _QUIRKS)
        _ = (
            splice_bytes(chat.text, chat.body, request)
            if dialect == "openai"
            else dump_unicode(request).encode()
        )

    return step


def prepare_schema(schema: Json) -> Step:
    """Translates a schema for each provider, and prepares it for validation."""

    def step() -> None:
        gemini_schema(schema)
        supported_schema(object_schema(schema))
        try:
            Schema(schema)
        except BadSchema:
            return

    return step


def translate_answer(dialect: str, answer: Json) -> Step:
    text = json.dumps(answer)

    def step() -> None:
        completion = TRANSLATORS[dialect].response(answer, _QUIRKS)
        whole(text, answer, completion, model="p/m")

    return step


def translate_stream(dialect: str, pieces: Iterable[bytes]) -> Step:
    pieces = list(pieces)

    def step() -> None:
        translator = TRANSLATORS[dialect]
        frames = ClientStream(
            translator.stream(_QUIRKS), model="p/m", wants_usage=True, framing=translator.framing, choices=1
        )
        for piece in pieces:
            frames.feed(piece)
        frames.close()

    return step


def steps(n: int) -> Iterable[tuple[str, Step]]:
    """Yields each step on each shape of size n, with its name."""
    for name, make in BODIES.items():
        yield f"received: {name}", receive(make(n))
        for dialect in TRANSLATORS:
            yield f"{dialect}: {name}", translate(dialect, make(n))
    for name, schema in SCHEMAS.items():
        yield f"schema: {name}", prepare_schema(schema(n))
    for name, (dialect, answer) in ANSWERS.items():
        yield f"answer of {dialect}: {name}", translate_answer(dialect, answer(n))
    for name, (dialect, stream) in STREAMS.items():
        yield f"stream of {dialect}: {name}", translate_stream(dialect, stream(n))


def measure(n: int, multiples: tuple[int, ...] = (1, 4)) -> dict[str, list[int]]:
    """Returns the work of each step on each shape, at these multiples of n."""
    work: dict[str, list[int]] = {}
    for multiple in multiples:
        for name, step in steps(n * multiple):
            work.setdefault(name, []).append(work_of(step))
    return work


def main(n: int) -> None:
    for name, work in measure(n, (1, 2, 4)).items():
        ratio = work[-1] / max(work[0], 1)
        print(
            f"{name:55} {work[0]:9} {work[1]:9} {work[2]:9} {ratio:5.1f} {'!' if ratio > MAX_GROWTH else ''}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else N)
