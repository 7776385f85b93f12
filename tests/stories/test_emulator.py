"""The built package answers without anything else.

The streaming entry runs under Lambda's emulator, which buffers answers, and under a fake Runtime API, which
shows each piece. The buffered entry runs under Lambda's own client, awslambdaric.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.deployed import (
    Account,
    bare_python,
    emulator_binary,
    lambdas_client,
    make_account,
    package,
)
from tests.support.lambda_url import emulator, event_of, function_url, runtime
from tests.support.runtime_api import FakeRuntimeApi
from tests.support.serving import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("package")]  # one process builds the package, once

Environment = Callable[[Account], AbstractAsyncContextManager[str]]
ASK = {"model": "local/echo", "messages": [{"role": "user", "content": "hello there"}]}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with make_account(tmp_path_factory.mktemp("account")) as found:
        yield found


def streaming() -> list[str]:
    """Lambda's command with a wrapper: the wrapper, the interpreter and the script that it replaces."""
    return [str(package() / "handler" / "bootstrap"), str(bare_python()), "/var/runtime/bootstrap.py"]


def buffered() -> list[str]:
    """Lambda's command without a wrapper: its client, with the handler of the template."""
    return [str(bare_python()), "-P", "-m", "awslambdaric", "handler.runtime.buffered.handler"]


@asynccontextmanager
async def under_the_emulator(account: Account) -> AsyncIterator[str]:
    environment = account.environment
    async with (
        emulator(emulator_binary(), streaming(), environment=environment, cwd=package()) as function,
        function_url(function) as url,
    ):
        yield url


@asynccontextmanager
async def under_the_fake_api(account: Account) -> AsyncIterator[str]:
    async with (
        FakeRuntimeApi().serving() as api,
        runtime(streaming(), api=api, environment=account.environment, cwd=package()),
        function_url(api) as url,
    ):
        yield url


@asynccontextmanager
async def under_awslambdaric(account: Account) -> AsyncIterator[str]:
    paths = f"{package()}:{lambdas_client()}"
    environment = {**account.environment, "_HANDLER": "handler.runtime.buffered.handler", "PYTHONPATH": paths}
    async with (
        FakeRuntimeApi().serving() as api,
        runtime(buffered(), api=api, environment=environment, cwd=package()),
        function_url(api) as url,
    ):
        yield url


BUFFERING = (under_the_emulator, under_awslambdaric)
ENVIRONMENTS = [
    pytest.param(under_the_emulator, id="streaming under the emulator"),
    pytest.param(under_the_fake_api, id="streaming under the fake Runtime API"),
    pytest.param(under_awslambdaric, id="buffered under awslambdaric"),
]


@asynccontextmanager
async def client(url: str, key: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=f"{url}/v1", headers=headers, trust_env=False, timeout=60) as made:
        yield made


@pytest.mark.parametrize("environment", ENVIRONMENTS)
async def test_the_package_answers(environment: Environment, account: Account) -> None:
    async with environment(account) as url, client(url, account.key) as gateway:
        health = await gateway.get("/health")
        whole = await gateway.post("/chat/completions", json=ASK)
        stream = await gateway.post("/chat/completions", json={**ASK, "stream": True})
        refused = await gateway.post("/chat/completions", json={**ASK, "messages": []})
        lost = await gateway.get("/nowhere")
    assert health.json()["status"] == "ok"
    assert whole.json()["choices"][0]["message"]["content"] == "local/echo heard: hello there"
    assert whole.headers["x-sluice-model"] == "local/echo"
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.text.endswith("data: [DONE]\n\n")
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "messages")
    assert (lost.status_code, lost.json()["error"]["code"]) == (404, "unknown_url")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("library", ["openai2", "openai3"])
async def test_the_story_of_an_openai_client(
    environment: Environment, library: str, account: Account
) -> None:
    python = ROOT / ".venvs" / library / "bin" / "python"
    assert python.exists(), "make story-clients"
    skipped = ("--skip", "a stream arrives while it is made") if environment in BUFFERING else ()
    async with environment(account) as url:
        process = await asyncio.create_subprocess_exec(
            *(python, "-m", "tests.clients.story", f"{url}/v1", account.key),
            *("--restricted-key", account.restricted_key, "--dynamodb", account.dynamodb, "--within", "10"),
            *skipped,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
async def test_the_doctor_tells_a_function_that_streams_from_one_that_buffers(
    environment: Environment, account: Account
) -> None:
    async with environment(account) as url:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "handler", "doctor", "--url", url, "--key", account.key, "--json"),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
    found = {one["check"]: one["state"] for one in json.loads(output)["findings"]}
    assert found["streaming"] == ("fault" if environment in BUFFERING else "ok"), output.decode()
    assert {found[name] for name in ("url", "version", "key", "models")} == {"ok"}


async def test_the_function_sends_tokens_before_the_answer_ends(account: Account) -> None:
    body = json.dumps({**ASK, "model": "local/echo-slow", "stream": True}).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {account.key}"}
    event = event_of("POST", "/v1/chat/completions", headers=headers, body=body)
    async with (
        FakeRuntimeApi().serving() as api,
        runtime(streaming(), api=api, environment=account.environment, cwd=package()),
    ):
        invocation = await api.submit(event)
        await invocation.wait(chunks=3)
        assert not invocation.over
        await invocation.wait()
    arrivals = [at for at, _ in invocation.chunks]
    assert arrivals[-1] - arrivals[1] > 0.5
    assert invocation.body.endswith(b"data: [DONE]\n\n")


async def test_the_emulator_passes_on_a_large_request(account: Account) -> None:
    """The real API sends more than 2 KB in chunks."""
    long = {**ASK, "messages": [{"role": "user", "content": "word " * 200_000}]}
    async with under_the_emulator(account) as url, client(url, account.key) as gateway:
        answer = await gateway.post("/chat/completions", json=long)
    assert answer.status_code == 200, answer.text[:500]


async def test_an_event_that_is_not_a_request_does_not_end_the_function(account: Account) -> None:
    environment = account.environment
    async with emulator(emulator_binary(), streaming(), environment=environment, cwd=package()) as function:
        answers: list[Any] = []
        for event in ({"key1": "value1"}, event_of("GET", "/v1/health")):
            answers.append(b"".join([piece async for piece in function.invoke(event)]))
    assert answers[0].startswith(b'{"statusCode": 400')
    assert answers[1].startswith(b'{"statusCode": 200')


async def test_a_function_that_fails_to_start_reports_the_reason(account: Account) -> None:
    async with FakeRuntimeApi().serving() as api:
        environment = {**account.environment, "SLUICE_MAX_N": "many"}
        async with runtime(streaming(), api=api, environment=environment, cwd=package()) as process:
            code = await asyncio.wait_for(process.wait(), 30)
    ((path, kind, body),) = api.reports
    assert (code, path, kind) == (1, "/init/error", "Runtime.InvalidSetting")
    assert "SLUICE_MAX_N" in body["errorMessage"]


def test_the_interpreter_is_bare() -> None:
    assert not list(Path(bare_python()).parent.parent.glob("lib/python*/site-packages/*"))
