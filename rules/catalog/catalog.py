"""The models that are known: pins, pools, dated names and successors. scripts/catalog.py makes catalog.json.

A row becomes a Model when it is first used: a cold start only reads the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rules.catalog.families import Families
from rules.catalog.price import Price, highest_price, price_of
from rules.catalog.rows import (
    AUTO,
    CAN,
    CONTEXT,
    ID,
    MAX_OUTPUT,
    POOL,
    QUALITY,
    RULES,
    SPEED,
    Row,
    Rows,
    price_of_row,
)
from rules.facts.facts import OPERATIONS
from rules.frozen import Frozen

if TYPE_CHECKING:
    from rules.catalog.model_names import ModelNames
    from rules.records.kinds import ModelRecord

# Every built-in provider (contract, section 9); handler/providers/rows has one row for each.
PROVIDERS = frozenset(
    {
        "openai", "anthropic", "gemini", "bedrock", "azure", "mistral", "groq", "xai", "deepseek",
        "together", "fireworks", "openrouter", "cerebras", "perplexity", "nvidia", "cohere", "sambanova",
        "moonshot", "zai", "qwen", "minimax", "ollama", "vllm", "lmstudio", "cloudflare", "huggingface",
        "voyage", "jina", "local",
    }
)  # fmt: skip

SYNONYMS = {"google": "gemini"}  # other names of providers

# The features of a model of which nothing is known: every one except `prefill`.
DEFAULT_FEATURES = frozenset({"tools", "images", "audio", "files", "json_object", "json_schema", "reasoning"})

_OPERATIONS, _CHAT = frozenset(OPERATIONS), frozenset({"chat"})

_DATE = re.compile(r"-(20\d{6}|20\d\d-\d\d-\d\d)$")


class Model(Frozen):
    """One entry of the catalogue. `name`: the provider's own name of it; `id`: `provider/name`."""

    provider: str
    name: str
    pool: str = ""  # the bare name of its pool
    context: int | None = None  # tokens; None: unknown
    max_output: int | None = None  # tokens
    price: Price | None = None
    can: frozenset[str] = frozenset()  # its features: of DEFAULT_FEATURES, and `prefill`; and its operations
    known: bool = True  # False: its features are unknown, and `can` is DEFAULT_FEATURES
    quality: int | None = None  # 1..5
    speed: int | None = None  # 1..5, the prior of `fast` until it is measured
    auto: bool = False  # eligible when the request names no model
    listed: bool = True  # False: a pin that the catalogue does not list, relayed as it is
    rules: tuple[str, ...] = ()  # of its family; scripts/catalog_overlay.toml documents them

    @cached_property
    def id(self) -> str:
        return f"{self.provider}/{self.name}"

    @cached_property
    def operations(self) -> frozenset[str]:
        """Return those that `can` names, else chat; all if the features are unknown."""
        return self.can & _OPERATIONS or (_CHAT if self.known else _OPERATIONS)


class Catalog:
    """Models by id and by bare name, ignoring case. Model records replace rows."""

    def __init__(
        self,
        rows: Rows | None = None,
        *,
        successors: Mapping[str, str] | None = None,
        providers: frozenset[str] = PROVIDERS,
        own: Mapping[str, Model] | None = None,
        families: Families = Families(),  # noqa: B008  (immutable)
    ) -> None:
        self.providers = providers
        self._families = families
        self._rows = rows or Rows()
        self._successors = successors or {}
        self._own = own or {}
        self._models: dict[str, Model] = dict(self._own)
        self._auto: tuple[Model, ...] | None = None
        self._highest: dict[str, Price | None] = {}  # by provider
        self.model_names: dict[str, ModelNames] = {}  # by id, a cache

    def with_records(
        self, records: Iterable[ModelRecord], dialects: Mapping[str, str] | None = None
    ) -> Catalog:
        """Return this catalogue with the models of these records. `dialects`: by provider record."""
        families = self._families._replace(dialects=dialects or {})
        own = {record.id.lower(): self._of_record(record, families) for record in records}
        known = self.providers | families.dialects.keys() | {model.provider for model in own.values()}
        mine = {**self._own, **own}
        return Catalog(self._rows, successors=self._successors, providers=known, own=mine, families=families)

    def unlisted(self, provider: str, name: str) -> Model:
        """Return the model of a pin that the catalogue does not list, with the rules of its family."""
        rules = self._families.rules_of(provider, name, self.find)
        return unlisted_model(provider, name).replaced(rules=rules)

    def _of_record(self, record: ModelRecord, families: Families) -> Model:
        like = self.find(record.like) if record.like else None
        row, price = like or self.get(record.provider, record.name), record.price
        family = families.rules_of(record.provider, record.name, self.find, record.pool)
        own = price_of(price) if price else None
        can = frozenset(record.can) if record.can is not None else like.can if like else DEFAULT_FEATURES
        return Model(
            provider=record.provider,
            name=record.name,
            pool=(record.pool or (row.pool if row else record.name.rsplit("/", 1)[-1])).lower(),
            context=record.context or (like.context if like else None),
            max_output=record.max_output or (like.max_output if like else None),
            price=own or (like.price if like else None),
            can=can,
            known=record.can is not None or (like is not None and like.known),
            quality=record.quality or (like.quality if like else None),
            speed=row.speed if row else None,
            auto=record.auto and not (can.isdisjoint(_CHAT) and can & _OPERATIONS),
            rules=row.rules if row else family,
        )

    def get(self, provider: str, name: str) -> Model | None:
        return self.find(f"{provider}/{name}")

    def find(self, id: str) -> Model | None:
        """Return the model of this id, with the catalogue's spelling."""
        low = id.lower()
        model = self._models.get(low)
        if model is None and (row := self._rows.get(low)) is not None:
            model = self._models[low] = _model(row)
        return model

    def pin(self, provider: str, name: str) -> Model | None:
        """Return the model, else that of the undated name, else the successor of a retired one."""
        model = self.get(provider, name)
        if model is None and undated(name) != name and (row := self.get(provider, undated(name))):
            model = row.replaced(name=name, auto=False)
        successor = self.successor(bare(name))
        if model is None and successor:
            model = next((each for each in self.pool(successor) if each.provider == provider), None)
        return model

    def successor(self, name: str) -> str | None:
        """Return the pool that replaces a retired bare name."""
        return self._successors.get(name)

    def pool(self, name: str) -> tuple[Model, ...]:
        """Return the models of this pool, in order of their ids."""
        low = name.lower()
        listed = [id for id in self._rows.in_pool(low) if id not in self._own] if low else []
        mine = [id for id, model in self._own.items() if model.pool == low]
        return tuple(model for id in sorted([*listed, *mine]) if (model := self.find(id)))

    def named(self, name: str) -> tuple[Model, ...]:
        """Return the models of a bare name: of its pool, or the one that a provider names so."""
        low = name.lower()
        pool = low if self._is_own(low) else self._successors.get(low, low)
        if models := self.pool(pool):
            return models
        id = next((id for id in self._ids() if id.endswith("/" + low)), None)
        if id and (model := self.find(id)):
            return self.pool(model.pool) or (model,)
        return self.pool(undated(low))

    def _is_own(self, pool: str) -> bool:
        return any(model.pool == pool for model in self._own.values())

    def all(self) -> tuple[Model, ...]:
        return tuple(model for id in sorted(self._ids()) if (model := self.find(id)))

    def auto(self) -> tuple[Model, ...]:
        """Return the models eligible when the request names none, in order of their ids."""
        if self._auto is None:
            listed = (low for low in self._rows.auto() if low not in self._own)
            chosen = (*listed, *(low for low, model in self._own.items() if model.auto))
            self._auto = tuple(model for low in sorted(chosen) if (model := self.find(low)))
        return self._auto

    def highest_price(self, provider: str) -> Price | None:
        """Return the price of a provider's unpriced models: the highest of each part among the others."""
        if provider not in self._highest:
            start = f"{provider}/"
            ids = {*self._rows.of_provider(provider), *(low for low in self._own if low.startswith(start))}
            prices = (model.price for id in ids if (model := self.find(id)) and model.price)
            self._highest[provider] = highest_price(prices)
        return self._highest[provider]

    def _ids(self) -> Iterator[str]:
        yield from self._own
        yield from (low for low in self._rows.ids() if low not in self._own)


def bare(name: str) -> str:
    """Return a name in lower case without its owner: `llama-3.3` of `meta-llama/Llama-3.3`."""
    return name.rsplit("/", 1)[-1].lower()


def undated(id: str) -> str:
    return _DATE.sub("", id)


def unlisted_model(provider: str, name: str) -> Model:
    """Return the model of a pin that the catalogue does not list."""
    return Model(
        provider=provider, name=name, pool=bare(name), can=DEFAULT_FEATURES, known=False, listed=False
    )


def _model(row: Row) -> Model:
    provider, name = row[ID].split("/", 1)
    return Model(
        provider=provider,
        name=name,
        pool=row[POOL],
        context=row[CONTEXT],
        max_output=row[MAX_OUTPUT],
        price=price_of_row(row),
        can=DEFAULT_FEATURES | _CHAT if row[CAN] == "*" else frozenset(row[CAN].split()),
        known=row[CAN] != "*",
        quality=row[QUALITY],
        speed=row[SPEED],
        auto=bool(row[AUTO]),
        rules=tuple(row[RULES].split()),
    )


@cache
def load_catalog() -> Catalog:
    """Return the catalogue in catalog.json."""
    text = Path(__file__).with_name("catalog.json").read_text("ascii")
    head, _, rows = text.partition('"models":[\n')
    data = json.loads(head.rstrip().rstrip(",") + "}")
    return Catalog(
        Rows(rows.removesuffix("\n]}\n")),
        successors=data["successors"],
        families=Families(tuple((patterns, rules) for patterns, rules in data["families"])),
    )
