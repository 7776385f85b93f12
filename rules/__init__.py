"""The front door of the deciding half: everything `handler` may use, and nothing that touches the world."""

from rules.admission import Live
from rules.adopting import Problem
from rules.catalog import PROVIDERS, Catalog, Model, Price, load_catalog
from rules.conditions import OPERATORS, Condition
from rules.decide import decide
from rules.decision import Candidate, Decision, Effects, Reason, Refusal, Rejection, Step
from rules.errors import InvalidRecord, RuleSetTooLarge
from rules.facts import PREFERENCES, Facts, secret_header
from rules.names import well_formed
from rules.patterns import like
from rules.preference import USUAL_OUTPUT
from rules.provider_fields import QUIRKS
from rules.reading import read_record
from rules.record import Record
from rules.records import (
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
from rules.request import facts_of_request
from rules.ruleset import Matched, RuleSet
from rules.scope import Scope
from rules.spelling import on_or_off
from rules.usable import usable

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
