"""What `rules check` says of a rule set.

Its own tests run with every credential present, nothing cooling and static priors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sized
from dataclasses import dataclass, replace

from rules.admission import Live
from rules.catalog import Catalog, load_catalog
from rules.decide import decide
from rules.decision import Decision
from rules.facts import Facts
from rules.names import well_formed
from rules.record import Record
from rules.records import AliasRecord, BudgetRecord, ModelRecord, RouteRecord, TestRecord
from rules.request import facts_of_request
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
    good: bool


def report(ruleset: RuleSet) -> Report:
    """Every problem, what is worth a note, every failed test, and the counts."""
    failed = failures(ruleset)
    tests, bad = len(ruleset.of("test")), len({failure.id for failure in failed})
    sizes = f"{count(ruleset.records, 'record')}, {count(ruleset.problems, 'problem')}"
    lines = (
        *(problem.words for problem in ruleset.problems),
        *(f"note: {line}" for line in (*unknown_names(ruleset), *_not_active(ruleset))),
        *map(str, failed),
        f"{sizes}, {tests - bad} of {tests} tests hold",
    )
    return Report(lines, good=not (ruleset.problems or failed))


def count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def _not_active(ruleset: RuleSet) -> Iterator[str]:
    for record in ruleset.records:
        if not record.active:
            yield f"{record.kind}/{record.id}: not active: this version does not serve the kind yet"


def at_hand(ruleset: RuleSet) -> tuple[Catalog, Live]:
    """The catalogue with the records of the set, and a world in which every provider can be called."""
    ids = frozenset(record.id for record in ruleset.of("provider"))
    models = [record for record in ruleset.of("model") if isinstance(record, ModelRecord)]
    catalog = load_catalog().with_records(models, ids)
    available = catalog.providers - OFF | ids | {record.provider for record in models}
    return catalog, Live(available=available, unavailable=dict.fromkeys(OFF, "needs a provider record"))


def failures(ruleset: RuleSet) -> list[Failure]:
    """What each test record of the set that does not hold expected, and what it got."""
    catalog, live = at_hand(ruleset)
    tests = [record for record in ruleset.of("test") if isinstance(record, TestRecord)]
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


def unknown_names(ruleset: RuleSet) -> Iterator[str]:
    """A line for each name in a record that means no model: such a rule never helps."""
    catalog, _ = at_hand(ruleset)
    names = ruleset.names(catalog)
    for record in ruleset.records:
        if isinstance(record, ModelRecord) and record.like and load_catalog().find(record.like) is None:
            yield f"{record.kind}/{record.id}: `like`: the catalogue has no model {record.like!r}"
        meant = names.member if isinstance(record, AliasRecord) else names.resolve
        for field, name in _names(record):
            if well_formed(name) and meant(name) is None:
                deep = ", and an alias may not name another" if name.lower() in names.aliases else ""
                yield f"{record.kind}/{record.id}: `{field}`: there is no model {name!r}{deep}"


def _names(record: Record) -> Iterator[tuple[str, str]]:
    if isinstance(record, RouteRecord):
        yield from (("model", name) for name in (record.model,) if name)
        yield from (("fallbacks", name) for name in record.fallbacks or ())
        yield from (("split", arm.model) for arm in record.split or ())
    elif isinstance(record, AliasRecord):
        yield from (("models", name) for name in record.models)
    elif isinstance(record, BudgetRecord) and record.then and "model" in record.then:
        yield "then.model", record.then["model"]


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
        for record in ruleset.of("route")
        if (field, wanted) in {*_names(record), ("rule", record.id)}
    }
    for step in decision.steps:
        if step.kind == "route" and step.id in expected and step.id != decision.rule:
            beaten = f" (route/{decision.rule} comes first)" if step.outcome == "matched" else ""
            return f"route/{step.id}: {step.outcome}{beaten}"
    if decision.rule is None:
        return f"no route applies; the choice was by {decision.reason}"
    return f"route/{decision.rule}: matched; the choice was by {decision.reason}"
