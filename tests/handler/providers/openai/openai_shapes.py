"""Answers of hosts that are compatible with OpenAI, each with a member left out or in another place.

A case is what the host sends, whole and as a stream, and what every client is to make of it. The cases of
left-out members are made of two answers in OpenAI's own shape: a text, and two calls of tools.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

Json = dict[str, Any]
Path = tuple[str | int, ...]

HEAD: Json = {"id": "chatcmpl-1", "created": 1763600000, "model": "m"}
USAGE: Json = {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13}
ABSENT = object()
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("look", "find")
]


class Shape(NamedTuple):
    name: str
    whole: Json | None
    events: list[Json] | None
    text: str = ""
    calls: tuple[tuple[str, Json], ...] = ()
    usage: tuple[int, int, int] | None = (11, 2, 13)
    images: int = 0

    @property
    def expected(self) -> Json:
        """The result that a client must get; arguments are compared as values."""
        finish = "tool_calls" if self.calls else "stop"
        return {"text": self.text, "calls": self.calls, "usage": self.usage, "finish": finish}


def whole(message: Json, finish: Any = "stop", **more: Any) -> Json:
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return {**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE, **more}


def piece(delta: Any, finish: Any = None, **more: Any) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {**HEAD, "object": "chat.completion.chunk", "choices": [choice], **more}


def counted(usage: Any = USAGE) -> Json:
    return {**piece({}), "choices": [], "usage": usage}


def call(name: str | None, arguments: Any, id: str | None, index: int | None = None, **more: Any) -> Json:
    function = {"name": name, "arguments": arguments}
    made: Json = {"index": index, "id": id, "type": "function", "function": function, **more}
    made["function"] = {key: value for key, value in function.items() if value is not None}
    return {key: value for key, value in made.items() if value is not None and value != {}}


TEXT = whole({"role": "assistant", "content": "Hi there"})
CALLS = whole(
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [call("look", '{"a":1}', "c1"), call("find", '{"b":2}', "c2")],
    },
    "tool_calls",
)
TEXT_EVENTS = [
    piece({"role": "assistant", "content": "Hi"}),
    piece({"content": " there"}),
    piece({}, "stop"),
    counted(),
]
CALL_EVENTS = [
    piece({"role": "assistant", "content": None, "tool_calls": [call("look", "", "c1", 0)]}),
    piece({"tool_calls": [{"index": 0, "function": {"arguments": '{"a":'}}]}),
    piece({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}),
    piece({"tool_calls": [call("find", '{"b":2}', "c2", 1)]}),
    piece({}, "tool_calls"),
    counted(),
]
SAID = (("look", {"a": 1}), ("find", {"b": 2}))
ANSWER: list[Path] = [("id",), ("object",), ("created",), ("model",), ("choices", 0, "index")]
WHOLE: list[Path] = [
    *ANSWER,
    *(("choices", 0, "finish_reason"), ("choices", 0, "message", "role")),
    *(("usage", name) for name in USAGE),
]
CALL: list[Path] = [("choices", 0, "message", "content")] + [
    ("choices", 0, "message", "tool_calls", 1, name) for name in ("id", "type")
]
HOWS = {"absent": ABSENT, "null": None, "empty": ""}


def without(value: Any, path: Path, instead: Any) -> Any:
    """The value with something else at a place, where it has that place."""
    value = copy.deepcopy(value)
    holder = value
    for name in path[:-1]:
        try:
            holder = holder[name]
        except (KeyError, IndexError, TypeError):
            return value
    if not isinstance(holder, dict) or path[-1] not in holder:
        return value
    if instead is ABSENT:
        del holder[path[-1]]
    else:
        holder[path[-1]] = instead
    return value


def left_out() -> Iterator[Shape]:
    """Every member of the table, absent, null and empty; of a stream in all of its events."""
    for how, instead in HOWS.items():
        for path in WHOLE:
            if not (path[-1] == "index" and how == "empty"):
                name = f"{'.'.join(map(str, path))} is {how}"
                yield Shape(f"in a text, {name}", without(TEXT, path, instead), None, "Hi there")
                yield Shape(f"in calls, {name}", without(CALLS, path, instead), None, calls=SAID)
        for path in CALL:
            made = without(CALLS, path, instead)
            yield Shape(f"in calls, {'.'.join(map(str, path))} is {how}", made, None, calls=SAID)
        yield from _left_out_of_streams(how, instead)


def _left_out_of_streams(how: str, instead: Any) -> Iterator[Shape]:
    usage: list[Path] = [("usage", name) for name in USAGE]
    for path in [*ANSWER, ("choices", 0, "delta", "role"), ("choices", 0, "finish_reason"), *usage]:
        if not (path[-1] == "index" and how == "empty"):
            name = f"{'.'.join(map(str, path))} is {how}"
            events = [without(event, path, instead) for event in TEXT_EVENTS]
            yield Shape(f"in a streamed text, {name}", None, events, "Hi there")
            events = [without(event, path, instead) for event in CALL_EVENTS]
            yield Shape(f"in streamed calls, {name}", None, events, calls=SAID)
    for member in ("id", "type"):
        path = ("choices", 0, "delta", "tool_calls", 0, member)
        events = [without(event, path, instead) for event in CALL_EVENTS]
        yield Shape(f"in the first piece of each call, {member} is {how}", None, events, calls=SAID)
    late = [copy.deepcopy(event) for event in CALL_EVENTS]
    for member in ("name", "arguments"):
        path = ("choices", 0, "delta", "tool_calls", 0, "function", member)
        first = without(late[0], path, instead)
        second = {**call("look" if member == "name" else None, '{"a":', None, 0), "type": instead}
        second = {key: value for key, value in second.items() if value is not ABSENT}
        events = [first, piece({"tool_calls": [second]}), *late[2:]]
        yield Shape(f"in the first piece of a call, {member} is {how}", None, events, calls=SAID)


def streamed(
    name: str, *deltas: Any, finish: str = "stop", end: list[Json] | None = None, **more: Any
) -> Shape:
    last = [piece({}, finish), counted()] if end is None else end
    return Shape(
        name, None, [*(delta if "choices" in delta else piece(delta) for delta in deltas), *last], **more
    )


def calling(name: str, *calls: list[Json], said: Any = SAID, **more: Any) -> Shape:
    return streamed(name, *({"tool_calls": some} for some in calls), finish="tool_calls", calls=said, **more)


ROLE = {"role": "assistant", "content": ""}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
SIGNATURE = {"extra_content": {"google": {"thought_signature": "QUJDRA=="}}}
ONE = (("look", {"a": 1}),)
ODD = [
    Shape("OpenAI's own text", TEXT, TEXT_EVENTS, "Hi there"),
    Shape("OpenAI's own calls", CALLS, CALL_EVENTS, calls=SAID),
    calling(
        "the name comes behind the arguments",
        [call(None, '{"a":', "c1", 0)],
        [call(None, "1}", None, 0)],
        [call("look", "", None, 0)],
        said=ONE,
    ),
    calling(
        "the second call has its name before the first has",
        [call(None, '{"a":1}', "c1", 0)],
        [call("find", '{"b":2}', "c2", 1)],
        [call("look", "", "c1", 0)],
        said=(SAID[1], SAID[0]),
    ),
    calling("all calls are number 0", [call("look", '{"a":1}', "c1", 0)], [call("find", '{"b":2}', "c2", 0)]),
    calling(
        "calls have neither number nor id", [call("look", '{"a":1}', None), call("find", '{"b":2}', None)]
    ),
    calling(
        "the same tool twice, with neither number nor id",
        [call("look", '{"a":1}', None)],
        [call("look", '{"a":2}', None)],
        said=(("look", {"a": 1}), ("look", {"a": 2})),
    ),
    calling(
        "all is told again in each piece",
        [call("look", '{"a":', "c1", 0)],
        [call("look", "1}", "c1", 0)],
        [call("find", '{"b":2}', "c2", 1)],
    ),
    calling(
        "a late piece has no function",
        [call("look", '{"a":1}', "c1", 0)],
        [SIGNATURE],
        [{"index": 0, **SIGNATURE}],
        said=ONE,
    ),
    calling("there are no arguments", [call("look", None, "c1", 0)], said=(("look", {}),)),
    calling("arguments are an object", [call("look", {"a": 1}, "c1", 0)], said=ONE),
    streamed(
        "images without an index",
        ROLE,
        {"images": [IMAGE]},
        {"content": "Hi"},
        {"images": [IMAGE]},
        text="Hi",
    ),
    streamed(
        "usage in x_groq",
        {"content": "Hi"},
        end=[{**piece({}, "stop"), "x_groq": {"id": "r", "usage": USAGE}}],
        text="Hi",
    ),
    streamed(
        "usage in the choice",
        {"content": "Hi"},
        end=[{**piece({}), "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": USAGE}]}],
        text="Hi",
    ),
    streamed("usage beside the end", {"content": "Hi"}, end=[piece({}, "stop", usage=USAGE)], text="Hi"),
    streamed(
        "usage with every piece",
        piece({"content": "Hi"}, usage=USAGE),
        end=[piece({}, "stop", usage=USAGE)],
        text="Hi",
    ),
    streamed(
        "usage that is empty",
        piece({"content": "Hi"}, usage={}),
        end=[piece({}, "stop", usage={})],
        text="Hi",
        usage=None,
    ),
    Shape(
        "whole, with usage in x_groq",
        {**without(TEXT, ("usage",), ABSENT), "x_groq": {"usage": USAGE}},
        None,
        "Hi there",
    ),
    Shape("whole, with usage that is empty", {**TEXT, "usage": {}}, None, "Hi there", usage=None),
    streamed(
        "a delta that is null",
        piece(None),
        {"content": "Hi"},
        end=[piece(None, "stop"), counted()],
        text="Hi",
    ),
    streamed(
        "an end beside nothing but thoughts",
        piece({"role": "assistant", "reasoning_content": "th"}, "stop"),
        {"content": "Hi"},
        text="Hi",
    ),
    streamed(
        "an end before the last words",
        piece({"content": "Hi"}, "stop"),
        {"content": " there"},
        text="Hi there",
    ),
    streamed(
        "an end with every piece",
        piece({"content": "Hi"}, "stop"),
        piece({"content": " there"}, "stop"),
        text="Hi there",
    ),
    streamed("nothing but thoughts", {"role": "assistant", "reasoning_content": "th"}),
    streamed("no end but [DONE]", {"content": "Hi"}, end=[counted()], text="Hi"),
]
SHAPES = [*ODD, *left_out()]
