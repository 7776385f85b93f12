"""Conversations through Messages and back: nothing that both formats can say is lost.

An answer in chat becomes a message, which the client sends back: its chat has the answer again. And a
conversation in Messages becomes a chat, which the translator of Anthropic makes a conversation of again.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from handler.errors import Json
from handler.formats.anthropic.format import MESSAGES
from handler.providers.anthropic.request import build_request
from rules import load_catalog
from tests.handler.formats.anthropic.builders import (
    MARK,
    PNG,
    USER,
    assistant,
    chat_of,
    completion,
    fold,
    parse,
    request,
    stream_events,
    text,
    tool,
    tool_result,
    tool_use,
    user,
)
from tests.handler.formats.anthropic.generated import answer_of, chunks_of, words

SEEDS = range(300)


def returned(content: list[Json], **fields: Any) -> Json:
    """Return the assistant message of the chat when a client sends a message back."""
    body = json.loads(json.dumps(request(USER, assistant(*content), USER, **fields)))
    message: Json = chat_of(*body.pop("messages"), **fields)["messages"][1]
    del message["role"]
    return message


@pytest.mark.parametrize("display", ["summarized", "omitted"])
def test_an_answer_returns_unchanged_from_a_client(display: str) -> None:
    thinking = {"type": "adaptive", "display": display}
    chat = parse(request(thinking=thinking))
    for seed in SEEDS:
        random_ = random.Random(seed)
        message = answer_of(random_)
        reason = "tool_calls" if "tool_calls" in message else "stop"
        whole = MESSAGES.answer(completion(reason, **message), chat)
        if "tool_calls" not in message:  # the signature of the last text is left out
            message.pop("extra_content", None)
        assert returned(whole["content"], thinking=thinking) == message, seed
        streamed = fold(stream_events(chunks_of(message, random_), chat))
        assert streamed == {**whole, "usage": streamed["usage"]}, seed


CLAUDE = next(model for model in load_catalog().all() if model.id == "anthropic/claude-haiku-5-5")


def conversation_of(random_: random.Random) -> Json:
    """Return a request whose parts chat and Messages both have, in the form that our translator writes."""
    messages: list[Json] = [user(text(words(random_)))]
    for turn in range(random_.randint(0, 4)):
        calls = [tool_use(f"toolu_{turn}_{index}", x=index) for index in range(random_.choice([0, 1, 2]))]
        thinking = [
            {"type": "thinking", "thinking": "hm", "signature": "S"},
            {"type": "redacted_thinking", "data": "D"},
        ]
        texts = [text(words(random_))] if not calls or random_.random() < 0.5 else []
        messages.append(assistant(*random_.choice([[], thinking]), *texts, *calls))
        results = [tool_result(call["id"], **_result(random_)) for call in calls]
        messages.append(user(*results, *([] if results and random_.random() < 0.5 else [_block(random_)])))
    body = request(
        *messages, thinking={"type": "adaptive", "display": "summarized"}, output_config={"effort": "high"}
    )
    if random_.random() < 0.5:
        body["system"] = [text("a", **MARK), text("b")]
    if random_.random() < 0.5:
        body["messages"].append({"role": "system", "content": [text("Now.")]})
    body["tools"] = [{**tool(), "input_schema": {"type": "object", "properties": {"x": {"type": "integer"}}}}]
    body |= random_.choice([{}, {"stop_sequences": ["END"]}, {"metadata": {"user_id": "u"}, "stream": True}])
    body |= random_.choice(
        [
            {},
            {"tool_choice": {"type": "none"}},
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        ]
    )
    return body


def _result(random_: random.Random) -> Json:
    return random_.choice(
        [{}, {"content": words(random_)}, {"content": "no", "is_error": True}, {"content": "x", **MARK}]
    )


def _block(random_: random.Random) -> Json:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    pdf = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
        "title": "a.pdf",
    }
    return random_.choice([text(words(random_)), picture, {**picture, **MARK}, pdf])


def test_a_conversation_returns_unchanged_from_chat() -> None:
    for seed in SEEDS:
        body = conversation_of(random.Random(seed))
        translated, dropped = build_request(parse(body).body, CLAUDE)
        body["model"] = CLAUDE.name
        assert dropped == (), seed
        if json.dumps(body).count("cache_control") > 4:  # the translator leaves the last four
            translated, body = _without_marks(translated), _without_marks(body)
        assert translated == body, seed


def _without_marks(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_marks(one) for name, one in value.items() if name != "cache_control"}
    return [_without_marks(one) for one in value] if isinstance(value, list) else value
