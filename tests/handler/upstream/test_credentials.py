"""Credentials: the environment first, then SSM Parameter Store, and what happens when that fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from handler.providers.provider import Provider
from handler.settings import Settings
from handler.store.dynamodb import StoreError
from handler.upstream.credentials import AFTER_FAILURE, AFTER_REFUSAL, REFRESH, Credentials

PATH = "/sluice/keys"
CANARY = "sk-canary-0123456789"
ROW = Provider(name="p", base_url="https://p.example/v1", credential="P_API_KEY")
ROWS = {"p": ROW}


class Parameters:
    """An SSM client: pages of parameters, or a failure."""

    def __init__(self, *pages: Mapping[str, str]) -> None:
        self.pages: list[Mapping[str, str]] = list(pages) or [{}]
        self.failure: Exception | None = None
        self.asked: list[Mapping[str, Any]] = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def get_parameters_by_path(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        self.may_answer.wait(5)
        if self.failure is not None:
            raise self.failure
        page = int(asked.get("NextToken", 0))
        found = [{"Name": f"{PATH}/{name}", "Value": value} for name, value in self.pages[page].items()]
        more = {"NextToken": str(page + 1)} if page + 1 < len(self.pages) else {}
        return {"Parameters": found, **more}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def settings(path: str | None = PATH, providers: str = "", **environment: str) -> Settings:
    return Settings(credentials_path=path, providers=frozenset(providers.split()), environment=environment)


def made(client: Any, given: Settings | None = None, clock: Callable[[], float] | None = None) -> Credentials:
    return Credentials(given or settings(), lambda: client, clock=clock or Clock())


async def read(credentials: Credentials, given: Settings | None = None, rows: Any = None) -> None:
    """A request's look at them, and the reading it may have begun."""
    await credentials.fresh(rows or ROWS, given or settings())
    await credentials.settle(5)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("secret", "secret", id="as it is"),
        pytest.param("  secret\r\n", "secret", id="without the space and line end of a paste"),
        pytest.param("", None, id="empty is absent"),
        pytest.param(" \n", None, id="blank is absent"),
        pytest.param("two\nlines", None, id="what no header can hold is absent"),
        pytest.param("schlüssel", None, id="so is what is not ASCII"),
    ],
)
async def test_the_value_of_a_credential(value: str, expected: str | None) -> None:
    assert made(None, settings(P_API_KEY=value)).get("P_API_KEY") == expected
    stored = made(Parameters({"P_API_KEY": value}))
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
    given = settings(**{name: "secret"}) if name else settings()
    credentials = made(Parameters({name: "secret"}), given)
    await read(credentials, given)
    assert credentials.get(name) is None


@pytest.mark.parametrize("name", ["HF_TOKEN", "P_API_KEY", "X1_KEY", "A_TOKEN"])
def test_names_of_credentials(name: str) -> None:
    assert made(None, settings(**{name: "secret"})).get(name) == "secret"


async def test_every_page_is_read() -> None:
    client = Parameters({"P_API_KEY": "a"}, {}, {"Q_API_KEY": "b"})
    credentials = made(client)
    await read(credentials)
    assert (credentials.get("P_API_KEY"), credentials.get("Q_API_KEY")) == ("a", "b")
    assert [asked["Path"] for asked in client.asked] == [PATH] * 3
    assert all(asked["WithDecryption"] is True for asked in client.asked)


async def test_the_environment_goes_first() -> None:
    given = settings(P_API_KEY="here")
    credentials = made(Parameters({"P_API_KEY": "there", "Q_API_KEY": "there"}), given)
    await read(
        credentials, given, {**ROWS, "q": Provider(name="q", base_url="https://q", credential="Q_API_KEY")}
    )
    assert (credentials.get("P_API_KEY"), credentials.get("Q_API_KEY")) == ("here", "there")


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        pytest.param(settings(path=None), ROWS, id="no path is set"),
        pytest.param(settings(P_API_KEY="x"), ROWS, id="the environment holds all"),
        pytest.param(settings(), {"local": Provider(name="local", base_url="http://x")}, id="none is needed"),
        pytest.param(
            settings(), {"p": Provider(name="p", credential="P_API_KEY")}, id="the row leads nowhere"
        ),
        pytest.param(
            settings(),
            {"p": Provider(name="p", base_url="https://p", credential="P_API_KEY", enabled=False)},
            id="the row is off",
        ),
    ],
)
async def test_nothing_is_read_when_nothing_is_needed(given: Settings, rows: Mapping[str, Provider]) -> None:
    def never() -> Any:
        raise AssertionError("the client is made when it is first needed")

    credentials = Credentials(given, never, clock=Clock())
    await read(credentials, given, rows)
    assert credentials.get("Q_API_KEY") is None


async def test_a_row_that_a_setting_turns_on_is_read_for() -> None:
    rows = {"p": Provider(name="p", base_url="https://p", credential="P_API_KEY", enabled=False)}
    credentials, given = made(Parameters({"P_API_KEY": "x"})), settings(providers="p")
    await read(credentials, given, rows)
    assert credentials.get("P_API_KEY") == "x"


async def test_the_first_request_waits_for_the_reading_and_later_ones_do_not() -> None:
    client, clock = Parameters({"P_API_KEY": "a"}), Clock()
    credentials = made(client, clock=clock)
    await credentials.fresh(ROWS, settings())
    assert credentials.get("P_API_KEY") == "a"
    client.pages = [{"P_API_KEY": "b"}]
    client.may_answer.clear()
    clock.now += REFRESH
    await asyncio.wait_for(credentials.fresh(ROWS, settings()), 1)
    assert credentials.get("P_API_KEY") == "a"
    client.may_answer.set()
    await credentials.settle(5)
    assert credentials.get("P_API_KEY") == "b"


async def test_requests_share_one_reading() -> None:
    client = Parameters({"P_API_KEY": "a"})
    credentials = made(client)
    await asyncio.gather(*(credentials.fresh(ROWS, settings()) for _ in range(20)))
    assert len(client.asked) == 1


async def test_a_request_that_is_cancelled_takes_no_other_with_it() -> None:
    client = Parameters({"P_API_KEY": "a"})
    client.may_answer.clear()
    credentials = made(client)
    left, stays = (asyncio.create_task(credentials.fresh(ROWS, settings())) for _ in range(2))
    await asyncio.sleep(0)
    left.cancel()
    client.may_answer.set()
    await stays
    assert credentials.get("P_API_KEY") == "a"


async def test_the_first_reading_is_not_waited_for_without_end() -> None:
    client, clock = Parameters({"P_API_KEY": "a"}), Clock()
    client.may_answer.clear()
    credentials = made(client, clock=clock)
    first = asyncio.create_task(credentials.fresh(ROWS, settings()))
    await asyncio.sleep(0)
    clock.now += 60
    await asyncio.wait_for(credentials.fresh(ROWS, settings()), 1)
    assert credentials.get("P_API_KEY") is None
    client.may_answer.set()
    await first
    assert credentials.get("P_API_KEY") == "a"


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": CANARY}}, "GetParametersByPath")


@pytest.mark.parametrize(
    ("failure", "problem"),
    [
        pytest.param(refusal("ThrottlingException"), "throttled", id="throttled"),
        pytest.param(refusal("AccessDeniedException"), "access denied", id="not allowed"),
        pytest.param(
            EndpointConnectionError(endpoint_url="https://x"),
            "no answer (endpoint connection)",
            id="not reached",
        ),
        pytest.param(KeyError("Parameters"), "an answer that is not", id="no answer of Parameter Store's"),
    ],
)
async def test_the_last_values_stay_when_reading_fails(failure: Exception, problem: str) -> None:
    client, clock = Parameters({"P_API_KEY": "a"}), Clock()
    told: list[Any] = []
    credentials = Credentials(settings(), lambda: client, clock=clock, report=lambda *line: told.append(line))
    await read(credentials)
    client.failure = failure
    for _ in range(2):
        clock.now += REFRESH
        await read(credentials)
    assert credentials.get("P_API_KEY") == "a"
    assert credentials.missing("Q_API_KEY") == "no credential Q_API_KEY", (
        "when it was last read it was not there"
    )
    assert credentials.retry_after is None
    ((what, found),) = told
    assert {"what": what, **found} == credentials.problems()[0]
    assert (what, problem in found["problem"]) == ("credentials not read", True)
    client.failure = None
    clock.now += REFRESH
    await read(credentials)
    assert credentials.problems() == []


def no_region() -> Any:
    raise StoreError("ssm: no AWS region is configured")


def refusing() -> Any:
    client = Parameters()
    client.failure = refusal("ThrottlingException")
    return client


@pytest.mark.parametrize("client", [refusing, no_region], ids=["it is throttled", "there is no client"])
async def test_credentials_that_were_never_read_are_not_called_absent(client: Callable[[], Any]) -> None:
    credentials = Credentials(settings(), client, clock=Clock())
    assert credentials.missing("P_API_KEY") == "no credential P_API_KEY"
    await read(credentials)
    assert credentials.missing("P_API_KEY") == "P_API_KEY: Parameter Store did not answer"
    assert credentials.retry_after == AFTER_FAILURE


@pytest.mark.parametrize("value", ["two\nlines", "schlüssel"])
async def test_a_credential_that_cannot_be_used_is_not_called_absent(value: str) -> None:
    stored, given = made(Parameters({"P_API_KEY": value})), made(None, settings(P_API_KEY=value))
    await read(stored)
    for credentials in (stored, given):
        why = "credential P_API_KEY is there, but no header can hold its characters"
        assert (credentials.get("P_API_KEY"), credentials.missing("P_API_KEY")) == (None, why)


async def test_a_failed_first_reading_is_tried_again_soon() -> None:
    client, clock = Parameters({"P_API_KEY": "a"}), Clock()
    client.failure = refusal("ThrottlingException")
    credentials = made(client, clock=clock)
    await read(credentials)
    await read(credentials)
    assert len(client.asked) == 1
    client.failure = None
    clock.now += AFTER_FAILURE
    await read(credentials)
    assert credentials.get("P_API_KEY") == "a"


@pytest.mark.parametrize(
    ("passed", "refused", "readings"),
    [
        pytest.param(REFRESH - 1, False, 1, id="not before its time"),
        pytest.param(REFRESH, False, 2, id="when it is time"),
        pytest.param(AFTER_REFUSAL, True, 2, id="after a provider refused one"),
        pytest.param(AFTER_REFUSAL - 1, True, 1, id="but not every time it does"),
    ],
)
async def test_when_it_is_read_again(passed: float, refused: bool, readings: int) -> None:
    client, clock = Parameters({"P_API_KEY": "a"}), Clock()
    credentials = made(client, clock=clock)
    await read(credentials)
    clock.now += passed
    if refused:
        credentials.refused()
    await read(credentials)
    assert len(client.asked) == readings


async def test_one_refusal_is_one_reading() -> None:
    client, clock = Parameters({"P_API_KEY": "a"}), Clock()
    credentials = made(client, clock=clock)
    await read(credentials)
    credentials.refused()
    for _ in range(3):
        clock.now += AFTER_REFUSAL
        await read(credentials)
    assert len(client.asked) == 2


async def test_the_held_credentials_differ_after_every_change() -> None:
    client, clock = Parameters({"P_API_KEY": "a"}), Clock()
    credentials = made(client, clock=clock)
    seen = [credentials.held]
    for failure, value in [(None, "a"), (refusal("Throttling"), "a"), (None, "b")]:
        client.failure, client.pages = failure, [{"P_API_KEY": value}]
        await read(credentials)
        assert credentials.held not in seen
        seen.append(credentials.held)
        clock.now += REFRESH


async def test_a_parameter_that_is_gone_is_gone() -> None:
    client, clock = Parameters({"P_API_KEY": "a"}), Clock()
    credentials = made(client, clock=clock)
    await read(credentials)
    client.pages = [{}]
    clock.now += REFRESH
    await read(credentials)
    assert credentials.get("P_API_KEY") is None


async def test_no_value_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    given = settings(P_API_KEY=CANARY)
    credentials = made(Parameters({"Q_API_KEY": CANARY}), given)
    await read(credentials, given, {"q": Provider(name="q", base_url="https://q", credential="Q_API_KEY")})
    assert credentials.get("Q_API_KEY") == CANARY
    shown = f"{credentials!r} {credentials} {credentials.problems()} {given!r} {caplog.text}"
    assert CANARY not in shown


@mock_aws
def test_parameter_store_itself() -> None:
    session = botocore.session.get_session()
    session.set_credentials("x", "x")
    client: Any = session.create_client("ssm", region_name="eu-central-1")
    for number in range(12):
        client.put_parameter(Name=f"{PATH}/P{number}_API_KEY", Value=f"v{number}\n", Type="SecureString")
    for path in ("/other/P99_API_KEY", f"{PATH}/prod/P0_API_KEY", f"{PATH}/prod/eu/P50_API_KEY"):
        client.put_parameter(Name=path, Value="deep", Type="SecureString")
    credentials = made(client, settings(path=PATH + "/"))
    asyncio.run(read(credentials))
    values = [credentials.get(f"P{number}_API_KEY") for number in (0, 11, 50, 99)]
    assert values == ["v0", "v11", "deep", None], "at any depth, and the one higher up where there are two"
