"""Reads our answers and events with OpenAI's library: strictly, and with its own fold."""

from __future__ import annotations

from random import Random

from openai import NOT_GIVEN  # type: ignore[import-not-found,unused-ignore]
from openai.lib.streaming.responses._responses import (  # type: ignore[import-not-found,unused-ignore]
    ResponseStreamState,
)
from openai.types.responses import (  # type: ignore[import-not-found,unused-ignore]
    Response,
    ResponseStreamEvent,
)
from pydantic import TypeAdapter

from handler.formats.responses.format import RESPONSES
from tests.handler.formats.responses.answers import ANSWERS
from tests.handler.formats.responses.events import chunks_of, ordered, stream
from tests.handler.formats.responses.requests import parse

FUNCTION = {"type": "function", "name": "f", "parameters": {}, "strict": False}  # all that the type requires


def main() -> None:
    events_type: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
    read = 0
    for given, _ in ANSWERS.values():
        chat = parse(tools=[FUNCTION], stream=True)
        whole = RESPONSES.answer(given, chat)
        expected = Response.model_validate(whole, strict=True)
        state: ResponseStreamState[None] = ResponseStreamState(input_tools=NOT_GIVEN, text_format=NOT_GIVEN)
        for event in stream(chat, chunks_of(ordered(given), Random(1))):
            parsed = events_type.validate_python(event, strict=True)
            state.handle_event(parsed)
            read += 1
        folded = state._completed_response
        if whole["status"] == "completed":
            assert folded is not None
            assert folded.output_text == expected.output_text
            ours = expected.model_dump(exclude={"output"})
            assert folded.model_dump(exclude={"output"}) == ours
            assert [item.type for item in folded.output] == [item.type for item in expected.output]
    print(f"{len(ANSWERS)} answers, {read} events")  # noqa: T201


if __name__ == "__main__":
    main()
