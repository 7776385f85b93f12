"""The stream of an operation besides chat, relayed byte for byte: audio, or the provider's events."""

from __future__ import annotations

import json
from collections.abc import Callable

from handler.answers.usage import Usage
from handler.errors import Json, UpstreamError
from handler.providers.failure import error_from_body
from handler.providers.operations.usage import find_usage
from handler.wire import sse

SMALL = 64_000  # characters of an event that is searched for text or an error


class RelayedBytes:
    """Takes a provider's bytes, and finds the usage in its events.

    usage: returns the usage, of the object that the provider reports (may be empty) and the bytes of text.
    """

    edits = patience = None
    content = sent = False  # bytes came that are no error
    ended = False
    failure: UpstreamError | None = None

    def __init__(self, *, is_events: bool, usage: Callable[[Json, int], Usage]) -> None:
        self._events = sse.Decoder() if is_events else None
        self._usage = usage
        self._reported: Json = {}
        self._text_bytes = 0
        self.content_bytes = 0

    def feed(self, data: bytes) -> bytes:
        """Return the bytes for the client: all of them, unless an error comes before any content."""
        if self._events is None:
            self.content = True
        else:
            self._look(data, self._events)
        if self.ended:
            return b""
        self.content_bytes += len(data)
        self.sent = self.content
        return data

    def close(self, why: UpstreamError | None = None) -> bytes:
        """End the stream. why: the failure that ended it."""
        self.ended, self.failure = True, self.failure or why
        return b""

    def used(self) -> Usage:
        return self._usage(self._reported, self._text_bytes)

    def _look(self, data: bytes, events: sse.Decoder) -> None:
        try:
            found = events.feed(data)
        except sse.EventTooLarge:
            self._events = None  # relayed without a look at its events
            self.content = True
            return
        for event in found:
            if '"usage"' in event.data:
                self._reported = find_usage(event.data.encode("utf-8", "replace")) or self._reported
            body = _parsed(event.data)
            error = error_from_body(body) if body else None
            if error is not None and not self.content:
                self.failure, self.ended = error, True
                return
            self.content = True
            for choice in body.get("choices") or () if body else ():
                text = choice.get("text") if isinstance(choice, dict) else None
                self._text_bytes += len(text.encode("utf-8", "replace")) if isinstance(text, str) else 0


def _parsed(text: str) -> Json:
    """Return the object of an event; empty for anything else, and for a large one."""
    if len(text) > SMALL or not text.startswith("{"):
        return {}
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
