"""What a million requests cost, and when a machine costs the same: docs/performance.md, Cost.

Every figure of the page's two tables is computed here from prices and assumptions that the page states.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.support.canned_answers import completion
from tests.support.gateways import model, provider, start_gateway

PAGE = (Path(__file__).parents[2] / "docs" / "performance.md").read_text()

# Dollars in us-east-1, November 2026.
GB_SECOND, INVOCATION = 0.0000133334, 0.20e-6  # of Lambda on arm64
WRITE, READ = 0.625e-6, 0.125e-6  # units of DynamoDB, on demand
LOGGED = 0.50e-9  # a byte that CloudWatch takes in
HOUR = {"t4g.micro": 0.0084, "t4g.small": 0.0168, "t4g.medium": 0.0336}
ADDRESS, DISK = 0.005, 0.08  # an hour of a public IPv4 address, a month of a GB of gp3
POSTGRES, POSTGRES_DISK = 0.016, 0.115  # an hour of db.t4g.micro, a month of a GB
BALANCER = 0.0225  # an hour of an Application Load Balancer
HOURS = 730  # of a month
SECONDS = HOURS * 3600
MILLION = 1_000_000

MEMORY = 0.5  # GB
COLD, INIT = 0.01, 0.5  # one request in a hundred starts an instance, which takes half a second
AFTER = 0.01  # seconds for what follows an answer
RULES_TTL, RULES_UNITS = 15, 1.5  # seconds, read units: rules, key and cooldowns
LINES = 1_500  # bytes of a request's line and of Lambda's own, with 26 that CloudWatch adds to each
OURS = 950  # of these, at most
GB = 20  # of a disk
DATABASE = POSTGRES * HOURS + POSTGRES_DISK * GB  # dollars a month


class Workload(NamedTuple):
    seconds: float
    read_units: float = 0  # besides rules and key


WORKLOADS = {
    "a chat of 1 s": Workload(1),
    "a stream of 20 s": Workload(20),
    "a cached answer, 20 ms": Workload(0.02, read_units=0.5),
}


class Machine(NamedTuple):
    instance: str
    postgres: bool

    def alone(self) -> float:
        return (HOUR[self.instance] + ADDRESS) * HOURS + DISK * GB

    def month(self) -> float:
        return self.alone() + self.postgres * DATABASE

    def twice(self) -> float:
        """Dollars of two behind a load balancer, which share a Postgres in two zones."""
        return 2 * (self.alone() + DATABASE) + BALANCER * HOURS


MACHINES = {
    "LiteLLM": Machine("t4g.medium", postgres=True),
    "Bifrost": Machine("t4g.small", postgres=False),
    "TensorZero": Machine("t4g.micro", postgres=True),
}


def parts(work: Workload) -> list[float]:
    """Dollars of a million requests: memory and time, requests, DynamoDB, logs."""
    reads = work.read_units + RULES_UNITS * min(1, work.seconds / RULES_TTL)
    time = MEMORY * (work.seconds + AFTER + COLD * INIT) * GB_SECOND
    return [MILLION * each for each in (time, INVOCATION, WRITE + reads * READ, LINES * LOGGED)]


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_page_states_what_a_million_requests_cost(name: str) -> None:
    found = parts(WORKLOADS[name])
    assert row(name, *(f"{each:.2f}" for each in found), f"{sum(found):.2f}") in PAGE


@pytest.mark.parametrize("name", MACHINES)
def test_the_page_states_when_a_machine_costs_the_same(name: str) -> None:
    machine = MACHINES[name]
    chat, stream = (sum(parts(WORKLOADS[each])) / MILLION for each in ("a chat of 1 s", "a stream of 20 s"))
    needs = "with Postgres" if machine.postgres else "with SQLite"
    once, twice = machine.month(), machine.twice()
    cells = (f"{machine.instance}, {needs}", f"{once:.0f}", f"{once / chat / MILLION:.1f} million")
    crossing = once / stream
    open_streams = crossing * WORKLOADS["a stream of 20 s"].seconds / SECONDS
    more = (f"{crossing / 1000:.0f} thousand, {open_streams:.1f} at a time", f"{twice:.0f}")
    assert row(name, *cells, *more) in PAGE


async def test_a_line_of_a_request_is_no_longer_than_assumed() -> None:
    upstream = httpx.MockTransport(lambda request: httpx.Response(200, json=completion()))
    gateway = start_gateway([provider("http://up.invalid"), model("up/main")], upstream=upstream)
    assert (await gateway.chat(model="up/main")).status == 200
    (line,) = gateway.lines
    assert len(json.dumps(line)) < OURS
