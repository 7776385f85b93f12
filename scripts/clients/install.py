"""The environments of the clients: one folder each, outside the repository, made from versions.toml."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

FOLDER = Path(os.environ.get("SLUICE_CLIENTS", "~/.cache/sluice-clients")).expanduser()
VERSIONS: Mapping[str, Mapping[str, Sequence[str]]] = tomllib.loads(
    Path(__file__).with_name("versions.toml").read_text(encoding="utf-8")
)
PACKAGES = {name: packages for kind in VERSIONS.values() for name, packages in kind.items()}
_STAMP = ".installed"


def version(name: str) -> str:
    """The version of an environment's first package."""
    return PACKAGES[name][0].replace("==", "@").rpartition("@")[2]


def environment_path(name: str) -> str:
    """The folder of an environment's commands."""
    return str(FOLDER / name / ("node_modules/.bin" if name in VERSIONS["node"] else "bin"))


def install(name: str) -> None:
    """Makes an environment, unless it holds exactly these packages."""
    stamp, packages = FOLDER / name / _STAMP, PACKAGES[name]
    if stamp.exists() and stamp.read_text(encoding="utf-8") == "\n".join(packages):
        return
    print(f"installing {', '.join(packages)}", flush=True)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    (_install_node if name in VERSIONS["node"] else _install_python)(stamp.parent, packages)
    stamp.write_text("\n".join(packages), encoding="utf-8")


def _install_node(folder: Path, packages: Sequence[str]) -> None:
    options = ("--no-audit", "--no-fund", "--loglevel=error", "--save-exact")
    subprocess.run(["npm", "install", "--prefix", folder, *options, *packages], check=True)


def _install_python(folder: Path, packages: Sequence[str]) -> None:
    """Installs with uv, or with pip where uv finds no index."""
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    python = folder / "bin" / "python"
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python), *packages]
    if subprocess.run(uv, check=False).returncode:
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
