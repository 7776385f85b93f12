"""What `rules check` says of a rule set.

Its own tests run with every credential present, nothing cooling and static priors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sized
from dataclasses import dataclass, replace

from rules.admission import LiveState
from rules.catalog.catalog import Catalog, load_catalog
from rules.decide import decide
from rules.decision import Decision
from rules.facts.chat import facts_of_request
from rules.facts.facts import Facts
from rules.records.kinds import ModelRecord, ProviderRecord, TestRecord
from rules.review.lint import KnownKeys, RuleWarning, find_warnings, models_named
from rules.ruleset import RuleSet

# Without a record these count as not set up: they have no address, or nobody has asked for them.
OFF = frozenset({"azure", "bedrock", "cloudflare", "lmstudio", "ollama", "vllm"})


@dataclass(frozen=True, slots=True)
class Failure:
    """A test that went otherwise."""

    id: str
    expected: str
    got: str
    step: str  # the step that went otherwise

    def __str__(self) -> str:
        return f"test/{self.id}: expected {self.expected}, got {self.got}\n    {self.step}"


@dataclass(frozen=True, slots=True)
class Report:
    """What a person is told of a set, and whether it may stand."""

    lines: tuple[str, ...]
    ok: bool


def report(ruleset: RuleSet, known: KnownKeys | None = None) -> Report:
    """Every problem, every warning, what is not active, every failed test, and the counts."""
    failed = failures(ruleset)
    tests, bad = len(ruleset.enabled("test")), len({failure.id for failure in failed})
    sizes = f"{count(ruleset.records, 'record')}, {count(ruleset.problems, 'problem')}"
    lines = (
        *(problem.message for problem in ruleset.problems),
        *(f"warning: {finding}" for finding in warnings(ruleset, known)),
        *(f"note: {line}" for line in (*_not_compared(ruleset, known), *_not_active(ruleset))),
        *map(str, failed),
        f"{sizes}, {tests - bad} of {tests} tests hold",
    )
    return Report(lines, ok=not (ruleset.problems or failed))


def count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def warnings(ruleset: RuleSet, known: KnownKeys | None = None) -> Iterator[RuleWarning]:
    catalog, _ = assume_all_available(ruleset)
    yield from find_warnings(ruleset, catalog, known)


def _not_compared(ruleset: RuleSet, known: KnownKeys | None) -> Iterator[str]:
    if known is None and any(record.scope.key or record.scope.project for record in ruleset.records):
        where = "`sluice rules check FILE` with --stack NAME or --keys FILE"
        yield f"the keys and projects in scopes were not checked: {where} does that"


def _not_active(ruleset: RuleSet) -> Iterator[str]:
    for record in ruleset.records:
        if not record.active:
            yield f"{record.kind}/{record.id}: not active: this version does not serve the kind yet"


def assume_all_available(ruleset: RuleSet) -> tuple[Catalog, LiveState]:
    """The catalogue with the records of the set, and a world in which every provider can be called."""
    ids = frozenset(record.id for record in ruleset.enabled("provider"))
    models = [record for record in ruleset.enabled("model") if isinstance(record, ModelRecord)]
    dialects = {
        one.id: one.dialect or "" for one in ruleset.enabled("provider") if isinstance(one, ProviderRecord)
    }
    catalog = load_catalog().with_records(models, dialects)
    available = catalog.providers - OFF | ids | {record.provider for record in models}
    return catalog, LiveState(available=available, unavailable=dict.fromkeys(OFF, "needs a provider record"))


def failures(ruleset: RuleSet) -> list[Failure]:
    """What each test record of the set that does not hold expected, and what it got."""
    catalog, live = assume_all_available(ruleset)
    tests = [record for record in ruleset.enabled("test") if isinstance(record, TestRecord)]
    decisions = ((test, decide(facts_of_test(test), ruleset, catalog, live)) for test in tests)
    return [
        Failure(test.id, f"{field} {wanted}", _got(decision, field), _step(decision, ruleset, field, wanted))
        for test, decision in decisions
        for field, wanted in test.expect.items()
        if not MET[field](decision, wanted, ruleset, catalog)
    ]


def facts_of_test(test: TestRecord) -> Facts:
    asked = test.as_ or {}
    facts = facts_of_request(
        test.request,
        project=asked.get("project", "default"),
        key=asked.get("key", ""),
        function=asked.get("function"),
    )
    return replace(facts, weekday=test.at[0], hour=test.at[1])


def _answers(decision: Decision, wanted: str, ruleset: RuleSet, catalog: Catalog) -> bool:
    """Whether the first candidate is the model expected, or one of those that the name expected means."""
    if not decision.candidates:
        return False
    first = decision.candidates[0].id
    named = ruleset.names(catalog).resolve(wanted)
    return first in {model.id for model in named.models} if named else False


# What a test may expect -> whether the decision meets it.
MET: Mapping[str, Callable[[Decision, str, RuleSet, Catalog], bool]] = {
    "model": _answers,
    "rule": lambda decision, wanted, ruleset, catalog: decision.rule == wanted,
    "reason": lambda decision, wanted, ruleset, catalog: decision.reason == wanted and not decision.refusal,
    "error": lambda decision, wanted, ruleset, catalog: bool(
        decision.refusal and decision.refusal.code == wanted
    ),
}


def _got(decision: Decision, field: str) -> str:
    if decision.refusal and field != "rule":
        return f"{decision.refusal.code} ({decision.refusal.message})"
    got: Mapping[str, str] = {
        "model": decision.candidates[0].id if decision.candidates else "no model",
        "rule": decision.rule or "no rule",
        "reason": str(decision.reason),
        "error": decision.candidates[0].id if decision.candidates else "no error",
    }
    return got[field]


def _step(decision: Decision, ruleset: RuleSet, field: str, wanted: str) -> str:
    """Why: what became of the model or of the rule expected, else the rule that decided instead."""
    refused = next((one for one in decision.rejections if one.model == wanted), None)
    if field == "model" and refused:
        return f"{wanted} was refused: {refused.why}"
    expected = {
        record.id
        for record in ruleset.enabled("route")
        if (field, wanted) in {*models_named(record), ("rule", record.id)}
    }
    for step in decision.steps:
        if step.kind == "route" and step.id in expected and step.id != decision.rule:
            return f"route/{step.id}: {step.outcome}"
    if decision.rule is None:
        return f"no route applies; the choice was by {decision.reason}"
    return f"route/{decision.rule}: applied; the choice was by {decision.reason}"
