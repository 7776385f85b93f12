"""The candidates of one decision as they come together, and why each other model was refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rules.admission import ABLE, ACCESS, Admission, Obstacle
from rules.catalog.catalog import Model
from rules.catalog.model_names import ModelNames, names_of
from rules.catalog.names import Named, Names
from rules.catalog.suggestions import FOREIGN, near
from rules.decision import Candidate, Refusal, Rejection
from rules.preference import Size, cost_range, rank
from rules.records.kinds import RouteRecord
from rules.split import pick

MOST_CANDIDATES = 5
MOST_OF_A_PROVIDER = 2  # unless they were named
MOST_REASONS = 10  # in the message of a refusal

LAST_RESORT = "local"  # answers only when nothing else is left


class Refused(Exception):
    """The request cannot be served, whatever the fallbacks say."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


@dataclass(slots=True)
class Plan:
    """What a decision works with. `admit` notes whom it refuses."""

    names: Names
    admission: Admission
    size: Size
    wanted: str | None  # the preference asked for
    rejections: dict[str, Rejection] = field(default_factory=dict)  # by model, in the order they were refused
    pins: set[str] = field(default_factory=set)  # ids that somebody named
    asked: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by id, the names that led to it
    pinned: bool = False

    @property
    def prefer(self) -> str:
        return self.wanted or "balanced"

    def requested(self, name: str, named: Named) -> list[Model]:
        """The models that the request's own name means. Raises Refused: it is never quietly replaced."""
        self.pinned = named.sort == "pin"
        models = self.named(named)
        if not models and (obstacle := self._bar(named)):
            raise Refused(_refusal(name, obstacle))
        return models

    def _bar(self, named: Named) -> Obstacle | None:
        """What bars every model of a name; nothing where one merely lacks its provider."""
        found = [
            self.admission.obstacle(model, group.asked) for group in named.groups for model in group.models
        ]
        barring = [each for each in found if each and each.stage in (ABLE, ACCESS)]
        if len(barring) < len(found):
            return None
        return next((each for each in barring if each.stage == ABLE), next(iter(barring), None))

    def ruled(self, route: RouteRecord) -> list[Model]:
        """The models that the rule chooses."""
        if route.model:
            return self.by_name(route.model)
        arms = [arm for arm in route.split or () if self.by_name(arm.model)]
        return self.by_name(pick(route, self.admission.facts, arms).model) if arms else []

    def preferred(self, prefer: str | None = None, *, local: bool = False) -> list[Model]:
        """The models eligible when none is named, best first."""
        models = [model for model in self.names.catalog.auto() if (model.provider == LAST_RESORT) is local]
        admitted = self.admit(models)
        eligible = []
        for model in admitted:
            why = "price unknown" if model.price is None else self.admission.second_best(model)
            if why is None:
                eligible.append(model)
            else:
                self._reject(model.id, why)
        return rank(eligible, prefer or self.prefer, self.size)

    def by_name(self, name: str) -> list[Model]:
        """The models that a rule's or a fallback's name means; none when it means nothing."""
        named = self.names.resolve(name)
        if named is None:
            self._reject(name, "no such model")
            return []
        if named.sort == "auto":
            return self.preferred(named.prefer)
        return self.named(named)

    def named(self, named: Named) -> list[Model]:
        self.pins |= named.pins
        for name in named.unknown:
            self._reject(name, "no such model")
        prefer = named.prefer or self.prefer
        return [
            model
            for group in named.groups
            for model in rank(self.admit(group.models, group.asked), prefer, self.size)
        ]

    def admit(self, models: Iterable[Model], asked: tuple[str, ...] = ()) -> list[Model]:
        admitted = []
        for model in models:
            obstacle = self.admission.obstacle(model, asked)
            if obstacle is None:
                admitted.append(model)
                self.asked[model.id] = (*self.asked.get(model.id, ()), *asked)
            else:
                self._reject(model.id, obstacle.why)
        return admitted

    def candidates(self, first: Sequence[Model], later: Sequence[Model]) -> tuple[Candidate, ...]:
        """At most so many, with room for those to be tried later; those that are cooling down go last."""
        later = self._limited(model for model in later if model not in first)
        room = max(MOST_CANDIDATES - len(later), 1)
        chosen = [*self._limited(self._cooled(first))[:room], *later]
        kept = self._cooled(self._limited(chosen)[:MOST_CANDIDATES])
        cooling = self.admission.live.cooling
        return tuple(
            Candidate(model, *cost_range(model, self.size), cooling=cooling.get(model.id)) for model in kept
        )

    def _cooled(self, models: Iterable[Model]) -> list[Model]:
        cooling = self.admission.live.cooling
        return sorted(models, key=lambda model: model.id in cooling) if cooling else list(models)

    def _limited(self, models: Iterable[Model]) -> list[Model]:
        kept: dict[str, Model] = {}
        of: dict[str, int] = {}
        for model in models:
            held = of.get(model.provider, 0)
            if model.id in self.pins or held < MOST_OF_A_PROVIDER:
                kept.setdefault(model.id, model)
                of[model.provider] = held + 1
        return list(kept.values())

    def model_names(self, model: Model) -> ModelNames:
        return names_of(model, self.names.catalog, self.asked.get(model.id, ()))

    def _reject(self, model: str, why: str) -> None:
        self.rejections.setdefault(model, Rejection(model, why))

    def nothing_left(self) -> Refusal:
        reasons = [f"{rejection.model}: {rejection.why}" for rejection in self.rejections.values()]
        more = len(reasons) - MOST_REASONS
        listed = "; ".join(reasons[:MOST_REASONS]) + (f"; and {more} more" if more > 0 else "")
        return Refusal("no_candidate", f"No model can take this request. {listed or 'None is set up'}.")

    def not_found(self, name: str) -> Refusal:
        models = [model for model in self.names.catalog.all() if self.may_use(model)]
        aliases = [alias for alias, _ in self.aliases()]
        close = near(name, models, aliases) or near(name.replace(":", "/", 1), models, aliases)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        own = next((f" {why}." for begins, why in FOREIGN.items() if name.lower().startswith(begins)), "")
        return Refusal("model_not_found", f"There is no model {name!r}.{own}{hint}", "model")

    def aliases(self) -> Iterator[tuple[str, Model]]:
        """The aliases that the key may use, each with the first member that it may use."""
        for name in sorted(self.names.aliases):
            named = self.names.resolve(name)
            members = (
                (model, group.asked) for group in (named.groups if named else ()) for model in group.models
            )
            if first := next((model for model, asked in members if self.may_use(model, asked)), None):
                yield name, first

    def may_use(self, model: Model, asked: tuple[str, ...] = ()) -> bool:
        """Whether the key may use it, with another request if not with this one."""
        obstacle = self.admission.obstacle(model, asked)
        return obstacle is None or obstacle.stage == ABLE


def _refusal(name: str, obstacle: Obstacle) -> Refusal:
    if obstacle.stage == ACCESS:
        return Refusal(obstacle.code, f"This key may not use {name}: {obstacle.why}.", obstacle.param)
    return Refusal(obstacle.code, f"{name} cannot take this request: {obstacle.why}.", obstacle.param)
