"""The command line: `python -m handler serve | keys | rules`, also installed as `sluice`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from handler import __version__
from handler.cli import commands as manage
from rules.review.command_line import run_until_closed  # not in the front door: no request needs it

NOT_INSTALLED = (
    "serve needs the package {}, which the extra `local` of sluice-gateway brings; "
    "in a checkout, `make serve` installs it"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    given = parser().parse_args(arguments)
    return _serve(given) if given.command == "serve" else run_until_closed(lambda: manage.run(given))


def parser() -> argparse.ArgumentParser:
    """The parser of every command."""
    sluice = argparse.ArgumentParser(prog="sluice", description="An LLM gateway: rules in DynamoDB decide.")
    sluice.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = sluice.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_serve(commands)
    manage.add_arguments(commands)
    return sluice


def _add_serve(commands: Any) -> None:
    parser = commands.add_parser("serve", help="a gateway on this machine, with an embedded DynamoDB")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (%(default)s)")
    parser.add_argument("--port", type=_port, default=8080, help="0: any that is free (%(default)s)")
    parser.add_argument("--rules", metavar="FILE", help="a JSON list of records, instead of the examples")
    parser.add_argument("--keys", metavar="FILE", help="a JSON list of keys, instead of a fresh one")


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError(text)
    return port


_port.__name__ = "port"  # what argparse calls it: "invalid port value: '70000'"


def _serve(given: argparse.Namespace) -> int:
    try:
        from handler.local.serve import serve  # heavy, and only installed where it is wanted
    except ModuleNotFoundError as error:
        print(f"sluice: {NOT_INSTALLED.format(error.name)}", file=sys.stderr)
        return 2
    return serve(host=given.host, port=given.port, rules=given.rules, keys=given.keys)


if __name__ == "__main__":
    sys.exit(main())
