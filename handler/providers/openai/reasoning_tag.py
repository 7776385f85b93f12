"""Separates the reasoning that a model writes into a tag at the start of its content."""

from __future__ import annotations

MAX_BLANK = 1000  # characters before the tag: each piece of them is searched again


class ReasoningTag:
    """Splits the content of one answer, in pieces. `tag`: `think` for `<think>...</think>`."""

    def __init__(self, tag: str) -> None:
        self._opening, self._closing = f"<{tag}>", f"</{tag}>"
        self._buffer = ""  # text that may be a part of a tag
        self._inside: bool | None = None  # None: only whitespace so far
        self._after = False  # only line ends since the closing tag

    def feed(self, text: str) -> tuple[str, str]:
        """Return the reasoning and the content that are certain so far."""
        self._buffer += text
        if self._inside is None:
            self._find_opening()
        if self._inside is None:
            return "", ""
        if not self._inside:
            return "", self._take_content()
        at = self._buffer.find(self._closing)
        if at < 0:
            return self._take(len(self._buffer) - self._partial_closing()), ""
        reasoning = self._take(at)
        self._buffer, self._inside, self._after = self._buffer[len(self._closing) :], False, True
        return reasoning, self._take_content()

    def close(self) -> tuple[str, str]:
        """Return the rest, as reasoning and content."""
        rest = self._take(len(self._buffer))
        return (rest, "") if self._inside else ("", rest)

    def _find_opening(self) -> None:
        text = self._buffer.lstrip()
        if text.startswith(self._opening):
            self._buffer, self._inside = text[len(self._opening) :], True
        elif not self._opening.startswith(text) or len(self._buffer) > MAX_BLANK:
            self._inside = False

    def _partial_closing(self) -> int:
        """The number of characters at the end that may begin the closing tag."""
        lengths = range(min(len(self._closing), len(self._buffer)), 0, -1)
        return next((length for length in lengths if self._closing.startswith(self._buffer[-length:])), 0)

    def _take_content(self) -> str:
        text = self._take(len(self._buffer))
        if self._after:
            text = text.lstrip("\n")
            self._after = not text
        return text

    def _take(self, length: int) -> str:
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        return taken
