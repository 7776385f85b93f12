"""The command `rules replay`: what a rule file would have done with recent requests."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from handler.cli.tables import Connect
from handler.cli.terminal import Row, Terminal, escape, format_json, format_table
from handler.errors import InvalidRequest
from handler.manage.changes import merge
from handler.manage.replay import SINCE, read_since, replay_rules
from rules.review.check import count
from rules.review.command_line import InvalidInput, read_records, read_ruleset

Json = Mapping[str, Any]

# The counts of a report, each with its sentence.
COUNTS = {
    "same": "go to the same model",
    "effects": "of them with other parameters, timeouts or retries",
    "moved": "go to another model",
    "refused": "are refused now",
    "admitted": "were refused, and are answered now",
    "still_refused": "are refused as before",
    "inexact": "were not decided exactly: a rule asks for what samples do not hold",
    "skipped": "could not be read, and are not counted above",
}
ALWAYS = ("same", "moved", "refused")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a JSON list of records, as `push` takes it")
    parser.add_argument(
        "--since", metavar="AGO", default=SINCE, help="of the samples, such as 90m, 24h or 7d (%(default)s)"
    )
    parser.add_argument("--prune", action="store_true", help="as of a push that removes what is not in FILE")
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")


def replay(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Print what a push of FILE would have changed for the requests that State has samples of."""
    new = read_records(args.file, standard_input=terminal.read)
    if problems := read_ruleset(new).problems:
        for problem in problems:
            terminal.warn(problem.message)
        raise InvalidInput(f"{count(problems, 'problem')}: nothing was replayed")
    try:
        read_since(args.since)
    except InvalidRequest as error:
        raise InvalidInput(f"--{error.message}") from error
    tables = connect()
    stored = tables.read_rules().items
    after = new if args.prune else merge(stored, new)
    report = tables.run(replay_rules, read_ruleset(stored), read_ruleset(after), since=args.since)
    for line in [format_json(report)] if args.json else _lines(report):
        terminal.print(line)
    return 0


def _lines(report: Json) -> Iterator[str]:
    """Yield the report for a person: counts, changes, cost, records without effect, examples."""
    yield f"{count(range(report['samples']), 'sample')} since {report['since']}"
    if not report["samples"]:
        yield "gateways keep them unless SLUICE_SAMPLES is 0; a new one has them after its first requests"
        return
    width = len(str(report["samples"]))
    for name, sentence in COUNTS.items():
        if report[name] or name in ALWAYS:
            yield f"{report[name]:>{width}}  {sentence}"
    if report["changes"]:
        yield ""
        rows = [(str(each["count"]), *_change(each)) for each in report["changes"]]
        yield from format_table(("COUNT", "FROM", "TO", "WHY"), rows)
        if report["more_changes"]:
            yield f"and {report['more_changes']} more, which are less frequent"
    yield ""
    yield from _cost(report["cost"])
    yield from _records(report)
    if report["examples"]:
        yield ""
        rows = [_example(each) for each in report["examples"]]
        yield from format_table(("AT", "REQUEST", "KEY", "MODEL", "FROM", "TO"), rows)


def _change(change: Json) -> Row:
    return _outcome(change["from"]), _outcome(change["to"]), _why(change["why"])


def _outcome(outcome: Json) -> str:
    return str(outcome.get("model") or outcome["refused"])


def _why(why: Json) -> str:
    return f"{_name(why)}: {why['text']}" if why["kind"] else str(why["text"])


def _name(record: Json) -> str:
    return f"{record['kind']}/{record['id']}"


def _cost(cost: Json) -> Iterator[str]:
    before, after, difference = (cost[name] for name in ("before", "after", "difference"))
    percent = f", {difference / before:+.1%}" if before else ""
    yield f"cost: ${before:.4f} before, ${after:.4f} after ({_dollars(difference)}{percent})"
    left_out = {"unpriced": "no price is known", "without_usage": "no provider had answered"}
    for name, why in left_out.items():
        if cost[name]:
            yield f"  without {count(range(cost[name]), 'sample')} for which {why}"


def _dollars(difference: float) -> str:
    return f"{'-' if difference < 0 else '+'}${abs(difference):.4f}"


def _records(report: Json) -> Iterator[str]:
    if report["no_longer_used"]:
        yield ""
        yield "records that apply to none of the samples any more:"
        for each in report["no_longer_used"]:
            removed = ", removed" if each["removed"] else ""
            yield f"  {escape(_name(each))} (to {each['samples']} before{removed})"
    if report["unused"]:
        yield ""
        yield "records of the new set that apply to none of the samples:"
        yield from (f"  {escape(_name(each))}" for each in report["unused"])


def _example(example: Json) -> Row:
    at = datetime.fromtimestamp(example["at"], UTC).isoformat(timespec="minutes")[:16]
    model = example["model"] or "auto"
    return at, example["request_id"], example["key"] or "-", model, *_change(example)[:2]
