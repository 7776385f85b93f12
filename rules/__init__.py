"""The public API of `rules`, which decides: no network, no clock, no environment, no AWS."""

from rules.admission import LiveState
from rules.adoption import MAX_BYTES, MAX_RECORDS, Problem
from rules.catalog.catalog import PROVIDERS, Catalog, Model, load_catalog
from rules.catalog.name_resolution import is_valid_name
from rules.catalog.price import UNITS, Price, reserve_cost
from rules.decide import decide
from rules.decision import AppliedLimit, Candidate, Decision, Effects, Reason, Refusal, Rejection, Step
from rules.errors import InvalidRecord, RuleSetTooLarge
from rules.facts.chat import facts_of_request
from rules.facts.facts import EFFORTS, OPERATIONS, PREFERENCES, Facts, is_secret_header
from rules.facts.operations import facts_of_operation
from rules.facts.token_estimate import BYTES_PER_TOKEN
from rules.listing import list_models
from rules.preference import USUAL_OUTPUT
from rules.records.base import Record
from rules.records.coercion import read_switch
from rules.records.conditions import OPERATORS
from rules.records.fields import NANO
from rules.records.kinds import (
    KINDS,
    BudgetRecord,
    LimitRecord,
    LogRecord,
    McpRecord,
    ModelRecord,
)
from rules.records.log_fields import DETECTORS, RETENTION
from rules.records.patterns import compile_pattern
from rules.records.provider_fields import QUIRKS, is_credential_name
from rules.records.reading import read_record
from rules.ruleset import RuleSet
from rules.tool_servers import server_by_address, server_by_id

__all__ = [
    "BYTES_PER_TOKEN",
    "DETECTORS",
    "EFFORTS",
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
    "compile_pattern",
    "decide",
    "facts_of_operation",
    "facts_of_request",
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
