"""The task of a program, and the tools that it gives to the model."""

from __future__ import annotations

import os
from pathlib import Path

MODEL, PROMPT = os.environ["MODEL"], os.environ["PROMPT"]
STREAM = os.environ["MODE"] == "stream"


def read_file(path: str) -> str:
    """Read a text file.

    Args:
        path: Where the file is.
    """
    return Path(path).read_text(encoding="utf-8")


def edit_file(path: str, old: str, new: str) -> str:
    """Replace a text in a file.

    Args:
        path: Where the file is.
        old: The text to replace.
        new: The text to put in its place.
    """
    text = Path(path).read_text(encoding="utf-8")
    Path(path).write_text(text.replace(old, new), encoding="utf-8")
    return "edited" if old in text else f"{old!r} is not in the file"


TOOLS = {tool.__name__: tool for tool in (read_file, edit_file)}
PARAMETERS = {"read_file": ("path",), "edit_file": ("path", "old", "new")}


def schema(name: str) -> dict[str, object]:
    """The JSON schema of a tool's arguments."""
    texts = {parameter: {"type": "string"} for parameter in PARAMETERS[name]}
    return {
        "type": "object",
        "properties": texts,
        "required": list(texts),
        "additionalProperties": False,
    }
