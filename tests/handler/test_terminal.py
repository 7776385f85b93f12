"""What a person is told, asked and read."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from handler.terminal import columns, this_terminal


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
