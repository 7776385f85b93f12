"""Answers of hosts that are compatible with OpenAI, each with a member left out or in another place.

A case is the answer that the host sends, whole or as a stream, and the result that every client must get. The
cases with a member left out derive from two answers as OpenAI sends them: a text, and two tool calls.
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


class HostAnswer(NamedTuple):
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


def usage_chunk(usage: Any = USAGE) -> Json:
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
    usage_chunk(),
]
CALL_EVENTS = [
    piece({"role": "assistant", "content": None, "tool_calls": [call("look", "", "c1", 0)]}),
    piece({"tool_calls": [{"index": 0, "function": {"arguments": '{"a":'}}]}),
    piece({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}),
    piece({"tool_calls": [call("find", '{"b":2}', "c2", 1)]}),
    piece({}, "tool_calls"),
    usage_chunk(),
]
TWO_CALLS = (("look", {"a": 1}), ("find", {"b": 2}))
HEAD_MEMBERS: list[Path] = [("id",), ("object",), ("created",), ("model",), ("choices", 0, "index")]
ANSWER_MEMBERS: list[Path] = [
    *HEAD_MEMBERS,
    *(("choices", 0, "finish_reason"), ("choices", 0, "message", "role")),
    *(("usage", name) for name in USAGE),
]
CALL_MEMBERS: list[Path] = [("choices", 0, "message", "content")] + [
    ("choices", 0, "message", "tool_calls", 1, name) for name in ("id", "type")
]
REPLACEMENTS = {"absent": ABSENT, "null": None, "empty": ""}


def replace_member(value: Any, path: Path, instead: Any) -> Any:
    """Return a copy with another value at `path`, if the path exists."""
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


def incomplete_answers() -> Iterator[HostAnswer]:
    """Each member absent, null and empty; in a stream, in all events."""
    for kind, instead in REPLACEMENTS.items():
        for path in ANSWER_MEMBERS:
            if not (path[-1] == "index" and kind == "empty"):
                name = f"{'.'.join(map(str, path))} is {kind}"
                yield HostAnswer(f"in a text, {name}", replace_member(TEXT, path, instead), None, "Hi there")
                yield HostAnswer(
                    f"in calls, {name}", replace_member(CALLS, path, instead), None, calls=TWO_CALLS
                )
        for path in CALL_MEMBERS:
            made = replace_member(CALLS, path, instead)
            yield HostAnswer(
                f"in calls, {'.'.join(map(str, path))} is {kind}",
                made,
                None,
                calls=TWO_CALLS,
            )
        yield from _incomplete_streams(kind, instead)


def _incomplete_streams(kind: str, instead: Any) -> Iterator[HostAnswer]:
    usage: list[Path] = [("usage", name) for name in USAGE]
    for path in [*HEAD_MEMBERS, ("choices", 0, "delta", "role"), ("choices", 0, "finish_reason"), *usage]:
        if not (path[-1] == "index" and kind == "empty"):
            name = f"{'.'.join(map(str, path))} is {kind}"
            events = [replace_member(event, path, instead) for event in TEXT_EVENTS]
            yield HostAnswer(f"in a streamed text, {name}", None, events, "Hi there")
            events = [replace_member(event, path, instead) for event in CALL_EVENTS]
            yield HostAnswer(f"in streamed calls, {name}", None, events, calls=TWO_CALLS)
    for member in ("id", "type"):
        path = ("choices", 0, "delta", "tool_calls", 0, member)
        events = [replace_member(event, path, instead) for event in CALL_EVENTS]
        yield HostAnswer(
            f"in the first piece of each call, {member} is {kind}",
            None,
            events,
            calls=TWO_CALLS,
        )
    late = [copy.deepcopy(event) for event in CALL_EVENTS]
    for member in ("name", "arguments"):
        path = ("choices", 0, "delta", "tool_calls", 0, "function", member)
        first = replace_member(late[0], path, instead)
        second = {**call("look" if member == "name" else None, '{"a":', None, 0), "type": instead}
        second = {key: value for key, value in second.items() if value is not ABSENT}
        events = [first, piece({"tool_calls": [second]}), *late[2:]]
        yield HostAnswer(
            f"in the first piece of a call, {member} is {kind}",
            None,
            events,
            calls=TWO_CALLS,
        )


def stream_of(
    name: str, *deltas: Any, finish: str = "stop", end: list[Json] | None = None, **more: Any
) -> HostAnswer:
    last = [piece({}, finish), usage_chunk()] if end is None else end
    return HostAnswer(
        name, None, [*(delta if "choices" in delta else piece(delta) for delta in deltas), *last], **more
    )


def stream_of_calls(
    name: str, *calls: list[Json], expected_calls: Any = TWO_CALLS, **more: Any
) -> HostAnswer:
    return stream_of(
        name, *({"tool_calls": some} for some in calls), finish="tool_calls", calls=expected_calls, **more
    )


ROLE = {"role": "assistant", "content": ""}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
SIGNATURE = {"extra_content": {"google": {"thought_signature": "QUJDRA=="}}}
ONE_CALL = (("look", {"a": 1}),)
DIFFERENT = [
    HostAnswer("OpenAI's own text", TEXT, TEXT_EVENTS, "Hi there"),
    HostAnswer("OpenAI's own calls", CALLS, CALL_EVENTS, calls=TWO_CALLS),
    stream_of_calls(
        "the name comes after the arguments",
        [call(None, '{"a":', "c1", 0)],
        [call(None, "1}", None, 0)],
        [call("look", "", None, 0)],
        expected_calls=ONE_CALL,
    ),
    stream_of_calls(
        "the name of the second call comes before that of the first",
        [call(None, '{"a":1}', "c1", 0)],
        [call("find", '{"b":2}', "c2", 1)],
        [call("look", "", "c1", 0)],
        expected_calls=(TWO_CALLS[1], TWO_CALLS[0]),
    ),
    stream_of_calls(
        "all calls have the index 0", [call("look", '{"a":1}', "c1", 0)], [call("find", '{"b":2}', "c2", 0)]
    ),
    stream_of_calls(
        "calls have neither index nor id", [call("look", '{"a":1}', None), call("find", '{"b":2}', None)]
    ),
    stream_of_calls(
        "the same tool twice, with neither index nor id",
        [call("look", '{"a":1}', None)],
        [call("look", '{"a":2}', None)],
        expected_calls=(("look", {"a": 1}), ("look", {"a": 2})),
    ),
    stream_of_calls(
        "each piece repeats id and name",
        [call("look", '{"a":', "c1", 0)],
        [call("look", "1}", "c1", 0)],
        [call("find", '{"b":2}', "c2", 1)],
    ),
    stream_of_calls(
        "a late piece has no function",
        [call("look", '{"a":1}', "c1", 0)],
        [SIGNATURE],
        [{"index": 0, **SIGNATURE}],
        expected_calls=ONE_CALL,
    ),
    stream_of_calls("there are no arguments", [call("look", None, "c1", 0)], expected_calls=(("look", {}),)),
    stream_of_calls("arguments are an object", [call("look", {"a": 1}, "c1", 0)], expected_calls=ONE_CALL),
    stream_of(
        "images without an index",
        ROLE,
        {"images": [IMAGE]},
        {"content": "Hi"},
        {"images": [IMAGE]},
        text="Hi",
    ),
    stream_of(
        "usage in x_groq",
        {"content": "Hi"},
        end=[{**piece({}, "stop"), "x_groq": {"id": "r", "usage": USAGE}}],
        text="Hi",
    ),
    stream_of(
        "usage in the choice",
        {"content": "Hi"},
        end=[{**piece({}), "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": USAGE}]}],
        text="Hi",
    ),
    stream_of(
        "usage with the finish reason", {"content": "Hi"}, end=[piece({}, "stop", usage=USAGE)], text="Hi"
    ),
    stream_of(
        "usage with every piece",
        piece({"content": "Hi"}, usage=USAGE),
        end=[piece({}, "stop", usage=USAGE)],
        text="Hi",
    ),
    stream_of(
        "usage that is empty",
        piece({"content": "Hi"}, usage={}),
        end=[piece({}, "stop", usage={})],
        text="Hi",
        usage=None,
    ),
    HostAnswer(
        "whole, with usage in x_groq",
        {**replace_member(TEXT, ("usage",), ABSENT), "x_groq": {"usage": USAGE}},
        None,
        "Hi there",
    ),
    HostAnswer("whole, with usage that is empty", {**TEXT, "usage": {}}, None, "Hi there", usage=None),
    stream_of(
        "a delta that is null",
        piece(None),
        {"content": "Hi"},
        end=[piece(None, "stop"), usage_chunk()],
        text="Hi",
    ),
    stream_of(
        "a finish reason after reasoning alone",
        piece({"role": "assistant", "reasoning_content": "th"}, "stop"),
        {"content": "Hi"},
        text="Hi",
    ),
    stream_of(
        "a finish reason before the last text",
        piece({"content": "Hi"}, "stop"),
        {"content": " there"},
        text="Hi there",
    ),
    stream_of(
        "a finish reason with every piece",
        piece({"content": "Hi"}, "stop"),
        piece({"content": " there"}, "stop"),
        text="Hi there",
    ),
    stream_of("reasoning alone", {"role": "assistant", "reasoning_content": "th"}),
    stream_of("[DONE] without a finish reason", {"content": "Hi"}, end=[usage_chunk()], text="Hi"),
]
HOST_ANSWERS = [*DIFFERENT, *incomplete_answers()]
