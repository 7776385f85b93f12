"""scripts/monitoring.yaml: alarms, dashboard and saved queries name only what exists and is documented."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from handler.gateway.metrics import UNITS
from handler.local.create_tables import read_template
from handler.log import RequestLog, request_line
from tests.test_template import ROOT, loaded, sam, variables

PATH = ROOT / "scripts" / "monitoring.yaml"
TEMPLATE = read_template(PATH)
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
RUNBOOK = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
DEPLOYING = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
LINE = request_line(RequestLog(request_id="id", method="GET", path="/", started=0.0), 0.0)

# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
OF_AWS = {
    "AWS/Lambda": {"Errors", "Throttles", "ConcurrentExecutions", "Url5xxCount"},
    "AWS/DynamoDB": {
        *("ReadThrottleEvents", "WriteThrottleEvents"),
        *("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"),
    },
}
# What saved queries read besides the fields of a request: of problems, of Logs Insights, and of Lambda's
# own lines, https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
OTHER_FIELDS = {
    *("timestamp", "kind", "id", "field", "problem", "@timestamp", "type", "bin"),
    *("record.status", "record.errorType", "record.requestId"),
    *("record.metrics.initDurationMs", "record.metrics.maxMemoryUsedMB"),
}
PARTS = {"error": {"code", "message", "metadata.provider", "metadata.class"}}  # of a field that is an object
KEYWORDS = {
    *("filter", "and", "or", "stats", "sort", "fields", "by", "as", "desc", "asc", "limit", "ispresent"),
    *("count", "sum", "min", "max", "pct"),
}


def of_type(type: str) -> dict[str, dict[str, Any]]:
    return {name: one["Properties"] for name, one in RESOURCES.items() if one["Type"] == type}


ALARMS = of_type("AWS::CloudWatch::Alarm")
QUERIES = {
    one["Name"]["!Sub"].removeprefix("${Stack}/"): one
    for one in of_type("AWS::Logs::QueryDefinition").values()
}
FILTERED = {
    one["MetricTransformations"][0]["MetricName"] for one in of_type("AWS::Logs::MetricFilter").values()
}
PRICE_OF_ALARM, PRICE_OF_METRIC, PRICE_OF_DASHBOARD = 0.10, 0.30, 3.00  # dollars a month, us-east-1


def metrics_of_alarm(alarm: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """The metrics of an alarm: namespace, name, and whether it has dimensions."""
    found = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", ()) if "MetricStat" in one] or [
        alarm
    ]
    return [(_namespace(one["Namespace"]), one["MetricName"], "Dimensions" in one) for one in found]


def _namespace(value: Any) -> str:
    return "Sluice" if value == {"!Sub": "Sluice/${Function}"} else value


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


HEADINGS = {slug(heading) for heading in re.findall(r"^#+ (.*)$", RUNBOOK, re.M)}


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_names_a_heading_of_the_runbook_which_names_the_alarm(name: str) -> None:
    alarm = ALARMS[name]
    known_as = name.removesuffix("Alarm")
    page, _, anchor = alarm["AlarmDescription"].rpartition(" ")[2].partition("#")
    assert alarm["AlarmName"] == {"!Sub": f"${{Stack}}-{known_as}"}
    assert page == "docs/operating.md"
    assert anchor in HEADINGS
    section = next(
        text for text in re.split(r"^#+ ", RUNBOOK, flags=re.M) if slug(text.split("\n")[0]) == anchor
    )
    assert f"`{known_as}`" in section


def test_the_runbook_promises_no_other_alarms() -> None:
    rows = re.findall(r"^\| alarm \|(.*)\|$", RUNBOOK, re.M)
    promised = {f"{name}Alarm" for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert promised == ALARMS.keys() - {"ProblemsAlarm"}, "ProblemsAlarm is at `Other lines`"


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_sends_its_begin_and_its_end_and_is_only_there_when_asked_for(name: str) -> None:
    assert RESOURCES[name]["Condition"] in ("HasAlarms", "HasReserve")
    assert ALARMS[name]["AlarmActions"] == ALARMS[name]["OKActions"] == [{"!Ref": "Topic"}]
    assert ALARMS[name]["TreatMissingData"] == "notBreaching", "a gateway that nobody calls is not in alarm"


@pytest.mark.parametrize("name", ALARMS)
def test_the_metrics_of_an_alarm_exist(name: str) -> None:
    for namespace, metric, dimensions in metrics_of_alarm(ALARMS[name]):
        known = OF_AWS.get(namespace, {*UNITS, *FILTERED})
        assert metric in known
        assert dimensions is (namespace != "Sluice"), "with SLUICE_METRICS=totals there are no dimensions"


@pytest.mark.parametrize("name", [name for name, alarm in ALARMS.items() if "Metrics" in alarm])
def test_an_expression_names_the_metrics_beside_it(name: str) -> None:
    (shown, *others) = ALARMS[name]["Metrics"]
    expression = shown["Expression"]
    text = expression["!Sub"] if isinstance(expression, dict) else expression
    if text != "SUM(METRICS())":
        assert set(re.findall(r"\b[a-z]+\b", text)) == {one["Id"] for one in others}
    assert [one.get("ReturnData", True) for one in (shown, *others)] == [True] + [False] * len(others)


def dashboard() -> list[dict[str, Any]]:
    text = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["!Sub"]
    return list(json.loads(text.replace("${AlarmCost}", "10"))["widgets"])


def shown_metrics(widget: dict[str, Any]) -> Iterator[list[str]]:
    """The metrics of a widget. A "." stands for what is at the same place in the row before."""
    before: list[str] = []
    for row in widget["properties"]["metrics"]:
        before = [before[n] if part == "." else part for n, part in enumerate(row) if isinstance(part, str)]
        yield before


@pytest.mark.parametrize("widget", dashboard(), ids=lambda one: one["properties"]["title"])
def test_what_the_dashboard_shows_exists(widget: dict[str, Any]) -> None:
    if widget["type"] == "log":
        query = widget["properties"]["query"].partition("| ")
        assert query[0] == "SOURCE '${Logs}' "
        assert unknown_fields(query[2].replace("'", '"')) == set()
        return
    for namespace, name, *dimension in shown_metrics(widget):
        assert name in OF_AWS.get(namespace, {*UNITS, *FILTERED})
        assert dimension[:1] == {"AWS/Lambda": ["FunctionName"], "AWS/DynamoDB": ["TableName"]}.get(
            namespace, []
        )


def test_no_widget_covers_another_and_every_metric_of_an_alarm_is_shown() -> None:
    cells = [
        (x, y)
        for one in dashboard()
        for x in range(one["x"], one["x"] + one["width"])
        for y in range(one["y"], one["y"] + one["height"])
    ]
    shown = {row[1] for one in dashboard() if one["type"] == "metric" for row in shown_metrics(one)}
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert {name for alarm in ALARMS.values() for _, name, _ in metrics_of_alarm(alarm)} <= shown


def unknown_fields(query: str) -> set[str]:
    """The words of a query that are no field of a line."""
    own = set(re.findall(r" as (\w+)", query)) | KEYWORDS
    words = re.findall(r"@?[a-z_A-Z][\w.]*", re.sub(r'"[^"]*"', "", query))
    return {
        word
        for word in words
        if not (
            word in own | OTHER_FIELDS
            or word in LINE
            or (word.partition(".")[2] in PARTS.get(word.partition(".")[0], ()))
        )
    }


@pytest.mark.parametrize("name", QUERIES)
def test_a_saved_query_reads_fields_that_exist_and_the_runbook_uses_it(name: str) -> None:
    assert unknown_fields(re.sub(r"\b\d+[a-z]?\b", "", QUERIES[name]["QueryString"])) == set()
    assert QUERIES[name]["LogGroupNames"] == [{"!Ref": "Logs"}]
    assert f"`{name}`" in RUNBOOK


def test_the_runbook_names_no_query_that_is_not_saved() -> None:
    named = {
        name
        for row in re.findall(r"saved query ([^;|.]*)", RUNBOOK)
        for name in re.findall(r"`([^`]+)`", row)
    }
    assert named <= QUERIES.keys()
    assert named


@pytest.mark.parametrize(
    ("pattern", "fields"), [("Problems", {"level", "message"}), ("TooManyRequests", {"message", "status"})]
)
def test_a_metric_filter_reads_fields_that_exist(pattern: str, fields: set[str]) -> None:
    given = set(re.findall(r"\$\.(\w+)", RESOURCES[pattern]["Properties"]["FilterPattern"]))
    assert given == fields <= LINE.keys()


def test_the_stack_gives_each_parameter_and_turns_on_the_metrics_that_alarms_need() -> None:
    nested = loaded()["Resources"]["Monitoring"]["Properties"]
    assert (ROOT / nested["TemplateURL"]).samefile(PATH)
    assert nested["Parameters"].keys() == TEMPLATE["Parameters"].keys()
    assert variables()["SLUICE_METRICS"] == {
        "!If": ["HasMetrics", "1", {"!If": ["HasAlarms", "totals", "0"]}]
    }
    assert TEMPLATE["Conditions"]["HasAlarms"] == loaded()["Conditions"]["HasAlarms"]


ADDRESSES = [
    pytest.param("", True, id="none"),
    pytest.param("ops@example.com", True, id="an address"),
    pytest.param("ops", False, id="no at sign"),
    pytest.param("ops@example.com, cto@example.com", False, id="two addresses"),
]


@pytest.mark.parametrize(("text", "valid"), ADDRESSES)
def test_an_address_is_checked_before_the_deployment(text: str, valid: bool) -> None:
    assert bool(re.fullmatch(loaded()["Parameters"]["AlarmEmail"]["AllowedPattern"], text)) is valid


def test_the_page_states_the_cost_of_a_month() -> None:
    """Alarms are billed by metric, https://aws.amazon.com/cloudwatch/pricing/."""
    alarms = sum(len(metrics_of_alarm(alarm)) for alarm in ALARMS.values())
    metrics = len(UNITS) + len(FILTERED)
    total = alarms * PRICE_OF_ALARM + metrics * PRICE_OF_METRIC + PRICE_OF_DASHBOARD
    assert f"{alarms} metrics in alarms" in DEPLOYING
    assert f"{metrics} metrics of its own" in DEPLOYING
    assert f"${total:.2f} a month" in DEPLOYING


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "scripts").glob("*.yaml")), ids=lambda path: path.name)
def test_cloudformations_linter_accepts(path: Any) -> None:
    sam("cfn-lint", str(path))
