"""Encodes function names for Gemini, which refuses one that begins with neither a letter nor `_`.

https://ai.google.dev/api/caching#FunctionDeclaration
"""

from __future__ import annotations

import re

_PREFIX = "_:"  # of encoded names


def encode_name(name: str) -> str:
    """A name that Gemini accepts. `decode_name` gives the client's name back."""
    if name.isascii() and name.isidentifier():
        return name
    safe = re.sub(r"[^A-Za-z0-9_.:-]", "_", name)
    return _PREFIX + safe if not re.match("[A-Za-z_]", safe) or safe.startswith(_PREFIX) else safe


def decode_name(name: str) -> str:
    return name.removeprefix(_PREFIX)
