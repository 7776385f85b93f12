"""What a format of clients has no place for, and how a conversation is without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tests.support.talk import Media, Talk, Turn, User

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


def _media_last(talk: Talk) -> Talk:
    def change(turn: Turn) -> Turn:
        if not isinstance(turn, tuple):
            return turn
        return tuple(
            replace(one, parts=tuple(sorted(one.parts, key=lambda part: isinstance(part, Media))))
            for one in turn
        )

    return replace(talk, turns=tuple(map(change, talk.turns)))


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
    "gemini": {**_STRICT, **_NAME, **_PARALLEL, "media before the text of a result": _media_last},
    "converse": {
        **_STRICT,
        **_PARALLEL,
        "tools that must not be called": _without_none,
        "links to images": without_links,
    },
}
