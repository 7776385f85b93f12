"""The types of case: what is sent upstream, what is refused, what an answer is translated to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from botocore.validate import ParamValidator

from handler.errors import GatewayError, InvalidRequest, UpstreamError
from handler.formats.chat.fields import check_chat
from handler.providers.addressing import apply_surface, unsupported_features
from handler.providers.provider import Provider
from handler.providers.registry import TRANSLATORS
from handler.providers.rows.builtin import PROVIDERS
from handler.providers.translator import Translator
from handler.relay.attempt import prepare
from handler.relay.subcalls import split
from handler.wire import sse
from handler.wire.framing import FRAMINGS
from rules import LiveState, Model, RuleSet, decide, facts_of_request, load_catalog
from rules.catalog.catalog import unlisted_model
from tests.handler.providers.bedrock.service_model import operation, violations, with_blobs
from tests.handler.providers.wire_cases import fold
from tests.support.event_stream import frames
from tests.support.running_relay import call

Json = dict[str, Any]
Run = Callable[[], None]

ABSENT = object()  # the expected value of a path that must not exist
CUTS = (1, 7, 1_000_000)  # bytes per piece of a stream

# The model of a target that names only its provider; others are named as provider/model.
MODELS = {
    "anthropic": "claude-haiku-4-5",
    "bedrock": "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "gemini": "gemini-4-argon",
    "openai": "gpt-4.1",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A 400 with this `param`, and our code or the class of a failure."""

    param: str | None
    code: str = "unsupported_parameter"


@dataclass(frozen=True, slots=True)
class RequestCase:
    """The request that each provider is sent for a chat: values by path, and what is `dropped`."""

    number: int
    title: str
    chat: Json
    expected: Mapping[str, Json | Refusal]

    def runs(self) -> Iterator[tuple[str, Run]]:
        for target, expected in self.expected.items():
            yield target, partial(_check_sent, self.chat, target, expected)


@dataclass(frozen=True, slots=True)
class RejectedCase:
    """A chat that the parser refuses, whatever the provider."""

    number: int
    title: str
    chat: Json
    expected: Refusal

    def runs(self) -> Iterator[tuple[str, Run]]:
        yield "parser", partial(_check_refused, partial(check_chat, self.chat, max_n=8), self.expected)


@dataclass(frozen=True, slots=True)
class CandidateCase:
    """A chat that some providers can serve and others cannot."""

    number: int
    title: str
    chat: Json
    unable: Mapping[str, Refusal]
    able: Sequence[str] = ()

    def runs(self) -> Iterator[tuple[str, Run]]:
        for target, refused in self.unable.items():
            yield f"not {target}", partial(_check_decided, self.chat, target, refused)
        for target in self.able:
            yield target, partial(_check_decided, self.chat, target, None)


@dataclass(frozen=True, slots=True)
class AnswerCase:
    """The completion that a provider's answer becomes, whole and streamed: values by path.

    `events` are JSON, or bytes where these matter.
    """

    number: int
    title: str
    target: str
    expected: Json
    events: Sequence[Json | str] | bytes | None = None
    whole: Json | None = None

    def runs(self) -> Iterator[tuple[str, Run]]:
        if self.whole is not None:
            yield f"{self.target}, whole", partial(_check_whole, self)
        for cut in CUTS if self.events is not None else ():
            yield f"{self.target}, in {cut}", partial(_check_stream, self, cut)


@dataclass(frozen=True, slots=True)
class FailureCase:
    """The failure of an answer. `status` is None for the body of a 200; a stream has `events`."""

    number: int
    title: str
    target: str
    failure_class: str
    body: Any = None
    status: int | None = None
    events: Sequence[Json | str] | bytes | None = None
    expected: Mapping[str, Any] | None = None  # by the caller: status, code, message, ...

    def runs(self) -> Iterator[tuple[str, Run]]:
        yield self.target, partial(_check_failure, self)


@dataclass(frozen=True, slots=True)
class CheckCase:
    """Any other check."""

    number: int
    title: str
    run: Run

    def runs(self) -> Iterator[tuple[str, Run]]:
        yield "", self.run


Case = RequestCase | RejectedCase | CandidateCase | AnswerCase | FailureCase | CheckCase


def row_and_model(target: str) -> tuple[Provider, Model]:
    """The model of a target, and its provider's row with the surface that serves the model."""
    provider, _, name = target.partition("/")
    name = name or MODELS.get(provider, "a-model")
    model = load_catalog().pin(provider, name) or unlisted_model(provider, name)
    return apply_surface(PROVIDERS[provider], model), model


def row_and_translator(target: str) -> tuple[Provider, Translator]:
    row, _ = row_and_model(target)
    return row, TRANSLATORS[row.dialect]


def request_of(chat: Json, target: str) -> tuple[Json, tuple[str, ...]]:
    """The body that the first request of an attempt sends for a chat, and what it drops."""
    row, model = row_and_model(target)
    asked = call(model, body=chat)
    translator, before = TRANSLATORS[row.dialect], json.dumps(asked.chat.body)
    prepared, _ = prepare(asked, model, row, translator)
    body = split(prepared, row, translator)[0].body
    sent = translator.request(body, model, row.quirks)
    assert json.dumps(asked.chat.body) == before, "the client's body is not changed"
    return sent


def value_at(value: Any, place: str) -> Any:
    """The value at a place such as `messages.0.content`, or GONE."""
    for step in place.split("."):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, TypeError):
            return ABSENT
    return value


def assert_values(value: Any, expected: Json) -> None:
    assert {place: value_at(value, place) for place in expected} == expected


def _check_sent(chat: Json, target: str, expected: Json | Refusal) -> None:
    if isinstance(expected, Refusal):
        _check_refused(lambda: request_of(chat, target), expected)
        return
    body, dropped = request_of(chat, target)
    if row_and_model(target)[0].dialect == "bedrock":
        _check_shapes(body)
    assert_values({**body, "dropped": dropped}, expected)


def _check_shapes(body: Json) -> None:
    """Checks members, choices, patterns and lengths with AWS's own library."""
    shape = operation("Converse").input_shape
    assert list(violations(body, shape)) == []
    assert not ParamValidator().validate({"modelId": "m", **with_blobs(body, shape)}, shape).generate_report()


def _check_refused(run: Callable[[], object], expected: Refusal) -> None:
    with pytest.raises((InvalidRequest, UpstreamError)) as raised:
        run()
    error: GatewayError = raised.value
    assert (error.status, error.param, error.code) == (400, expected.param, expected.code)


def _check_decided(chat: Json, target: str, refused: Refusal | None) -> None:
    check_chat(chat, max_n=8)
    _, model = row_and_model(target)
    live = LiveState(available=frozenset(PROVIDERS), unsupported=unsupported_features(PROVIDERS.values()))
    facts = facts_of_request({**chat, "model": model.id})
    decision = decide(facts, RuleSet.read([]), load_catalog(), live)
    if refused is None:
        assert decision.refusal is None
    else:
        assert decision.refusal is not None
        assert (decision.refusal.param, decision.refusal.code) == (refused.param, refused.code)


def completion_of(case: AnswerCase, cut: int) -> Json:
    """The completion that a stream folds to, if its bytes arrive in pieces of `cut`."""
    row, translator = row_and_translator(case.target)
    decoder = translator.stream(row.quirks)
    events = _events(case.events or b"", cut, translator.framing)
    chunks = [chunk for data in events for chunk in decoder.feed(data)]
    return fold([*chunks, *decoder.close()])


def _events(events: Sequence[Json | str] | bytes, cut: int, framing: str) -> Iterator[str]:
    data = events if isinstance(events, bytes) else _FRAMED[framing](events)
    decoder = FRAMINGS[framing]()
    for start in range(0, len(data), cut):
        yield from (event.data for event in decoder.feed(data[start : start + cut]))
    yield from (event.data for event in decoder.close())


def _event(event: Json | str) -> bytes:
    return sse.encode(event if isinstance(event, str) else json.dumps(event, ensure_ascii=False))


_FRAMED: Mapping[str, Callable[[Any], bytes]] = {
    "sse": lambda events: b"".join(map(_event, events)),
    "eventstream": frames,
}


def _check_whole(case: AnswerCase) -> None:
    row, translator = row_and_translator(case.target)
    assert_values(translator.response(case.whole or {}, row.quirks), case.expected)


def _check_stream(case: AnswerCase, cut: int) -> None:
    completion = completion_of(case, cut)
    for choice in completion["choices"]:
        if calls := choice["message"].get("tool_calls"):
            choice["message"]["tool_calls"] = [calls[index] for index in sorted(calls)]
    assert_values(completion, case.expected)


def _read_answer(case: FailureCase) -> None:
    row, translator = row_and_translator(case.target)
    if case.events is None:
        translator.response(case.body, row.quirks)
        return
    decoder = translator.stream(row.quirks)
    for data in _events(case.events, 7, translator.framing):
        list(decoder.feed(data))
    list(decoder.close())


def _check_failure(case: FailureCase) -> None:
    _, translator = row_and_translator(case.target)
    if case.status is not None:
        body = case.body if isinstance(case.body, bytes) else json.dumps(case.body).encode()
        error = translator.error(case.status, {}, body)
    else:
        with pytest.raises(UpstreamError) as raised:
            _read_answer(case)
        error = raised.value
    assert error.failure_class == case.failure_class
    expected = {name: getattr(error, name) for name in case.expected or {}}
    assert expected == dict(case.expected or {})
