"""python -m rules check FILE | explain FILE REQUEST.json: a rule set on its own, without AWS or any call.

FILE is a JSON list of records, REQUEST.json a chat request. Exit 0: all is well; 2: something is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rules.decide import decide
from rules.errors import InvalidRecord, RuleSetTooLarge
from rules.facts.chat import facts_of_request
from rules.facts.output import until_closed
from rules.records.fields import moment
from rules.review.check import assume_all_available, report
from rules.ruleset import RuleSet


class Unusable(Exception):
    """A file or an argument that cannot be used; its text is for a person."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return until_closed(lambda: int(options.run(options)))
    except Unusable as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rules", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="check | explain")
    check = commands.add_parser("check", help="read every record of FILE and run its tests")
    check.set_defaults(run=_check)
    explain = commands.add_parser("explain", help="which model would answer a request, and why")
    explain.set_defaults(run=_explain)
    for command in (check, explain):
        command.add_argument("file", metavar="FILE", help="a JSON list of records")
    explain.add_argument("request", metavar="REQUEST.json", help="a chat request")
    explain.add_argument("--project", default="default", help="of the key that asks")
    explain.add_argument("--key", default="", help="the id of the key that asks")
    explain.add_argument("--function", help="what x-sluice-function would say")
    explain.add_argument(
        "--at", default="mon 12", help="a time, like 2026-01-31T09:00:00Z or `mon 09:00` (UTC)"
    )
    return parser


def _check(options: argparse.Namespace) -> int:
    found = report(_ruleset(options.file))
    print(*found.lines, sep="\n")
    return 0 if found.good else 2


def _explain(options: argparse.Namespace) -> int:
    ruleset, request = _ruleset(options.file), _json(options.request)
    if not isinstance(request, dict):
        raise Unusable(f"{options.request}: a chat request is a JSON object")
    try:
        weekday, hour = moment(options.at)
    except InvalidRecord as error:
        raise Unusable(f"--at: {error.problem}") from error
    facts = facts_of_request(request, project=options.project, key=options.key, function=options.function)
    catalog, live = assume_all_available(ruleset)
    decision = decide(replace(facts, weekday=weekday, hour=hour), ruleset, catalog, live)
    print(json.dumps(decision.explain(), indent=2, ensure_ascii=False))
    for problem in ruleset.problems:
        print(problem, file=sys.stderr)
    return 2 if ruleset.problems else 0


def _ruleset(path: str) -> RuleSet:
    items = _json(path)
    if not isinstance(items, list):
        raise Unusable(f"{path}: a rule set is a JSON list of records, this is {_shape(items)}")
    try:
        return RuleSet.read(items)
    except RuleSetTooLarge as error:
        raise Unusable(f"{path}: {error}") from error


def _json(path: str) -> Any:
    try:
        return json.loads(Path(path).read_bytes(), object_pairs_hook=_once, parse_constant=_no_number)
    except FileNotFoundError as error:
        raise Unusable(f"{path}: there is no such file{_nearest(Path(path))}") from error
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{path}: this is not JSON: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _nearest(path: Path) -> str:
    here = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    close = get_close_matches(path.name, here, n=1)
    return f", did you mean {path.with_name(close[0])}?" if close else ""


def _shape(value: Any) -> str:
    shapes = {dict: "an object", str: "a text", bool: "a boolean", type(None): "null"}
    return shapes.get(type(value), "a number")


if __name__ == "__main__":
    sys.exit(main())
