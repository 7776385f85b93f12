"""Shared by the commands of `python -m rules` and of `sluice`: input files, and output that is closed early.

Every error is an InvalidInput: its message is one line for a person, and the exit status is 2.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from rules.errors import RuleSetTooLarge
from rules.ruleset import RuleSet

CLOSED_OUTPUT = 128 + 13  # the status that a shell reports of a program that SIGPIPE ended


class InvalidInput(Exception):
    """A file or an argument that cannot be used."""


def run_until_closed(run: Callable[[], int]) -> int:
    """Run a command and return its exit status; CLOSED_OUTPUT, without a message, after `| head`."""
    try:
        code = run()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at exit
        return CLOSED_OUTPUT
    return code


def read_json(
    path: str,
    *,
    standard_input: Callable[[], bytes] | None = None,
    parse_float: Callable[[str], Any] = float,
) -> Any:
    """Return the JSON value of a file. `standard_input`: read instead where the path is `-`.

    Raises InvalidInput; NaN, and a name that an object has twice, are errors too.
    """
    try:
        data = standard_input() if standard_input and path == "-" else Path(path).read_bytes()
        return json.loads(
            data, object_pairs_hook=_unique_names, parse_constant=_refuse_constant, parse_float=parse_float
        )
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}{_similar_file(error, Path(path))}") from error
    except (ArithmeticError, RecursionError, ValueError) as error:
        raise InvalidInput(f"{path}: this is not JSON: {error}") from error


class RuleFile(NamedTuple):
    """The records of a file, and the revision of the table that they were pulled at, if the file names it."""

    records: list[Any]
    revision: str | None = None


def read_rule_file(path: str, *, standard_input: Callable[[], bytes] | None = None) -> RuleFile:
    """Return the records of a file, with decimals as DynamoDB has them. Raises InvalidInput.

    The file is a list of records, or what `rules pull` prints: {"revision": "...", "records": [...]}.
    """
    found = read_json(path, standard_input=standard_input, parse_float=Decimal)
    return _rule_file(path, found)


def read_records(path: str, *, standard_input: Callable[[], bytes] | None = None) -> list[Any]:
    """Return the records of a file as `read_rule_file` does."""
    return read_rule_file(path, standard_input=standard_input).records


def _rule_file(path: str, found: Any) -> RuleFile:
    match found:
        case list():
            return RuleFile(found)
        case {"records": list(records), **others} if others.keys() <= {"revision"}:
            revision = others.get("revision")
            if revision is None or isinstance(revision, str):
                return RuleFile(records, revision)
            raise InvalidInput(f"{path}: `revision` is {_shape(revision)}, not a text")
    raise InvalidInput(
        f"{path}: a rule set is a JSON list of records, or an object with `records` and `revision`; "
        f"this is {_shape(found)}"
    )


def read_request(path: str, *, standard_input: Callable[[], bytes] | None = None) -> dict[str, Any]:
    """Return the chat request of a file. Raises InvalidInput."""
    request = read_json(path, standard_input=standard_input)
    if not isinstance(request, dict):
        raise InvalidInput(f"{path}: a chat request is a JSON object, this is {_shape(request)}")
    return request


def read_ruleset(items: Iterable[Any]) -> RuleSet:
    """Return the rule set of these records, with a problem for each bad one. Raises InvalidInput."""
    try:
        return RuleSet.read(items)
    except RuleSetTooLarge as error:
        raise InvalidInput(str(error)) from error


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise ValueError(f"{name!r} is there twice")
        members[name] = value
    return members


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a number")


def _similar_file(error: OSError, path: Path) -> str:
    """Suggest the file of the folder whose name is most like that of a missing one."""
    missing = isinstance(error, FileNotFoundError) and path.parent.is_dir()
    close = get_close_matches(
        path.name, [other.name for other in path.parent.iterdir()] if missing else (), n=1
    )
    return f", did you mean {path.with_name(close[0])}?" if close else ""


def _shape(value: Any) -> str:
    shapes = {list: "a list", dict: "an object", str: "a text", bool: "a boolean", type(None): "null"}
    return shapes.get(type(value), "a number")
