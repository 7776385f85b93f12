"""The command line itself: its version, and what it says when a part of it is not installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from handler import __version__
from handler.__main__ import main
from tests.support.serving import ROOT


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"sluice {__version__}\n"


def test_without_the_packages_of_a_local_run_serve_says_what_brings_them() -> None:
    program = (
        "import sys; sys.modules['uvicorn'] = None\n"
        "from handler.__main__ import main; sys.exit(main(['serve']))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2, result.stderr
    assert "uvicorn" in result.stderr
    assert "make serve" in result.stderr
    assert result.stderr.count("\n") == 1


def test_nothing_tells_a_person_to_install_a_package_of_the_public_index() -> None:
    """The name `sluice` belongs to somebody else there."""
    for path in (ROOT / "handler").rglob("*.py"):
        assert "pip install" not in path.read_text(encoding="utf-8"), path
