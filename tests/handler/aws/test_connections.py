"""The client of DynamoDB over real connections: those that are cut, that die idle, and that are cancelled."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from itertools import count
from pathlib import Path

import pytest

from handler.aws.client import JsonClient, create_json_client
from handler.aws.credentials import AwsCredentials
from handler.aws.endpoint import Endpoint
from handler.aws.errors import StoreError
from handler.main import Transports, build
from handler.settings import Settings
from handler.upstream.pool import Pool, create_pool
from tests.fault_injection.provider import self_signed
from tests.support.loopback_server import LoopbackServer

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
IDLE = 5  # connections


class Database(LoopbackServer):
    """Answers each request with its number on the connection; none on the first `dead` connections."""

    dead = 0
    lost = 0  # requests that had no answer
    connections = 0
    cut = 0  # bytes of an answer that are kept back for a while

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        mine = self.connections
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._answer(mine, reader, writer)
        finally:
            writer.transport.abort()

    async def _answer(self, mine: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in count(1):
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
            await reader.readexactly(int(length))
            if mine <= self.dead:
                self.lost += 1
                return
            await asyncio.sleep(0.02)  # so that calls at once need a connection each
            answer = b'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"n": %4d}' % number
            writer.write(answer[: len(answer) - self.cut])
            if self.cut:
                await asyncio.sleep(0.3)
                writer.write(answer[-self.cut :])

    def client(self, pool: Pool, *, read_timeout: float = 2.0) -> JsonClient:
        endpoint = Endpoint(f"http://{self.address}", "eu-west-1")
        return JsonClient("dynamodb", endpoint, AwsCredentials(KEYS), pool, read_timeout=read_timeout)


async def test_a_call_succeeds_though_every_idle_connection_is_dead() -> None:
    """As after minutes in which Lambda froze the instance, or after SnapStart restored it."""
    async with aclosing(create_pool(Settings())) as pool, Database() as database:
        client = database.client(pool)
        await asyncio.gather(*(client.call("scan", {}) for _ in range(IDLE)))
        database.dead = database.connections
        assert await client.call("scan", {}) == {"n": 1}
        assert database.connections == IDLE + 1


async def test_calls_at_once_get_an_answer_each_and_their_connections_are_used_again() -> None:
    async with aclosing(create_pool(Settings())) as pool, Database() as database:
        client = database.client(pool)
        await asyncio.gather(*(client.call("scan", {}) for _ in range(100)))
        await asyncio.gather(*(client.call("scan", {}) for _ in range(100)))
        assert database.connections == 100


@pytest.mark.parametrize(
    ("cut", "seconds"),
    [
        pytest.param(0, 0.01, id="before an answer"),
        pytest.param(5, 0.1, id="in the middle of an answer"),
        pytest.param(50, 0.1, id="in the middle of a head"),
    ],
)
async def test_a_cancelled_call_leaves_no_answer_to_the_next(cut: int, seconds: float) -> None:
    async with aclosing(create_pool(Settings())) as pool, Database() as database:
        client = database.client(pool)
        database.cut = cut
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(seconds):
                await client.call("scan", {})
        database.cut = 0
        assert await client.call("scan", {}) == {"n": 1}
        assert database.connections == 2


async def test_an_answer_that_stays_away_is_a_timeout() -> None:
    async with aclosing(create_pool(Settings())) as pool, Database() as database:
        database.cut = 5
        with pytest.raises(StoreError, match=r"scan: no answer \(timeout\)"):
            await database.client(pool, read_timeout=0.1).call("scan", {})
        assert database.connections == 2


async def test_no_connection_of_a_snapshot_is_used_after_a_restore() -> None:
    async with Database() as database:
        address = {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL_DYNAMODB": f"http://{database.address}"}
        _, gateway = build(Settings(environment={**KEYS, **address}))
        await gateway.start()
        database.dead = before = database.connections
        await gateway.after_restore()
        assert gateway.policies.snapshot.ready
        assert database.connections > before > 0
        assert database.lost == 0
        await gateway.aclose()


@pytest.mark.parametrize(
    ("setting", "outcome"),
    [
        pytest.param("AWS_CA_BUNDLE", "an answer", id="the roots of AWS"),
        pytest.param("SSL_CERT_FILE", "no answer (tls)", id="the roots of providers"),
        pytest.param("NONE", "no answer (tls)", id="the public roots"),
    ],
)
async def test_a_certificate_of_aws_is_trusted_by_its_own_setting(
    setting: str, outcome: str, tmp_path: Path
) -> None:
    async with Database(tls=self_signed(tmp_path / "root.pem")) as database:
        settings = Settings(
            environment={
                **KEYS,
                "AWS_REGION": "eu-west-1",
                "AWS_ENDPOINT_URL_DYNAMODB": f"https://{database.address}",
                setting: str(tmp_path / "root.pem"),
            }
        )
        transports = Transports.create(settings)
        found = "an answer"
        try:
            await create_json_client(settings, "dynamodb", transports.aws).call("scan", {})
        except StoreError as error:
            found = str(error).removeprefix("scan: ")
        await transports.aws.aclose()
        assert found == outcome
