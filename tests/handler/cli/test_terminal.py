"""Terminal input and output."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from handler.cli.terminal import format_table, process_terminal


def test_a_table_has_aligned_columns_and_no_control_sequences() -> None:
    assert list(format_table(("A", "LONG"), [("long", ""), ("\x1b[31m", "x")])) == [
        "A             LONG",
        "long",
        '"\\u001b[31m"  x',
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("y\n", True), ("Yes\n", True), ("n\n", False), ("\n", False), ("", False), ("yo\n", False)],
)
def test_only_yes_confirms(monkeypatch: pytest.MonkeyPatch, typed: str, answer: bool) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert process_terminal().confirm("write?") is answer


ASK = "from handler.cli.terminal import process_terminal; print(process_terminal().confirm('write?'))"

# Forks with a pseudo terminal. It is a process of its own, since threads and forks do not mix.
AT_A_TERMINAL = """
import os, pty, sys
child, terminal = pty.fork()
if child == 0:
    os.execv("/bin/sh", ["sh", "-c", 'echo | "$0" -c "$1"', sys.executable, sys.argv[1]])
os.write(terminal, b"y\\n")
try:
    while read := os.read(terminal, 1024):
        os.write(1, read)
except OSError:  # on Linux, when the child has closed its end
    pass
"""


def test_with_a_pipe_as_standard_input_the_question_goes_to_the_terminal() -> None:
    command = [sys.executable, "-c", AT_A_TERMINAL, ASK]
    printed = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60).stdout
    assert b"write? [y/N]" in printed
    assert b"True" in printed


def test_without_a_terminal_there_is_no_question() -> None:
    command = [sys.executable, "-c", ASK]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True, timeout=60
    )
    assert done.stdout == b"None\n"


def test_output_and_warnings_go_to_standard_output_and_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal = process_terminal()
    terminal.print("out")
    terminal.warn("err")
    assert capsys.readouterr() == ("out\n", "err\n")


def test_standard_input_is_read_as_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(b"\xff")
    with path.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert process_terminal().read() == b"\xff"
