"""Thoughts that a model tells at the start of its text, between `<think>` and `</think>`, told apart.

MiniMax and Perplexity's reasoning models do: https://platform.minimax.io/docs/guides/text-m2-function-call
"""

from __future__ import annotations

from dataclasses import dataclass

OPEN, CLOSE = "<think>", "</think>"


@dataclass(slots=True)
class Tagged:
    """A text that comes in pieces; how it is cut does not matter."""

    begun: bool = False  # it is known whether it begins with thoughts
    inside: bool = False  # of them
    answered: bool = True  # False: only line ends since the thoughts
    held: str = ""  # what may become a tag

    def feed(self, piece: str) -> tuple[str, str]:
        """The thoughts, and the text, that a piece brings."""
        text, self.held = self.held + piece, ""
        if not self.begun:
            start = text.lstrip()
            if len(start) < len(OPEN) and OPEN.startswith(start):
                self.held = text
                return "", ""
            self.begun, self.inside = True, start.startswith(OPEN)
            text = start.removeprefix(OPEN) if self.inside else text
        thought = ""
        if self.inside:
            thought, closed, text = text.partition(CLOSE)
            self.inside, self.answered = not closed, not closed
            if self.inside:
                thought, self.held = _without_half_a_tag(thought)
        if not self.answered:
            text = text.lstrip("\n")
            self.answered = bool(text)
        return thought, text

    def close(self) -> tuple[str, str]:
        """What was held, when no more comes."""
        held, self.held = self.held, ""
        return (held, "") if self.inside else ("", held)


def told_apart(text: str) -> tuple[str, str]:
    """The thoughts and the rest of a whole text."""
    tagged = Tagged()
    thought, rest = tagged.feed(text)
    late_thought, late_rest = tagged.close()
    return thought + late_thought, rest + late_rest


def _without_half_a_tag(text: str) -> tuple[str, str]:
    """The text, and what at its end may be the beginning of the closing tag."""
    for length in range(min(len(CLOSE) - 1, len(text)), 0, -1):
        if text.endswith(CLOSE[:length]):
            return text[:-length], text[-length:]
    return text, ""
