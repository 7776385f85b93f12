"""The front door of the deciding half: everything `handler` may use, and nothing that touches the world."""

from rules.admission import Live
from rules.adoption import Problem
from rules.catalog.catalog import PROVIDERS, Catalog, Model, Price, load_catalog
from rules.catalog.names import well_formed
from rules.decide import decide
from rules.decision import Candidate, Decision, Effects, Reason, Refusal, Rejection, Step
from rules.errors import InvalidRecord, RuleSetTooLarge
from rules.facts.chat import facts_of_request
from rules.facts.facts import PREFERENCES, Facts, secret_header
from rules.listing import usable
from rules.preference import USUAL_OUTPUT
from rules.records.base import Record
from rules.records.coercion import on_or_off
from rules.records.conditions import OPERATORS, Condition
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
from rules.records.patterns import like
from rules.records.provider_fields import QUIRKS
from rules.records.reading import read_record
from rules.records.scope import Scope
from rules.ruleset import Matched, RuleSet

__all__ = [
    "KINDS",
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
    "Live",
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
    "decide",
    "facts_of_request",
    "like",
    "load_catalog",
    "on_or_off",
    "read_record",
    "secret_header",
    "usable",
    "well_formed",
]
