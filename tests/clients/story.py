"""Checks a gateway with the official openai client: a line per check, exit status 1 on failure.

Run from the repository's root in an environment that holds the client and nothing else, against any base URL:
    python -m tests.clients.story http://127.0.0.1:8080/v1 sk-sluice-...
--restricted-key KEY and --dynamodb URL add checks; --skip NAME leaves some out. --direct checks the demo
provider itself, without what only a gateway does.
"""
# ruff: noqa: T201  (a command line prints)

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

import openai  # type: ignore[import-not-found]

from tests.clients import answers, decisions, refusals
from tests.clients.harness import CHECKS, Story

PARTS = (answers, decisions, refusals)  # importing them registers their checks


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base_url")
    parser.add_argument("key")
    parser.add_argument("--direct", action="store_true", help="this is the demo provider itself")
    parser.add_argument("--restricted-key", help="a key that may not use local/echo")
    parser.add_argument("--dynamodb", metavar="URL", help="the DynamoDB the gateway reads")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--rules-table", default="sluice-rules")
    parser.add_argument("--within", type=float, default=25, help="seconds until an edited rule must be seen")
    parser.add_argument(
        "--skip", action="append", default=[], metavar="NAME", help="the beginning of a check's name"
    )
    return parser.parse_args()


def _lacking(needs: str, given: argparse.Namespace) -> str | None:
    if needs and given.direct:
        return "not with --direct"
    if needs in ("", "gateway") or getattr(given, needs):
        return None
    return f"needs --{needs.replace('_', '-')}"


def _run(name: str, story: Story) -> str:
    """Runs a check and prints its outcome: ok, skip or FAIL."""
    run, needs = CHECKS[name]
    skipped = any(name.startswith(given) for given in story.given.skip)
    if why := "--skip" if skipped else _lacking(needs, story.given):
        print(f"skip  {name} ({why})", flush=True)
        return "skip"
    started = time.monotonic()
    try:
        run(story)
    except Exception as error:  # of any kind: the next check still runs
        print(f"FAIL  {name}: {type(error).__name__}: {error}", flush=True)
        return "FAIL"
    print(f"ok    {name} ({(time.monotonic() - started) * 1000:.0f} ms)", flush=True)
    return "ok"


def main() -> int:
    story = Story(_arguments())
    print(f"openai {openai.__version__} against {story.given.base_url}", flush=True)
    outcomes = Counter(_run(name, story) for name in CHECKS)
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))
    return 1 if outcomes["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
