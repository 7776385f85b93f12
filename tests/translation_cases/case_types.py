"""The sorts of case: what goes upstream, what is refused where, what an answer becomes."""

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
from handler.relay.subcalls import parts_of
from handler.wire import sse
from handler.wire.framing import FRAMINGS
from rules import LiveState, Model, RuleSet, decide, facts_of_request, load_catalog
from rules.catalog.catalog import unlisted_model
from tests.handler.providers.bedrock.test_botocore import operation, strays, typed
from tests.handler.providers.wire_cases import fold
from tests.support.event_stream import frames
from tests.support.relaying import call

Json = dict[str, Any]
Run = Callable[[], None]

GONE = object()  # wanted of a place where nothing may be
CUTS = (1, 7, 1_000_000)  # bytes in which a stream arrives

# The model that a target means by its provider alone; another one is named, as provider/model.
MODELS = {
    "anthropic": "claude-haiku-4-5",
    "bedrock": "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "gemini": "gemini-4-argon",
    "openai": "gpt-4.1",
}


@dataclass(frozen=True, slots=True)
class Refused:
    """A 400 that names `param`, with our code or the class of a failure."""

    param: str | None
    code: str = "unsupported_parameter"


@dataclass(frozen=True, slots=True)
class Sent:
    """What each provider is sent for a chat: values by their place in the body, and what was `dropped`."""

    number: int
    says: str
    chat: Json
    wants: Mapping[str, Json | Refused]

    def runs(self) -> Iterator[tuple[str, Run]]:
        for target, wanted in self.wants.items():
            yield target, partial(_sends, self.chat, target, wanted)


@dataclass(frozen=True, slots=True)
class AtTheDoor:
    """A chat that nobody is sent."""

    number: int
    says: str
    chat: Json
    wanted: Refused

    def runs(self) -> Iterator[tuple[str, Run]]:
        yield "at the door", partial(_refuses, partial(check_chat, self.chat, max_n=8), self.wanted)


@dataclass(frozen=True, slots=True)
class NoCandidate:
    """A chat that some providers cannot be asked, and others can."""

    number: int
    says: str
    chat: Json
    unable: Mapping[str, Refused]
    able: Sequence[str] = ()

    def runs(self) -> Iterator[tuple[str, Run]]:
        for target, refused in self.unable.items():
            yield f"not {target}", partial(_decides, self.chat, target, refused)
        for target in self.able:
            yield target, partial(_decides, self.chat, target, None)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a provider's answer becomes: values by their place in the completion, streamed or whole.

    `events` and `whole` are JSON, or the bytes themselves where these matter.
    """

    number: int
    says: str
    target: str
    wanted: Json
    events: Sequence[Json | str] | bytes | None = None
    whole: Json | None = None

    def runs(self) -> Iterator[tuple[str, Run]]:
        if self.whole is not None:
            yield f"{self.target}, whole", partial(_hears_whole, self)
        for cut in CUTS if self.events is not None else ():
            yield f"{self.target}, in {cut}", partial(_hears_stream, self, cut)


@dataclass(frozen=True, slots=True)
class Fails:
    """What an answer fails with: `status` is None for the body of a 200, `events` for a stream."""

    number: int
    says: str
    target: str
    failure_class: str
    body: Any = None
    status: int | None = None
    events: Sequence[Json | str] | bytes | None = None
    shown: Mapping[str, Any] | None = None  # what a caller sees of it: status, code, message, ...

    def runs(self) -> Iterator[tuple[str, Run]]:
        yield self.target, partial(_fails, self)


@dataclass(frozen=True, slots=True)
class Holds:
    """Anything else that must hold."""

    number: int
    says: str
    run: Run

    def runs(self) -> Iterator[tuple[str, Run]]:
        yield "", self.run


Case = Sent | AtTheDoor | NoCandidate | Heard | Fails | Holds


def row_and_model(target: str) -> tuple[Provider, Model]:
    """The row as it is for the model: some are served on a surface of their own."""
    provider, _, name = target.partition("/")
    name = name or MODELS.get(provider, "a-model")
    model = load_catalog().pin(provider, name) or unlisted_model(provider, name)
    return apply_surface(PROVIDERS[provider], model), model


def row_and_translator(target: str) -> tuple[Provider, Translator]:
    row, _ = row_and_model(target)
    return row, TRANSLATORS[row.dialect]


def request_of(chat: Json, target: str) -> tuple[Json, tuple[str, ...]]:
    """What an attempt sends upstream, the first one of several, of a chat that was let in."""
    row, model = row_and_model(target)
    asked = call(model, body=chat)
    translator, before = TRANSLATORS[row.dialect], json.dumps(asked.chat.body)
    form = asked.form(asked.decision.candidates[0], row, translator, None)
    body = parts_of(asked.sent(None, form, model, None), row, translator)[0].body
    sent = translator.request(body, model, row.quirks)
    assert json.dumps(asked.chat.body) == before, "what the client sent is not changed"
    return sent


def at(value: Any, place: str) -> Any:
    """The value at a place such as `messages.0.content`, or GONE."""
    for step in place.split("."):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, TypeError):
            return GONE
    return value


def matches(value: Any, wanted: Json) -> None:
    assert {place: at(value, place) for place in wanted} == wanted


def _sends(chat: Json, target: str, wanted: Json | Refused) -> None:
    if isinstance(wanted, Refused):
        _refuses(lambda: request_of(chat, target), wanted)
        return
    body, dropped = request_of(chat, target)
    if row_and_model(target)[0].dialect == "bedrock":
        _is_known_to_aws(body)
    matches({**body, "dropped": dropped}, wanted)


def _is_known_to_aws(body: Json) -> None:
    """Whether AWS's own library would send it: members, choices, patterns, lengths."""
    shape = operation("Converse").input_shape
    assert list(strays(body, shape)) == []
    assert not ParamValidator().validate({"modelId": "m", **typed(body, shape)}, shape).generate_report()


def _refuses(run: Callable[[], object], wanted: Refused) -> None:
    with pytest.raises((InvalidRequest, UpstreamError)) as raised:
        run()
    error: GatewayError = raised.value
    assert (error.status, error.param, error.code) == (400, wanted.param, wanted.code)


def _decides(chat: Json, target: str, refused: Refused | None) -> None:
    check_chat(chat, max_n=8)
    _, model = row_and_model(target)
    live = LiveState(
        available=frozenset(PROVIDERS),
        unsupported=unsupported_features(PROVIDERS.values()),
    )
    facts = facts_of_request({**chat, "model": model.id})
    decision = decide(facts, RuleSet.read([]), load_catalog(), live)
    if refused is None:
        assert decision.refusal is None
    else:
        assert decision.refusal is not None
        assert (decision.refusal.param, decision.refusal.code) == (refused.param, refused.code)


def completion_of(case: Heard, cut: int) -> Json:
    """The completion that a stream folds to, its bytes cut in pieces."""
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


def _hears_whole(case: Heard) -> None:
    row, translator = row_and_translator(case.target)
    matches(translator.response(case.whole or {}, row.quirks), case.wanted)


def _hears_stream(case: Heard, cut: int) -> None:
    completion = completion_of(case, cut)
    for choice in completion["choices"]:
        if calls := choice["message"].get("tool_calls"):
            choice["message"]["tool_calls"] = [calls[index] for index in sorted(calls)]
    matches(completion, case.wanted)


def _answers(case: Fails) -> None:
    row, translator = row_and_translator(case.target)
    if case.events is None:
        translator.response(case.body, row.quirks)
        return
    decoder = translator.stream(row.quirks)
    for data in _events(case.events, 7, translator.framing):
        list(decoder.feed(data))
    list(decoder.close())


def _fails(case: Fails) -> None:
    _, translator = row_and_translator(case.target)
    if case.status is not None:
        body = case.body if isinstance(case.body, bytes) else json.dumps(case.body).encode()
        error = translator.error(case.status, {}, body)
    else:
        with pytest.raises(UpstreamError) as raised:
            _answers(case)
        error = raised.value
    assert error.failure_class == case.failure_class
    shown = {name: getattr(error, name) for name in case.shown or {}}
    assert shown == dict(case.shown or {})
