"""Commands through a gateway's URL and key: they print and do what they print and do with AWS's tables."""

from __future__ import annotations

import ast
import asyncio
import json
from collections.abc import Coroutine, Iterator, Mapping
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest

from handler.access.keys import hash_key
from handler.aws.errors import StoreError
from handler.cli import keys, replay, rules, rules_push, usage
from handler.cli.gateway.client import Answer
from handler.cli.gateway.remote import _CALLS
from handler.settings import Settings
from handler.store.attributes import Item
from tests.handler.cli.command_line import CommandLine
from tests.handler.console.operator import ADMIN, Operator
from tests.support.asgi import call
from tests.support.gateways import KEY, MANAGE
from tests.support.tables import SETTINGS, dynamodb

URL = "http://127.0.0.1:8080/v1"
RULES: list[Item] = [
    {"kind": "route", "id": "a", "model": "openai/gpt-5", "note": "é", "priority": 3},
    {"kind": "access", "id": "eu", "deny": ["x/*"]},
]


class Gateway(CommandLine):
    """A command line for a gateway in a thread of its own. `sent`: the method and URL of each call."""

    def __init__(self, database: Any) -> None:
        super().__init__(self._send)
        self.loop = asyncio.new_event_loop()
        self.thread = Thread(target=self.loop.run_forever)
        self.thread.start()
        self.operator = self.wait(_make(database))
        self.sent: list[str] = []
        self.headers: Mapping[str, str] = {}
        self.answer_with: Answer | StoreError | None = None
        self.settings = Settings(environment={"SLUICE_URL": URL, "SLUICE_API_KEY": ADMIN})
        self.tables = CommandLine(database)

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        self.sent.append(f"{method} {url}")
        self.headers = headers
        if isinstance(self.answer_with, StoreError):
            raise self.answer_with
        if self.answer_with is not None:
            return self.answer_with
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}"
        app = self.operator.running.app
        response = self.wait(call(app, method, path, headers=headers, body=body or b""))
        self.wait(self.operator.running.gateway.settle())
        return Answer(response.status, response.body)

    def put_rules(self, *items: Item) -> None:
        for item in items:
            self.operator.put(item)

    def close(self) -> None:
        self.wait(self.operator.running.gateway.aclose())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


async def _make(database: Any) -> Operator:
    return Operator(database)


@pytest.fixture(scope="module")
def database() -> Iterator[Any]:
    with dynamodb() as client:
        yield client


@pytest.fixture
def cli(database: Any) -> Iterator[Gateway]:
    made = Gateway(database)
    yield made
    made.close()


def file_of(folder: Path, content: Any) -> str:
    path = folder / "file.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


READING = [
    ("keys", "list"),
    ("keys", "list", "--json"),
    ("keys", "show", "k1"),
    ("keys", "show", KEY),
    ("rules", "list"),
    ("rules", "pull"),
    ("rules", "check"),
    ("rules", "history"),
    ("rules", "show", "1"),
    ("rules", "diff", "1"),
    ("usage",),
    ("usage", "--format", "json"),
]


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_command_prints_what_it_prints_with_tables(cli: Gateway, command: tuple[str, ...]) -> None:
    cli.put_rules(*RULES)
    assert cli.run("rules", "list") == 0  # the gateway has read them, and writes the history
    assert cli.run(*command) == 0, cli.text
    found = cli.printed, cli.warnings
    assert cli.tables.run(*command) == 0
    assert found == (cli.tables.printed, cli.tables.warnings)
    assert ADMIN not in cli.text


def test_rules_are_pulled_changed_and_pushed(cli: Gateway, tmp_path: Path) -> None:
    cli.put_rules(*RULES)
    assert cli.run("rules", "pull") == 0
    pulled = json.loads(cli.text)
    pulled["records"][1]["priority"] = 5
    file = file_of(tmp_path, pulled)
    assert cli.run("rules", "push", file, "--message", "five") == 0, cli.text
    assert cli.questions == [f"0 added, 1 changed, 0 removed: write to {URL}?"]
    assert cli.operator.stored()[0]["priority"] == 5
    assert cli.run("rules", "history", "--json") == 0
    assert json.loads(cli.text)[0]["message"] == "five"
    assert cli.run("rules", "rollback", "1", "--yes") == 0, cli.text
    assert cli.operator.stored()[0]["priority"] == 3


def test_a_push_of_an_old_file_is_refused_with_what_changed(cli: Gateway, tmp_path: Path) -> None:
    cli.put_rules(*RULES)
    assert cli.run("rules", "pull") == 0
    file = file_of(tmp_path, json.loads(cli.text) | {"records": [{**RULES[0], "note": "mine"}]})
    cli.put_rules({**RULES[0], "note": "theirs"})
    assert cli.run("rules", "push", file, "--yes") == 2
    assert "the table changed since it was read; nothing was written" in cli.text
    assert "theirs" in cli.text
    assert cli.operator.stored()[0]["note"] == "theirs"


def test_a_record_that_changes_during_the_question_is_not_overwritten(cli: Gateway, tmp_path: Path) -> None:
    cli.put_rules(*RULES)
    cli.concurrent_write = {**RULES[0], "note": "theirs"}
    assert cli.run("rules", "push", file_of(tmp_path, [{**RULES[0], "note": "mine"}])) == 2
    assert cli.operator.stored()[0]["note"] == "theirs"


def test_a_file_is_checked_with_the_keys_of_the_gateway(cli: Gateway, tmp_path: Path) -> None:
    file = file_of(tmp_path, [{**RULES[0], "scope": {"key": "nobody"}}])
    assert cli.run("--url", URL, "rules", "check", file) == 0
    assert "there is no key with the id 'nobody'" in cli.text


def test_a_file_is_replayed(cli: Gateway, tmp_path: Path) -> None:
    assert cli.run("rules", "replay", file_of(tmp_path, RULES)) == 0, cli.text
    assert cli.printed[0].startswith("0 samples since ")


def test_a_request_is_explained(cli: Gateway, tmp_path: Path) -> None:
    cli.put_rules(*RULES)
    request = file_of(tmp_path, {"messages": [{"role": "user", "content": "hi"}]})
    assert cli.run("rules", "explain", request, "--key", "k1") == 0
    assert json.loads("\n".join(cli.printed))["rule"] == "a"


def test_a_key_is_created_changed_rotated_and_disabled(cli: Gateway) -> None:
    assert cli.run("keys", "create", "--name", "ci", "--models", "openai/*", "--expires", "30d") == 0, (
        cli.text
    )
    (key,) = cli.printed
    id = f"key-{hash_key(key)[:10]}"
    stored = {item["hash"]: item for item in cli.operator.stored(SETTINGS.keys_table)}
    assert stored[hash_key(key)]["models"] == ["openai/*"]
    assert cli.run("keys", "update", key, "--name", "new", "--all-models", "--expires", "never") == 0
    assert cli.printed == [f"{id}: on; in force within 60 seconds"]
    assert cli.run("keys", "rotate", id, "--overlap", "2w") == 0, cli.text
    assert cli.run("keys", "disable", id) == 0
    assert len(cli.printed) == 2
    assert key not in "".join(cli.sent), "a key is never in a path"


@pytest.mark.parametrize(
    ("arguments", "key", "message"),
    [
        pytest.param((), "", "no key: set SLUICE_API_KEY", id="no key"),
        pytest.param((), "sk-proj-1", "a key begins with", id="a key of another service"),
        pytest.param(("--url", "http://gateway.example"), ADMIN, "use https", id="http to another machine"),
        pytest.param(("--url", "gateway.example"), ADMIN, "is not an address", id="no scheme"),
        pytest.param(("--url", "file:///etc/passwd"), ADMIN, "is not an address", id="a file"),
        pytest.param(("--url", "https://u:p@gateway.example"), ADMIN, "leave out", id="a password"),
        pytest.param(("--url", f"{URL}?a=b"), ADMIN, "is not an address", id="a query"),
    ],
)
def test_an_address_or_a_key_that_is_not_used(
    cli: Gateway, arguments: tuple[str, ...], key: str, message: str
) -> None:
    cli.settings = Settings(environment={"SLUICE_URL": URL, "SLUICE_API_KEY": key})
    assert cli.run(*arguments, "keys", "list") == 2
    assert message in cli.text
    assert cli.sent == []
    assert "sk-proj-1" not in cli.text


def test_the_key_may_come_from_standard_input(cli: Gateway) -> None:
    cli.settings, cli.stdin = Settings(), f"{ADMIN}\n".encode()
    assert cli.run("--url", f"{URL}/", "--key", "-", "keys", "list") == 0
    assert cli.headers["authorization"] == f"Bearer {ADMIN}"


@pytest.mark.parametrize(
    ("key", "command", "message"),
    [
        pytest.param(KEY, ("keys", "list"), "scope `manage`", id="a chat key"),
        pytest.param(MANAGE, ("keys", "disable", "k1"), "scope `admin`", id="a manage key that writes"),
        pytest.param("sk-sluice-" + "u" * 43, ("rules", "list"), "not valid", id="an unknown key"),
    ],
)
def test_a_key_without_the_scope_is_refused(
    cli: Gateway, key: str, command: tuple[str, ...], message: str
) -> None:
    cli.settings = Settings(environment={"SLUICE_URL": URL, "SLUICE_API_KEY": key})
    assert cli.run(*command) == 2
    assert message in cli.text


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        pytest.param(Answer(200, b"<html>"), 2, "not an answer of a gateway (HTTP 200)", id="a page"),
        pytest.param(Answer(302, b""), 2, "not an answer of a gateway (HTTP 302)", id="a redirect"),
        pytest.param(Answer(404, b'{"error": {"message": "no such"}}'), 2, "no such", id="another API"),
        pytest.param(Answer(403, b'{"Message": "Forbidden"}'), 2, "HTTP 403", id="an error of AWS"),
        pytest.param(Answer(503, b'{"error": {"message": "later"}}'), 1, "later", id="a store that is down"),
        pytest.param(StoreError("x: no answer (refused)"), 1, "no answer", id="nobody there"),
    ],
)
def test_an_answer_that_is_no_use(cli: Gateway, answer: Any, code: int, message: str) -> None:
    cli.answer_with = answer
    assert cli.run("keys", "list") == code
    assert message in cli.text


def test_the_url_of_the_environment_yields_to_a_stack(cli: Gateway) -> None:
    assert cli.run("--url", URL, "keys", "list", "--stack", "mine") == 2
    assert "--url and --stack exclude each other" in cli.text


def test_logs_need_a_stack(cli: Gateway) -> None:
    assert cli.run("logs", "export") == 2
    assert "--stack" in cli.text


@pytest.mark.parametrize("module", [keys, replay, rules, rules_push, usage])
def test_whatever_a_command_runs_is_done_through_a_gateway_too(module: ModuleType) -> None:
    found = []
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "run":
            found.append(eval(ast.unparse(node.args[0]), vars(module)))
    assert set(found) <= set(_CALLS)
    assert found or module in (rules, replay)
