"""The types of the fields of records, as pydantic reads them; the annotations of records name them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from rules.reading import fields, log_fields, provider_fields
from rules.reading.coercion import (
    any_number,
    one_of,
    read_flag,
    read_switch,
    read_text,
    unordered_list,
    whole_number,
)
from rules.reading.conditions import read_conditions
from rules.reading.fields import read_scope
from rules.records.conditions import Condition
from rules.records.kinds import AUTH, DIALECTS, YEAR, Arm
from rules.records.scope import Scope

if TYPE_CHECKING:
    from pydantic_core.core_schema import CoreSchema


@dataclass(frozen=True, slots=True)
class ReadBy:
    """Makes pydantic read a field with our reader alone: errors are ours, and the class is cheap to build."""

    read: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(self.read)


def _read_note(value: Any) -> str:
    # The DynamoDB console saves an attribute that was left empty as an empty text.
    return "" if isinstance(value, str) and not value.strip() else read_text(value)


Text = Annotated[str, ReadBy(read_text)]
Note = Annotated[str, ReadBy(_read_note)]
Flag = Annotated[bool, ReadBy(read_flag)]
Whole = Annotated[int, ReadBy(whole_number(1))]
Seconds = Annotated[float, ReadBy(any_number(above=0))]
Name = Annotated[str, ReadBy(fields.read_model_name)]
Fallbacks = Annotated[tuple[str, ...], ReadBy(fields.read_fallbacks)]
Patterns = Annotated[tuple[str, ...], ReadBy(unordered_list(fields.read_pattern))]
Texts = Annotated[tuple[str, ...], ReadBy(unordered_list(read_text))]
Preference = Annotated[str, ReadBy(fields.read_preference)]
Parameters = Annotated[Mapping[str, Any], ReadBy(fields.read_parameters)]
Each = Annotated[str, ReadBy(fields.read_each)]
Notify = Annotated[str, ReadBy(provider_fields.read_notify)]
OnFailure = Annotated[str, ReadBy(one_of("allow", "refuse"))]
Address = Annotated[str, ReadBy(provider_fields.read_address)]
Credential = Annotated[str, ReadBy(provider_fields.read_credential)]
Credentials = Annotated[tuple[str, ...], ReadBy(provider_fields.read_credentials)]
WeekdayAndHour = Annotated[tuple[str, int], ReadBy(fields.read_weekday_and_hour)]
ProviderId = Annotated[str, ReadBy(provider_fields.read_provider_id)]

# Other names in the annotations of records.
USED = (Annotated, Any, Arm, AUTH, ClassVar, Condition, Decimal, DIALECTS, log_fields, Mapping, Scope, YEAR)
READERS = (any_number, read_conditions, read_scope, read_switch, unordered_list, whole_number)
