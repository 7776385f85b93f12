"""Ranks models by preference: cheap, fast, quality, balanced. Costs are whole nano-dollars; ties go by id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from rules.catalog.catalog import Model
from rules.catalog.price import MILLION, Price, reserve_cost

USUAL_OUTPUT = 1024  # tokens of output expected, when no maximum is given
RESERVED_OUTPUT = 4096  # tokens of output at most, when no maximum is given
DEFAULT_TIER = 3  # of unknown quality or speed

# Seconds to the first token, by tier of speed, until they are measured.
PRIORS = {5: 0.3, 4: 0.6, 3: 1.2, 2: 3.0, 1: 6.0}

Key = Callable[[Model], Any]


class Size(NamedTuple):
    """The size of a request: the estimate of its input, and the largest output that it asks for."""

    input_tokens: int
    max_tokens: int | None = None
    n: int = 1
    service: str = ""  # the service tier that it asks for
    first_token: Mapping[str, float] = MappingProxyType({})  # measured seconds, by model id
    unsupported: Mapping[str, frozenset[str]] = MappingProxyType({})  # as in LiveState

    def input(self, model: Model) -> int:
        """Return the input tokens: for each choice where a provider gives one choice per call."""
        calls = self.n if "n" in self.unsupported.get(model.provider, ()) else 1
        return calls * self.input_tokens

    def output(self, model: Model, *, usual: int) -> int:
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
    return _cost(model, price, size, 0), reserve_cost(price, size.input(model), output, size.service)


def _cost(model: Model, price: Price, size: Size, usual_output: int) -> int:
    price = price.of_request("", size.input_tokens)
    tokens_out = size.n * size.output(model, usual=usual_output) if usual_output else 0
    return -(-(size.input(model) * price.input + tokens_out * price.output) // MILLION)


def rank(models: Iterable[Model], prefer: str, size: Size) -> list[Model]:
    """Return the models, best first. Among equals those of unknown price come last."""
    models = list(models)
    if len(models) < 2:
        return models
    score = SCORES[prefer](models, size)
    return sorted(models, key=lambda model: (*score(model), model.id))


def _cheap(models: list[Model], size: Size) -> Key:
    return lambda model: _by_cost(model, size)


def _fast(models: list[Model], size: Size) -> Key:
    def seconds(model: Model) -> float:
        return size.first_token.get(model.id, PRIORS[model.speed or DEFAULT_TIER])

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
