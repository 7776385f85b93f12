"""The person at the other end of the command line: what is said, asked and read."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TextIO

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """`confirm` answers None when there is nobody to ask; `read` gives all of standard input."""

    say: Callable[[str], object]
    warn: Callable[[str], object]
    confirm: Callable[[str], bool | None]
    read: Callable[[], bytes]


def this_terminal() -> Terminal:
    """The one this process was started from."""
    return Terminal(
        say=lambda line: sys.stdout.write(line + "\n"),
        warn=lambda line: sys.stderr.write(line + "\n"),
        confirm=_confirm,
        read=lambda: sys.stdin.buffer.read(),
    )


def _confirm(question: str) -> bool | None:
    """Asks the terminal itself where standard input is a pipe: `edit | push -`."""
    if sys.stdin.isatty():
        return _answer(question, sys.stdin)
    try:
        with open("/dev/tty") as person:
            return _answer(question, person)
    except OSError:
        return None


def _answer(question: str, person: TextIO) -> bool:
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return person.readline().strip().lower() in ("y", "yes")


def shown(text: str) -> str:
    """JSON of a text, readable, and safe on a terminal whatever is in it."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def bare(text: str) -> str:
    """The text itself where it can do no harm."""
    return text if text.isprintable() else shown(text)


def json_text(value: Any) -> str:
    """JSON over several lines, safe on a terminal; what JSON has no form for as its text."""
    return json.dumps(value, indent=2, default=str)


def columns(head: Row, rows: Iterable[Row]) -> Iterator[str]:
    lines = [head, *(tuple(map(bare, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
