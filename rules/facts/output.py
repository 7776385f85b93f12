"""Ends the command lines quietly when their output is closed, as by `| head`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

CLOSED = 128 + 13  # what a shell says of a program that SIGPIPE ended


def until_closed(run: Callable[[], int]) -> int:
    """Runs a command and returns its status; CLOSED, without a message, when standard output is closed."""
    try:
        code = run()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at exit
        return CLOSED
    return code
