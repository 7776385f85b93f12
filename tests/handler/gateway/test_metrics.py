"""Metrics in the line of a request: valid in CloudWatch's format, and with bounded dimensions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import jsonschema_rs
import pytest

from handler.gateway.metrics import UNITS, metrics_of
from handler.log import RequestLog, request_line
from handler.settings import Settings
from handler.store.usage_totals import UsageRow

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
LINE = request_line(RequestLog(request_id="id", method="POST", path="/", started=0.0), 0.0)
ROW = UsageRow(project="support", key="k", model="up/m")
ANSWERED: dict[str, Any] = {
    "usage": {"input": 5, "output": 2},
    "cost": 0.25,
    "first_token_ms": 30.0,
    "overhead_ms": 1.5,
}

NAME = {"type": "string", "minLength": 1, "maxLength": 1024}
# What the specification requires of a document, and of the root members that it refers to.
FORMAT = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "additionalProperties": False,
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer", "minimum": 1_000_000_000_000},
                "CloudWatchMetrics": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "properties": {
                            "Namespace": {**NAME, "pattern": r"^[\w.\-/#:]+$"},
                            "Dimensions": {
                                "type": "array",
                                "minItems": 1,
                                "items": {
                                    "type": "array",
                                    "maxItems": 30,
                                    "items": {"type": "string", "minLength": 1, "maxLength": 250},
                                },
                            },
                            "Metrics": {
                                "type": "array",
                                "maxItems": 100,
                                "items": {
                                    "type": "object",
                                    "additionalProperties": False,
                                    "required": ["Name"],
                                    "properties": {
                                        "Name": NAME,
                                        "Unit": {"enum": ["Count", "Milliseconds", "None"]},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
        **{name: {"type": "number"} for name in UNITS},
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html
        **{name: {**NAME, "pattern": "^[!-9;-~][ -~]*$"} for name in ("Model", "Project")},
    },
}
validator = jsonschema_rs.validator_for(FORMAT)


def metrics(row: UsageRow | None = ROW, *, function: str = "", **fields: Any) -> dict[str, Any]:
    """The members for a line with these fields; checked against the format."""
    settings = Settings(environment={"AWS_LAMBDA_FUNCTION_NAME": function})
    found = metrics_of({**LINE, **fields}, row, settings, AT)
    if found:
        assert [error.message for error in validator.iter_errors({**LINE, **fields, **found})] == []
        for directive in found["_aws"]["CloudWatchMetrics"]:
            for dimensions in directive["Dimensions"]:
                assert set(dimensions) <= found.keys()
            assert {metric["Name"] for metric in directive["Metrics"]} <= found.keys()
    return found


def directives(found: dict[str, Any]) -> list[tuple[str, list[list[str]], list[str]]]:
    return [
        (one["Namespace"], one["Dimensions"], [metric["Name"] for metric in one["Metrics"]])
        for one in found["_aws"]["CloudWatchMetrics"]
    ]


def test_an_answer_has_every_metric_in_total_and_by_model_and_some_by_project() -> None:
    found = metrics(function="sluice-Gateway-1", **ANSWERED)
    assert directives(found) == [
        (
            "Sluice/sluice-Gateway-1",
            [[], ["Model"]],
            ["Requests", "Errors", "Cost", "InputTokens", "OutputTokens", "FirstToken", "Overhead"],
        ),
        ("Sluice/sluice-Gateway-1", [["Project"]], ["Requests", "Errors", "Cost"]),
    ]
    assert found["_aws"]["Timestamp"] == 1_795_953_600_000
    assert {name: value for name, value in found.items() if name != "_aws"} == {
        "Model": "up/m",
        "Project": "support",
        "Requests": 1,
        "Errors": 0,
        "Cost": 0.25,
        "InputTokens": 5,
        "OutputTokens": 2,
        "FirstToken": 30.0,
        "Overhead": 1.5,
    }


def test_what_is_unknown_is_no_metric() -> None:
    found = metrics(usage=None, cost=None, first_token_ms=None)
    assert directives(found)[0] == ("Sluice", [[], ["Model"]], ["Requests", "Errors", "Overhead"])
    assert directives(found)[1] == ("Sluice", [["Project"]], ["Requests", "Errors"])


def test_a_request_that_asked_nobody_counts_only_when_it_failed_here() -> None:
    assert metrics(None) == {}
    failed = metrics(None, level="ERROR", status=503)
    assert (failed["Requests"], failed["Errors"], failed["Model"]) == (1, 1, "none")
    assert len(directives(failed)) == 1


HOSTILE = [
    pytest.param(UsageRow(project="p", key="k", model="up/x", listed=False), "unlisted", "p", id="unlisted"),
    pytest.param(UsageRow(project=":a", key="k", model="m"), "m", "%3Aa", id="a colon at the beginning"),
    pytest.param(UsageRow(project=" ", key="k", model="m"), "m", "%20", id="a blank"),
    pytest.param(UsageRow(project="é\n", key="k", model="m"), "m", "%C3%A9%0A", id="text outside ASCII"),
    pytest.param(UsageRow(project="p" * 2000, key="k", model="m"), "m", "p" * 1024, id="a long name"),
]


@pytest.mark.parametrize(("row", "model", "project"), HOSTILE)
def test_a_dimension_has_a_legal_value(row: UsageRow, model: str, project: str) -> None:
    found = metrics(row, **ANSWERED)
    assert (found["Model"], found["Project"]) == (model, project)
