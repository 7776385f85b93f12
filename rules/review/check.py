"""Checks a rule set for `rules check` and `rules push`: problems, warnings, and the set's own tests.

The tests run with every provider available, no candidate cooling down, and no speed measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sized
from dataclasses import dataclass
from math import inf

from rules.admission import LiveState
from rules.catalog.catalog import Catalog, load_catalog
from rules.decide import decide
from rules.decision import Decision
from rules.facts.chat import facts_of_request
from rules.facts.facts import Facts
from rules.records.kinds import ModelRecord, ProviderRecord, TestRecord
from rules.review.lint import KnownKeys, RuleWarning, find_warnings, models_named_in
from rules.ruleset import RuleSet

# Providers that need a record: they have no address, or are off by default.
OFF_BY_DEFAULT = frozenset({"azure", "bedrock", "cloudflare", "lmstudio", "ollama", "vllm"})


@dataclass(frozen=True, slots=True)
class FailedTest:
    """A test of the rule set whose expectation does not hold."""

    id: str
    expected: str
    got: str
    reason: str  # the step of the decision that explains it

    def __str__(self) -> str:
        return f"test/{self.id}: expected {self.expected}, got {self.got}\n    {self.reason}"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of a check. `ok`: no problem and no failed test."""

    lines: tuple[str, ...]
    ok: bool


def check_ruleset(ruleset: RuleSet, known: KnownKeys | None = None) -> CheckResult:
    """Return every problem, warning, note and failed test, and the counts. `known`: None if unknown."""
    failed = run_tests(ruleset)
    tests, bad = len(ruleset.enabled("test")), len({test.id for test in failed})
    sizes = f"{count(ruleset.records, 'record')}, {count(ruleset.problems, 'problem')}"
    lines = (
        *(problem.message for problem in ruleset.problems),
        *(f"warning: {warning}" for warning in warnings(ruleset, known)),
        *(f"note: {line}" for line in _note_unchecked(ruleset, known)),
        *map(str, failed),
        f"{sizes}, {tests - bad} of {tests} tests hold",
    )
    return CheckResult(lines, ok=not (ruleset.problems or failed))


def count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def warnings(ruleset: RuleSet, known: KnownKeys | None = None) -> tuple[RuleWarning, ...]:
    catalog, _ = assume_all_available(ruleset)
    return find_warnings(ruleset, catalog, known)


def _note_unchecked(ruleset: RuleSet, known: KnownKeys | None) -> Iterator[str]:
    if known is None and any(record.scope.key or record.scope.project for record in ruleset.records):
        where = "`sluice rules check FILE` with --stack NAME or --keys FILE"
        yield f"the keys and projects in scopes were not checked: use {where}"


def assume_all_available(ruleset: RuleSet) -> tuple[Catalog, LiveState]:
    """Return the catalogue with the records of the set, and a state in which every provider is available."""
    ids = frozenset(record.id for record in ruleset.enabled("provider"))
    models = [record for record in ruleset.enabled("model") if isinstance(record, ModelRecord)]
    providers = [record for record in ruleset.enabled("provider") if isinstance(record, ProviderRecord)]
    dialects = {record.id: record.dialect or "" for record in providers}
    catalog = load_catalog().with_records(models, dialects)
    available = catalog.providers - OFF_BY_DEFAULT | ids | {record.provider for record in models}
    return catalog, LiveState(
        available=available,
        unavailable=dict.fromkeys(OFF_BY_DEFAULT, "needs a provider record"),
        accounts={each.id: each.credential for each in providers if each.credential and each.credential[1:]},
    )


def run_tests(ruleset: RuleSet, *, seconds: float = inf) -> list[FailedTest]:
    """Run the tests of the set, and return one FailedTest for each expectation that does not hold.

    A test that has not begun after `seconds` fails.
    """
    catalog, live = assume_all_available(ruleset)
    tests = [record for record in ruleset.enabled("test") if isinstance(record, TestRecord)]
    ends = time.monotonic() + seconds
    return [
        failed
        for test in tests
        for failed in (
            _failures(test, ruleset, catalog, live) if time.monotonic() < ends else [_not_run(test, seconds)]
        )
    ]


def _not_run(test: TestRecord, seconds: float) -> FailedTest:
    reason = f"all tests before it took {seconds:g} s together: the set needs fewer or shorter ones"
    return FailedTest(test.id, expected="a decision", got="none", reason=reason)


def _failures(test: TestRecord, ruleset: RuleSet, catalog: Catalog, live: LiveState) -> list[FailedTest]:
    decision = decide(_facts_of_test(test), ruleset, catalog, live)
    return [
        FailedTest(
            test.id,
            expected=f"{field} {expected}",
            got=_actual(decision, field),
            reason=_explain(decision, ruleset, field, expected),
        )
        for field, expected in test.expect.items()
        if not EXPECTATIONS[field](decision, expected, ruleset, catalog)
    ]


def _facts_of_test(test: TestRecord) -> Facts:
    caller = test.as_ or {}
    facts = facts_of_request(
        test.request,
        project=caller.get("project", "default"),
        key=caller.get("key", ""),
        function=caller.get("function"),
    )
    # Without its opening, so that the wording of a test does not choose between equal models.
    return facts.replaced(weekday=test.at[0], hour=test.at[1], opening="")


def _expect_model(decision: Decision, expected: str, ruleset: RuleSet, catalog: Catalog) -> bool:
    """Return True if the first candidate is a model of the expected name."""
    if not decision.candidates:
        return False
    first = decision.candidates[0].id
    resolved = ruleset.resolver(catalog).resolve(expected)
    return first in {model.id for model in resolved.models} if resolved else False


# By field of `expect`, the test of a decision.
EXPECTATIONS: Mapping[str, Callable[[Decision, str, RuleSet, Catalog], bool]] = {
    "model": _expect_model,
    "rule": lambda decision, expected, ruleset, catalog: decision.rule == expected,
    "reason": lambda decision, expected, ruleset, catalog: (
        decision.reason == expected and not decision.refusal
    ),
    "error": lambda decision, expected, ruleset, catalog: bool(
        decision.refusal and decision.refusal.code == expected
    ),
}


def _actual(decision: Decision, field: str) -> str:
    if decision.refusal and field != "rule":
        return f"{decision.refusal.code} ({decision.refusal.message})"
    actual: Mapping[str, str] = {
        "model": decision.candidates[0].id if decision.candidates else "no model",
        "rule": decision.rule or "no rule",
        "reason": str(decision.reason),
        "error": decision.candidates[0].id if decision.candidates else "no error",
    }
    return actual[field]


def _explain(decision: Decision, ruleset: RuleSet, field: str, expected: str) -> str:
    """Return the outcome of the expected model or rule, or else the rule that was applied instead."""
    rejection = next((each for each in decision.rejections if each.model == expected), None)
    if field == "model" and rejection:
        return f"{expected} was rejected: {rejection.why}"
    expected_routes = {
        record.id
        for record in ruleset.enabled("route")
        if (field, expected) in {*models_named_in(record), ("rule", record.id)}
    }
    for step in decision.steps:
        if step.kind == "route" and step.id in expected_routes and step.id != decision.rule:
            return f"route/{step.id}: {step.outcome}"
    if decision.rule is None:
        return f"no route rule matched; chosen by {decision.reason}"
    return f"route/{decision.rule}: applied; chosen by {decision.reason}"
