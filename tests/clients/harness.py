"""The client of the story, the register of its checks, and assertions."""

from __future__ import annotations

import argparse
import json
import time
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

import openai  # type: ignore[import-not-found]

Check = Callable[["Story"], None]
CHECKS: dict[str, tuple[Check, str]] = {}
HELLO = [{"role": "user", "content": "hello there"}]
ECHO = "local/echo heard: hello there"


class Story:
    """A client and the arguments of the command line."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.client = self.with_key(given.key)
        self.model = "echo" if given.direct else "local/echo"

    def with_key(self, key: str, kind: Any = openai.OpenAI) -> Any:
        return kind(base_url=self.given.base_url, api_key=key, max_retries=0, timeout=60)

    def chat(self, **fields: Any) -> Any:
        return self.client.chat.completions.create(**{"model": self.model, "messages": HELLO, **fields})

    def raw(self, **fields: Any) -> Any:
        """Like `chat`, with the headers of the response."""
        create = self.client.chat.completions.with_raw_response.create
        return create(**{"model": self.model, "messages": HELLO, **fields})


def check(name: str, needs: str = "") -> Callable[[Check], Check]:
    """Registers a check. `needs`: gateway, or the argument that it needs."""

    def register(run: Check) -> Check:
        CHECKS[name] = (run, needs)
        return run

    return register


def same(found: Any, expected: Any) -> None:
    if found != expected:
        raise AssertionError(f"{found!r}, expected {expected!r}")


def that(holds: Any, what: str) -> None:
    if not holds:
        raise AssertionError(what)


def text_of(chunks: Iterable[Any], index: int = 0) -> str:
    choices = (choice for chunk in chunks for choice in chunk.choices if choice.index == index)
    return "".join(choice.delta.content or "" for choice in choices)


def raises(kind: str, run: Callable[[], Any], *, code: str | None = None, param: str | None = None) -> Any:
    """Calls `run`, which must raise the client's exception class `kind` with this code and param."""
    try:
        answer = run()
    except openai.APIStatusError as error:
        same(type(error).__name__, kind)
        same((error.code, error.param), (code, param))
        that(error.response.headers.get("x-request-id"), "no x-request-id")
        return error
    raise AssertionError(f"expected {kind}, got {answer!r}"[:300])


def soon(story: Story, holds: Callable[[], bool]) -> None:
    """Waits until `holds()`, at most for the time to live of the rules."""
    until = time.monotonic() + story.given.within
    while not holds():
        that(time.monotonic() < until, f"no change within {story.given.within:g} s")
        time.sleep(0.2)


def put_rule(story: Story, record: dict[str, Any]) -> None:
    dynamodb(story, "PutItem", Item=record)


def delete_rule(story: Story, record: dict[str, Any]) -> None:
    dynamodb(story, "DeleteItem", Key={name: record[name] for name in ("kind", "id")})


def dynamodb(story: Story, operation: str, **arguments: Any) -> None:
    """Makes a call of DynamoDB's JSON protocol. A local DynamoDB does not check the signature."""
    attributes = {name: _attribute(value)["M"] for name, value in arguments.items()}
    credential = "Credential=local/20260101/us-east-1/dynamodb/aws4_request"
    credential = credential.replace("us-east-1", story.given.region)
    headers = {
        "x-amz-target": f"DynamoDB_20120810.{operation}",
        "content-type": "application/x-amz-json-1.0",
        "authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0",
    }
    body = json.dumps({"TableName": story.given.rules_table, **attributes}).encode()
    request = urllib.request.Request(story.given.dynamodb, data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()


def _attribute(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {"M": {name: _attribute(one) for name, one in value.items()}}
    return {"S": value} if isinstance(value, str) else {"N": str(value)}
