"""Takes the place of certifi in the package, which has its certificates one by one (roots.py).

botocore's clients for S3 and SNS want one file. The first of them has it written.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path


@cache
def where() -> str:
    """Return the path of a file with all certificates."""
    folder = Path(__file__).parent / "handler" / "upstream" / "roots"
    with tempfile.NamedTemporaryFile(suffix=".pem", delete=False) as file:
        file.writelines(path.read_bytes() for path in sorted(folder.iterdir()))
    return file.name
