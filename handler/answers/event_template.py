"""What the texts of one stream's events have in common: how they begin, and mostly all but their words.

An edit in that beginning need not be looked for again, and an event that brings nothing but words need not be
parsed: what else it says was looked at when the first of its kind was. No I/O.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from handler.wire.splice import dump

LESSONS = 3  # how often events are looked at for what they have in common beside the model

_MODEL = re.compile(r'"model"\s*:\s*("(?:[^"\\]|\\.)*")')
_WORDS = re.compile(r'"content"\s*:\s*"((?:[^"\\]|\\.)*)"')


class Alike(NamedTuple):
    """How the texts of such events begin and end."""

    begins: str
    ends: str

    def words(self, text: str) -> str:
        """What is said in another of them; empty where the text is no such event, or may be none."""
        begins, ends = self
        if not (text.startswith(begins) and text.endswith(ends)):
            return ""
        words = text[len(begins) : len(text) - len(ends)]
        return words if words.isprintable() and '"' not in words and "\\" not in words else ""


def alike(text: str, event: Mapping[str, Any]) -> Alike | None:
    """The events that are like this one, if all that it brings is words of one choice."""
    match event.get("choices"):
        case [{"delta": {"content": str(words), **more}, **rest}] if words and not more:
            found = list(_WORDS.finditer(text))
            only = len(found) == 1 and json.loads(f'"{found[0][1]}"', strict=False) == words
            if only and not rest.get("finish_reason"):
                return Alike(text[: found[0].start(1)], text[found[0].end(1) :])
    return None


class EventTemplate:
    """The texts of one stream. `steady`: plain words leave no trace in its decoder: it need not hear them."""

    def __init__(self, model: str, *, steady: bool) -> None:
        self._model = model  # as the client is told
        self._begins = ""  # the upstream's `model` included
        self._instead = ""  # what stands there for the client
        self._alike: Alike | None = None
        self._lessons = LESSONS if steady else 0
        self._lesson: tuple[str, Mapping[str, Any]] | None = None  # for when the next event comes

    def words(self, text: str) -> str:
        """The words, where that is all an event brings; empty where it has to be parsed."""
        if self._lesson:
            self._study(*self._lesson)
        return self._alike.words(text) if self._alike and text.startswith(self._begins) else ""

    def edited(self, text: str) -> str | None:
        """The text with the client's `model`, where it begins as those before."""
        if self._begins and text.startswith(self._begins):
            return self._instead + text[len(self._begins) :]
        return None

    def learn(self, text: str, event: Mapping[str, Any], edited: str) -> None:
        """`edited`: what became of an event that only had its `model` changed."""
        if not (self._begins and text.startswith(self._begins)):
            self._learn_model(text, edited)
        elif self._lessons:
            self._lesson = text, event  # not now: somebody waits for these words

    def forget(self) -> None:
        """Forgets what events have in common, except the model; it is learned again."""
        self._alike = self._lesson = None

    def _study(self, text: str, event: Mapping[str, Any]) -> None:
        self._lesson = None
        if found := alike(text, event):
            self._lessons, self._alike = self._lessons - 1, found

    def _learn_model(self, text: str, edited: str) -> None:
        if found := _MODEL.search(text):
            begins, instead = text[: found.end(1)], text[: found.start(1)] + dump(self._model)
            if edited == instead + text[len(begins) :]:
                self._begins, self._instead, self._alike = begins, instead, None
