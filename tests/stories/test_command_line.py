"""The command line: its version, and its error if packages are missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from handler import __version__
from handler.__main__ import main
from tests.support.serving import ROOT


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"sluice {__version__}\n"


def test_serve_without_its_packages_says_how_to_install_them() -> None:
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


def test_no_text_recommends_a_package_of_the_public_index() -> None:
    """The package `sluice` of the public index is not ours."""
    for path in (ROOT / "handler").rglob("*.py"):
        assert "pip install" not in path.read_text(encoding="utf-8"), path
