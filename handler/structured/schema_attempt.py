"""One attempt at structured output: how the chat asks for it, and how the answer becomes content.

In every mode, a complete answer is checked against the schema. If it does not match, its model is asked once
to correct it; then the next candidate is asked. No I/O.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from handler.errors import Json, SchemaMismatch
from handler.providers.provider import Provider
from handler.providers.translator import Translator
from handler.structured.modes import (
    JSON,
    NATIVE,
    PROMPT,
    TOOL,
    OutputContract,
    is_object,
    mode_of,
    supports_natively,
)
from handler.wire.splice import dump
from rules import Model

ANSWER = "answer"  # the tool that is forced
WRAPPED = "value"  # a tool's arguments are an object, so any other root goes into one under this name

_HOISTED = frozenset({"$defs", "definitions", "$schema"})  # they stay at the head when a root is wrapped
_REPLACED_BY_TOOL = frozenset(  # fields that the forced tool replaces
    {"response_format", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"}
)
# Finish reasons of an answer that was cut off or withheld: it need not match.
_UNFINISHED = frozenset({"length", "content_filter"})


@dataclass(frozen=True, slots=True)
class SchemaAttempt:
    """How one attempt asks for structured output, and what becomes of its answer."""

    contract: OutputContract
    mode: str
    repair_of: SchemaMismatch | None = None  # the answer before, which did not match
    natively_json: bool = False  # in mode `prompt`: the provider at least enforces some JSON object

    @property
    def refusable(self) -> str | None:
        """The part of this mode that the provider may refuse; None for the plainest one."""
        return self.mode if self.mode != PROMPT else JSON if self.natively_json else None

    @property
    def whole(self) -> bool:
        """True if the answer has to be read whole, because it may be changed or requested again."""
        return self.mode != NATIVE or (self.repair_of is not None and self.repair_of.answer_text is not None)

    @property
    def by_tool(self) -> bool:
        return self.mode == TOOL

    def request(self, chat: Json) -> Json:
        """Return the chat to send. Unchanged parts are shared."""
        return _REQUESTS[self.mode](self, chat)

    def completion(self, completion: Json) -> Json:
        """The completion with the answer as its content. Raises SchemaMismatch."""
        before = completion["choices"]
        after = [_ANSWERS[self.mode](self, choice) for choice in before]
        for choice in after:
            self.check(choice["message"], choice.get("finish_reason"))
        return completion if all(map(operator.is_, before, after)) else {**completion, "choices": after}

    def check(self, message: Json, finish: str | None) -> None:
        """Raise SchemaMismatch. Refusals, calls of the client's tools and answers cut off pass."""
        other = message.get("refusal") or message.get("tool_calls") or message.get("function_call")
        if other or finish in _UNFINISHED:
            return
        text = _text(message)
        if (problem := self.contract.problem(text)) is not None:
            raise SchemaMismatch(problem, answer_text=text)


def schema_attempt(
    contract: OutputContract,
    chat: Json,
    model: Model,
    row: Provider,
    translator: Translator,
    repair_of: SchemaMismatch | None = None,
) -> SchemaAttempt | None:
    """Return how to ask this model; None if the chat needs no change, as for the model's own JSON mode."""
    refused = repair_of.refused_modes if repair_of else frozenset()
    mode = mode_of(contract, chat, model, row, translator, refused)
    if mode == NATIVE and contract.schema is None:
        return None
    object_root = contract.schema is None or is_object(contract.schema)
    natively_json = (
        mode == PROMPT
        and object_root
        and JSON not in refused
        and supports_natively(OutputContract(), chat, model, row, translator)
    )
    return SchemaAttempt(contract, mode, repair_of, natively_json)


def _with_prompt(attempt: SchemaAttempt, chat: Json) -> Json:
    rest = {name: value for name, value in chat.items() if name != "response_format"}
    if attempt.natively_json:
        rest["response_format"] = {"type": "json_object"}
    schema = attempt.contract.schema
    text = _OBJECT if schema is None else _SCHEMA.format(schema=dump(schema))
    return {**rest, "messages": _with_instruction(chat["messages"], text)}


def _with_instruction(messages: list[Json], text: str) -> list[Json]:
    """Add the text to the end of the system message: some models take only one."""
    first = messages[0]
    content = first.get("content")
    if first.get("role") not in ("system", "developer") or not content:
        return [{"role": "system", "content": text}, *messages]
    if isinstance(content, str):
        return [{**first, "content": f"{content}\n\n{text}"}, *messages[1:]]
    return [{**first, "content": [*content, {"type": "text", "text": text}]}, *messages[1:]]


def _with_tool(attempt: SchemaAttempt, chat: Json) -> Json:
    rest = {name: value for name, value in chat.items() if name not in _REPLACED_BY_TOOL}
    schema = attempt.contract.schema or {}
    function: Json = {
        "name": ANSWER,
        "description": attempt.contract.description or "Gives the answer to the user. Call it once.",
        "parameters": schema if is_object(schema) else _wrap(schema),
    }
    return {**rest, "tools": [{"type": "function", "function": function}], "tool_choice": "required"}


def _wrap(schema: Json) -> Json:
    head = {name: value for name, value in schema.items() if name in _HOISTED}
    inner = {name: value for name, value in schema.items() if name not in _HOISTED}
    closed = {"required": [WRAPPED], "additionalProperties": False}
    return {"type": "object", "properties": {WRAPPED: inner}, **closed, **head}


def _from_tool(attempt: SchemaAttempt, choice: Json) -> Json:
    """The arguments of the call as content.

    If the model wrote text instead of calling the tool, use the text.
    """
    message = choice["message"]
    calls = message.get("tool_calls") or []
    if not calls:
        return _without_fence(attempt, choice)
    function = calls[0].get("function") or {}
    text = str(function.get("arguments") or "") if function.get("name") == ANSWER else ""
    rest = {name: value for name, value in message.items() if name != "tool_calls"}
    finish = choice.get("finish_reason")
    finish = finish if finish in _UNFINISHED else "stop"
    return {**choice, "message": {**rest, "content": _unwrap(attempt, text)}, "finish_reason": finish}


def _unwrap(attempt: SchemaAttempt, text: str) -> str:
    if is_object(attempt.contract.schema or {}):
        return text
    try:
        return dump(json.loads(text)[WRAPPED])
    except (ValueError, RecursionError, KeyError, TypeError):
        return text


def _without_fence(attempt: SchemaAttempt, choice: Json) -> Json:
    """Return the choice without the code fence that many models put around the answer."""
    message = choice["message"]
    text = _text(message).strip()
    language, newline, inner = text[3:-3].partition("\n")
    fenced = text.startswith("```") and text.endswith("```") and newline and len(language.split()) < 2
    return {**choice, "message": {**message, "content": inner.strip()}} if fenced else choice


def _text(message: Json) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else ""


_REQUESTS: Mapping[str, Callable[[SchemaAttempt, Json], Json]] = {
    NATIVE: lambda attempt, chat: chat,
    TOOL: _with_tool,
    PROMPT: _with_prompt,
}
_ANSWERS: Mapping[str, Callable[[SchemaAttempt, Json], Json]] = {
    NATIVE: lambda attempt, choice: choice,
    TOOL: _from_tool,
    PROMPT: _without_fence,
}
_OBJECT = "Answer with one JSON object and nothing else: no other text, no code fence."
_SCHEMA = (
    "Answer with one JSON value that fits this JSON Schema, and nothing else: no other text, no code fence.\n"
    "{schema}"
)
