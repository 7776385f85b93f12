"""What a chat cannot say of a request, collected while it is translated."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Untranslated:
    """`only` and `dropped` of NativeRequest, as far as the request has been translated."""

    only: tuple[str, str] | None = None
    dropped: dict[str, None] = field(default_factory=dict)

    def require(self, path: str, why: str) -> None:
        """Note content that changes the answer; the first one is reported."""
        self.only = self.only or (path, f"{why}; only a model of Gemini can answer")

    def drop(self, path: str) -> None:
        """Note a field that only tunes the answer."""
        self.dropped[path] = None
