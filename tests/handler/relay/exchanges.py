"""Replies of a provider over sockets, and the answers and errors that a relay makes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handler.answers.answer import Answer
from handler.errors import GatewayError
from handler.relay.call import Call
from tests.support.canned_answers import Reply, chunk, completion, finish, role, stream, texts, usage, whole
from tests.support.running_relay import RunningRelay, call, frames_of

BOTH = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])


def good_reply(streamed: bool, text: str = "Hello") -> Reply:
    return stream(role(), chunk(text), finish(), usage()) if streamed else whole(completion(text))


def error_reply(status: int, **fields: Any) -> Reply:
    return whole({"error": {"message": "No.", **fields}}, status=status)


async def read_answer(relay: RunningRelay, chat_call: Call) -> Answer:
    """The answer, read to its end. Checks that it is complete."""
    answer = await relay.complete(chat_call)
    if chat_call.chat.stream:
        events = [json.loads(text) for text in texts(await frames_of(answer))[:-1]]
        text = "".join(choice["delta"].get("content") or "" for one in events for choice in one["choices"])
    else:
        text = json.loads(answer.body)["choices"][0]["message"]["content"]
    assert text == "Hello"
    return answer


async def read_error(relay: RunningRelay, chat_call: Call) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await relay.complete(chat_call)
    return caught.value


def failure_classes(error: GatewayError) -> list[str]:
    return [f"{one['model']} {one['class']}" for one in error.metadata["attempts"]]


async def read_events(answer: Answer) -> list[Any]:
    """The data of each event, parsed except for `[DONE]`."""
    return [text if text == "[DONE]" else json.loads(text) for text in texts(await frames_of(answer))]


async def stream_chat(relay: RunningRelay, *pieces: Any, done: bool = True, **options: Any) -> list[Any]:
    """The events that the client gets of one stream."""
    relay.upstream.script("a", stream(*pieces, done=done))
    return await read_events(await relay.complete(call("one/a", stream=True, **options)))


def text_of(events: list[Any]) -> str:
    choices = [choice for event in events if isinstance(event, dict) for choice in event.get("choices", ())]
    return "".join(choice["delta"].get("content") or "" for choice in choices)
