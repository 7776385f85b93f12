"""Standard output of the command lines, which somebody may stop reading."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

CLOSED = 128 + 13  # what a shell says of a program that SIGPIPE ended


def until_closed(run: Callable[[], int]) -> int:
    """`run()`; the code CLOSED, and not a word, once nobody reads on: `rules list | head`."""
    try:
        code = run()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at exit
        return CLOSED
    return code
