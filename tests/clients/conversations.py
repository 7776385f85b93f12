"""Holds the conversations of conversations.json with the official openai client, and prints a line for each.

Exit status 1 on failure. The table describes its format; conversations.mjs holds the same conversations.

Run from the repository's root in an environment that holds the client and nothing else:
    python -m tests.clients.conversations http://127.0.0.1:8080/v1 sk-sluice-... [the beginning of a name]
"""
# ruff: noqa: T201  (a command line prints)

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai  # type: ignore[import-not-found]
from openai.lib.streaming.chat import ChatCompletionStreamState  # type: ignore[import-not-found]

from tests.clients.harness import same, that

Json = dict[str, Any]

TABLE: Json = json.loads(Path(__file__).with_name("conversations.json").read_text(encoding="utf-8"))
CLIENT = "openai"
ROLES = ("developer", "system", "user", "assistant")


def cases() -> Iterator[tuple[Json, str, bool]]:
    """Each conversation on each service, whole and streamed."""
    for talk in TABLE["conversations"]:
        if CLIENT in talk.get("clients", [CLIENT]):
            for service in talk.get("on", TABLE["services"]):
                yield from ((talk, service, stream) for stream in (False, True))


class Conversation:
    """A conversation that begins with one service. Its history holds the client's own objects."""

    def __init__(self, client: Any, talk: Json, service: str, stream: bool) -> None:
        self._client = client
        self._models = {**TABLE["models"], **talk.get("models", {})}
        self._service = service
        self._stream = stream
        self._messages: list[Any] = []
        self._calls: dict[str, str] = {}  # name -> id, of the last answer

    def turn(self, turn: Json) -> None:
        self._service = turn.get("to", self._service)
        self._messages += self._messages_of(turn)
        body = {**self._tools(turn), **turn.get("with", {})}
        body["model"] = self._models.get(turn.get("model", self._service), turn.get("model"))
        if "fallback" in turn:
            body["extra_body"] = {"fallback_models": [self._models[turn["fallback"]]]}
        expected = {name: self._expected_here(value) for name, value in turn["expect"].items()}
        try:
            answer = self._send(body)
        except openai.APIError as error:
            _check_error(error, expected)
            return
        _check_answer(answer, expected, self._models.get(turn.get("by", ""), body["model"]))
        message = answer.choices[0].message
        self._messages.append(message)
        self._calls = {call.function.name: call.id for call in message.tool_calls or ()}

    def _messages_of(self, turn: Json) -> Iterator[Json]:
        """The messages of a turn, in their order."""
        for name, content in turn.items():
            if name == "answer":
                for tool, text in content.items():
                    yield {"role": "tool", "tool_call_id": self._calls[tool], "content": _content(text)}
            elif name in ROLES:
                yield from ({"role": name, "content": _content(one)} for one in _each(content))

    def _tools(self, turn: Json) -> Json:
        body: Json = {}
        if "tools" in turn:
            functions = [{"name": name, **TABLE["tools"][name]} for name in turn["tools"]]
            body["tools"] = [{"type": "function", "function": function} for function in functions]
        if "choice" in turn:
            name = turn["choice"]
            named = {"type": "function", "function": {"name": name}}
            body["tool_choice"] = named if name in TABLE["tools"] else name
        if "schema" in turn:
            schema = {"name": turn["schema"], "strict": True, "schema": TABLE["schemas"][turn["schema"]]}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    def _expected_here(self, value: Any) -> Any:
        """The expected value for this service."""
        if isinstance(value, dict) and value.keys() & {*TABLE["models"], "others"}:
            value = value.get(self._service, value.get("others"))
        return value.replace("{service}", self._service) if isinstance(value, str) else value

    def _send(self, body: Json) -> Any:
        create = self._client.chat.completions.create
        if not self._stream:
            return create(messages=self._messages, **body)
        state = ChatCompletionStreamState()
        for chunk in create(
            messages=self._messages, stream=True, stream_options={"include_usage": True}, **body
        ):
            state.handle_chunk(chunk)
        return state.current_completion_snapshot


def _each(content: Any) -> list[Any]:
    """The messages of a role: one, or a list under `all`."""
    return list(content["all"]) if isinstance(content, dict) else [content]


def _content(content: Any) -> Any:
    """A text, or parts: texts and names of other parts."""
    return (
        content if isinstance(content, str) else [TABLE["parts"].get(part, _text(part)) for part in content]
    )


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _check_error(error: Any, expected: Json) -> None:
    if not expected.get("error"):
        raise error
    found = {"error": type(error).__name__, "code": getattr(error, "code", None)}
    same({name: found[name] for name in found if name in expected}, _select(expected, "error", "code"))


def _check_answer(answer: Any, expected: Json, model: str) -> None:
    """Compares the answer and its model with the expected ones."""
    that(not expected.get("error"), f"no {expected.get('error')}, but {answer!r}")
    (choice, *_), usage = answer.choices, answer.usage
    calls = [call.function.name for call in choice.message.tool_calls or ()]
    usual = {
        "text": "",
        "calls": [],
        "finish": "tool_calls" if calls else "stop",
        "refusal": "",
        "choices": 1,
    }
    found = {
        "text": choice.message.content or "",
        "calls": calls,
        "finish": choice.finish_reason,
        "refusal": choice.message.refusal or "",
        "choices": len(answer.choices),
    }
    if "reasoning" in expected:
        found["reasoning"] = bool(getattr(choice.message, "reasoning_content", None))
    same(found, {**usual, **_select(expected, *found)})
    same(answer.model, model)
    that(usage.total_tokens == usage.prompt_tokens + usage.completion_tokens > 0, f"a usage of {usage}")


def _select(expected: Json, *names: str) -> Json:
    return {name: expected[name] for name in names if name in expected}


def _run(client: Any, talk: Json, service: str, stream: bool) -> str:
    name = f"{talk['name']}, on {service}{', streamed' if stream else ''}"
    conversation = Conversation(client, talk, service, stream)
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
    selected = [case for case in cases() if case[0]["name"].startswith(tuple(names or [""]))]
    outcomes = Counter(_run(client, *case) for case in selected)
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))
    return 1 if outcomes["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
