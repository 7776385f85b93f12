"""OpenPipe's endpoints: calls made elsewhere, and changes of tags."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from handler.content.content_log import ContentLog
from handler.store.bucket import Bucket
from tests.support.buckets import NAME, FailingClient, refused, s3, stored
from tests.support.gateways import KEY, MANAGE, RunningGateway, start_gateway

Json = dict[str, Any]
LOG = {"kind": "log", "id": "support", "sample": 0, "days": 7, "scope": {"project": "support"}}
CALL = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
ANSWER = {"id": "c1", "choices": [{"message": {"role": "assistant", "content": "Hello"}}]}
BY_ID = [{"field": "completionId", "equals": "c1"}]


@pytest.fixture
def client() -> Iterator[Any]:
    with s3() as client:
        yield client


def start(client: Any, *records: Json) -> RunningGateway:
    made = start_gateway(records)
    bucket = Bucket(NAME, lambda: client)
    made.gateway.open_content_log = lambda: ContentLog(bucket, report=lambda *_: None, now=time.time)
    return made


@pytest.fixture
async def gateway(client: Any) -> AsyncIterator[RunningGateway]:
    made = start(client, LOG)
    yield made
    await made.gateway.aclose()


@pytest.mark.parametrize("path", ["/v1/report", "/api/v1/report", "/v1/report-anthropic"])
async def test_a_report_is_an_entry_of_the_keys_project_whatever_the_sample(
    gateway: RunningGateway, client: Any, path: str
) -> None:
    body = {
        "requestedAt": 1_772_366_400_000,
        "receivedAt": 1_772_366_401_000,
        "reqPayload": CALL,
        "respPayload": ANSWER,
        "statusCode": 200,
        "tags": {"job": "a", "n": 3, "none": None, "project": "ops"},
    }
    response = await gateway.post(path, body, x_request_id="mine", op_tags='{"job": "b", "x": 1}')
    assert (response.status, response.json) == (200, {"status": "ok"})
    ((key, entry),) = stored(client).items()
    assert key.startswith("log/7/")
    assert "/support/mine~" in key
    assert (entry["request"], entry["answer"]) == (CALL, ANSWER)
    assert entry["tags"] == {"job": "a", "n": "3", "x": "1", "project": "ops"}
    assert (entry["project"], entry["key"], entry["model"]) == ("support", "k1", "gpt-4o")
    assert (entry["status"], entry["reported"]["requestedAt"]) == (200, 1_772_366_400_000)


async def test_a_failed_call_is_reported_with_its_error(gateway: RunningGateway, client: Any) -> None:
    body = {"reqPayload": CALL, "statusCode": 500, "errorMessage": "down"}
    assert (await gateway.post("/v1/report", body)).status == 200
    (entry,) = stored(client).values()
    assert (entry["error"], entry["answer"], entry["status"]) == ({"message": "down"}, None, 500)


REFUSED = [
    pytest.param("/v1/report", {}, "reqPayload", id="a report without a call"),
    pytest.param("/v1/report", {"reqPayload": CALL, "tags": []}, "tags", id="tags that are a list"),
    pytest.param(
        "/v1/report", {"reqPayload": CALL, "tags": {"a": {}}}, "tags.a", id="a tag that is an object"
    ),
    pytest.param("/v1/report", {"reqPayload": CALL, "statusCode": "x"}, "statusCode", id="a status in words"),
    pytest.param("/v1/report", [], None, id="a list"),
    pytest.param("/v1/report", b"{", None, id="no JSON"),
    pytest.param("/v1/logs/update-tags", {"tags": {}}, "filters", id="an edit without filters"),
    pytest.param("/v1/logs/update-tags", {"filters": [], "tags": {}}, "filters", id="no filter"),
    pytest.param("/v1/logs/update-tags", {"filters": BY_ID}, "tags", id="an edit without tags"),
    pytest.param(
        "/v1/logs/update-tags",
        {"filters": [{"field": "project", "equals": "ops"}], "tags": {}},
        "filters[0].field",
        id="a filter by project",
    ),
    pytest.param(
        "/v1/logs/update-tags",
        {"filters": [{"field": "model", "equals": 3}], "tags": {}},
        "filters[0].equals",
        id="a filter that is no text",
    ),
    pytest.param(
        "/v1/logs/update-tags", {"filters": BY_ID * 11, "tags": {}}, "filters", id="too many filters"
    ),
]


@pytest.mark.parametrize(("path", "body", "param"), REFUSED)
async def test_an_invalid_body_is_refused_and_nothing_is_stored(
    gateway: RunningGateway, client: Any, path: str, body: Any, param: str | None
) -> None:
    response = await gateway.post(path, body)
    assert response.status == 400
    assert response.error["param"] == param
    assert stored(client) == {}


@pytest.mark.parametrize("path", ["/v1/report", "/v1/logs/update-tags"])
@pytest.mark.parametrize("key", [None, "sk-sluice-" + "x" * 43])
async def test_without_a_key_nothing_is_stored(
    gateway: RunningGateway, client: Any, path: str, key: str | None
) -> None:
    body = {"reqPayload": CALL, "filters": BY_ID, "tags": {}}
    assert (await gateway.post(path, body, key=key)).status == 401
    assert stored(client) == {}


async def test_where_no_record_applies_nothing_is_stored(gateway: RunningGateway, client: Any) -> None:
    reported = await gateway.post("/v1/report", {"reqPayload": CALL}, key=MANAGE)
    edited = await gateway.post("/v1/logs/update-tags", {"filters": BY_ID, "tags": {}}, key=MANAGE)
    assert (reported.json, edited.json) == ({"status": "ok"}, {"matchedLogs": 0})
    assert stored(client) == {}


async def test_an_edit_is_stored_for_the_keys_project(gateway: RunningGateway, client: Any) -> None:
    filters = [*BY_ID, {"field": "tags.job", "equals": "a"}]
    body = {"filters": filters, "tags": {"good": True, "n": 2, "old": None}}
    response = await gateway.post("/v1/logs/update-tags", body)
    assert (response.status, response.json) == (200, {"matchedLogs": -1})
    ((key, edit),) = stored(client).items()
    assert key.startswith("log/edits/support/")
    assert edit["filters"] == filters
    assert edit["tags"] == {"good": "true", "n": "2", "old": None}


@pytest.mark.parametrize("path", ["/v1/report", "/v1/logs/update-tags"])
async def test_a_bucket_that_fails_is_an_error_that_can_be_retried(path: str) -> None:
    gateway = start(FailingClient(refused("SlowDown")), LOG)
    body = {"reqPayload": CALL} if path == "/v1/report" else {"filters": BY_ID, "tags": {}}
    response = await gateway.post(path, body, key=KEY)
    assert (response.status, response.error["code"]) == (503, "store_unavailable")
    assert response.headers["retry-after"] == "5"
