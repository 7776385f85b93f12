"""Compiles a folder of modules in place: each gets a cache, which takes the place of its source.

The Python that will run them runs this. A cache without a source is valid whatever its date (on Lambda all
files are of 1980), and its module is found with fewer calls of the system. It has no docstrings and no column
tables, which take memory and time to load; line numbers stay. Standard library only.

    python3.13 -X no_debug_ranges scripts/caches.py FOLDER PREFIX [KEPT ...]

PREFIX: the folder's name in tracebacks. KEPT: sources that stay beside their caches.
"""

from __future__ import annotations

import ast
import importlib.util
import marshal
import sys
from pathlib import Path

_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_CHECKED_BY_NOTHING = 1  # PEP 552: the cache has a hash of its source, which is not compared


def compile_folder(folder: Path, prefix: str, kept: frozenset[str]) -> None:
    """Compile every module. Raises SyntaxError."""
    for source in sorted(folder.rglob("*.py")):
        _compile(folder, prefix, kept, source)


def _compile(folder: Path, prefix: str, kept: frozenset[str], source: Path) -> None:
    name, text = source.relative_to(folder).as_posix(), source.read_bytes()
    code = compile(without_docstrings(text), f"{prefix}/{name}", "exec", dont_inherit=True)
    header = importlib.util.MAGIC_NUMBER + _CHECKED_BY_NOTHING.to_bytes(4, "little")
    cache = header + importlib.util.source_hash(text) + marshal.dumps(code)
    if name in kept:
        beside = Path(importlib.util.cache_from_source(str(source)))
        beside.parent.mkdir(exist_ok=True)
        beside.write_bytes(cache)
    else:
        source.with_suffix(".pyc").write_bytes(cache)
        source.unlink()


def without_docstrings(source: bytes) -> ast.Module:
    """Return the module's tree without docstrings; every line keeps its number.

    A decorated class gets a short one in any case: for one that has none, `dataclass` would write its
    signature, which takes longer than all else that it does.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        documented = isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None
        if isinstance(node, ast.ClassDef) and (documented or node.decorator_list):
            text = ast.copy_location(ast.Expr(ast.Constant("-")), node.body[0])
            node.body[: 1 if documented else 0] = [ast.fix_missing_locations(text)]
        elif isinstance(node, ast.Module) and documented:
            del node.body[0]  # nothing may come before `from __future__`
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and documented:
            node.body[0] = ast.copy_location(ast.Pass(), node.body[0])
    return tree


if __name__ == "__main__":
    compile_folder(Path(sys.argv[1]), sys.argv[2], frozenset(sys.argv[3:]))
