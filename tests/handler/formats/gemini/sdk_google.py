"""Talks to the format with the google-genai library: whole answers, streams, chats over turns, errors.

A transport in its client hands each request to GeminiFormat, and answers with random completions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any
from urllib.parse import unquote

import httpx2 as httpx  # type: ignore[import-not-found,unused-ignore]
from google import genai  # type: ignore[import-untyped,import-not-found,unused-ignore]
from google.genai import errors, types  # type: ignore[import-not-found,unused-ignore]

from handler.errors import GatewayError, Json, RateLimited
from handler.formats.chat.fields import check_chat
from handler.formats.chat.request import Chat
from handler.formats.gemini.format import GeminiFormat, count_answer
from handler.settings import Settings
from handler.wire.splice import dump
from tests.handler.formats.gemini.completions import chunks_of, completion, random_completion

CONVERSATIONS = 15


class Gateway:
    """Serves requests of the library. `answer`: makes the completion for a chat; `chats`: those so far."""

    def __init__(self, answer: Callable[[Chat], Json], *, broken: bool = False) -> None:
        self.chats: list[Chat] = []
        self._answer = answer
        self._broken = broken

    def client(self) -> Any:
        transport = httpx.Client(transport=httpx.MockTransport(self._serve))
        options = types.HttpOptions(base_url="http://sluice.local", httpx_client=transport)
        return genai.Client(api_key="sk-sluice-x", http_options=options)

    def _serve(self, request: httpx.Request) -> httpx.Response:
        path, _, method = unquote(request.url.path).rpartition(":")
        model = path.partition("/models/")[2]  # behind `/v1`, or `/v1beta` in older releases
        stream = method == "streamGenerateContent"
        format_ = GeminiFormat(model, stream=stream, sse=request.url.params.get("alt") == "sse")
        try:
            chat = format_.parse(request.content, {}, Settings())
            check_chat(chat.body, max_n=8)
            self.chats.append(chat)
            if method == "countTokens":
                return httpx.Response(200, json=count_answer(7))
            whole = self._answer(chat)
        except GatewayError as error:
            return httpx.Response(error.status, json=format_.error(error))
        if not stream:
            return httpx.Response(200, content=dump(format_.answer(whole, chat)).encode())
        encoder = format_.encoder(chat)
        content = b"".join(self._events(encoder, whole))
        return httpx.Response(200, headers={"content-type": encoder.media_type}, content=content)

    def _events(self, encoder: Any, whole: Json) -> Iterator[bytes]:
        for chunk in chunks_of(whole, Random(1)):
            yield encoder.keep_alive + encoder.feed(chunk)
        yield encoder.fail(RateLimited("Slow down.")) if self._broken else encoder.close()


def message_of(whole: Json) -> Json:
    message: Json = whole["choices"][0]["message"]
    return message


def one_choice(seed: int) -> Json:
    whole = random_completion(Random(seed))
    return {**whole, "choices": whole["choices"][:1]}


def check_text(response: Any, whole: Json) -> None:
    message = message_of(whole)
    parts = response.candidates[0].content.parts
    assert "".join(part.text or "" for part in parts if not part.thought) == (message["content"] or "")
    calls = [(call.id, call.name, call.args) for call in response.function_calls or ()]
    assert calls == [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in message.get("tool_calls", ())
    ]


def check_conversation(seed: int, *, stream: bool) -> None:
    """Talk for two turns. The second request has the first answer as it was, with its reasoning."""
    whole = one_choice(seed)
    gateway = Gateway(lambda chat: whole)
    thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=512)
    chat = gateway.client().chats.create(
        model="openai/gpt-5", config=types.GenerateContentConfig(thinking_config=thinking, top_k=40)
    )
    if stream:
        responses = list(chat.send_message_stream("hi"))
        assert responses[-1].usage_metadata.prompt_token_count == 10
        assert [one.candidates[0].finish_reason is not None for one in responses if one.candidates][-1]
    else:
        response = chat.send_message("hi")
        check_text(response, whole)
        assert (response.model_version, response.response_id) == (whole["model"], whole["id"])
    results = [
        types.Part.from_function_response(name=call["function"]["name"], response={"output": call["id"]})
        for call in message_of(whole).get("tool_calls", ())
    ]
    list(chat.send_message_stream(results or "go on"))
    first, second = gateway.chats
    assert (first.body["model"], first.body["top_k"]) == ("openai/gpt-5", 40)
    _, answer, *others = second.body["messages"]
    assert comparable(answer) == comparable(message_of(whole)), seed
    for other, call in zip(others, message_of(whole).get("tool_calls", ()), strict=False):
        assert other == {"role": "tool", "tool_call_id": call["id"], "content": call["id"]}


def comparable(message: Json) -> Json:
    calls = [
        {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
        for call in message.get("tool_calls", ())
    ]
    return {**message, "tool_calls": calls}


def check_schema() -> None:
    """A schema of the library's own, and a function from its signature."""

    def weather(city: str, days: int = 1) -> str:
        """Returns the weather."""
        return city

    gateway = Gateway(lambda chat: completion(content='{"a": 1}'))
    schema = types.Schema(type="OBJECT", properties={"a": types.Schema(type="INTEGER", nullable=True)})
    config = types.GenerateContentConfig(response_schema=schema, response_mime_type="application/json")
    assert (
        gateway.client().models.generate_content(model="m", contents="hi", config=config).text == '{"a": 1}'
    )
    given = gateway.chats[0].body["response_format"]["json_schema"]["schema"]
    assert given == {"type": "object", "properties": {"a": {"type": ["integer", "null"]}}}
    off = types.AutomaticFunctionCallingConfig(disable=True)
    tools = types.GenerateContentConfig(tools=[weather], automatic_function_calling=off)
    gateway.client().models.generate_content(model="m", contents="hi", config=tools)
    function = gateway.chats[1].body["tools"][0]["function"]
    assert (function["name"], function["description"]) == ("weather", "Returns the weather.")
    assert function["parameters"]["properties"]["days"]["type"] == "integer"


def check_media() -> None:
    gateway = Gateway(lambda chat: completion(content="a"))
    image = types.Part.from_bytes(data=b"\xff\xfe\xfd\xfb\xef", mime_type="image/png")
    uri = types.Part.from_uri(file_uri="https://a.example/b.pdf", mime_type="application/pdf")
    gateway.client().models.generate_content(model="m", contents=["look", image, uri])
    (message,) = gateway.chats[0].body["messages"]
    assert message["content"][1]["image_url"]["url"] == "data:image/png;base64,//79++8="
    assert message["content"][2]["file"]["file_data"] == "https://a.example/b.pdf"
    assert gateway.client().models.count_tokens(model="m", contents="hi").total_tokens == 7


def check_errors() -> None:
    def fail(_: Chat) -> Json:
        raise RateLimited("Slow down.", retry_after=0.0)

    for error in (failure(Gateway(fail)), failure(Gateway(lambda chat: one_choice(1), broken=True))):
        assert (error.code, error.status, error.message) == (429, "RESOURCE_EXHAUSTED", "Slow down.")


def failure(gateway: Gateway) -> Any:
    try:
        for _ in gateway.client().models.generate_content_stream(model="m", contents="hi"):
            pass
    except errors.APIError as error:
        return error
    raise AssertionError("no error")


def main() -> None:
    for seed in range(CONVERSATIONS):
        check_conversation(seed, stream=False)
        check_conversation(seed, stream=True)
    check_schema()
    check_media()
    check_errors()
    print(f"google-genai {genai.__version__}: {2 * CONVERSATIONS} conversations")  # noqa: T201


if __name__ == "__main__":
    main()
