"""What a person is told, asked and read."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from handler.cli.terminal import columns, this_terminal


def test_columns_are_aligned_and_harmless() -> None:
    assert list(columns(("A", "LONG"), [("long", ""), ("\x1b[31m", "x")])) == [
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
def test_only_a_yes_is_a_yes(monkeypatch: pytest.MonkeyPatch, typed: str, answer: bool) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert this_terminal().confirm("write?") is answer


ASK = "from handler.cli.terminal import this_terminal; print(this_terminal().confirm('write?'))"

# Forks at a pseudo terminal, in a process of its own because threads and forks do not mix.
AT_A_TERMINAL = """
import os, pty, sys
child, terminal = pty.fork()
if child == 0:
    os.execv("/bin/sh", ["sh", "-c", 'echo | "$0" -c "$1"', sys.executable, sys.argv[1]])
os.write(terminal, b"y\\n")
try:
    while read := os.read(terminal, 1024):
        os.write(1, read)
except OSError:  # how Linux says that the child has closed its end
    pass
"""


def test_with_standard_input_in_use_the_terminal_itself_is_asked() -> None:
    command = [sys.executable, "-c", AT_A_TERMINAL, ASK]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60).stdout
    assert b"write? [y/N]" in said
    assert b"True" in said


def test_where_there_is_no_terminal_nobody_is_asked() -> None:
    command = [sys.executable, "-c", ASK]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True, timeout=60
    )
    assert done.stdout == b"None\n"


def test_what_is_said_and_warned_goes_to_two_places(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = this_terminal()
    terminal.say("out")
    terminal.warn("err")
    assert capsys.readouterr() == ("out\n", "err\n")


def test_standard_input_is_read_as_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(b"\xff")
    with path.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert this_terminal().read() == b"\xff"
