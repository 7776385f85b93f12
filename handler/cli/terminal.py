"""Terminal input and output of the command line: lines, tables of text, JSON and confirmations."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TextIO

from handler.manage.changes import quote

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """`print` and `warn` write a line to standard output and standard error.

    `confirm` asks a question and returns None where there is no terminal; `read` returns standard input.
    """

    print: Callable[[str], object]
    warn: Callable[[str], object]
    confirm: Callable[[str], bool | None]
    read: Callable[[], bytes]


def process_terminal() -> Terminal:
    """Return the terminal of this process."""
    return Terminal(
        print=lambda line: sys.stdout.write(line + "\n"),
        warn=lambda line: sys.stderr.write(line + "\n"),
        confirm=_confirm,
        read=lambda: sys.stdin.buffer.read(),
    )


def _confirm(question: str) -> bool | None:
    """Ask on standard input, or on the terminal itself where standard input is a pipe (`edit | push -`)."""
    if sys.stdin.isatty():
        return _read_answer(question, sys.stdin)
    try:
        with open("/dev/tty") as terminal:
            return _read_answer(question, terminal)
    except OSError:
        return None


def _read_answer(question: str, terminal: TextIO) -> bool:
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return terminal.readline().strip().lower() in ("y", "yes")


def escape(text: str) -> str:
    """Return a printable text as it is, and any other in quotes with escapes."""
    return text if text.isprintable() else quote(text)


def format_json(value: Any) -> str:
    """Return indented ASCII JSON. Values that JSON does not know become text."""
    return json.dumps(value, indent=2, default=str)


def format_table(head: Row, rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of a table with aligned columns."""
    lines = [head, *(tuple(map(escape, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
