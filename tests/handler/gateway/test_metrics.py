"""Metrics in the line of a request: valid in CloudWatch's format, and with bounded dimensions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import jsonschema_rs
import pytest

from handler.errors import Json
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
    "ms": 40.0,
    "overhead_ms": 1.5,
}
FIRST = ["Requests", "Errors", "Cost", "InputTokens", "OutputTokens", "FirstToken", "Latency", "Overhead"]

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
        **{name: {**NAME, "pattern": "^[!-9;-~][ -~]*$"} for name in ("Model", "Project", "Class")},
    },
}
validator = jsonschema_rs.validator_for(FORMAT)


def metrics(
    row: UsageRow | None = ROW,
    *,
    function: str = "",
    cold: bool = False,
    degraded: bool = False,
    setting: str = "1",
    **fields: Any,
) -> dict[str, Any]:
    """The members for a line with these fields; checked against the format."""
    settings = Settings(metrics=setting, environment={"AWS_LAMBDA_FUNCTION_NAME": function})
    found = metrics_of({**LINE, **fields}, row, settings, AT, cold=cold, degraded=degraded)
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
        ("Sluice/sluice-Gateway-1", [[], ["Model"]], FIRST),
        ("Sluice/sluice-Gateway-1", [[]], ["Stale", "Degraded"]),
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
        "Latency": 40.0,
        "Overhead": 1.5,
        "Stale": 0,
        "Degraded": 0,
    }


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(ANSWERED, id="an answer"),
        pytest.param({**ANSWERED, "level": "ERROR", "error": {"code": "no_candidate"}}, id="a failure"),
        pytest.param({"row": None, "error": {"code": "budget_exceeded"}, "project": "p"}, id="a refusal"),
    ],
)
def test_totals_are_the_same_metrics_without_dimensions(fields: dict[str, Any]) -> None:
    full, totals = metrics(cold=True, **fields), metrics(cold=True, setting="totals", **fields)
    ((_, dimensions, names),) = directives(totals)
    assert dimensions == [[]]
    assert {name: totals[name] for name in names} == {name: full[name] for name in full.keys() & UNITS.keys()}
    assert totals.keys() == {"_aws", *names}


def test_what_is_unknown_is_no_metric() -> None:
    found = metrics(usage=None, cost=None, first_token_ms=None)
    assert directives(found)[0] == ("Sluice", [[], ["Model"]], ["Requests", "Errors", "Latency", "Overhead"])
    assert directives(found)[-1] == ("Sluice", [["Project"]], ["Requests", "Errors"])


def test_a_request_that_asked_nobody_counts_only_when_it_failed_here() -> None:
    assert metrics(None) == {}
    failed = metrics(None, level="ERROR", status=503)
    assert (failed["Requests"], failed["Errors"], failed["Model"]) == (1, 1, "none")
    assert "Project" not in failed


def error(code: str, **metadata: str) -> Json:
    return {"code": code, "metadata": metadata} if metadata else {"code": code}


CLASSES = [
    pytest.param(error("upstream_error", **{"class": "timeout_idle"}), "timeout_idle", id="a failure class"),
    pytest.param(error("no_candidate"), "no_candidate", id="an error of Sluice"),
    pytest.param(error("upstream_error", **{"class": "a host's word"}), "other", id="no class of ours"),
    pytest.param(error("word"), "other", id="no code of ours"),
    pytest.param(None, "other", id="a status without an error"),
]


@pytest.mark.parametrize(("given", "shown"), CLASSES)
def test_errors_are_counted_by_class(given: Json | None, shown: str) -> None:
    found = metrics(level="ERROR", error=given)
    assert found["Class"] == shown
    assert directives(found)[-1] == ("Sluice", [["Class"]], ["Errors"])


REFUSALS = [
    pytest.param(error("budget_exceeded"), True, id="a budget"),
    pytest.param(error("rate_limit_exceeded"), True, id="a limit"),
    pytest.param(error("rate_limit_exceeded", **{"class": "rate_limit"}), False, id="a provider's limit"),
    pytest.param(error("invalid_value"), False, id="a bad request"),
]


@pytest.mark.parametrize(("given", "refused"), REFUSALS)
def test_what_a_limit_refuses_is_counted_in_total_and_by_project(given: Json, refused: bool) -> None:
    found = metrics(None, error=given, project="support")
    assert bool(found) is refused
    if refused:
        assert directives(found) == [
            ("Sluice", [[]], ["Refused", "Stale", "Degraded"]),
            ("Sluice", [["Project"]], ["Refused"]),
        ]
        assert (found["Refused"], found["Project"]) == (1, "support")


STATES: list[Any] = [
    pytest.param({}, {"Stale": 0, "Degraded": 0}, id="all is well"),
    pytest.param({"stale": True}, {"Stale": 1, "Degraded": 1}, id="stale rules are degraded as well"),
    pytest.param({"degraded": True}, {"Stale": 0, "Degraded": 1}, id="a problem that /health names"),
    pytest.param(
        {"cold": True}, {"ColdStart": 1, "Stale": 0, "Degraded": 0}, id="the first request of an instance"
    ),
]


@pytest.mark.parametrize(("given", "shown"), STATES)
def test_the_state_of_the_gateway_is_a_metric(given: dict[str, Any], shown: dict[str, int]) -> None:
    found = metrics(**given)
    assert {name: found[name] for name in ("ColdStart", "Stale", "Degraded") if name in found} == shown


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
