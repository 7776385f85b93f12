"""Holds the conversations of conversations.json with `responses` of the official client.

Each conversation is a list of input items, to which the items of each answer are added. Conversations that
need what Responses does not have (`n`, `stop`, penalties, prefilled answers) are left out. Run it as
conversations.py, against a gateway that has OpenAI's models under the provider `chat` too (serving.py): there
a request becomes a chat. None begins at the fake of Responses, which knows only what Sluice itself writes.
"""
# ruff: noqa: T201  (a command line prints)

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import openai  # type: ignore[import-not-found]

from tests.clients.conversations import Conversation, Json, cases
from tests.clients.harness import same, that

_ABSENT = {"n", "stop", "frequency_penalty"}
_FINISHES = {"length": "max_output_tokens", "content_filter": "content_filter"}
_RENAMED: Mapping[str, Callable[[Any], Json]] = {
    "max_tokens": lambda value: {"max_output_tokens": value},
    "reasoning_effort": lambda value: {"reasoning": {"effort": value}},
    "response_format": lambda value: {
        "text": {"format": {"type": value["type"], **value.get("json_schema", {})}}
    },
    "tools": lambda tools: {"tools": [{"type": "function", **tool["function"]} for tool in tools]},
    "tool_choice": lambda choice: {
        "tool_choice": choice if isinstance(choice, str) else {"type": "function", **choice["function"]}
    },
}


class ResponseConversation(Conversation):
    """A conversation whose history is a list of input items."""

    def __init__(self, client: Any, talk: Json, service: str, stream: bool) -> None:
        super().__init__(client, talk, service, stream)
        own = {"responses": self._models["responses"]}  # gets the requests as they are
        self._models = {
            name: re.sub("^openai/", "chat/", model) for name, model in self._models.items()
        } | own

    def turn(self, turn: Json) -> None:
        self._service = turn.get("to", self._service)
        self._messages += map(_item, self._messages_of(turn))
        given = {**self._tools(turn), **turn.get("with", {})}
        model = str(self._models.get(turn.get("model", self._service), turn.get("model")))
        body: Json = {"model": model}
        for name, value in given.items():
            body |= _RENAMED[name](value) if name in _RENAMED else {name: value}
        if "fallback" in turn:
            body["extra_body"] = {"fallback_models": [self._models[turn["fallback"]]]}
        expected = {name: self._expected_here(value) for name, value in turn["expect"].items()}
        try:
            response = self._send(body)
        except openai.APIError as error:
            that(expected.get("error"), repr(error))
            return
        _check(response, expected, self._models.get(turn.get("by", ""), model))
        self._messages += [item.to_dict() for item in response.output]
        self._calls = {item.name: item.call_id for item in response.output if item.type == "function_call"}

    def _send(self, body: Json) -> Any:
        if not self._stream:
            return self._client.responses.create(input=self._messages, store=False, **body)
        last: Any = None
        with self._client.responses.create(input=self._messages, store=False, stream=True, **body) as events:
            for number, event in enumerate(events):
                same(event.sequence_number, number)
                last = event
        that(last is not None, "no events")
        if last.type == "response.failed":
            raise openai.APIError(last.response.error.message, request=None, body=None)
        return last.response


def _item(message: Json) -> Json:
    """Return the input item of a chat message."""
    content = message["content"]
    parts = content if isinstance(content, str) else [_part(part) for part in content]
    if message["role"] == "tool":
        return {"type": "function_call_output", "call_id": message["tool_call_id"], "output": parts}
    return {"role": message["role"], "content": parts}


def _part(part: Json) -> Json:
    match part:
        case {"type": "image_url", "image_url": image}:
            return {"type": "input_image", "image_url": image["url"], "detail": image.get("detail", "auto")}
        case {"type": "file", "file": file}:
            return {"type": "input_file", **file}
    return {"type": "input_text", "text": part["text"]}


def _check(response: Any, expected: Json, model: str) -> None:
    """Compares a response and its model with the expected ones."""
    that(not expected.get("error"), f"no {expected.get('error')}, but {response!r}")
    messages = [item for item in response.output if item.type == "message"]
    refusals = [part.refusal for item in messages for part in item.content if part.type == "refusal"]
    reason = response.incomplete_details.reason if response.incomplete_details else None
    found = {
        "text": response.output_text,
        "calls": [item.name for item in response.output if item.type == "function_call"],
        "refusal": "".join(refusals),
    }
    same(
        found,
        {
            "text": "",
            "calls": [],
            "refusal": "",
            **{name: expected[name] for name in found if name in expected},
        },
    )
    same(reason, _FINISHES.get(expected.get("finish", "stop")))
    if "reasoning" in expected:
        shown = any(item.summary for item in response.output if item.type == "reasoning")
        same(shown, expected["reasoning"])
    that(model.endswith(response.model), f"{response.model} answered")  # a relayed answer has no prefix
    that(response.usage.total_tokens > 0, f"a usage of {response.usage}")


def selected(names: list[str]) -> Iterator[tuple[Json, str, bool]]:
    for talk, service, stream in cases():
        turns = talk["turns"]
        has_all = not any(_ABSENT & {*turn.get("with", {})} or "assistant" in turn for turn in turns)
        if has_all and service != "responses" and talk["name"].startswith(tuple(names or [""])):
            yield talk, service, stream


def _run(client: Any, talk: Json, service: str, stream: bool) -> str:
    name = f"{talk['name']}, on {service}{', streamed' if stream else ''}"
    conversation = ResponseConversation(client, talk, service, stream)
    for at, turn in enumerate(talk["turns"], 1):
        try:
            conversation.turn(turn)
        except Exception as error:  # of any kind: the next conversation still runs
            print(f"FAIL  {name}: turn {at}: {type(error).__name__}: {error}", flush=True)
            return "FAIL"
    print(f"ok    {name}", flush=True)
    return "ok"


def main() -> int:
    base_url, key, *names = sys.argv[1:]
    client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=60)
    print(f"openai {openai.__version__} against {base_url}", flush=True)
    outcomes = Counter(_run(client, *case) for case in selected(names))
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))
    return 1 if outcomes["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
