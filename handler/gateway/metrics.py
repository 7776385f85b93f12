"""CloudWatch metrics in the line of a request: CloudWatch Logs reads them from there, so no call is made.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
Each value of a dimension is a metric of its own, and billed. Models are those that the catalogue or a record
lists, projects those of keys, so callers cannot create metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from handler.errors import Json
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
    "Overhead": "Milliseconds",
}
OF_PROJECTS = ("Requests", "Errors", "Cost")
UNLISTED, NO_MODEL = "unlisted", "none"
LONGEST_VALUE = 1024  # characters of a dimension's value


def metrics_of(line: Json, row: UsageRow | None, settings: Settings, at: datetime) -> Json:
    """Return the members that make `line`, of a request, carry metrics; none for one that is not counted.

    `row`: of the usage totals; a request without one asked no provider, and counts when it failed with 5xx.
    """
    failed = line["level"] == "ERROR"
    if row is None and not failed:
        return {}
    usage = line["usage"] or {}
    values = {
        "Requests": 1,
        "Errors": int(failed),
        "Cost": line["cost"],
        "InputTokens": usage.get("input"),
        "OutputTokens": usage.get("output"),
        "FirstToken": line["first_token_ms"],
        "Overhead": line["overhead_ms"],
    }
    known = {name: value for name, value in values.items() if value is not None}
    model = NO_MODEL if row is None else row.model if row.listed else UNLISTED
    dimensions = {"Model": _dimension(model)}
    namespace = "/".join(filter(None, ("Sluice", settings.function_name)))
    directives = [_directive(namespace, [[], ["Model"]], known)]
    if row is not None:
        dimensions["Project"] = _dimension(row.project)
        directives.append(_directive(namespace, [["Project"]], known.keys() & set(OF_PROJECTS)))
    metadata = {"Timestamp": int(at.timestamp() * 1000), "CloudWatchMetrics": directives}
    return {"_aws": metadata, **dimensions, **known}


def _directive(namespace: str, dimensions: list[list[str]], names: Iterable[str]) -> Mapping[str, Any]:
    metrics = [{"Name": name, "Unit": UNITS[name]} for name in UNITS if name in set(names)]
    return {"Namespace": namespace, "Dimensions": dimensions, "Metrics": metrics}


def _dimension(text: str) -> str:
    """Return a text as a dimension's value: printable ASCII that does not begin with a colon."""
    value = encode_header_value(text)
    return (f"%3A{value[1:]}" if value.startswith(":") else value)[:LONGEST_VALUE]
