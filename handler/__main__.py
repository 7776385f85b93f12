"""The command line: `python -m handler serve | keys | rules | usage | logs`, also installed as `sluice`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from handler import __version__
from handler.cli.commands import add_arguments, add_gateway_arguments, run
from rules.review.command_line import run_until_closed

NOT_INSTALLED = (
    "serve needs the package {}, which the extra `local` of sluice-gateway brings; "
    "in a checkout, `make serve` installs it"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    args = parser().parse_args(arguments)
    return _serve(args) if args.command == "serve" else run_until_closed(lambda: run(args))


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    sluice = argparse.ArgumentParser(prog="sluice", description="An LLM gateway whose rules are in DynamoDB.")
    sluice.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    add_gateway_arguments(sluice)
    commands = sluice.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_serve(commands)
    add_arguments(commands)
    return sluice


def _add_serve(commands: Any) -> None:
    parser = commands.add_parser("serve", help="run a gateway on this machine, with an embedded DynamoDB")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=_port, default=8080, help="port to listen on, 0 for any free one (%(default)s)"
    )
    parser.add_argument("--rules", metavar="FILE", help="a JSON list of records, instead of the examples")
    parser.add_argument("--keys", metavar="FILE", help="a JSON list of keys, instead of a new one")


def _port(text: str) -> int:
    if text.isdecimal() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"invalid port value: {text!r}")


def _serve(args: argparse.Namespace) -> int:
    try:
        from handler.local.serve import serve  # its packages are an extra, and slow to import
    except ModuleNotFoundError as error:
        print(f"sluice: {NOT_INSTALLED.format(error.name)}", file=sys.stderr)
        return 2
    return serve(host=args.host, port=args.port, rules=args.rules, keys=args.keys)


if __name__ == "__main__":
    sys.exit(main())
