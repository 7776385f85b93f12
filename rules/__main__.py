"""python -m rules check FILE | explain FILE REQUEST.json: a rule set on its own, without AWS or a provider.

FILE is a JSON list of records, REQUEST.json a chat request. Exit 0: no problem was found; 2: there is one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rules.review.check import check_ruleset
from rules.review.command_line import InvalidInput, read_records, read_request, read_ruleset, run_until_closed
from rules.review.explain import explain


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        return run_until_closed(lambda: int(options.run(options)))
    except InvalidInput as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rules", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="check | explain")
    check = commands.add_parser("check", help="read every record of FILE and run its tests")
    check.set_defaults(run=_check)
    explain = commands.add_parser("explain", help="show which model would answer a request, and why")
    explain.set_defaults(run=_explain)
    for command in (check, explain):
        command.add_argument("file", metavar="FILE", help="a JSON list of records")
    explain.add_argument("request", metavar="REQUEST.json", help="a chat request")
    explain.add_argument("--project", default="default", help="project of the calling key")
    explain.add_argument("--key", default="", help="id of the calling key")
    explain.add_argument("--function", help="value of the header x-sluice-function")
    explain.add_argument(
        "--at", default="mon 12", help="a time such as 2026-01-31T09:00:00Z or `mon 09:00`, in UTC"
    )
    return parser


def _check(options: argparse.Namespace) -> int:
    result = check_ruleset(read_ruleset(read_records(options.file)))
    print(*result.lines, sep="\n")
    return 0 if result.ok else 2


def _explain(options: argparse.Namespace) -> int:
    ruleset, request = read_ruleset(read_records(options.file)), read_request(options.request)
    caller = {"project": options.project, "key": options.key, "function": options.function}
    print(explain(ruleset, request, at=options.at, **caller))
    for problem in ruleset.problems:
        print(problem, file=sys.stderr)
    return 2 if ruleset.problems else 0


if __name__ == "__main__":
    sys.exit(main())
