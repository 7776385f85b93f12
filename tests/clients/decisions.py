"""Checks of a gateway: which model answers and why, failover, and rules that change while it runs."""

from __future__ import annotations

import json
from typing import Any

from tests.clients.harness import ECHO, HELLO, Story, check, delete_rule, put_rule, same, soon, text_of, that

# The record that a check writes: its effect is visible in the answer.
RULE = {
    "kind": "route",
    "id": "story",
    "when": {"tags.story": "yes"},
    "model": "local/echo",
    "note": "the story's",
}


@check("one model, with a slash in its id", "gateway")
def _(story: Story) -> None:
    same(story.client.models.retrieve("local/echo").id, "local/echo")
    same(story.client.get("/models/local/echo", cast_to=object)["id"], "local/echo")


@check("headers describe the decision", "gateway")
def _(story: Story) -> None:
    headers = story.raw(extra_headers={"x-request-id": "story-1"}).headers
    same(headers["x-request-id"], "story-1")
    same((headers["x-sluice-model"], headers["x-sluice-reason"]), ("local/echo", "requested"))
    same((headers["x-sluice-attempts"], headers["cache-control"]), ("1", "no-store"))


@check("no model given: auto, absent, empty", "gateway")
def _(story: Story) -> None:
    for model in ("auto", "", "auto:cheap"):
        that("/" in story.chat(model=model).model, f"model {model!r}")
    answer = story.client.post("/chat/completions", body={"messages": HELLO}, cast_to=object)
    that("/" in answer["model"], "no model field")


@check("hints, route, tags and cost in extra_body", "gateway")
def _(story: Story) -> None:
    hinted = {
        "hints": {"prefer": "cheap", "max_tokens": 2},
        "route": {"prefer": "fast"},
        "tags": {"team": "story"},
    }
    answer = story.chat(extra_body={**hinted, "usage": {"include": True}})
    same(answer.choices[0].finish_reason, "length")
    same(answer.usage.cost, 0)
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    answer = story.chat(extra_body={"output_schema": schema})
    same(json.loads(answer.choices[0].message.content), {"age": 1})


@check("explain answers without calling anyone", "gateway")
def _(story: Story) -> None:
    body = {"model": "local/echo", "messages": HELLO}
    explained = story.client.post("/explain", body=body, cast_to=object)
    same((explained["reason"], explained["candidates"][0]["model"]), ("requested", "local/echo"))
    explained = story.raw(extra_headers={"x-sluice-explain": "1"}).parse()
    same(explained.sluice["reason"], "requested")


@check("the other prefixes", "gateway")
def _(story: Story) -> None:
    root = story.given.base_url.removesuffix("/v1")
    for prefix in ("", "/v1/", "/api/v1", "/v3/compat", "/v3/compat/v1"):
        client = story.client.with_options(base_url=root + prefix)
        same(client.chat.completions.create(model=story.model, messages=HELLO).model, story.model)


@check("a model that fails is replaced by the next", "gateway")
def _(story: Story) -> None:
    for first in ("local/echo-500", "local/echo-429", "local/echo-401", "local/no-such-model"):
        answer = story.raw(model=first, extra_body={"fallback_models": ["local/echo"]})
        same((answer.parse().model, answer.headers["x-sluice-reason"]), ("local/echo", "fallback"))
    chunks = story.chat(model="local/echo-503", stream=True, extra_body={"fallback_models": ["local/echo"]})
    same(text_of(chunks), ECHO)


@check("a rule edited in the table changes the next answer", "dynamodb")
def _(story: Story) -> None:
    def applied() -> tuple[str | None, str]:
        answer = story.raw(model="auto", extra_body={"tags": {"story": "yes"}})
        return answer.headers.get("x-sluice-rule"), answer.parse().choices[0].finish_reason

    delete_rule(story, RULE)
    soon(story, lambda: applied()[0] != "story")
    put_rule(story, RULE)
    soon(story, lambda: applied() == ("story", "stop"))
    put_rule(story, {**RULE, "set": {"max_tokens": 2}})
    soon(story, lambda: applied() == ("story", "length"))
    put_rule(story, {**RULE, "sett": {"max_tokens": 2}})
    soon(story, lambda: applied() == ("story", "length") and _status(story) == "degraded")
    delete_rule(story, RULE)
    soon(story, lambda: applied()[0] != "story")


def _status(story: Story) -> Any:
    """The gateway's health, which it reports from memory: requests read the rules."""
    return story.client.get("/health", cast_to=object)["status"]
