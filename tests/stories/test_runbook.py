"""docs/operating.md, "When it goes wrong": each incident is caused here, and has the signs of the page.

A sign is a word in backticks, or a status, in the rows `callers get`, `log lines` and `health`.
"""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import botocore.session
import pytest

from handler.__main__ import parser
from handler.aws.errors import StoreError
from handler.log import exception_line
from handler.settings import InvalidSetting, read_settings
from tests.stories.test_deploying import printed_by_make
from tests.support.asgi import Response
from tests.support.atomic_items import AtomicItems, at_once
from tests.support.canned_answers import Act, Json, Reply, chunk, completion, finish, stream, whole
from tests.support.gateways import (
    KEY,
    MANAGE,
    NARROW,
    RunningGateway,
    key_item,
    model,
    provider,
    start_gateway,
)
from tests.support.serving import ROOT
from tests.support.upstream import Upstream
from tests.support.virtual_clock import clock, now
from tests.test_monitoring import ALARMS

PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
RUNBOOK = PAGE.partition("\n## When it goes wrong\n")[2].partition("\n## ")[0]
SECTIONS = dict(re.findall(r"^### (.*?)\n(.*?)(?=^### |\Z)", RUNBOOK, re.M | re.S))
ROWS = ("callers get", "log lines", "health", "look")
DOWN, LATE = whole(status=500), Reply(status=None, pieces=(Act.STALL,))
PRICE = {"input": 1000, "output": 1000}
ROUTE: Json = {"kind": "route", "id": "r", "retries": 0, "timeouts": {"first_token": 25, "total": 60}}


def row(incident: str, name: str) -> str:
    found = re.search(rf"^\| {name} \|(.*)\|$", SECTIONS[incident], re.M)
    return found[1] if found else ""


def signs(cell: str) -> set[str]:
    """The words in backticks and the statuses of a cell."""
    return set(re.findall(r"`([^`]+)`", cell)) | set(re.findall(r"\b[45]\d\d\b", cell))


class Scene(NamedTuple):
    """What can be seen of an incident so far."""

    gateway: RunningGateway
    upstream: Upstream
    responses: list[Response]

    async def chat(self, **fields: Any) -> Response:
        response = await self.gateway.chat(**{"model": "up/m", **fields})
        self.responses.append(response)
        return response

    async def health(self) -> Json:
        await self.gateway.get("/v1/models", key=MANAGE)  # health uses cached keys only
        return dict((await self.gateway.get("/health", key=MANAGE)).json)

    async def seen(self) -> dict[str, str]:
        """The text of each place where the page says that signs are."""
        callers = [f"{one.status} {dict(one.headers)} {one.body.decode()}" for one in self.responses]
        lines = [json.dumps(line, default=str) for line in self.gateway.lines]
        return {
            "callers get": "\n".join(callers),
            "log lines": "\n".join(lines),
            "health": json.dumps(await self.health()),
        }


async def provider_down(scene: Scene) -> None:
    scene.upstream.script("m", DOWN, DOWN, LATE, Reply(status=None, pieces=(Act.RESET,)), whole(status=401))
    for _ in range(5):
        assert (await scene.chat()).status in (502, 504)
    await scene.chat(fallback_models=["up/spare"])


async def provider_back(scene: Scene) -> None:
    scene.upstream.script("m", whole(completion()))
    await asyncio.sleep(61)
    assert (await scene.chat(fallback_models=["up/spare"])).headers["x-sluice-reason"] == "requested"
    assert "cooling" not in await scene.health()


async def store_gone(scene: Scene) -> None:
    assert (await scene.chat(model="up/busy")).status == 200
    await scene.gateway.gateway.settle()
    scene.gateway.tables.down = StoreError("scan t: throttled")
    state: Any = scene.gateway.tables.state
    state.hook = _fails
    await asyncio.sleep(70)
    assert (await scene.chat(model="up/busy")).status == 200, "a known key"
    assert (await scene.chat(key=NARROW)).status == 503, "a key that nobody has seen"


async def _fails(when: str, method: str) -> None:
    raise StoreError("update-item t: throttled")


async def store_back(scene: Scene) -> None:
    scene.gateway.tables.down = None
    state: Any = scene.gateway.tables.state
    state.hook = at_once
    await asyncio.sleep(20)
    for _ in range(2):
        assert (await scene.chat()).status == 200
        await scene.gateway.gateway.settle()
    assert (await scene.health())["status"] == "ok"


async def bad_rule(scene: Scene) -> None:
    assert (await scene.chat()).status == 200
    wrong: list[Json] = [
        {"kind": "access", "id": "new", "scope": {"project": "support"}, "models": 7},
        {"kind": "access", "id": "narrow", "models": ["up/m"]},
    ]
    scene.gateway.tables.records += wrong
    await _adopt(scene)
    assert (await scene.chat()).error["code"] == "rule_unreadable"
    assert (await scene.chat(key=MANAGE, model="up/spare")).status == 403
    assert (await scene.chat(key=MANAGE, model="nothing")).status == 404


async def good_rule(scene: Scene) -> None:
    before = scene.gateway.lines[-1]["revision"]
    del scene.gateway.tables.records[-2:]
    await _adopt(scene)
    assert (await scene.chat()).status == 200
    assert scene.gateway.lines[-1]["revision"] != before
    assert (await scene.health())["rules"]["skipped"] == 0


async def _adopt(scene: Scene) -> None:
    await asyncio.sleep(70)
    await scene.chat()
    await scene.gateway.gateway.settle()


async def leaked_key(scene: Scene) -> None:
    await scene.chat(headers={"user-agent": "stranger/1"})
    await _revoke(scene)


async def _revoke(scene: Scene) -> None:
    item = key_item(KEY, id="k1", enabled=False)
    scene.gateway.tables.keys[item["hash"]] = item
    await asyncio.sleep(61)
    assert (await scene.chat()).status == 401
    assert scene.gateway.lines[-1]["key"] == "k1"


async def cost_spike(scene: Scene) -> None:
    for _ in range(12):
        await scene.chat(model="up/limited", max_tokens=3)
        await scene.gateway.gateway.settle()
    assert scene.responses[-1].status == 402


async def next_window(scene: Scene) -> None:
    await asyncio.sleep(24 * 3600)
    assert (await scene.chat(model="up/limited", max_tokens=3)).status == 200


async def storm(scene: Scene) -> None:
    for _ in range(25):
        await scene.chat(model="up/busy")
    assert "busy-limit" in scene.responses[-1].error["message"]
    scene.upstream.script("m", whole(status=429, headers={"retry-after": "60"}))
    assert (await scene.chat()).error["metadata"]["origin"] == "provider"


async def storm_over(scene: Scene) -> None:
    scene.upstream.script("m", whole(completion()))
    await asyncio.sleep(61)
    assert (await scene.chat(model="up/busy")).status == 200


async def slow(scene: Scene) -> None:
    scene.upstream.script("m", stream(21.0, chunk("late"), finish()))
    scene.upstream.script("spare", LATE)
    first, *late = [await scene.chat(model=name, stream=True) for name in ("up/m", *["up/spare"] * 3)]
    assert first.status == 200
    assert {one.status for one in late} == {504}
    line = next(line for line in scene.gateway.lines if line.get("stream"))
    assert line["first_token_ms"] > 20_000 < line["provider_ms"]
    assert line["overhead_ms"] < 1000


async def fast(scene: Scene) -> None:
    scene.upstream.script("m", stream(chunk("soon"), finish()))
    await asyncio.sleep(61)
    await scene.chat(stream=True)
    assert scene.gateway.lines[-1]["first_token_ms"] < 1000


async def cold_start(scene: Scene) -> None:
    await scene.chat()
    assert scene.gateway.lines[-1]["ColdStart"] == 1


async def warm(scene: Scene) -> None:
    await scene.chat()
    assert "ColdStart" not in scene.gateway.lines[-1]


async def bad_deployment(scene: Scene) -> None:
    """What an instance writes that cannot start (handler/runtime/loop.py)."""
    for environment in ({"SLUICE_MAX_N": "many"}, None):
        try:
            read_settings(environment)
            raise RuntimeError("a bug")
        except (InvalidSetting, RuntimeError) as error:
            scene.gateway.lines.append(exception_line(error))


async def nothing(scene: Scene) -> None:
    """AWS ends it, or a deployment."""


Act_ = Callable[[Scene], Awaitable[None]]
INCIDENTS: dict[str, tuple[Act_, Act_]] = {
    "Provider down": (provider_down, provider_back),
    "DynamoDB throttled or gone": (store_gone, store_back),
    "Bad rule": (bad_rule, good_rule),
    "Leaked key": (leaked_key, nothing),
    "Cost spike": (cost_spike, next_window),
    "429 storm": (storm, storm_over),
    "Slow first tokens": (slow, fast),
    "Lambda throttled": (nothing, nothing),
    "Cold starts": (cold_start, warm),
    "Deploy rollback": (bad_deployment, nothing),
}
# What AWS answers before Sluice sees the request, which nothing here can cause.
OF_AWS = {
    "Lambda throttled": {"429", "x-request-id"},
    "Deploy rollback": {"502", "x-request-id", "Internal Server Error"},
}


def test_the_runbook_has_exactly_these_incidents() -> None:
    assert list(SECTIONS) == list(INCIDENTS)


@pytest.mark.parametrize("incident", INCIDENTS)
async def test_an_incident_has_the_signs_of_the_page_and_ends(incident: str) -> None:
    cause, end = INCIDENTS[incident]
    async with Upstream() as upstream:
        for name in ("m", "spare", "limited", "busy"):
            upstream.script(name, whole(completion()))
        gateway = start_gateway(
            _records(upstream.url), state=AtomicItems(), clock=clock, now=now, SLUICE_METRICS="totals"
        )
        scene = Scene(gateway, upstream, [])
        await gateway.get("/v1/models", key=MANAGE)
        await cause(scene)
        seen = await scene.seen()
        for place, text in seen.items():
            promised = signs(row(incident, place)) - OF_AWS.get(incident, set())
            assert {sign for sign in promised if not _has(text, sign)} == set(), place
        await end(scene)
        await gateway.gateway.aclose()


def _has(text: str, sign: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(sign)}(?![\w-])", text) is not None


def _records(url: str) -> list[Json]:
    return [
        provider(url),
        *(model(f"up/{name}", price=PRICE) for name in ("m", "spare", "limited", "busy")),
        ROUTE,
        {**ROUTE, "id": "short", "when": {"model": "up/spare"}, "timeouts": {"first_token": 5}},
        {"kind": "access", "id": "some", "models": ["up/*"]},
        {"kind": "budget", "id": "team", "usd": 0.1, "per": "day", "when": {"model": "up/limited"}},
        {
            "kind": "limit", "id": "busy-limit", "requests": 2, "per": "minute",
            "when": {"model": "up/busy"},
        },
    ]  # fmt: skip


# Alarms on what Lambda and DynamoDB count, and one for which this needs as many instances as requests.
NOT_HERE = {"StoreThrottled", "Throttled", "Concurrency", "FunctionErrors", "ColdStarts"}


@pytest.mark.parametrize("incident", [name for name, acts in INCIDENTS.items() if acts[0] is not nothing])
async def test_an_incident_sets_off_the_alarm_of_the_page_and_its_end_does_not(incident: str) -> None:
    cause, end = INCIDENTS[incident]
    async with Upstream() as upstream:
        for name in ("m", "spare", "limited", "busy"):
            upstream.script(name, whole(completion()))
        gateway = start_gateway(
            _records(upstream.url), state=AtomicItems(), clock=clock, now=now, SLUICE_METRICS="totals"
        )
        scene = Scene(gateway, upstream, [])
        await cause(scene)
        promised = set(re.findall(r"`(\w+)`", row(incident, "alarm"))) - NOT_HERE
        assert {name for name in promised if not is_over(name, gateway.lines)} == set()
        if end is not nothing:
            await end(scene)
            assert {name for name in promised if is_over(name, gateway.lines[-1:])} == set()
        await gateway.gateway.aclose()


def is_over(name: str, lines: list[Json]) -> bool:
    """True if the lines of a period are over the threshold of an alarm; for the cost, 5 cents."""
    alarm = ALARMS[f"{name}Alarm"]
    threshold = alarm["Threshold"] if isinstance(alarm["Threshold"], int) else 0.05
    if "MetricName" in alarm:
        value = value_of(alarm["MetricName"], alarm.get("Statistic") or alarm["ExtendedStatistic"], lines)
        return value is not None and value > threshold
    shown, *others = alarm["Metrics"]
    values = {one["Id"]: value_of(one["MetricStat"]["Metric"]["MetricName"], "Sum", lines) for one in others}
    return bool(evaluate(shown["Expression"], values) > threshold)


def value_of(metric: str, statistic: str, lines: list[Json]) -> float | None:
    """The statistic of a metric: of the members of lines, or of the lines that a metric filter counts."""
    given: list[float] = [line[metric] for line in lines if "_aws" in line and metric in line]
    if metric in FILTERS:
        given = [1 for line in lines if FILTERS[metric](line)]
    if not given:
        return None
    return sum(given) if statistic == "Sum" else sorted(given)[int(0.95 * (len(given) - 1) + 0.5)]


FILTERS: dict[str, Callable[[Json], bool]] = {
    "Problems": lambda line: line["level"] == "ERROR" and line["message"] != "request",
    "TooManyRequests": lambda line: line["message"] == "request" and line["status"] == 429,
}


def evaluate(expression: str, values: dict[str, float | None]) -> float:
    """CloudWatch's value of an expression with IF and FILL; 0 where a metric has no data.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
    """
    functions = {
        "IF": lambda condition, then, other: then if condition else other,
        "FILL": lambda value, other: other if value is None else value,
    }
    try:
        return float(eval(expression, functions, dict(values)))
    except TypeError:
        return 0.0


@pytest.mark.parametrize("incident", SECTIONS)
def test_an_incident_says_where_to_look_what_to_do_and_when_it_is_over(incident: str) -> None:
    text = SECTIONS[incident]
    assert all(row(incident, name).strip() for name in ROWS)
    assert re.search(r"^1\. ", text, re.M)
    assert re.search(r"^It is over when ", text, re.M)


COMMANDS = [
    line.strip() for line in re.findall(r"^ {4,}((?:\.venv/bin/python|aws|make|git) .*)$", RUNBOOK, re.M)
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_runbook_can_be_run(command: str) -> None:
    first, *words = shlex.split(command.partition(" > ")[0])
    if first == ".venv/bin/python":
        assert parser().parse_args(words[2:]).act
    elif first == "make":
        printed_by_make(ROOT, *words)
    elif first == "aws":
        assert unknown_options(*words) == set()


def unknown_options(service: str, operation: str, *words: str) -> set[str]:
    """The options that are neither members of the operation's input nor those of every command."""
    model = botocore.session.get_session().get_service_model(service)
    names = {_dashed(name): name for name in model.operation_names}
    shape = model.operation_model(names[operation]).input_shape
    members = {_dashed(name) for name in (shape.members if shape else ())}
    given = {word.removeprefix("--") for word in words if word.startswith("--")}
    return given - members - {"query", "max-items", "region"}


def _dashed(name: str) -> str:
    return botocore.xform_name(name, "-")
