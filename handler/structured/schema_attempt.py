"""One attempt at structured output: how the chat asks for it, and how its answer comes back as content.

Whatever the way, an answer that says it is complete is held against the schema, and one that does not fit is
no answer: its model is told what is wrong with it, once; then the next candidate is asked. No I/O.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from handler.answers.replay import Checked
from handler.errors import Json, SchemaMismatch
from handler.providers.provider import Provider
from handler.providers.translator import StreamDecoder, Translator
from handler.structured.modes import JSON, NATIVE, PROMPT, TOOL, OutputContract, is_object, natively, way_of
from handler.wire.splice import dump
from rules import Model

ANSWER = "answer"  # the tool that is forced
WRAPPED = "value"  # a tool's arguments are an object, so any other root stands in one under this name

_HOISTED = frozenset({"$defs", "definitions", "$schema"})  # they stay at the head when a root is wrapped
_INSTEAD_OF_TOOL = frozenset(  # what the forced tool takes the place of
    {"response_format", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"}
)
# An answer that was cut off or withheld is none, and its finish reason says so.
_UNFINISHED = frozenset({"length", "content_filter"})


@dataclass(frozen=True, slots=True)
class SchemaAttempt:
    """How one attempt is asked for it, and what becomes of its answer."""

    asked: OutputContract
    way: str
    amends: SchemaMismatch | None = None  # the answer before, which did not fit
    natively_json: bool = False  # on the way of words: the provider at least holds it to some JSON object

    @property
    def refusable(self) -> str | None:
        """The part of this mode that the provider may refuse; None for the plainest one."""
        return self.way if self.way != PROMPT else JSON if self.natively_json else None

    @property
    def whole(self) -> bool:
        """Whether the answer is waited for: it may have to be changed, or asked for again."""
        return self.way != NATIVE or (self.amends is not None and self.amends.answer_text is not None)

    @property
    def by_tool(self) -> bool:
        return self.way == TOOL

    def request(self, chat: Json) -> Json:
        """The chat to send; what does not change is shared."""
        return _ASKED[self.way](self, chat)

    def completion(self, completion: Json) -> Json:
        """The completion with the answer as its content. Raises SchemaMismatch."""
        before = completion["choices"]
        after = [_BACK[self.way](self, choice) for choice in before]
        for choice in after:
            self.check(choice["message"], choice.get("finish_reason"))
        return completion if all(map(operator.is_, before, after)) else {**completion, "choices": after}

    def checked(self, decoder: StreamDecoder) -> StreamDecoder:
        """A stream that goes on live, held against the schema at its end."""
        return Checked(decoder, self.check)

    def check(self, message: Json, finish: str | None) -> None:
        """Raises SchemaMismatch. Refusals, calls of the client's tools and what was cut off are none."""
        other = message.get("refusal") or message.get("tool_calls") or message.get("function_call")
        if other or finish in _UNFINISHED:
            return
        text = _text(message)
        if (problem := self.asked.problem(text)) is not None:
            raise SchemaMismatch(problem, answer_text=text)


def form_of(
    asked: OutputContract,
    chat: Json,
    model: Model,
    row: Provider,
    wire: Translator,
    amends: SchemaMismatch | None = None,
) -> SchemaAttempt | None:
    """How this model is asked for it; None where that is left to it: its own JSON mode."""
    refused = amends.refused_modes if amends else frozenset()
    way = way_of(asked, chat, model, row, wire, refused)
    if way == NATIVE and asked.schema is None:
        return None
    roots = asked.schema is None or is_object(asked.schema)
    helps = (
        way == PROMPT and roots and JSON not in refused and natively(OutputContract(), chat, model, row, wire)
    )
    return SchemaAttempt(asked, way, amends, helps)


def _by_words(form: SchemaAttempt, chat: Json) -> Json:
    kept = {name: value for name, value in chat.items() if name != "response_format"}
    if form.natively_json:
        kept["response_format"] = {"type": "json_object"}
    schema = form.asked.schema
    text = _OBJECT if schema is None else _SCHEMA.format(schema=dump(schema))
    return {**kept, "messages": _instructed(chat["messages"], text)}


def _instructed(messages: list[Json], text: str) -> list[Json]:
    """Said at the end of the system message; several of them are more than some models take."""
    first = messages[0]
    content = first.get("content")
    if first.get("role") not in ("system", "developer") or not content:
        return [{"role": "system", "content": text}, *messages]
    if isinstance(content, str):
        return [{**first, "content": f"{content}\n\n{text}"}, *messages[1:]]
    return [{**first, "content": [*content, {"type": "text", "text": text}]}, *messages[1:]]


def _with_tool(form: SchemaAttempt, chat: Json) -> Json:
    kept = {name: value for name, value in chat.items() if name not in _INSTEAD_OF_TOOL}
    schema = form.asked.schema or {}
    function: Json = {
        "name": ANSWER,
        "description": form.asked.description or "Gives the answer to the user. Call it once.",
        "parameters": schema if is_object(schema) else _wrapped(schema),
    }
    return {**kept, "tools": [{"type": "function", "function": function}], "tool_choice": "required"}


def _wrapped(schema: Json) -> Json:
    head = {name: value for name, value in schema.items() if name in _HOISTED}
    inner = {name: value for name, value in schema.items() if name not in _HOISTED}
    closed = {"required": [WRAPPED], "additionalProperties": False}
    return {"type": "object", "properties": {WRAPPED: inner}, **closed, **head}


def _from_tool(form: SchemaAttempt, choice: Json) -> Json:
    """The arguments of the call as content. One who wrote instead of calling is taken at his word."""
    message = choice["message"]
    calls = message.get("tool_calls") or []
    if not calls:
        return _unfenced(form, choice)
    function = calls[0].get("function") or {}
    text = str(function.get("arguments") or "") if function.get("name") == ANSWER else ""
    rest = {name: value for name, value in message.items() if name != "tool_calls"}
    finish = choice.get("finish_reason")
    finish = finish if finish in _UNFINISHED else "stop"
    return {**choice, "message": {**rest, "content": _unwrapped(form, text)}, "finish_reason": finish}


def _unwrapped(form: SchemaAttempt, text: str) -> str:
    if is_object(form.asked.schema or {}):
        return text
    try:
        return dump(json.loads(text)[WRAPPED])
    except (ValueError, RecursionError, KeyError, TypeError):
        return text


def _unfenced(form: SchemaAttempt, choice: Json) -> Json:
    """Without the code fence that many models cannot leave out."""
    message = choice["message"]
    text = _text(message).strip()
    language, newline, inner = text[3:-3].partition("\n")
    fenced = text.startswith("```") and text.endswith("```") and newline and len(language.split()) < 2
    return {**choice, "message": {**message, "content": inner.strip()}} if fenced else choice


def _text(message: Json) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else ""


_ASKED: Mapping[str, Callable[[SchemaAttempt, Json], Json]] = {
    NATIVE: lambda form, chat: chat,
    TOOL: _with_tool,
    PROMPT: _by_words,
}
_BACK: Mapping[str, Callable[[SchemaAttempt, Json], Json]] = {
    NATIVE: lambda form, choice: choice,
    TOOL: _from_tool,
    PROMPT: _unfenced,
}
_OBJECT = "Answer with one JSON object and nothing else: no other text, no code fence."
_SCHEMA = (
    "Answer with one JSON value that fits this JSON Schema, and nothing else: no other text, no code fence.\n"
    "{schema}"
)
