"""What `log` records leave in the bucket: of which requests, in which form, and what when S3 fails."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from handler.content.content_log import ContentLog
from handler.store.bucket import Bucket
from tests.support.buckets import NAME, FailingClient, refused, s3, stored
from tests.support.canned_answers import Act, chunk, completion, finish, stream, usage, whole
from tests.support.gateways import KEY, MANAGE, RunningGateway, model, provider, start_gateway
from tests.support.upstream import Upstream

Json = dict[str, Any]
LOG = {"kind": "log", "id": "all", "sample": 1, "days": 30}
NOON = 1_772_366_400.0  # 2026-03-01T12:00:00Z


@pytest.fixture
def client() -> Iterator[Any]:
    with s3() as client:
        yield client


def start(
    upstream: Upstream, *records: Json, client: Any = None, bucket: Bucket | None = None
) -> RunningGateway:
    made = start_gateway(
        [provider(upstream.url), model("up/m", price={"input": 1, "output": 2}), *records], now=lambda: NOON
    )
    made.gateway.open_content_log = lambda: ContentLog(
        bucket or Bucket(NAME, lambda: client),
        report=lambda message, fields: made.lines.append({"level": "ERROR", "message": message, **fields}),
        now=lambda: NOON,
    )
    return made


@pytest.fixture
async def gateway(upstream: Upstream, client: Any) -> AsyncIterator[RunningGateway]:
    made = start(upstream, LOG, client=client)
    yield made
    await made.gateway.aclose()


async def entries(gateway: RunningGateway, client: Any) -> dict[str, Json]:
    await gateway.gateway.settle()
    return stored(client)


async def the_entry(gateway: RunningGateway, client: Any) -> Json:
    ((_, entry),) = (await entries(gateway, client)).items()
    return dict(entry)


async def test_an_entry_has_the_request_the_answer_and_the_decision(
    upstream: Upstream, gateway: RunningGateway, client: Any
) -> None:
    upstream.script("m", whole(completion("Hello")))
    response = await gateway.chat(model="up/m", tags={"job": "x" * 300}, user="u1", x_vendor=1.5)
    found = await entries(gateway, client)
    ((key, entry),) = found.items()
    id = response.headers["x-request-id"]
    assert re.fullmatch(rf"log/30/2026-03-01/support/{id}~[0-9a-f]{{8}}\.json\.gz", key)
    assert entry["request"]["messages"] == [{"role": "user", "content": "hi"}]
    assert entry["request"]["x_vendor"] == 1.5
    assert entry["answer"] == response.json
    assert entry["tags"] == {"job": "x" * 300}
    assert (entry["request_id"], entry["key"], entry["project"]) == (id, "k1", "support")
    assert (entry["model"], entry["reason"], entry["status"]) == ("up/m", "requested", 200)
    assert (entry["at"], entry["truncated"]) == ("2026-03-01T12:00:00.000Z", False)
    (line,) = [line for line in gateway.lines if line["message"] == "request"]
    for name in ("usage", "cost", "attempts", "rule", "error", "ms"):
        assert entry[name] == line[name], name
    assert not {"source_ip", "user_agent", "level", "message"} & entry.keys()


async def test_a_stream_is_stored_as_the_completion_that_it_says(
    upstream: Upstream, gateway: RunningGateway, client: Any
) -> None:
    upstream.script("m", stream(chunk("Hel"), chunk("lo"), finish(), usage()))
    response = await gateway.chat(model="up/m", stream=True, stream_options={"include_usage": True})
    answer = (await the_entry(gateway, client))["answer"]
    assert answer["object"] == "chat.completion"
    (choice,) = answer["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Hello"}
    assert choice["finish_reason"] == "stop"
    assert answer["usage"] == response.events[-2]["usage"]


async def test_a_stream_that_breaks_off_has_what_came_and_the_error(
    upstream: Upstream, gateway: RunningGateway, client: Any
) -> None:
    upstream.script("m", stream(chunk("Hel"), Act.CUT))
    await gateway.chat(model="up/m", stream=True)
    entry = await the_entry(gateway, client)
    assert entry["answer"]["choices"][0]["message"]["content"] == "Hel"
    assert entry["answer"]["error"]["metadata"]["class"] == entry["error"]["metadata"]["class"] == "network"


async def test_a_client_that_leaves_leaves_an_entry(
    upstream: Upstream, gateway: RunningGateway, client: Any
) -> None:
    upstream.script("m", stream(chunk("Hel"), Act.STALL))
    leave = asyncio.Event()
    asyncio.get_running_loop().call_later(1, leave.set)
    await gateway.chat(model="up/m", stream=True, leave=leave)
    entry = await the_entry(gateway, client)
    assert entry["left"] is True
    assert entry["answer"]["choices"][0]["message"]["content"] == "Hel"


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
async def test_a_failed_request_is_stored_with_the_error_that_the_client_got(
    upstream: Upstream, gateway: RunningGateway, client: Any, streams: bool
) -> None:
    upstream.script("m", whole(status=400))
    response = await gateway.chat(model="up/m", stream=streams)
    entry = await the_entry(gateway, client)
    assert entry["status"] == response.status == 400
    assert entry["answer"] == response.json


async def test_a_refused_request_is_stored_and_an_invalid_one_is_not(
    gateway: RunningGateway, client: Any
) -> None:
    assert (await gateway.chat(model="nope")).status == 404
    assert (await gateway.chat(temperature=9)).status == 400
    assert (
        await gateway.post("/v1/explain", {"messages": [{"role": "user", "content": "hi"}]})
    ).status == 200
    assert (await the_entry(gateway, client))["status"] == 404


@pytest.mark.parametrize(
    ("headers", "fields", "logged"),
    [
        pytest.param({}, {}, True, id="neither says anything"),
        pytest.param({"op-log-request": "true"}, {}, True, id="the header allows it"),
        pytest.param({"op-log-request": "false"}, {}, False, id="the header forbids it"),
        pytest.param({"op-log-request": "no"}, {}, False, id="any other value forbids it"),
        pytest.param({}, {"store": True}, True, id="the body allows it"),
        pytest.param({}, {"store": False}, False, id="the body forbids it"),
        pytest.param({}, {"store": None}, True, id="null says nothing"),
        pytest.param({"op-log-request": "true"}, {"store": False}, False, id="the body wins"),
        pytest.param({"op-log-request": "false"}, {"store": True}, False, id="the header wins"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/report"])
async def test_the_client_can_forbid_it(
    upstream: Upstream,
    gateway: RunningGateway,
    client: Any,
    headers: dict[str, Any],
    fields: Json,
    logged: bool,
    path: str,
) -> None:
    upstream.script("m", whole())
    chat = {"model": "up/m", "messages": [{"role": "user", "content": "hi"}], **fields}
    body = {"reqPayload": chat} if path == "/v1/report" else chat
    assert (await gateway.post(path, body, **headers)).status == 200
    assert len(await entries(gateway, client)) == logged


async def count(upstream: Upstream, client: Any, *records: Json, requests: int = 1, key: str = KEY) -> int:
    """The entries that so many requests leave."""
    gateway = start(upstream, *records, client=client)
    upstream.script("m", whole())
    for number in range(requests):
        await gateway.chat(model="up/m", key=key, headers={"x-request-id": f"r{number}"})
    return len(await entries(gateway, client))


@pytest.mark.parametrize(
    ("sample", "least", "most"),
    [
        pytest.param(0, 0, 0, id="a sample of 0 stores none"),
        pytest.param(0.5, 25, 75, id="a sample of 0.5 stores about half"),
        pytest.param(1, 100, 100, id="a sample of 1 stores all"),
    ],
)
async def test_a_sample(upstream: Upstream, client: Any, sample: float, least: int, most: int) -> None:
    assert least <= await count(upstream, client, {**LOG, "sample": sample}, requests=100) <= most


OTHER = {**LOG, "scope": {"project": "ops"}}
OFF = {**LOG, "id": "support-off", "sample": 0, "scope": {"project": "support"}}


@pytest.mark.parametrize(
    ("records", "key", "expected"),
    [
        pytest.param([], KEY, 0, id="without a record nothing is stored"),
        pytest.param([OTHER], KEY, 0, id="a record of another project does not apply"),
        pytest.param([OTHER], MANAGE, 1, id="a record of the project applies"),
        pytest.param([LOG, OFF], KEY, 0, id="the more specific record applies"),
        pytest.param([LOG, OFF], MANAGE, 1, id="the general record applies to the others"),
        pytest.param([{**LOG, "enabled": False}], KEY, 0, id="a disabled record does not apply"),
        pytest.param([{**LOG, "when": {"tools": {"gt": 0}}}], KEY, 0, id="a condition that does not hold"),
    ],
)
async def test_the_record_that_applies(
    upstream: Upstream, client: Any, records: list[Json], key: str, expected: int
) -> None:
    assert await count(upstream, client, *records, key=key) == expected


async def test_two_requests_with_one_id_are_two_entries(
    upstream: Upstream, gateway: RunningGateway, client: Any
) -> None:
    upstream.script("m", whole(completion("one")), whole(completion("two")))
    for _ in range(2):
        await gateway.chat(model="up/m", headers={"x-request-id": "mine"})
    found = (await entries(gateway, client)).values()
    assert {entry["answer"]["choices"][0]["message"]["content"] for entry in found} == {"one", "two"}


async def test_what_a_record_redacts_and_every_key_is_removed(upstream: Upstream, client: Any) -> None:
    gateway = start(upstream, {**LOG, "redact": ["email", "EMP-*"]}, client=client)
    upstream.script("m", whole(completion("To a@b.example")))
    text = f"I am EMP-77, a@b.example, and my key is {KEY}"
    await gateway.chat(
        model="up/m",
        messages=[{"role": "user", "content": [{"type": "text", "text": text}]}],
        tags={"who": "a@b.example"},
        user="a@b.example",
    )
    entry = await the_entry(gateway, client)
    assert entry["request"]["messages"][0]["content"][0]["text"] == (
        "I am [redacted], [email], and my key is [key]"
    )
    assert entry["answer"]["choices"][0]["message"]["content"] == "To [email]"
    assert (entry["tags"], entry["user"], entry["request"]["user"]) == (
        {"who": "[email]"},
        "[email]",
        "[email]",
    )


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        pytest.param(refused("AccessDenied"), "put object: access denied", id="denied"),
        pytest.param(refused("SlowDown"), "put object: throttled", id="throttled"),
        pytest.param(
            EndpointConnectionError(endpoint_url="https://s3"),
            "put object: no answer (endpoint connection)",
            id="down",
        ),
    ],
)
async def test_a_failing_bucket_is_one_log_line_and_no_error(
    upstream: Upstream, error: Exception, problem: str
) -> None:
    failing = FailingClient(error)
    gateway = start(upstream, LOG, client=failing)
    upstream.script("m", whole())
    for _ in range(3):
        assert (await gateway.chat(model="up/m")).status == 200
        await gateway.gateway.settle()
    assert len(failing.calls) == 3
    assert [line for line in gateway.lines if line["message"] != "request"] == [
        {"level": "ERROR", "message": "content not logged", "problem": problem}
    ]
    health = (await gateway.get("/health", key=MANAGE)).json
    assert health["status"] == "degraded"


async def test_after_a_write_that_succeeds_the_next_failure_is_another_line(
    upstream: Upstream, client: Any
) -> None:
    gateway = start(upstream, LOG, client=client)
    upstream.script("m", whole())
    for exists in (False, True, False):
        (client.create_bucket if exists else client.delete_bucket)(Bucket=NAME)
        await gateway.chat(model="up/m")
        await gateway.gateway.settle()
        for key in stored(client) if exists else ():
            client.delete_object(Bucket=NAME, Key=key)
    problems = [line["problem"] for line in gateway.lines if line["message"] == "content not logged"]
    assert problems == ["put object: there is no such bucket"] * 2


async def test_without_a_bucket_a_record_that_applies_is_reported_once(upstream: Upstream) -> None:
    gateway = start_gateway([provider(upstream.url), model("up/m"), LOG])
    upstream.script("m", whole())
    for _ in range(2):
        assert (await gateway.chat(model="up/m")).status == 200
        await gateway.gateway.settle()
    (problem,) = [line["problem"] for line in gateway.lines if line["message"] == "content not logged"]
    assert "SLUICE_BUCKET" in problem


async def test_the_client_does_not_wait_for_a_slow_bucket(upstream: Upstream) -> None:
    class Slow(Bucket):
        async def put(self, key: str, data: bytes) -> None:
            await asyncio.sleep(2)
            written.append(key)

    written: list[str] = []
    gateway = start(upstream, LOG, bucket=Slow(NAME, lambda: None))
    upstream.script("m", whole())
    assert (await gateway.chat(model="up/m")).status == 200
    assert written == []
    await gateway.gateway.settle()
    assert len(written) == 1, "the instance is not frozen before the entry is written"
