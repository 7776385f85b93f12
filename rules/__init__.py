"""The public API of `rules`, which decides: no network, no clock, no environment, no AWS.

What is only needed for reading records, or by few requests, is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rules.admission import LiveState
from rules.catalog.catalog import PROVIDERS, Catalog, Model, load_catalog
from rules.catalog.name_resolution import is_valid_name
from rules.catalog.price import NANO, UNITS, Price, reserve_cost
from rules.decide import decide
from rules.decision import AppliedLimit, Candidate, Decision, Effects, Reason, Refusal, Rejection, Step
from rules.errors import MAX_BYTES, MAX_RECORDS, InvalidRecord, RuleSetTooLarge
from rules.facts.chat import facts_of_request
from rules.facts.facts import EFFORTS, OPERATIONS, PREFERENCES, Facts, is_secret_header
from rules.facts.token_estimate import BYTES_PER_TOKEN
from rules.frozen import EMPTY, Fields, Frozen, fresh
from rules.preference import USUAL_OUTPUT
from rules.records.base import Record
from rules.records.compiled import code_version
from rules.records.kinds import KINDS, BudgetRecord, LimitRecord, LogRecord, McpRecord, ModelRecord
from rules.records.names import is_credential_name
from rules.records.patterns import compile_pattern
from rules.records.problem import Problem
from rules.ruleset import RuleSet

if TYPE_CHECKING:
    from rules.facts.operations import facts_of_operation
    from rules.listing import list_models
    from rules.reading.coercion import read_switch
    from rules.reading.conditions import OPERATORS
    from rules.reading.log_fields import DETECTORS, RETENTION
    from rules.reading.provider_fields import QUIRKS
    from rules.reading.records import read_record
    from rules.tool_servers import server_by_address, server_by_id

__all__ = [
    "BYTES_PER_TOKEN",
    "DETECTORS",
    "EFFORTS",
    "EMPTY",
    "KINDS",
    "MAX_BYTES",
    "MAX_RECORDS",
    "NANO",
    "OPERATIONS",
    "OPERATORS",
    "PREFERENCES",
    "PROVIDERS",
    "QUIRKS",
    "RETENTION",
    "UNITS",
    "USUAL_OUTPUT",
    "AppliedLimit",
    "BudgetRecord",
    "Candidate",
    "Catalog",
    "Decision",
    "Effects",
    "Facts",
    "Fields",
    "Frozen",
    "InvalidRecord",
    "LimitRecord",
    "LiveState",
    "LogRecord",
    "McpRecord",
    "Model",
    "ModelRecord",
    "Price",
    "Problem",
    "Reason",
    "Record",
    "Refusal",
    "Rejection",
    "RuleSet",
    "RuleSetTooLarge",
    "Step",
    "code_version",
    "compile_pattern",
    "decide",
    "facts_of_operation",
    "facts_of_request",
    "fresh",
    "is_credential_name",
    "is_secret_header",
    "is_valid_name",
    "list_models",
    "load_catalog",
    "read_record",
    "read_switch",
    "reserve_cost",
    "server_by_address",
    "server_by_id",
]

_LATER = {
    "facts_of_operation": "rules.facts.operations",
    "list_models": "rules.listing",
    "read_switch": "rules.reading.coercion",
    "OPERATORS": "rules.reading.conditions",
    "DETECTORS": "rules.reading.log_fields",
    "RETENTION": "rules.reading.log_fields",
    "QUIRKS": "rules.reading.provider_fields",
    "read_record": "rules.reading.records",
    "server_by_address": "rules.tool_servers",
    "server_by_id": "rules.tool_servers",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return import_module(_LATER[name]).__dict__[name]
