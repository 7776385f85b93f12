"""The front door of the deciding half: everything `handler` may use, and nothing that touches the world."""

from rules.admission import LiveState
from rules.adoption import MAX_BYTES, MAX_RECORDS, Problem
from rules.catalog.catalog import PROVIDERS, Catalog, Model, Price, load_catalog
from rules.catalog.names import is_valid_name
from rules.decide import decide
from rules.decision import Candidate, Decision, Effects, Reason, Refusal, Rejection, Step
from rules.errors import InvalidRecord, RuleSetTooLarge
from rules.facts.chat import facts_of_request
from rules.facts.estimate import BYTES_PER_TOKEN
from rules.facts.facts import EFFORTS, PREFERENCES, Facts, is_secret_header
from rules.listing import list_models
from rules.preference import USUAL_OUTPUT
from rules.records.base import Record
from rules.records.coercion import read_switch
from rules.records.conditions import OPERATORS, Condition
from rules.records.fields import NANO
from rules.records.kinds import (
    KINDS,
    AccessRecord,
    AliasRecord,
    BudgetRecord,
    CacheRecord,
    LimitRecord,
    LogRecord,
    McpRecord,
    ModelRecord,
    ProviderRecord,
    RouteRecord,
    TestRecord,
)
from rules.records.patterns import compile_pattern
from rules.records.provider_fields import QUIRKS
from rules.records.reading import read_record
from rules.records.scope import Scope
from rules.ruleset import Matched, RuleSet

__all__ = [
    "BYTES_PER_TOKEN",
    "EFFORTS",
    "KINDS",
    "MAX_BYTES",
    "MAX_RECORDS",
    "NANO",
    "OPERATORS",
    "PREFERENCES",
    "PROVIDERS",
    "QUIRKS",
    "USUAL_OUTPUT",
    "AccessRecord",
    "AliasRecord",
    "BudgetRecord",
    "CacheRecord",
    "Candidate",
    "Catalog",
    "Condition",
    "Decision",
    "Effects",
    "Facts",
    "InvalidRecord",
    "LimitRecord",
    "LiveState",
    "LogRecord",
    "Matched",
    "McpRecord",
    "Model",
    "ModelRecord",
    "Price",
    "Problem",
    "ProviderRecord",
    "Reason",
    "Record",
    "Refusal",
    "Rejection",
    "RouteRecord",
    "RuleSet",
    "RuleSetTooLarge",
    "Scope",
    "Step",
    "TestRecord",
    "compile_pattern",
    "decide",
    "facts_of_request",
    "is_secret_header",
    "is_valid_name",
    "list_models",
    "load_catalog",
    "read_record",
    "read_switch",
]
