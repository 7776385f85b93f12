"""Every client format at providers of every format: what is sent, and what the client gets.

A conversation in each format of clients is the same request at a provider that has another format. Each
captured answer of a provider says the same to every client, whole and streamed, and so does each error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest

from handler.providers.rows.builtin import PROVIDERS
from tests.handler.providers.wire_cases import CASES, completion_of, configuration, read_file, stream_bytes
from tests.provider_fakes.call import split_unevenly
from tests.support.asgi import Response
from tests.support.canned_answers import Reply, whole
from tests.support.client_formats import FORMATS, Said
from tests.support.conversations import body_of
from tests.support.gateways import RunningGateway, provider, start_gateway
from tests.support.one_reply import OneReply
from tests.support.talk import Assistant, Media, Result, Talk, User
from tests.support.unsaid import UNREPEATED, said

Json = dict[str, Any]

MODELS = {
    "openai": "gpt-5.1",
    "responses": "gpt-5.4-pro",
    "anthropic": "claude-sonnet-5-5",
    "google": "gemini-3.8-flash",
    "bedrock": "us.anthropic.claude-sonnet-4-6",
}
PNG = Media(
    "image/png",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg==",
)
PDF = Media("application/pdf", "JVBERi0xLjQ=")
PLACE = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = {"weather": PLACE, "time": PLACE}
HI = User(("hi",))
CALL, OTHER = ("call_1", "weather", {"city": "Bern"}), ("call_2", "time", {"city": "Oslo"})
RAIN = Result("call_1", "weather", ("Rain",))
TALKS: Mapping[str, Talk] = {
    "a text": Talk(turns=(HI,), system="Be kind."),
    "a text with a stop sequence": Talk(turns=(HI,), stop=("END",)),
    "several turns": Talk(turns=(HI, Assistant("Hello."), User(("go", "on"))), temperature=0.5),
    "tools, of which one must be called": Talk(turns=(HI,), tools=TOOLS, choice="any"),
    "a named tool": Talk(turns=(HI,), tools=TOOLS, choice="time"),
    "tools that must not be called": Talk(turns=(HI,), tools=TOOLS, choice="none"),
    "the result of a tool": Talk(turns=(HI, Assistant("I look.", (CALL,)), (RAIN,)), tools=TOOLS),
    "the results of parallel tools": Talk(
        turns=(
            HI,
            Assistant("", (CALL, OTHER)),
            (RAIN, Result("call_2", "time", ("5",))),
            Assistant("A"),
            HI,
        ),
        tools=TOOLS,
    ),
    "a tool that failed": Talk(
        turns=(HI, Assistant("", (CALL,)), (Result("call_1", "weather", ("No.",), failed=True),)), tools=TOOLS
    ),
    "the image of a tool": Talk(
        turns=(HI, Assistant("", (CALL,)), (Result("call_1", "weather", ("Look", PNG)),)), tools=TOOLS
    ),
    "an image": Talk(turns=(User(("Look.", PNG)),)),
    "a document": Talk(turns=(User(("Read.", PDF)),)),
    "a schema": Talk(turns=(HI,), schema=PLACE),
    "reasoning": Talk(turns=(HI,), effort="high"),
}


def open_gateway(dialect: str, id: str = "own") -> tuple[RunningGateway, OneReply, str]:
    """Return a gateway with a provider of this dialect, the provider, and the model's name."""
    upstream = OneReply()
    records = [provider("https://up.example/v1", id, dialect=dialect)]
    return start_gateway(records, upstream=upstream), upstream, f"{id}/{MODELS[dialect]}"


@pytest.mark.parametrize("talk", TALKS)
@pytest.mark.parametrize("dialect", MODELS)
async def test_a_conversation_is_the_same_request_in_every_format(dialect: str, talk: str) -> None:
    gateway, upstream, model = open_gateway(dialect)
    for name, format in FORMATS.items():
        if name != "chat" and format.dialect != dialect:
            for stream in (False, True):
                one = said(TALKS[talk], name)
                ours, chat = [
                    await request_of(each, one, gateway, upstream, model, stream=stream)
                    for each in (name, "chat")
                ]
                assert ours == chat, name
    await gateway.gateway.aclose()


async def request_of(
    name: str, talk: Talk, gateway: RunningGateway, upstream: OneReply, model: str, *, stream: bool = False
) -> Json:
    """Return the first request that a provider gets for a client's."""
    upstream.requests.clear()
    body = body_of(name, talk, model, stream=stream)
    response = await gateway.post(FORMATS[name].path(model, stream), body)
    assert upstream.requests, response.body
    return comparable(upstream.requests[0])


def comparable(body: Json) -> Json:
    """Return a provider's request with the values of arguments, and without Responses' own `store`.

    A message is without members that say nothing.
    A chat client's own `is_error` reaches a host of chats as it is; a translation has none for such a host.
    """
    found: Json = json.loads(json.dumps(body), object_hook=_read_arguments)
    return {name: value for name, value in found.items() if name != "store"}


def _read_arguments(value: Json) -> Json:
    try:
        read = {"arguments": json.loads(value["arguments"])}
    except (KeyError, ValueError):  # none, or cut off
        read = {}
    if "role" not in value:
        return {**value, **read}
    left = {"is_error"} if value["role"] == "tool" else set()
    return {name: one for name, one in value.items() if one not in (None, "", []) and name not in left}


# --- answers ----------------------------------------------------------------------------------------------


def captures(dialect: str) -> Iterator[Path]:
    """Yield the captured answers of a dialect to requests without the legacy `functions`."""
    return (case for case in CASES if case.parent.name == dialect and not configuration(case)[2])


def replies(case: Path) -> tuple[Reply, Reply]:
    """Return the answer of a capture, whole and streamed in pieces of odd sizes."""
    return whole((case / "whole.json").read_bytes()), stream_of(case)


def stream_of(case: Path) -> Reply:
    kind = "text/event-stream" if (case / "stream.sse").exists() else "application/vnd.amazon.eventstream"
    pieces = tuple(split_unevenly(stream_bytes(case)))
    return Reply(headers={"content-type": kind}, pieces=pieces, chunked=True)


# Captures with reasoning between two texts: a whole completion has it before both.
INTERLEAVED = {"two-messages", "several-texts"}
DERIVED = re.compile(r"chatcmpl-[0-9a-f]{32}|[a-z]+_[0-9a-f]{48}")  # ids, which each translation makes
# Members of hosts that only their whole answers have, or only their streams.
UNSTREAMED = {
    *("created", "created_at", "prompt_filter_results", "content_filter_results", "content_filter_offsets"),
    *("x_groq", "obfuscation", "native_finish_reason", "logprobs"),
}
CELLS = [
    pytest.param(name, dialect, id=f"{name} from {dialect}")
    for name, format in FORMATS.items()
    for dialect in MODELS
    if name == "chat" or format.dialect != dialect  # else test_native.py compares the bytes
]


@pytest.mark.parametrize(("name", "dialect"), CELLS)
async def test_a_captured_answer_says_the_same_whole_and_streamed(name: str, dialect: str) -> None:
    async with Cell(name, dialect) as cell:
        for case in captures(dialect):
            said = said_of(case, name)
            talk = talk_about(said)
            whole, streamed = await cell.answer(case, talk), await cell.answer(case, talk, stream=True)
            assert FORMATS[name].read(whole) == FORMATS[name].read(streamed) == said, case.name
            if case.name not in INTERLEAVED:
                assert shape(whole) == shape(streamed), case.name


@pytest.mark.parametrize(("name", "dialect"), CELLS)
async def test_an_answer_that_a_client_sends_back_is_what_the_provider_sent(name: str, dialect: str) -> None:
    """The next request of a client in any format is that of a chat client, which has all of the answer."""
    async with Cell(name, dialect) as cell, Cell("chat", dialect) as chat:
        for case in captures(dialect):
            if f"{dialect} {case.name}" in UNREPEATED[name]:
                continue
            talk = talk_about(said_of(case, name))
            expected = await chat.sent(case, talk, await chat.answer(case, talk))
            for stream in (False, True):
                answer = await cell.answer(case, talk, stream=stream)
                assert await cell.sent(case, talk, answer) == expected, (case.name, stream)


class Cell:
    """A client of one format, and providers of one dialect."""

    def __init__(self, name: str, dialect: str) -> None:
        self._name, self._dialect = name, dialect
        self._gateways: dict[str, tuple[RunningGateway, OneReply, str]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for opened in self._gateways.values():
            await opened[0].gateway.aclose()

    def _open(self, case: Path) -> tuple[RunningGateway, OneReply, str]:
        id = provider_of(case)
        if id not in self._gateways:
            self._gateways[id] = open_gateway(self._dialect, id)
        return self._gateways[id]

    async def answer(self, case: Path, talk: Talk, *, stream: bool = False) -> Json:
        """Return the answer that the client gets, folded if it is streamed."""
        response = await self.respond(case, talk, stream=stream)
        assert response.status == 200, (case.name, response.body)
        return FORMATS[self._name].fold(response.body) if stream else dict(response.json)

    async def respond(self, case: Path, talk: Talk, *, stream: bool) -> Response:
        gateway, upstream, model = self._open(case)
        upstream.reply = replies(case)[stream]
        body = body_of(self._name, talk, model, stream=stream)
        return await gateway.post(FORMATS[self._name].path(model, stream), body)

    async def sent(self, case: Path, talk: Talk, answer: Json) -> Json:
        """Return what the provider gets when the client sends an answer back."""
        gateway, upstream, model = self._open(case)
        format = FORMATS[self._name]
        upstream.reply = whole(status=400)
        upstream.requests.clear()
        body = format.go_on(body_of(self._name, talk, model), answer)
        response = await gateway.post(format.path(model, False), body)
        assert upstream.requests, (case.name, response.body)
        return comparable(upstream.requests[0])


def talk_about(said: Said) -> Talk:
    return Talk(turns=(HI,), tools={name: PLACE for name, _ in said.calls}, effort="low")


def provider_of(case: Path) -> str:
    """Return the built-in provider whose quirks a capture needs; those that serve Responses too have none."""
    id = str(read_file(case, "about.json")["provider"])
    return id if case.parent.name == "openai" and not PROVIDERS[id].surfaces else "own"


def said_of(case: Path, name: str) -> Said:
    """Return what a captured answer says to clients of a format."""
    completion = completion_of(case)
    said, choice = FORMATS["chat"].read(completion), completion["choices"][0]
    if name == "messages":  # which has no images in answers
        links = [f"![image]({one['image_url']['url']})" for one in choice["message"].get("images") or ()]
        said = said._replace(text="".join([said.text, *links]))
    if name == "gemini" and choice["finish_reason"] == "stop":  # its answers have no refusals in words
        said = said._replace(end="stop")
    return said


def shape(value: Any) -> Any:
    """Return an answer without what is empty, and with one name for the ids that are made."""
    match value:
        case dict():
            members = {name: shape(one) for name, one in value.items() if name not in UNSTREAMED}
            return {name: one for name, one in members.items() if one not in (None, "", [], {})}
        case list():
            return [shape(one) for one in value]
        case str():
            return DERIVED.sub("ID", value)
    return value
