"""Learns the constant prefix and suffix of a stream's events, so that text-only events need no parsing.

An edit in the prefix is made once and reused. Parsing the first event of a kind checks everything but the
text of the events that follow. No I/O.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from handler.wire.splice import dump

MAX_LEARNED = 3  # how often events are compared for what they have in common besides the model

_MODEL = re.compile(r'"model"\s*:\s*("(?:[^"\\]|\\.)*")')
_CONTENT = re.compile(r'"content"\s*:\s*"((?:[^"\\]|\\.)*)"')


class Affixes(NamedTuple):
    """The prefix and the suffix of events that bring nothing but text."""

    prefix: str
    suffix: str

    def text_of(self, event: str) -> str:
        """The text between them; empty if the event is, or may be, of another kind."""
        prefix, suffix = self
        if not (event.startswith(prefix) and event.endswith(suffix)):
            return ""
        text = event[len(prefix) : len(event) - len(suffix)]
        return text if text.isprintable() and '"' not in text and "\\" not in text else ""


def affixes_of(text: str, event: Mapping[str, Any]) -> Affixes | None:
    """The affixes of events like this one, if it brings nothing but the text of one choice."""
    match event.get("choices"):
        case [{"delta": {"content": str(content), **more}, **rest}] if content and not more:
            found = list(_CONTENT.finditer(text))
            only = len(found) == 1 and json.loads(f'"{found[0][1]}"', strict=False) == content
            if only and not rest.get("finish_reason"):
                return Affixes(text[: found[0].start(1)], text[found[0].end(1) :])
    return None


class EventTemplate:
    """What the events of one stream have in common.

    learns_text: text-only events may bypass the decoder, since text changes nothing in it.
    """

    def __init__(self, model: str, *, learns_text: bool) -> None:
        self._model = model  # as the client sees it
        self._prefix = ""  # the upstream's `model` included
        self._replacement = ""  # the same with the client's `model`
        self._affixes: Affixes | None = None
        self._left = MAX_LEARNED if learns_text else 0
        self._pending: tuple[str, Mapping[str, Any]] | None = None  # learned from when the next event comes

    def text_of(self, event: str) -> str:
        """The text, if the event brings nothing else; empty if it has to be parsed."""
        if self._pending:
            self._learn(*self._pending)
        return self._affixes.text_of(event) if self._affixes and event.startswith(self._prefix) else ""

    def edited(self, event: str) -> str | None:
        """The event with the client's `model`, if it begins like earlier events."""
        if self._prefix and event.startswith(self._prefix):
            return self._replacement + event[len(self._prefix) :]
        return None

    def observe(self, text: str, event: Mapping[str, Any], edited: str) -> None:
        """Observe an event. `edited`: the same event, of which only the `model` was changed."""
        if not (self._prefix and text.startswith(self._prefix)):
            self._learn_model(text, edited)
        elif self._left:
            self._pending = text, event  # learned later, because a client waits for this text

    def forget(self) -> None:
        """Forget what events have in common, except the model; it is learned again."""
        self._affixes = self._pending = None

    def _learn(self, text: str, event: Mapping[str, Any]) -> None:
        self._pending = None
        if found := affixes_of(text, event):
            self._left, self._affixes = self._left - 1, found

    def _learn_model(self, text: str, edited: str) -> None:
        if found := _MODEL.search(text):
            prefix, replacement = text[: found.end(1)], text[: found.start(1)] + dump(self._model)
            if edited == replacement + text[len(prefix) :]:
                self._prefix, self._replacement, self._affixes = prefix, replacement, None
