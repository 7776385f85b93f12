"""What a format of clients has no place for, and how a conversation is without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tests.support.talk import Media, Result, Talk, Turn, User

Change = Callable[[Talk], Talk]


def said(talk: Talk, format: str) -> Talk:
    """Return the conversation without what a format cannot say."""
    for change in UNSAID[format].values():
        talk = change(talk)
    return talk


def without_links(talk: Talk) -> Talk:
    """Return the conversation without images behind links."""

    def change(turn: Turn) -> Turn:
        if not isinstance(turn, User):
            return turn
        return User(tuple(part for part in turn.parts if not (isinstance(part, Media) and part.link)))

    return replace(talk, turns=tuple(map(change, talk.turns)))


def _without_failures(talk: Talk) -> Talk:
    def change(turn: Turn) -> Turn:
        return tuple(replace(one, failed=False) for one in turn) if isinstance(turn, tuple) else turn

    return replace(talk, turns=tuple(map(change, talk.turns)))


def _text_first(talk: Talk) -> Talk:
    def change(turn: Turn) -> Turn:
        if not isinstance(turn, tuple):
            return turn
        return tuple(replace(one, parts=(*_text(one), *_media(one))) for one in turn)

    return replace(talk, turns=tuple(map(change, talk.turns)))


def _text(result: Result) -> list[str]:
    """Return the texts as one; [] without any."""
    return ["".join(texts)] if (texts := [part for part in result.parts if isinstance(part, str)]) else []


def _media(result: Result) -> list[Media]:
    return [part for part in result.parts if isinstance(part, Media)]


def _without_none(talk: Talk) -> Talk:
    return replace(talk, choice="") if talk.choice == "none" else talk


_STRICT: Mapping[str, Change] = {"a strict schema": lambda talk: replace(talk, strict=False)}
_NAME: Mapping[str, Change] = {"the name of a schema": lambda talk: replace(talk, label="output")}
_PARALLEL: Mapping[str, Change] = {"one call at a time": lambda talk: replace(talk, parallel=True)}
UNSAID: Mapping[str, Mapping[str, Change]] = {
    "chat": {},
    "messages": {**_STRICT, **_NAME},
    "responses": {
        "stop sequences": lambda talk: replace(talk, stop=()),
        "a result that is an error": _without_failures,
    },
    "gemini": {
        **_STRICT,
        **_NAME,
        **_PARALLEL,
        "texts of a result apart": _text_first,
    },
    "converse": {
        **_STRICT,
        **_PARALLEL,
        "tools that must not be called": _without_none,
        "links to images": without_links,
    },
}

# Captured answers, by dialect and name, that are another request when a client sends them back, and why.
_REFUSAL = {"openai openai-refusal": "a refusal is a text here"}
_ENDS = {
    "responses cut-off-in-call": "arguments that are cut off are an object here, as they have to be",
    "responses two-messages": "only chat and Responses have the phases of two texts",
}
_UNSIGNED = {"google reasoning": "a last text has no signature: clients take the last block for the answer"}
UNREPEATED: Mapping[str, Mapping[str, str]] = {
    "chat": {},
    "messages": {**_REFUSAL, **_ENDS, **_UNSIGNED},
    "responses": {
        "google image-answer": "the image comes back too, for which a chat has no place",
        "anthropic several-texts": "reasoning between two texts stays there; a chat has it before both",
    },
    "gemini": {
        **_REFUSAL,
        **_ENDS,
        "anthropic refusal": "the words of a refusal are the reason of the end, and not in the content",
    },
    "converse": {**_REFUSAL, **_ENDS, **_UNSIGNED},
}
