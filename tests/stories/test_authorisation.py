"""Who may call what: every endpoint with every kind of key, every command with every kind of credentials."""

from __future__ import annotations

import argparse
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from handler.__main__ import parser
from handler.aws.errors import StoreError
from handler.cli.tables import Tables as CommandTables
from handler.cli.terminal import process_terminal
from handler.endpoints.table import ENDPOINTS
from handler.store.bucket import Bucket
from handler.store.items import Items
from tests.support.asgi import Response
from tests.support.canned_answers import chunk, completion, finish, stream, whole
from tests.support.gateways import (
    KEY,
    KEYS,
    MANAGE,
    RunningGateway,
    Tables,
    key_item,
    model,
    provider,
    start_gateway,
)
from tests.support.inline_client import InlineClient
from tests.support.tables import SETTINGS, dynamodb
from tests.support.upstream import Upstream
from tests.support.virtual_clock import now

DISABLED, EXPIRED, FOREIGN, NARROW_SCOPE, UNKNOWN = (f"sk-sluice-{letter * 43}" for letter in "dxfsu")
CHAT = {"model": "up/m", "messages": [{"role": "user", "content": "hi"}]}
OPERATIONS: dict[str, Any] = {
    "/embeddings": {"input": "a"},
    "/completions": {"prompt": "a"},
    "/rerank": {"query": "a", "documents": ["b"]},
    "/v2/rerank": {"query": "a", "documents": ["b"]},
    "/moderations": {"input": "a"},
    "/images/generations": {"prompt": "a"},
    "/images/edits": {"prompt": "a"},
    "/audio/speech": {"input": "a", "voice": "b"},
    "/audio/transcriptions": {},
    "/audio/translations": {},
}
REPORT = {"reqPayload": CHAT, "respPayload": completion()}
# By endpoint, the path and the body of a request that a key with the scope may make.
REQUESTS: dict[tuple[str, str], tuple[str, Any]] = {
    ("GET", "/"): ("/", None),
    ("POST", "/chat/completions"): ("/v1/chat/completions", CHAT),
    **{("POST", path): (f"/v1{path}", {"model": "up/m", **body}) for path, body in OPERATIONS.items()},
    ("POST", "/messages"): ("/v1/messages", {**CHAT, "max_tokens": 9}),
    ("POST", "/messages/count_tokens"): ("/v1/messages/count_tokens", CHAT),
    ("POST", "/responses"): ("/v1/responses", {"model": "up/m", "input": "hi"}),
    ("POST", "/responses/input_tokens"): ("/v1/responses/input_tokens", {"model": "up/m", "input": "hi"}),
    ("POST", "/responses/compact"): ("/v1/responses/compact", {"model": "re/m", "input": "hi"}),
    ("POST", "/v1beta/models/{call:path}"): (
        "/v1beta/models/up/m:generateContent",
        {"contents": [{"parts": [{"text": "hi"}]}]},
    ),
    ("POST", "/model/{id:path}/converse"): (
        "/model/up%2Fm/converse",
        {"messages": [{"role": "user", "content": [{"text": "hi"}]}]},
    ),
    ("POST", "/model/{id:path}/converse-stream"): (
        "/model/up/s/converse-stream",
        {"messages": [{"role": "user", "content": [{"text": "hi"}]}]},
    ),
    ("POST", "/explain"): ("/v1/explain", CHAT),
    ("GET", "/models"): ("/v1/models", None),
    ("GET", "/models/{id:path}"): ("/v1/models/up/m", None),
    ("POST", "/report"): ("/v1/report", REPORT),
    ("POST", "/report-anthropic"): ("/v1/report-anthropic", REPORT),
    ("POST", "/logs/update-tags"): (
        "/v1/logs/update-tags",
        {"filters": [{"field": "completionId", "equals": "chatcmpl-1"}], "tags": {"a": "b"}},
    ),
    ("POST", "/models/{call:path}"): (
        "/v1/models/up/m:generateContent",
        {"contents": [{"parts": [{"text": "hi"}]}]},
    ),
    ("GET", "/v1beta/models"): ("/v1beta/models", None),
    ("GET", "/v1beta/models/{id:path}"): ("/v1beta/models/up/m", None),
    ("GET", "/usage"): ("/v1/usage", None),
    ("GET", "/health"): ("/health", None),
    ("GET", "/console"): ("/console", None),
}
# Tested in tests/handler/console/.
OF_CONSOLE = {one[:2] for one in ENDPOINTS if one[1].startswith("/console/")}
OPEN = {("GET", "/"), ("GET", "/health"), ("GET", "/console")}
# By kind of caller: the key, and the status and code at an endpoint that needs a key; None: it may.
CALLERS: dict[str, tuple[str | None, tuple[int, str] | None]] = {
    "no key": (None, (401, "missing_api_key")),
    "a malformed key": ("sk-sluice-short", (401, "invalid_api_key")),
    "a key of another service": ("sk-proj-" + "a" * 43, (401, "invalid_api_key")),
    "an unknown key": (UNKNOWN, (401, "invalid_api_key")),
    "a disabled key": (DISABLED, (401, "invalid_api_key")),
    "an expired key": (EXPIRED, (401, "invalid_api_key")),
    "a key without the scope chat": (NARROW_SCOPE, (403, "scope_required")),
    "a chat key": (KEY, None),
    "a chat key of another project": (FOREIGN, None),
    "a manage key": (MANAGE, None),
}


@pytest.fixture
async def gateway(upstream: Upstream) -> AsyncIterator[RunningGateway]:
    upstream.script("m", whole(completion()))
    upstream.script("s", stream(chunk("a"), finish()))
    keys = [
        *KEYS,
        key_item(DISABLED, id="d1", enabled=False),
        key_item(EXPIRED, id="x1", expires_at=1),
        key_item(FOREIGN, id="f1", project="foreign"),
        key_item(NARROW_SCOPE, id="s1", scopes=[]),
    ]
    with dynamodb() as client:
        records = [
            provider(upstream.url),
            model("up/m", price={"input": 1, "output": 2}),
            provider(upstream.url, "re", dialect="responses"),
        ]
        tables = Tables(records, keys)
        tables.state = Items(InlineClient(client), SETTINGS.state_table)
        made = start_gateway(store=tables, now=now)
        yield made
        await made.gateway.aclose()


def test_every_endpoint_has_a_request_here() -> None:
    assert {(method, path) for method, path, _ in ENDPOINTS} == set(REQUESTS) | OF_CONSOLE


def _code(response: Response) -> str:
    error = response.error
    return str(error["details"][0]["reason"].lower() if "details" in error else error["code"])


@pytest.mark.parametrize("caller", CALLERS)
async def test_a_caller_gets_what_its_key_allows(gateway: RunningGateway, caller: str) -> None:
    key, refusal = CALLERS[caller]
    for endpoint, (path, body) in REQUESTS.items():
        sending = gateway.get(path, key=key) if body is None else gateway.post(path, body, key=key)
        response = await sending
        if endpoint in OPEN or refusal is None:
            assert response.status < 400, (endpoint, response.body)
        else:
            status, code = refusal
            assert (response.status, _code(response)) == (status, code), endpoint


@pytest.mark.parametrize("path", ["/v1/usage?by=project,key", "/v1/usage?by=key", "/v1/usage?by=day"])
async def test_a_chat_key_sees_only_its_own_usage(gateway: RunningGateway, path: str) -> None:
    for key in (KEY, KEY, FOREIGN, MANAGE):
        assert (await gateway.chat(key=key, model="up/m")).status == 200
    await gateway.gateway.settle()
    seen = {
        key: (await gateway.get(path, key=key)).json["total"]["requests"] for key in (KEY, FOREIGN, MANAGE)
    }
    assert seen == {KEY: 2, FOREIGN: 1, MANAGE: 4}
    for key in (KEY, FOREIGN):
        other = "foreign" if key == KEY else "support"
        assert other not in (await gateway.get(path, key=key)).body.decode()


async def test_only_a_manage_key_sees_details_in_health(gateway: RunningGateway) -> None:
    for key in (KEY, FOREIGN, MANAGE):
        assert (
            await gateway.chat(key=key, model="up/m")
        ).status == 200  # health reads no table: keys are known
    fields = {key: set((await gateway.get("/health", key=key)).json) for key in (None, KEY, FOREIGN, MANAGE)}
    assert fields[None] == fields[KEY] == fields[FOREIGN] == {"status", "rules"}
    assert fields[MANAGE] > fields[None]


# The command line works with AWS credentials, and takes no key of a caller. By command, valid arguments.
COMMANDS: dict[tuple[str, ...], list[str]] = {
    ("keys", "create"): ["--name", "ci"],
    ("keys", "list"): [],
    ("keys", "show"): ["k1"],
    ("keys", "revoke"): ["k1"],
    ("keys", "disable"): ["k1"],
    ("keys", "enable"): ["k1"],
    ("keys", "update"): ["k1", "--name", "ci"],
    ("keys", "rotate"): ["k1"],
    ("rules", "list"): [],
    ("rules", "pull"): [],
    ("rules", "push"): ["FILE", "--yes"],
    ("rules", "explain"): ["FILE"],
    ("rules", "history"): [],
    ("rules", "show"): ["1"],
    ("rules", "diff"): ["1"],
    ("rules", "rollback"): ["1"],
    ("rules", "replay"): ["FILE"],
    ("logs", "export"): [],
    ("logs", "tag"): ["request-1", "good=yes"],
    ("usage",): [],
}
# They need no AWS. `doctor` makes a finding of what it may not do.
ON_FILES = {("serve",), ("rules", "check"), ("rules", "schema"), ("doctor",)}


def _choices(of: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def test_every_command_is_here() -> None:
    commands: set[tuple[str, ...]] = set()
    for name, actions in _choices(parser()):
        verbs = [(name, verb) for verb, _ in _choices(actions)]
        commands.update(verbs or [(name,)])
    assert commands == set(COMMANDS) | ON_FILES


class Denied:
    """A botocore client whose every call raises `error`."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattr__(self, operation: str) -> Any:
        def call(**_: Any) -> Any:
            raise self.error

        return call


class DeniedTables(CommandTables):
    def bucket(self) -> Bucket:
        return Bucket("bucket", lambda: self.client)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("error", "problem"),
    [
        pytest.param(NoCredentialsError(), "no AWS credentials were found", id="no credentials"),
        pytest.param(
            ClientError({"Error": {"Code": "AccessDeniedException", "Message": "arn:aws:iam::x"}}, "Scan"),
            "access denied",
            id="no permission",
        ),
    ],
)
def test_a_command_needs_the_operators_credentials(
    command: tuple[str, ...],
    error: Exception,
    problem: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "records.json"
    file.write_text(json.dumps(CHAT if command == ("rules", "explain") else []), encoding="utf-8")
    words = [str(file) if word == "FILE" else word for word in COMMANDS[command]]
    args = parser().parse_args([*command, *words])
    with pytest.raises(StoreError, match=problem) as refused:
        args.act(args, lambda: DeniedTables(Denied(error), SETTINGS), process_terminal())
    assert "arn:" not in str(refused.value)
    assert not capsys.readouterr().out
