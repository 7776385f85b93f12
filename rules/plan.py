"""Builds the list of candidates of one decision, and notes why each other model was rejected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from rules.admission import ACCESS, CAPABILITY, Admission, Obstacle
from rules.affinity import Affinity, Conversation, in_order
from rules.catalog.catalog import Model
from rules.catalog.model_names import ModelNames, names_of
from rules.catalog.name_resolution import NameResolver, ResolvedName
from rules.catalog.suggestions import FOREIGN, similar_names
from rules.decision import Candidate, Refusal, Rejection, candidate_key
from rules.preference import Size, cost_range, largest_use, rank
from rules.records.kinds import RouteRecord
from rules.split import choose_arm

MAX_CANDIDATES = 5
MAX_PER_PROVIDER = 2  # except for pins
MAX_REASONS = 10  # in the message of a refusal

LAST_RESORT = "local"  # the provider that answers only when no other can


class RefusedRequest(Exception):
    """The request cannot be served, whatever its fallbacks are."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Plan:
    """The state of one decision. `admit` notes the rejections."""

    def __init__(self, names: NameResolver, admission: Admission, size: Size, prefer: str | None) -> None:
        self.names = names
        self.admission = admission
        self.size = size
        self.prefer = prefer  # the preference of the request or of its rule
        # That equal models are ordered by.
        self.conversation: Callable[[], Conversation | None] = lambda: None
        self.rejections: dict[str, Rejection] = {}  # by model, in the order of rejection
        self.pins: set[str] = set()  # ids that are named exactly
        self.names_by_id: dict[str, tuple[str, ...]] = {}  # that led to the model
        self.pinned = False  # the request named exactly one provider/model
        # The pool of the first model that is looked at, if the request embeds.
        self.embedding: str | None = None
        self.equals: dict[str, tuple[Model, ...]] = {}  # by model, in the order of affinity

    def requested_models(self, name: str, resolved: ResolvedName) -> list[Model]:
        """Return the models that the request names. Raises RefusedRequest rather than replace them."""
        self.pinned = resolved.kind == "pin"
        models = self.resolved_models(resolved)
        if not models and (obstacle := self._common_obstacle(resolved)):
            raise RefusedRequest(_refusal(name, obstacle))
        return models

    def _common_obstacle(self, resolved: ResolvedName) -> Obstacle | None:
        """Return why no model of a name may answer, or None if one of them is only unavailable."""
        obstacles = [
            self.admission.obstacle(model, group.names) for group in resolved.groups for model in group.models
        ]
        final = [each for each in obstacles if each and each.check in (CAPABILITY, ACCESS)]
        if len(final) < len(obstacles):
            return None
        return next((each for each in final if each.check == CAPABILITY), next(iter(final), None))

    def rule_models(self, route: RouteRecord) -> list[Model]:
        """Return the models that a route chooses by `model` or `split`."""
        if route.model:
            return self.named_models(route.model)
        arms = [arm for arm in route.split or () if self.named_models(arm.model)]
        return self.named_models(choose_arm(route, self.admission.facts, arms).model) if arms else []

    def preferred_models(self, prefer: str | None = None, *, last_resort: bool = False) -> list[Model]:
        """Return the models that automatic selection may choose, best first."""
        auto = self.names.catalog.auto()
        models = self.admit([model for model in auto if (model.provider == LAST_RESORT) is last_resort])
        eligible = []
        for model in models:
            why = "price unknown" if model.price is None else self.admission.not_auto_selectable(model)
            if why is None:
                eligible.append(model)
            else:
                self._reject(model.id, why)
        return self._rank(eligible, prefer)

    def named_models(self, name: str) -> list[Model]:
        """Return the models of a name in a rule or among fallbacks; none for an unknown name."""
        resolved = self.names.resolve(name)
        if resolved is None:
            self._reject(name, "no such model")
            return []
        if resolved.kind == "auto":
            return self.preferred_models(resolved.prefer)
        return self.resolved_models(resolved)

    def resolved_models(self, resolved: ResolvedName) -> list[Model]:
        self.pins |= resolved.pins
        for name in resolved.unknown:
            self._reject(name, "no such model")
        return [
            model
            for group in resolved.groups
            for model in self._rank(self.admit(group.models, group.names), resolved.prefer)
        ]

    def _rank(self, models: Iterable[Model], prefer: str | None) -> list[Model]:
        return rank(models, prefer or self.prefer or "balanced", self.size, self._by_conversation)

    def _by_conversation(self, equals: list[Model]) -> list[Model]:
        """Return equal models in the order of the request's conversation."""
        conversation = self.conversation()
        if conversation is None:
            return equals
        by_id = {model.id: model for model in equals}
        ordered = tuple(by_id[id] for id in in_order(by_id, conversation))
        self.equals |= dict.fromkeys(by_id, ordered)
        return list(ordered)

    def affinity(self, candidates: Sequence[Candidate]) -> Affinity | None:
        """Return where the conversation's cache is, if several places are possible."""
        if not candidates:
            return None
        first = candidates[0].model
        among = self.equals.get(first.id, (first,))
        account, *others = self._accounts(among[0])
        conversation = self.conversation() if among[1:] or others else None
        return conversation and Affinity(conversation.by, tuple(model.id for model in among), account)

    def _accounts(self, model: Model) -> Sequence[str | None]:
        """Return the credentials to try, in order; None alone where the model's provider has only one."""
        accounts = self.admission.live.accounts.get(model.provider)
        if not accounts:
            return (None,)
        conversation = self.conversation() if len(accounts) > 1 else None
        return accounts if conversation is None else in_order(accounts, conversation)

    def admit(self, models: Iterable[Model], names: tuple[str, ...] = ()) -> list[Model]:
        """Return the models that may answer; reject the others. `names`: those that led to the models."""
        admitted = []
        for model in models:
            obstacle = self._other_embedding(model) or self.admission.obstacle(model, names)
            if obstacle is None:
                admitted.append(model)
                self.names_by_id[model.id] = (*self.names_by_id.get(model.id, ()), *names)
            else:
                self._reject(model.id, obstacle.why)
        return admitted

    def _other_embedding(self, model: Model) -> Obstacle | None:
        """Return why the model may not answer in place of the first one: vectors of two do not compare.

        The first one counts even if it may not answer itself, so that a name always gives the same vectors.
        """
        if self.admission.facts.operation != "embeddings":
            return None
        pool = model.pool or model.id
        self.embedding = self.embedding or pool
        if pool == self.embedding:
            return None
        why = f"its vectors cannot be compared with those of {self.embedding}"
        return Obstacle(CAPABILITY, why, "unsupported_operation", "model")

    def candidates(self, first: Sequence[Model], later: Sequence[Model]) -> tuple[Candidate, ...]:
        """Return `first`, with room for the fallbacks `later`, as candidates; the cooling ones go last."""
        later = self._limit_per_provider(model for model in later if model not in first)
        room = max(MAX_CANDIDATES - len(later), 1)
        models = [*self._limit_per_provider(self._cooling_last(first))[:room], *later]
        ordered = self._cooling_last(self._limit_per_provider(models)[:MAX_CANDIDATES])
        candidates = [
            self._candidate(model, account) for model in ordered for account in self._accounts(model)
        ]
        return tuple(sorted(candidates, key=lambda candidate: candidate.cooling is not None))

    def _candidate(self, model: Model, account: str | None) -> Candidate:
        assumed = self.names.catalog.highest_price(model.provider) if model.price is None else None
        low, high = cost_range(model, model.price or assumed, self.size)
        cooling = self.admission.live.cooling.get(candidate_key(model.id, account))
        tokens = largest_use(model, self.size)
        return Candidate(
            model, low, high, cooling=cooling, assumed_price=assumed, tokens=tokens, account=account
        )

    def _cooling_last(self, models: Iterable[Model]) -> list[Model]:
        return sorted(models, key=self._is_cooling) if self.admission.live.cooling else list(models)

    def _is_cooling(self, model: Model) -> bool:
        """Return True if the model cools down at all accounts."""
        cooling = self.admission.live.cooling
        return all(candidate_key(model.id, account) in cooling for account in self._accounts(model))

    def _limit_per_provider(self, models: Iterable[Model]) -> list[Model]:
        by_id: dict[str, Model] = {}
        counts: dict[str, int] = {}
        for model in models:
            count = counts.get(model.provider, 0)
            if model.id in self.pins or count < MAX_PER_PROVIDER:
                by_id.setdefault(model.id, model)
                counts[model.provider] = count + 1
        return list(by_id.values())

    def model_names(self, model: Model) -> ModelNames:
        return names_of(model, self.names.catalog, self.names_by_id.get(model.id, ()))

    def _reject(self, model: str, why: str) -> None:
        self.rejections.setdefault(model, Rejection(model, why))

    def refuse_without_candidates(self) -> Refusal:
        reasons = [f"{rejection.model}: {rejection.why}" for rejection in self.rejections.values()]
        more = len(reasons) - MAX_REASONS
        listed = "; ".join(reasons[:MAX_REASONS]) + (f"; and {more} more" if more > 0 else "")
        message = f"No model can answer this request. {listed or 'No provider is set up'}."
        return Refusal("no_candidate", message)

    def refuse_unknown(self, name: str) -> Refusal:
        """Return the refusal of an unknown name, with similar names that the key may use."""
        models = [model for model in self.names.catalog.all() if self.may_use(model)]
        aliases = [alias for alias, _ in self.aliases()]
        close = similar_names(name, models, aliases) or similar_names(
            name.replace(":", "/", 1), models, aliases
        )
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        foreign = next((f" {why}." for begins, why in FOREIGN.items() if name.lower().startswith(begins)), "")
        return Refusal("model_not_found", f"There is no model {name!r}.{foreign}{hint}", "model")

    def aliases(self) -> Iterator[tuple[str, Model]]:
        """Yield the aliases that the key may use, each with the first of its models that it may use."""
        for name in sorted(self.names.aliases):
            resolved = self.names.resolve(name)
            members = (
                (model, group.names)
                for group in (resolved.groups if resolved else ())
                for model in group.models
            )
            if first := next((model for model, names in members if self.may_use(model, names)), None):
                yield name, first

    def may_use(self, model: Model, names: tuple[str, ...] = ()) -> bool:
        """Return True if the key may use the model, in another request if not in this one."""
        return self.admission.may_use(model, names)


def _refusal(name: str, obstacle: Obstacle) -> Refusal:
    if obstacle.check == ACCESS:
        return Refusal(obstacle.code, f"This key may not use {name}: {obstacle.why}.", obstacle.param)
    return Refusal(obstacle.code, f"{name} cannot answer this request: {obstacle.why}.", obstacle.param)
