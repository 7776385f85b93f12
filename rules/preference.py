"""Ranks models by preference: cheap, fast, quality, balanced. Costs are whole nano-dollars; ties go by id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from rules.catalog.catalog import Model
from rules.catalog.price import MILLION, NO_UNITS, Price, reserve_cost

USUAL_OUTPUT = 1024  # tokens of output expected, when no maximum is given
RESERVED_OUTPUT = 4096  # tokens of output at most, when no maximum is given
DEFAULT_TIER = 3  # of unknown quality or speed

# Seconds to the first token, by tier of speed, until they are measured.
PRIORS = {5: 0.3, 4: 0.6, 3: 1.2, 2: 3.0, 1: 6.0}

NEARLY_AS_FAST = 2.0  # times the seconds of the fastest; measurements differ that much, and caches save more

Key = Callable[[Model], Any]
Arrange = Callable[[list[Model]], Sequence[Model]]  # orders models that are equal


class Size(NamedTuple):
    """The size of a request: the estimate of its input, and the largest output that it asks for."""

    input_tokens: int
    max_tokens: int | None = None
    n: int = 1
    service: str = ""  # the service tier that it asks for
    first_token: Mapping[str, float] = MappingProxyType({})  # measured seconds, by model id
    unsupported: Mapping[str, frozenset[str]] = MappingProxyType({})  # as in LiveState
    writes: bool = True  # the answer has output tokens; those of some operations have none
    units: Mapping[str, int] = NO_UNITS  # besides tokens

    def input(self, model: Model) -> int:
        """Return the input tokens: for each choice where a provider gives one choice per call."""
        calls = self.n if "n" in self.unsupported.get(model.provider, ()) else 1
        return calls * self.input_tokens

    def output(self, model: Model, *, usual: int) -> int:
        if not self.writes:
            return 0
        tokens = self.max_tokens or usual
        return min(tokens, model.max_output) if model.max_output else tokens


def largest_use(model: Model, size: Size) -> int:
    """Return the most tokens that the request can use: its input, and the largest output of each choice."""
    return size.input(model) + size.n * size.output(model, usual=RESERVED_OUTPUT)


def expected_cost(model: Model, size: Size) -> int | None:
    """Return the nano-dollars that the request will probably cost, None if the price is unknown.

    As all costs here, at the price of so much input, in the standard service tier.
    """
    if model.price is None:
        return None
    return _cost(model, model.price, size, USUAL_OUTPUT)


def cost_range(model: Model, price: Price | None, size: Size) -> tuple[int, int] | tuple[None, None]:
    """Return the nano-dollars of the input alone, and the most of the input with the largest output."""
    if price is None:
        return None, None
    output = size.n * size.output(model, usual=RESERVED_OUTPUT)
    return _cost(model, price, size, 0), reserve_cost(
        price, size.input(model), output, size.service, size.units
    )


def _cost(model: Model, price: Price, size: Size, usual_output: int) -> int:
    price = price.of_request("", size.input_tokens)
    tokens_out = size.n * size.output(model, usual=usual_output) if usual_output else 0
    return -(-(size.input(model) * price.input + tokens_out * price.output) // MILLION)


def rank(models: Iterable[Model], prefer: str, size: Size, arrange: Arrange | None = None) -> list[Model]:
    """Return the models, best first. Among equals those of unknown price come last.

    `arrange` orders the models of one pool that the preference ranks equally; without it ties go by id.
    """
    models = list(models)
    if len(models) < 2:
        return models
    score = SCORES[prefer](models, size)
    scores = {model.id: score(model) for model in models}
    ranked = sorted(models, key=lambda model: (*scores[model.id], model.id))
    if arrange is not None:
        for places in _equal_places(ranked, scores, size if prefer == "fast" else None):
            arranged = arrange([ranked[place] for place in places])
            for place, model in zip(places, arranged, strict=True):
                ranked[place] = model
    return ranked


def _equal_places(
    ranked: Sequence[Model], scores: Mapping[str, Any], fast: Size | None
) -> Iterator[list[int]]:
    """Yield the places of models that are equal: of one pool, and of one score or nearly as fast."""
    pools: dict[str, list[int]] = {}
    for place, model in enumerate(ranked):
        pools.setdefault(model.pool, []).append(place)
    for members in pools.values():
        if len(members) < 2:
            continue
        near = _nearly_as_fast([ranked[place] for place in members], fast) if fast else frozenset()
        equals: dict[Any, list[int]] = {}
        for place in members:
            id = ranked[place].id
            equals.setdefault("fast" if id in near else scores[id], []).append(place)
        yield from (places for places in equals.values() if len(places) > 1)


def _nearly_as_fast(models: Sequence[Model], size: Size) -> frozenset[str]:
    """Return the ids of the models that are nearly as fast as the fastest.

    Measured times are compared with measured ones and priors with priors, so that a model is not left out
    because another process has measured it, and this one has not.
    """
    priors = {model.id: _prior(model) for model in models}
    measured = {id: size.first_token[id] for id in priors if id in size.first_token}
    slowest_prior = NEARLY_AS_FAST * min(priors.values())
    slowest = NEARLY_AS_FAST * min(measured.values(), default=0.0)
    return frozenset(
        id
        for id, prior in priors.items()
        if (measured[id] <= slowest if id in measured else prior <= slowest_prior)
    )


def _prior(model: Model) -> float:
    return PRIORS[model.speed or DEFAULT_TIER]


def _cheap(models: list[Model], size: Size) -> Key:
    return lambda model: _by_cost(model, size)


def _fast(models: list[Model], size: Size) -> Key:
    def seconds(model: Model) -> float:
        return size.first_token.get(model.id, _prior(model))

    return lambda model: (seconds(model), *_by_cost(model, size))


def _quality(models: list[Model], size: Size) -> Key:
    return lambda model: (-(model.quality or DEFAULT_TIER), *_by_cost(model, size))


def _balanced(models: list[Model], size: Size) -> Key:
    """Rank the models within one tier of the best by cost; the others follow, tier by tier."""
    floor = max(model.quality or DEFAULT_TIER for model in models) - 1
    return lambda model: (max(floor - (model.quality or DEFAULT_TIER), 0), *_by_cost(model, size))


def _by_cost(model: Model, size: Size) -> tuple[bool, int]:
    cost = expected_cost(model, size)
    return cost is None, cost or 0


# By preference, what returns the sorting key of a model among the models that it is ranked with.
SCORES: Mapping[str, Callable[[list[Model], Size], Key]] = {
    "cheap": _cheap,
    "fast": _fast,
    "quality": _quality,
    "balanced": _balanced,
}
