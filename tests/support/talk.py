"""A conversation in no format: who says what, and the options of the request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Media:
    """An image or a PDF, in base64, or an image behind a link."""

    kind: str
    data: str = ""
    link: str = ""

    @property
    def url(self) -> str:
        return self.link or f"data:{self.kind};base64,{self.data}"


@dataclass(frozen=True, slots=True)
class User:
    parts: tuple[str | Media, ...]


@dataclass(frozen=True, slots=True)
class Assistant:
    """An answer. `calls`: id, name and arguments."""

    text: str = ""
    calls: tuple[tuple[str, str, Json], ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a call. `name`: of its tool."""

    id: str
    name: str
    parts: tuple[str | Media, ...]
    failed: bool = False


Turn = User | Assistant | tuple[Result, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A request. `tools`: names to schemas."""

    turns: tuple[Turn, ...]
    system: str = ""
    tools: Mapping[str, Json] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)  # descriptions of tools, by name
    parallel: bool = True  # several calls in one answer
    choice: str = ""  # auto, any, none or the name of a tool
    schema: Json | None = None
    label: str = "answer"  # the name of the schema
    strict: bool = True  # the schema
    stop: tuple[str, ...] = ()
    effort: str = ""
    max_tokens: int = 4000
    temperature: float | None = None
    top_p: float | None = None


def known(**members: Any) -> Json:
    return {name: value for name, value in members.items() if value not in (None, "", [], ())}


def plain(parts: tuple[str | Media, ...], write: Callable[[str | Media], Json]) -> Any:
    """Return a single text as it is, else parts."""
    return parts[0] if len(parts) == 1 and isinstance(parts[0], str) else [write(part) for part in parts]
