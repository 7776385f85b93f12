"""The base classes of records. The annotations of their fields say what reads each; see `rules.reading`."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, ClassVar

from rules.errors import InvalidRecord
from rules.facts.facts import Facts
from rules.frozen import Frozen
from rules.records.conditions import Condition
from rules.records.scope import ORGANISATION, Scope

if TYPE_CHECKING:
    from typing import Annotated

    from rules.reading.coercion import read_switch, whole_number
    from rules.reading.conditions import read_conditions
    from rules.reading.field_types import Note, ReadBy, Text
    from rules.reading.fields import read_scope


class Record(Frozen):
    """The fields that every kind has."""

    scoped: ClassVar[bool] = True  # False: applies to every request, and takes no `scope` or `when`

    kind: Text
    id: Text
    enabled: Annotated[bool, ReadBy(read_switch)] = True
    scope: Annotated[Scope, ReadBy(read_scope)] = ORGANISATION
    when: Annotated[tuple[Condition, ...], ReadBy(read_conditions)] = ()
    priority: Annotated[int, ReadBy(whole_number(None))] = 0
    note: Note = ""

    def check(self) -> None:
        """Raise InvalidRecord if fields that are valid do not go together. It is called after reading."""

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

    def check(self) -> None:
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

    @property
    def depends_on_model(self) -> bool:
        return any(condition.fact == "model" for condition in self.when)

    def holds_for(self, facts: Facts, names: Collection[str]) -> bool:
        """Return True if `when` holds for the candidate with these names, which `model` is compared with."""
        return all(
            condition.holds_for_any(names) if condition.fact == "model" else condition.holds(facts)
            for condition in self.when
        )
