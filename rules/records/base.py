"""The base classes of records, and how pydantic uses our readers."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import core_schema

from rules.errors import InvalidRecord
from rules.facts.facts import Facts
from rules.records.coercion import read_flag, read_switch, read_text, whole_number
from rules.records.conditions import Condition, read_conditions
from rules.records.scope import ORGANISATION, Scope, read_scope


@dataclass(frozen=True, slots=True)
class ReadBy:
    """Makes pydantic read a field with our reader alone: errors are ours, and the class is cheap to build."""

    read: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)


Text = Annotated[str, ReadBy(read_text)]
Flag = Annotated[bool, ReadBy(read_flag)]


def _read_note(value: Any) -> str:
    # The DynamoDB console saves an attribute that was left empty as an empty text.
    return "" if isinstance(value, str) and not value.strip() else read_text(value)


class Record(BaseModel):
    """The fields that every kind has."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    scoped: ClassVar[bool] = True  # False: applies to every request, and takes no `scope` or `when`

    kind: Text
    id: Text
    enabled: Annotated[bool, ReadBy(read_switch)] = True
    scope: Annotated[Scope, ReadBy(read_scope)] = ORGANISATION
    when: Annotated[tuple[Condition, ...], ReadBy(read_conditions)] = ()
    priority: Annotated[int, ReadBy(whole_number(None))] = 0
    note: Annotated[str, ReadBy(_read_note)] = ""

    def matches(self, facts: Facts) -> bool:
        """Return True if scope and conditions match the request."""
        return self.scope.covers(facts) and all(condition.holds(facts) for condition in self.when)


# The facts that callers do not control, or that restrict them whichever value they choose.
UNEVADABLE_FACTS = (
    *("model", "operation", "dialect", "project", "key"),
    *("input_tokens", "max_tokens", "hour", "weekday"),
)


class EnforcedRecord(Record):
    """A record that callers must not be able to evade: `when` and `scope` take only UNEVADABLE_FACTS."""

    @model_validator(mode="after")
    def _refuse_evadable(self) -> EnforcedRecord:
        if self.scope.function is not None:
            raise InvalidRecord(
                "scope.function", "the caller chooses it: this kind takes only project and key"
            )
        for condition in self.when:
            if condition.fact not in UNEVADABLE_FACTS:
                known = ", ".join(UNEVADABLE_FACTS)
                raise InvalidRecord(
                    f"when.{condition.fact}", f"the caller chooses it: this kind takes only {known}"
                )
        return self

    @property
    def depends_on_model(self) -> bool:
        return any(condition.fact == "model" for condition in self.when)

    def holds_for(self, facts: Facts, names: Collection[str]) -> bool:
        """Return True if `when` holds for the candidate with these names, which `model` is compared with."""
        return all(
            condition.holds_for_any(names) if condition.fact == "model" else condition.holds(facts)
            for condition in self.when
        )
