"""How models are ranked: cheap, fast, quality, balanced. Money is whole numbers; ties go by id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from rules.catalog.catalog import Model

USUAL_OUTPUT = 1024  # tokens expected when no maximum is given
RESERVED_OUTPUT = 4096  # tokens that may come when no maximum is given
MIDDLING = 3  # quality and speed of a model of which nobody has said

# Seconds to the first token by tier of speed, until it is measured.
PRIORS = {5: 0.3, 4: 0.6, 3: 1.2, 2: 3.0, 1: 6.0}
TOKENS_PER_PRICE = 10**6

Key = Callable[[Model], Any]


class Size(NamedTuple):
    """How large a request is: the estimate of its input, and the largest output asked for."""

    input_tokens: int
    max_tokens: int | None = None
    n: int = 1
    first_token: Mapping[str, float] = MappingProxyType({})  # measured seconds, by model id
    unsupported: Mapping[str, frozenset[str]] = MappingProxyType({})  # by provider, as in LiveState

    def input(self, model: Model) -> int:
        """A provider with one answer to a call is sent the prompt for each choice."""
        calls = self.n if "n" in self.unsupported.get(model.provider, ()) else 1
        return calls * self.input_tokens

    def output(self, model: Model, *, usual: int) -> int:
        asked = self.max_tokens or usual
        return min(asked, model.max_output) if model.max_output else asked


def expected_cost(model: Model, size: Size) -> int | None:
    """Nano-dollars that the request will probably cost, None when the price is unknown."""
    return _cost(model, size.input(model), size.n * size.output(model, usual=USUAL_OUTPUT))


def cost_range(model: Model, size: Size) -> tuple[int | None, int | None]:
    """Nano-dollars for the input alone, and for the largest answers that may come."""
    largest = size.n * size.output(model, usual=RESERVED_OUTPUT)
    return _cost(model, size.input(model), 0), _cost(model, size.input(model), largest)


def _cost(model: Model, tokens_in: int, tokens_out: int) -> int | None:
    if model.price is None:
        return None
    return -(-(tokens_in * model.price.input + tokens_out * model.price.output) // TOKENS_PER_PRICE)


def rank(models: Iterable[Model], prefer: str, size: Size) -> list[Model]:
    """The best first. One whose price is unknown comes after its equals whose price is known."""
    models = list(models)
    if len(models) < 2:
        return models
    score = SCORES[prefer](models, size)
    return sorted(models, key=lambda model: (*score(model), model.id))


def _cheap(models: list[Model], size: Size) -> Key:
    return lambda model: _by_cost(model, size)


def _fast(models: list[Model], size: Size) -> Key:
    def seconds(model: Model) -> float:
        return size.first_token.get(model.id, PRIORS[model.speed or MIDDLING])

    return lambda model: (seconds(model), *_by_cost(model, size))


def _quality(models: list[Model], size: Size) -> Key:
    return lambda model: (-(model.quality or MIDDLING), *_by_cost(model, size))


def _balanced(models: list[Model], size: Size) -> Key:
    """Within one tier of the best the cheapest; the others after them, tier by tier."""
    floor = max(model.quality or MIDDLING for model in models) - 1
    return lambda model: (max(floor - (model.quality or MIDDLING), 0), *_by_cost(model, size))


def _by_cost(model: Model, size: Size) -> tuple[bool, int]:
    cost = expected_cost(model, size)
    return cost is None, cost or 0


# Preference -> what gives the sorting key of each model, among those it is ranked with.
SCORES: Mapping[str, Callable[[list[Model], Size], Key]] = {
    "cheap": _cheap,
    "fast": _fast,
    "quality": _quality,
    "balanced": _balanced,
}
