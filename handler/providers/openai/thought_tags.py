"""Thoughts that a model writes into its content, in a tag at the very start: told apart, however cut."""

from __future__ import annotations

MOST_BLANK = 1000  # characters before a tag; each piece of them is looked at again


class Inline:
    """Splits one answer. `tag`: `reasoning` for `<reasoning>...</reasoning>`."""

    def __init__(self, tag: str) -> None:
        self._opens, self._closes = f"<{tag}>", f"</{tag}>"
        self._held = ""  # what may be a part of a tag
        self._inside: bool | None = None  # None: nothing but blanks so far
        self._between = False  # only line ends since the thoughts

    def feed(self, text: str) -> tuple[str, str]:
        """The thought and the content that are now known to be such."""
        self._held += text
        if self._inside is None:
            self._begin()
        if self._inside is None:
            return "", ""
        if not self._inside:
            return "", self._content()
        at = self._held.find(self._closes)
        if at < 0:
            return self._taken(len(self._held) - self._unsure()), ""
        thought = self._taken(at)
        self._held, self._inside, self._between = self._held[len(self._closes) :], False, True
        return thought, self._content()

    def rest(self) -> tuple[str, str]:
        """What was held back, at the end."""
        held = self._taken(len(self._held))
        return (held, "") if self._inside else ("", held)

    def _content(self) -> str:
        text = self._taken(len(self._held))
        if self._between:
            text = text.lstrip("\n")
            self._between = not text
        return text

    def _begin(self) -> None:
        begins = self._held.lstrip()
        if begins.startswith(self._opens):
            self._held, self._inside = begins[len(self._opens) :], True
        elif not self._opens.startswith(begins) or len(self._held) > MOST_BLANK:
            self._inside = False

    def _unsure(self) -> int:
        """How many characters at the end may be the start of the closing tag."""
        lengths = range(min(len(self._closes), len(self._held)), 0, -1)
        return next((one for one in lengths if self._closes.startswith(self._held[-one:])), 0)

    def _taken(self, length: int) -> str:
        taken, self._held = self._held[:length], self._held[length:]
        return taken
