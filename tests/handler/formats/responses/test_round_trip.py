"""An answer that the client sends back is the same message again."""

from __future__ import annotations

import pytest

from handler.errors import Json
from handler.formats.responses.format import RESPONSES
from tests.handler.formats.responses.answers import ANSWERS
from tests.handler.formats.responses.events import chunks_of, fold, ordered, stream
from tests.handler.formats.responses.requests import TOOLS, USER, parse

_ONE_WAY = ("annotations", "images")  # a chat does not take them back in an assistant message


def sent_back(message: Json) -> Json:
    """Return the message as a chat client would send it back."""
    found = {name: value for name, value in message.items() if value is not None and name not in _ONE_WAY}
    if "refusal" in found and found.get("content"):
        text = {"type": "text", "text": found["content"]}
        found["content"] = [text, {"type": "refusal", "refusal": found.pop("refusal")}]
    return {**found, "content": found.get("content")}


@pytest.mark.parametrize("case", [case for case in ANSWERS if case != "nothing"])
def test_an_answer_is_the_same_message_when_it_comes_back(case: str) -> None:
    given = ANSWERS[case][0]
    chat = parse(tools=TOOLS, stream=True)
    streamed = fold(stream(chat, chunks_of(ordered(given))))
    for response in (RESPONSES.answer(given, chat), streamed):
        again = parse(input=[USER, *response["output"], USER], tools=TOOLS)
        assert again.native is not None
        assert again.native.only is None
        assert again.body["messages"][1] == sent_back(given["choices"][0]["message"])
