"""Checks of any model: texts, streams, tools, schemas, choices."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import openai  # type: ignore[import-not-found]
from pydantic import BaseModel

from tests.clients.harness import ECHO, HELLO, Story, check, same, text_of, that

WEATHER, TIME = (
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "enum": ["Lisbon", "Oslo"]},
                    "days": {"type": "integer"},
                },
                "required": ["city", "days"],
            },
        },
    }
    for name in ("weather", "time")
)


class Person(BaseModel):
    name: str
    age: int
    tags: list[str]


@check("chat")
def _(story: Story) -> None:
    answer = story.chat()
    same(answer.choices[0].message.content, ECHO)
    same(answer.choices[0].finish_reason, "stop")
    same(answer.object, "chat.completion")
    same(answer.model, story.model)
    same(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)


@check("stream")
def _(story: Story) -> None:
    chunks = list(story.chat(stream=True))
    same(text_of(iter(chunks)), ECHO)
    same({chunk.model for chunk in chunks}, {story.model})
    same(len({(chunk.id, chunk.created) for chunk in chunks}), 1)
    same([chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason], ["stop"])
    same([chunk.usage for chunk in chunks if chunk.usage], [])


@check("a stream arrives while it is made")
def _(story: Story) -> None:
    spoken = " ".join(["word"] * 40)
    arrived = [
        time.monotonic() for _ in story.chat(stream=True, messages=[{"role": "user", "content": spoken}])
    ]
    that(arrived[-1] - arrived[0] > 0.2, f"everything within {arrived[-1] - arrived[0]:.3f} s")


@check("stream with usage")
def _(story: Story) -> None:
    chunks = list(story.chat(stream=True, stream_options={"include_usage": True}))
    same(chunks[-1].choices, [])
    same([chunk.usage for chunk in chunks[:-1] if chunk.usage], [])
    same(chunks[-1].usage.completion_tokens, story.chat().usage.completion_tokens)


@check("tools")
def _(story: Story) -> None:
    answer = story.chat(tools=[WEATHER])
    (call,) = answer.choices[0].message.tool_calls
    same(answer.choices[0].finish_reason, "tool_calls")
    same(call.function.name, "weather")
    same(json.loads(call.function.arguments), {"city": "Lisbon", "days": 1})
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    answer = story.chat(tools=[WEATHER], messages=[*HELLO, answer.choices[0].message, result])
    same(answer.choices[0].message.content, "local/echo was told: sunny")


@check("tool_choice")
def _(story: Story) -> None:
    both = [WEATHER, TIME]

    def called(**fields: Any) -> list[str]:
        message = story.chat(tools=both, **fields).choices[0].message
        return [call.function.name for call in message.tool_calls or ()]

    same(called(), ["weather", "time"])
    same(called(tool_choice="none"), [])
    same(called(tool_choice="required", parallel_tool_calls=False), ["weather"])
    same(called(tool_choice={"type": "function", "function": {"name": "time"}}), ["time"])


@check("parallel tools in a stream, with the stream helper")
def _(story: Story) -> None:
    done = []
    with story.client.chat.completions.stream(
        model=story.model, messages=HELLO, tools=[WEATHER, TIME]
    ) as stream:
        done += [event.name for event in stream if event.type == "tool_calls.function.arguments.done"]
        calls = stream.get_final_completion().choices[0].message.tool_calls
    same(done, ["weather", "time"])
    same([call.function.name for call in calls], ["weather", "time"])
    same({call.function.arguments for call in calls}, {'{"city": "Lisbon", "days": 1}'})
    same(len({call.id for call in calls}), 2)


@check("the text of a stream, with the stream helper")
def _(story: Story) -> None:
    with story.client.chat.completions.stream(
        model=story.model, messages=HELLO, stream_options={"include_usage": True}
    ) as stream:
        spoken = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    same("".join(spoken), ECHO)
    same(final.choices[0].message.content, ECHO)
    same(final.choices[0].message.role, "assistant")
    that(final.usage.total_tokens > 0, "no usage")


@check("functions, the legacy form")
def _(story: Story) -> None:
    function = WEATHER["function"]
    answer = story.chat(functions=[function]).choices[0]
    same((answer.finish_reason, answer.message.function_call.name), ("function_call", "weather"))
    deltas = [chunk.choices[0].delta for chunk in story.chat(functions=[function], stream=True)]
    parts = [delta.function_call for delta in deltas if delta.function_call]
    same("".join(part.name or "" for part in parts), "weather")
    same(json.loads("".join(part.arguments or "" for part in parts)), {"city": "Lisbon", "days": 1})


@check("json_schema")
def _(story: Story) -> None:
    schema = {"name": "person", "strict": True, "schema": _strict(Person.model_json_schema())}
    answer = story.chat(response_format={"type": "json_schema", "json_schema": schema})
    Person.model_validate_json(answer.choices[0].message.content)
    answer = story.chat(response_format={"type": "json_object"})
    same(json.loads(answer.choices[0].message.content), {"heard": ECHO})


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "additionalProperties": False}


@check("parse() gives a pydantic model")
def _(story: Story) -> None:
    parse = story.client.chat.completions.parse
    message = parse(model=story.model, messages=HELLO, response_format=Person).choices[0].message
    that(isinstance(message.parsed, Person), f"parsed is {message.parsed!r}")
    with story.client.chat.completions.stream(
        model=story.model, messages=HELLO, response_format=Person
    ) as stream:
        parsed = stream.get_final_completion().choices[0].message.parsed
    same(parsed, message.parsed)


@check("n=2")
def _(story: Story) -> None:
    answer = story.chat(n=2)
    same([choice.index for choice in answer.choices], [0, 1])
    same({choice.message.content for choice in answer.choices}, {ECHO})
    chunks = list(story.chat(n=2, stream=True))
    same([text_of(iter(chunks), index) for index in (0, 1)], [ECHO, ECHO])


@check("reasoning_content")
def _(story: Story) -> None:
    whole = story.chat(reasoning_effort="low").choices[0].message.reasoning_content
    deltas = [chunk.choices[0].delta for chunk in story.chat(reasoning_effort="low", stream=True)]
    same("".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas), whole)
    that(whole, "there is no reasoning_content")


@check("max_tokens and stop")
def _(story: Story) -> None:
    short = story.chat(max_tokens=2).choices[0]
    same((short.message.content, short.finish_reason), ("local/echo heard:", "length"))
    same(story.chat(stop=[" there"]).choices[0].message.content, "local/echo heard: hello")


@check("an async client")
def _(story: Story) -> None:
    async def both() -> tuple[str, str]:
        async with story.with_key(story.given.key, openai.AsyncOpenAI) as client:
            whole = await client.chat.completions.create(model=story.model, messages=HELLO)
            stream = await client.chat.completions.create(model=story.model, messages=HELLO, stream=True)
            spoken = [chunk.choices[0].delta.content or "" async for chunk in stream]
            return whole.choices[0].message.content, "".join(spoken)

    same(asyncio.run(both()), (ECHO, ECHO))


@check("a stream that the client leaves early is closed")
def _(story: Story) -> None:
    with story.chat(stream=True) as stream:
        next(iter(stream))
    same(story.chat().choices[0].message.content, ECHO)


@check("model list")
def _(story: Story) -> None:
    that(story.model in [model.id for model in story.client.models.list()], f"no {story.model}")


@check("a stream that breaks off raises an error")
def _(story: Story) -> None:
    for name in ("echo-cut", "echo-error") if not story.given.direct else ("echo-error",):
        model = name if story.given.direct else f"local/{name}"
        try:
            chunks = list(story.chat(model=model, stream=True))
        except openai.APIError as error:
            that(not isinstance(error, openai.APIStatusError), f"{model}: the status was already sent")
        else:
            raise AssertionError(f"{model}: {len(chunks)} chunks and no error")
