"""What every kind of record has in common, and how pydantic is made to read one with our readers."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import core_schema

from rules.errors import InvalidRecord
from rules.facts.facts import Facts
from rules.records.coercion import flag, read_switch, text, whole
from rules.records.conditions import Condition, conditions
from rules.records.scope import ORGANISATION, Scope, read_scope


@dataclass(frozen=True, slots=True)
class Reads:
    """By our reader alone: every error text is ours, and a class is cheap to build."""

    read: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)


Text = Annotated[str, Reads(text)]
Flag = Annotated[bool, Reads(flag)]


def _note(value: Any) -> str:
    """The DynamoDB console saves an attribute that was left empty as it is."""
    return "" if isinstance(value, str) and not value.strip() else text(value)


class Record(BaseModel):
    """What every kind has in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    active: ClassVar[bool] = True  # False: read and explained, but not served yet
    scoped: ClassVar[bool] = True  # False: holds for the whole organisation, whatever the request

    kind: Text
    id: Text
    enabled: Annotated[bool, Reads(read_switch)] = True
    scope: Annotated[Scope, Reads(read_scope)] = ORGANISATION
    when: Annotated[tuple[Condition, ...], Reads(conditions)] = ()
    priority: Annotated[int, Reads(whole(None))] = 0
    note: Annotated[str, Reads(_note)] = ""


# The facts that a caller does not choose, or that limit him whatever he chooses.
GIVEN = ("model", "dialect", "project", "key", "input_tokens", "max_tokens", "hour", "weekday")


class Enforced(Record):
    """A record whose way out a caller must not be able to choose: it asks only what is not his to say."""

    @model_validator(mode="after")
    def _no_way_out(self) -> Enforced:
        if self.scope.function is not None:
            raise InvalidRecord(
                "scope.function", "the caller chooses it: this kind takes only project and key"
            )
        for condition in self.when:
            if condition.fact not in GIVEN:
                known = ", ".join(GIVEN)
                raise InvalidRecord(
                    f"when.{condition.fact}", f"the caller chooses it: this kind asks only {known}"
                )
        return self

    @property
    def asks_model(self) -> bool:
        return any(condition.fact == "model" for condition in self.when)

    def holds_for(self, facts: Facts, names: Collection[str]) -> bool:
        """True when `when` holds for the candidate with these names; `model` means all of them here."""
        return all(
            condition.holds_of_any(names) if condition.fact == "model" else condition.holds(facts)
            for condition in self.when
        )
