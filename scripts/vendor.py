"""Vendors the libraries of the console: prebuilt ES modules of exact npm versions, with their licences.

The files are in the repository, so whoever deploys needs neither npm nor the network. Standard library only,
and npm to download.

    python scripts/vendor.py
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

OUT = Path(__file__).resolve().parent.parent / "handler" / "console" / "static" / "vendor"


class Library(NamedTuple):
    """An npm package. `files`: a path in the package -> the name in OUT."""

    version: str
    integrity: str
    files: Mapping[str, str]


LIBRARIES = {
    "preact": Library(
        "11.2.0",
        "sha512-/HfHI/7N84e6GrWBJ3J280z3mLaRJiDcSvj/A+y/4AbLnND/1UlGHe1sR6oYuTGwId0nP7dqDU9OnLxMPZ7xBg==",
        {
            "dist/preact.mjs": "preact.js",
            "hooks/dist/hooks.mjs": "hooks.js",
            "LICENSE": "preact.LICENSE.txt",
        },
    ),
    "htm": Library(
        "3.1.1",
        "sha512-983Vyg8NwUE7JkZ6NmOqpCZ+sh1bKv2iYTlUkzlWmA5JD2acKoxd4KVxbMmxX/85mtfdnDmTFoNKcg5DGAvxNQ==",
        {"dist/htm.module.js": "htm.js", "LICENSE": "htm.LICENSE.txt"},
    ),
    "uplot": Library(
        "1.6.32",
        "sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
        {
            "dist/uPlot.iife.min.js": "uplot.js",
            "dist/uPlot.min.css": "uplot.css",
            "LICENSE": "uplot.LICENSE.txt",
        },
    ),
}
_SOURCE_MAP = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)  # the maps are not vendored


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for name, library in LIBRARIES.items():
        for path, text in read(name, library).items():
            (OUT / library.files[path]).write_text(as_module(path, text), encoding="utf-8")
        print(f"{name} {library.version}: {', '.join(library.files.values())}")


def read(name: str, library: Library) -> dict[str, str]:
    """Download the package, check its hash and return the text of its files."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--json", "--loglevel=error", f"{name}@{library.version}"]
        packed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        data = (Path(folder) / json.loads(packed.stdout)[0]["filename"]).read_bytes()
    found = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
    if found != library.integrity:
        sys.exit(f"{name}@{library.version}: expected {library.integrity}, got {found}")
    with tarfile.open(fileobj=io.BytesIO(data)) as package:
        members = {path: package.extractfile(f"package/{path}") for path in library.files}
        return {path: member.read().decode() for path, member in members.items() if member}


def as_module(path: str, text: str) -> str:
    """Return the file as the browser can import it: no bare names, which need an inline import map."""
    text = _SOURCE_MAP.sub("", text).replace('from"preact"', 'from"./preact.js"')
    if path.endswith(".iife.min.js"):
        text += "\nexport default uPlot;\n"
    return text.rstrip() + "\n"


if __name__ == "__main__":
    main()
