"""Tests of handler/upstream/credentials.py with a fake SSM client, and with moto's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import botocore.session
import pytest
from moto import mock_aws

from handler.aws.errors import StoreError
from handler.providers.provider import Provider
from handler.settings import Settings
from handler.upstream.credentials import AFTER_FAILURE, AFTER_REFUSAL, REFRESH, Credentials
from tests.support.inline_client import InlineClient

PATH = "/sluice/keys"
CANARY = "sk-canary-0123456789"
ROW = Provider(name="p", base_url="https://p.example/v1", credential="P_API_KEY")
ROWS = {"p": ROW}


class Parameters:
    """A client of Parameter Store with pages of parameters, or a failure."""

    def __init__(self, *pages: Mapping[str, str]) -> None:
        self.pages: list[Mapping[str, str]] = list(pages) or [{}]
        self.failure: Exception | None = None
        self.calls: list[Mapping[str, Any]] = []
        self.answering = asyncio.Event()
        self.answering.set()

    async def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        assert operation == "get_parameters_by_path"
        self.calls.append(arguments)
        await self.answering.wait()
        if self.failure is not None:
            raise self.failure
        page = int(arguments.get("NextToken", 0))
        parameters = [{"Name": f"{PATH}/{name}", "Value": value} for name, value in self.pages[page].items()]
        more = {"NextToken": str(page + 1)} if page + 1 < len(self.pages) else {}
        return {"Parameters": parameters, **more}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def settings(path: str | None = PATH, providers: str = "", **environment: str) -> Settings:
    return Settings(credentials_path=path, providers=frozenset(providers.split()), environment=environment)


def create(client: Any, own: Settings | None = None, clock: Callable[[], float] | None = None) -> Credentials:
    return Credentials(own or settings(), lambda: client, clock=clock or Clock())


async def read(credentials: Credentials, own: Settings | None = None, rows: Any = None) -> None:
    """Refreshes the credentials and waits for the read."""
    await credentials.refresh(rows or ROWS, own or settings())
    await credentials.settle(5)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("secret", "secret", id="a plain value"),
        pytest.param("  secret\r\n", "secret", id="white space around it is removed"),
        pytest.param("", None, id="empty is absent"),
        pytest.param(" \n", None, id="blank is absent"),
        pytest.param("two\nlines", None, id="a value with a line end is absent"),
        pytest.param("schlüssel", None, id="a value that is not ASCII is absent"),
    ],
)
async def test_the_value_of_a_credential(value: str, expected: str | None) -> None:
    assert create(None, settings(P_API_KEY=value)).get("P_API_KEY") == expected
    stored = create(Parameters({"P_API_KEY": value}))
    await read(stored)
    assert stored.get("P_API_KEY") == expected


@pytest.mark.parametrize(
    "name",
    [
        *(
            "AWS_SECRET_ACCESS_KEY",
            "SLUICE_ADMIN_KEY",
            "LAMBDA_X_KEY",
            "_X_KEY",
            "PATH",
            "p_api_key",
            "P_API_KEY ",
        ),
        *("P_API_KEYS", "KEY", "", "P-API_KEY", "P_API_KEY\n"),
    ],
)
async def test_other_names_are_never_looked_up(name: str) -> None:
    own = settings(**{name: "secret"}) if name else settings()
    credentials = create(Parameters({name: "secret"}), own)
    await read(credentials, own)
    assert credentials.get(name) is None


@pytest.mark.parametrize("name", ["HF_TOKEN", "P_API_KEY", "X1_KEY", "A_TOKEN"])
def test_names_of_credentials(name: str) -> None:
    assert create(None, settings(**{name: "secret"})).get(name) == "secret"


async def test_every_page_is_read() -> None:
    client = Parameters({"P_API_KEY": "a"}, {}, {"Q_API_KEY": "b"})
    credentials = create(client)
    await read(credentials)
    assert (credentials.get("P_API_KEY"), credentials.get("Q_API_KEY")) == ("a", "b")
    assert [call["Path"] for call in client.calls] == [PATH] * 3
    assert all(call["WithDecryption"] is True for call in client.calls)


async def test_a_credential_that_no_row_names_is_read_too() -> None:
    client = Parameters({"TOOLS_TOKEN": "t"})
    own = settings(P_API_KEY="x")
    credentials = create(client, own)
    await credentials.refresh(ROWS, own, ["TOOLS_TOKEN"])
    assert credentials.get("TOOLS_TOKEN") == "t"


async def test_the_environment_takes_precedence() -> None:
    own = settings(P_API_KEY="here")
    credentials = create(Parameters({"P_API_KEY": "there", "Q_API_KEY": "there"}), own)
    await read(
        credentials, own, {**ROWS, "q": Provider(name="q", base_url="https://q", credential="Q_API_KEY")}
    )
    assert (credentials.get("P_API_KEY"), credentials.get("Q_API_KEY")) == ("here", "there")


@pytest.mark.parametrize(
    ("own", "rows"),
    [
        pytest.param(settings(path=None), ROWS, id="without a path"),
        pytest.param(settings(P_API_KEY="x"), ROWS, id="all are in the environment"),
        pytest.param(
            settings(), {"local": Provider(name="local", base_url="http://x")}, id="no row has a credential"
        ),
        pytest.param(
            settings(), {"p": Provider(name="p", credential="P_API_KEY")}, id="the row has no address"
        ),
        pytest.param(
            settings(),
            {"p": Provider(name="p", base_url="https://p", credential="P_API_KEY", enabled=False)},
            id="the row is off",
        ),
    ],
)
async def test_nothing_is_read_when_nothing_is_needed(own: Settings, rows: Mapping[str, Provider]) -> None:
    def never() -> Any:
        raise AssertionError("the client is created when it is first needed")

    credentials = Credentials(own, never, clock=Clock())
    await read(credentials, own, rows)
    assert credentials.get("Q_API_KEY") is None


async def test_all_credentials_of_a_row_are_needed() -> None:
    row = Provider(
        name="p", base_url="https://p", credential="P_API_KEY", accounts=("P_API_KEY", "Q_API_KEY")
    )
    own = settings(P_API_KEY="here")
    credentials = create(Parameters({"Q_API_KEY": "there"}), own)
    await read(credentials, own, {"p": row})
    assert (credentials.get("P_API_KEY"), credentials.get("Q_API_KEY")) == ("here", "there")


async def test_the_credential_of_a_row_that_a_setting_turns_on_is_read() -> None:
    rows = {"p": Provider(name="p", base_url="https://p", credential="P_API_KEY", enabled=False)}
    credentials, own = create(Parameters({"P_API_KEY": "x"})), settings(providers="p")
    await read(credentials, own, rows)
    assert credentials.get("P_API_KEY") == "x"


async def test_the_first_request_waits_for_the_read_and_later_ones_do_not() -> None:
    client, clock = Parameters({"P_API_KEY": "a"}), Clock()
    credentials = create(client, clock=clock)
    await credentials.refresh(ROWS, settings())
    assert credentials.get("P_API_KEY") == "a"
    client.pages = [{"P_API_KEY": "b"}]
    client.answering.clear()
    clock.now += REFRESH
    await asyncio.wait_for(credentials.refresh(ROWS, settings()), 1)
    assert credentials.get("P_API_KEY") == "a"
    client.answering.set()
    await credentials.settle(5)
    assert credentials.get("P_API_KEY") == "b"


async def test_requests_share_one_read() -> None:
    client = Parameters({"P_API_KEY": "a"})
    credentials = create(client)
    await asyncio.gather(*(credentials.refresh(ROWS, settings()) for _ in range(20)))
    assert len(client.calls) == 1


async def test_a_cancelled_request_cancels_no_other() -> None:
    client = Parameters({"P_API_KEY": "a"})
    client.answering.clear()
    credentials = create(client)
    cancelled, other = (asyncio.create_task(credentials.refresh(ROWS, settings())) for _ in range(2))
    await asyncio.sleep(0)
    cancelled.cancel()
    client.answering.set()
    await other
    assert credentials.get("P_API_KEY") == "a"


async def test_a_request_waits_for_the_first_read_for_a_limited_time() -> None:
    client, clock = Parameters({"P_API_KEY": "a"}), Clock()
    client.answering.clear()
    credentials = create(client, clock=clock)
    first = asyncio.create_task(credentials.refresh(ROWS, settings()))
    await asyncio.sleep(0)
    clock.now += 60
    await asyncio.wait_for(credentials.refresh(ROWS, settings()), 1)
    assert credentials.get("P_API_KEY") is None
    client.answering.set()
    await first
    assert credentials.get("P_API_KEY") == "a"


THROTTLED = StoreError("get parameters by path: throttled", code="ThrottlingException")


@pytest.mark.parametrize(
    ("failure", "problem"),
    [
        pytest.param(THROTTLED, "throttled", id="throttled"),
        pytest.param(KeyError(CANARY), "cannot be read", id="not an answer of Parameter Store"),
    ],
)
async def test_the_last_values_stay_when_a_read_fails(failure: Exception, problem: str) -> None:
    client, clock = Parameters({"P_API_KEY": "a"}), Clock()
    reports: list[Any] = []
    credentials = Credentials(
        settings(), lambda: client, clock=clock, report=lambda *line: reports.append(line)
    )
    await read(credentials)
    client.failure = failure
    for _ in range(2):
        clock.now += REFRESH
        await read(credentials)
    assert credentials.get("P_API_KEY") == "a"
    assert credentials.missing("Q_API_KEY") == "no credential Q_API_KEY", (
        "the last read that succeeded did not find it"
    )
    assert credentials.retry_after is None
    ((what, fields),) = reports
    assert {"what": what, **fields} == credentials.problems()[0]
    assert (what, problem in fields["problem"]) == ("credentials not read", True)
    client.failure = None
    clock.now += REFRESH
    await read(credentials)
    assert credentials.problems() == []


def no_region() -> Any:
    raise StoreError("ssm: no AWS region is configured")


def throttling() -> Any:
    client = Parameters()
    client.failure = THROTTLED
    return client


@pytest.mark.parametrize("client", [throttling, no_region], ids=["throttled", "no client"])
async def test_credentials_that_were_never_read_are_not_reported_as_absent(client: Callable[[], Any]) -> None:
    credentials = Credentials(settings(), client, clock=Clock())
    assert credentials.missing("P_API_KEY") == "no credential P_API_KEY"
    await read(credentials)
    assert credentials.missing("P_API_KEY") == "P_API_KEY: Parameter Store did not answer"
    assert credentials.retry_after == AFTER_FAILURE


@pytest.mark.parametrize("value", ["two\nlines", "schlüssel"])
async def test_an_unusable_credential_is_not_reported_as_absent(value: str) -> None:
    stored, local = create(Parameters({"P_API_KEY": value})), create(None, settings(P_API_KEY=value))
    await read(stored)
    for credentials in (stored, local):
        why = "credential P_API_KEY has characters that no header can hold"
        assert (credentials.get("P_API_KEY"), credentials.missing("P_API_KEY")) == (None, why)


async def test_a_failed_first_read_is_retried_soon() -> None:
    client, clock = Parameters({"P_API_KEY": "a"}), Clock()
    client.failure = THROTTLED
    credentials = create(client, clock=clock)
    await read(credentials)
    await read(credentials)
    assert len(client.calls) == 1
    client.failure = None
    clock.now += AFTER_FAILURE
    await read(credentials)
    assert credentials.get("P_API_KEY") == "a"


@pytest.mark.parametrize(
    ("passed", "refused", "reads"),
    [
        pytest.param(REFRESH - 1, False, 1, id="not yet due"),
        pytest.param(REFRESH, False, 2, id="due"),
        pytest.param(AFTER_REFUSAL, True, 2, id="after a refusal"),
        pytest.param(AFTER_REFUSAL - 1, True, 1, id="too soon after a refusal"),
    ],
)
async def test_reads_are_repeated(passed: float, refused: bool, reads: int) -> None:
    client, clock = Parameters({"P_API_KEY": "a"}), Clock()
    credentials = create(client, clock=clock)
    await read(credentials)
    clock.now += passed
    if refused:
        credentials.note_refusal()
    await read(credentials)
    assert len(client.calls) == reads


async def test_one_refusal_causes_one_read() -> None:
    client, clock = Parameters({"P_API_KEY": "a"}), Clock()
    credentials = create(client, clock=clock)
    await read(credentials)
    credentials.note_refusal()
    for _ in range(3):
        clock.now += AFTER_REFUSAL
        await read(credentials)
    assert len(client.calls) == 2


async def test_the_version_differs_after_every_read() -> None:
    client, clock = Parameters({"P_API_KEY": "a"}), Clock()
    credentials = create(client, clock=clock)
    versions = [credentials.version]
    for failure, value in [(None, "a"), (THROTTLED, "a"), (None, "b")]:
        client.failure, client.pages = failure, [{"P_API_KEY": value}]
        await read(credentials)
        assert credentials.version not in versions
        versions.append(credentials.version)
        clock.now += REFRESH


async def test_a_deleted_parameter_is_absent() -> None:
    client, clock = Parameters({"P_API_KEY": "a"}), Clock()
    credentials = create(client, clock=clock)
    await read(credentials)
    client.pages = [{}]
    clock.now += REFRESH
    await read(credentials)
    assert credentials.get("P_API_KEY") is None


async def test_no_value_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    own = settings(P_API_KEY=CANARY)
    credentials = create(Parameters({"Q_API_KEY": CANARY}), own)
    await read(credentials, own, {"q": Provider(name="q", base_url="https://q", credential="Q_API_KEY")})
    assert credentials.get("Q_API_KEY") == CANARY
    shown = f"{credentials!r} {credentials} {credentials.problems()} {own!r} {caplog.text}"
    assert CANARY not in shown


@mock_aws
def test_with_parameter_store() -> None:
    session = botocore.session.get_session()
    session.set_credentials("x", "x")
    client: Any = session.create_client("ssm", region_name="eu-central-1")
    for number in range(12):
        client.put_parameter(Name=f"{PATH}/P{number}_API_KEY", Value=f"v{number}\n", Type="SecureString")
    for path in ("/other/P99_API_KEY", f"{PATH}/prod/P0_API_KEY", f"{PATH}/prod/eu/P50_API_KEY"):
        client.put_parameter(Name=path, Value="deep", Type="SecureString")
    credentials = create(InlineClient(client), settings(path=PATH + "/"))
    asyncio.run(read(credentials))
    values = [credentials.get(f"P{number}_API_KEY") for number in (0, 11, 50, 99)]
    assert values == ["v0", "v11", "deep", None], "at any depth; of two, the one higher up"
