"""CloudWatch metrics in the line of a request: CloudWatch Logs reads them from there, so no call is made.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
Each value of a dimension is a metric of its own, and billed. Models are those that the catalogue or a record
lists, projects those of keys, classes those of CLASSES, so callers cannot create metrics.
SLUICE_METRICS=totals leaves out the dimensions; scripts/monitoring.yaml has alarms on the totals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from handler.errors import ACTIONS, Json
from handler.settings import Settings
from handler.store.usage_totals import UsageRow
from handler.wire.header_values import encode_header_value

UNITS = {
    "Requests": "Count",
    "Errors": "Count",
    "Cost": "None",  # US dollars
    "InputTokens": "Count",
    "OutputTokens": "Count",
    "FirstToken": "Milliseconds",
    "Latency": "Milliseconds",
    "Overhead": "Milliseconds",
    "Refused": "Count",
    "ColdStart": "Count",
    "Stale": "Count",
    "Degraded": "Count",
}
OF_GATEWAY = ("Refused", "ColdStart", "Stale", "Degraded")  # all others are also by model
OF_PROJECTS = ("Requests", "Errors", "Cost", "Refused")
OF_CLASSES = ("Errors",)
# What `Class` may be: failure classes, and the codes of Sluice's own errors with 5xx.
CLASSES = frozenset({*ACTIONS, "internal_error", "no_candidate", "store_unavailable", "rule_unreadable"})
REFUSALS = ("budget_exceeded", "rate_limit_exceeded")  # a provider's have a failure class too
UNLISTED, NO_MODEL, OTHER = "unlisted", "none", "other"
LONGEST_VALUE = 1024  # characters of a dimension's value


def metrics_of(
    line: Json,
    row: UsageRow | None,
    settings: Settings,
    at: datetime,
    *,
    cold: bool = False,
    degraded: bool = False,
) -> Json:
    """Return the members that make `line`, of a request, carry metrics; none for one that is not counted.

    `row`: of the usage totals. A request without one asked no provider, and counts if it failed with 5xx or
    if a limit refused it. `cold`: it is the first of its instance; `degraded`: as /health says.
    """
    failed, refused = line["level"] == "ERROR", was_refused(line)
    if row is None and not failed and not refused:
        return {}
    values = {**_measured(line, failed), **_state(line, refused, cold, degraded)}
    counted = UNITS if row or failed else OF_GATEWAY
    known = {name: value for name in counted if (value := values[name]) is not None}
    by_model = [name for name in known if name not in OF_GATEWAY]
    model = NO_MODEL if row is None else row.model if row.listed else UNLISTED
    dimensions = {"Model": _dimension(model)}
    groups: list[tuple[list[list[str]], Sequence[str]]] = [([[], ["Model"]], by_model), ([[]], OF_GATEWAY)]
    if row is not None or refused:
        dimensions["Project"] = _dimension(row.project if row else line["project"] or "")
        groups.append(([["Project"]], OF_PROJECTS))
    if failed:
        dimensions["Class"] = class_of(line)
        groups.append(([["Class"]], OF_CLASSES))
    if settings.metrics == "totals":
        dimensions, groups = {}, [([[]], tuple(UNITS))]
    namespace = "/".join(filter(None, ("Sluice", settings.function_name)))
    directives = [
        _directive(namespace, by, present)
        for by, names in groups
        if (present := [name for name in names if name in known])
    ]
    metadata = {"Timestamp": int(at.timestamp() * 1000), "CloudWatchMetrics": directives}
    return {"_aws": metadata, **dimensions, **known}


def was_refused(line: Json) -> bool:
    """Return True if a limit or a budget of Sluice refused the request."""
    error = line["error"] or {}
    return error.get("code") in REFUSALS and "class" not in error.get("metadata", {})


def class_of(line: Json) -> str:
    """Return the failure class of a failed request; without one, the code of its error."""
    error = line["error"] or {}
    found = error.get("metadata", {}).get("class", error.get("code"))
    return found if found in CLASSES else OTHER


def _measured(line: Json, failed: bool) -> Json:
    usage = line["usage"] or {}
    return {
        "Requests": 1,
        "Errors": int(failed),
        "Cost": line["cost"],
        "InputTokens": usage.get("input"),
        "OutputTokens": usage.get("output"),
        "FirstToken": line["first_token_ms"],
        "Latency": line["ms"],
        "Overhead": line["overhead_ms"],
    }


def _state(line: Json, refused: bool, cold: bool, degraded: bool) -> Json:
    """Return the metrics of the gateway itself. Those that are counted have no value where there is none."""
    stale = bool(line["stale"])
    return {
        "Refused": 1 if refused else None,
        "ColdStart": 1 if cold else None,
        "Stale": int(stale),
        "Degraded": int(degraded or stale),
    }


def _directive(namespace: str, dimensions: list[list[str]], names: list[str]) -> Mapping[str, Any]:
    metrics = [{"Name": name, "Unit": UNITS[name]} for name in names]
    return {"Namespace": namespace, "Dimensions": dimensions, "Metrics": metrics}


def _dimension(text: str) -> str:
    """Return a text as a dimension's value: printable ASCII that does not begin with a colon."""
    value = encode_header_value(text)
    return (f"%3A{value[1:]}" if value.startswith(":") else value)[:LONGEST_VALUE]
