"""Checks of refusals: each raises the client's exception class for it."""

from __future__ import annotations

from functools import partial
from typing import Any

import openai  # type: ignore[import-not-found]

from tests.clients.harness import HELLO, Story, check, delete_rule, put_rule, raises, same, soon


@check("400", "gateway")
def _(story: Story) -> None:
    def bad(param: str, code: str = "invalid_value", **fields: Any) -> None:
        raises("BadRequestError", lambda: story.chat(**fields), code=code, param=param)

    bad("temperature", temperature=3)
    bad("messages", messages=[])
    bad("messages[0].content", messages=[{"role": "user", "content": 7}])
    bad("n", n=1000)
    bad("model", model="../etc/passwd")
    post = story.client.post
    raises(
        "BadRequestError",
        lambda: post("/chat/completions", body={"model": story.model}, cast_to=object),
        code="missing_required_parameter",
        param="messages",
    )
    raises(
        "BadRequestError",
        lambda: post("/chat/completions", content=b'{"messages": [', cast_to=object),
        code="invalid_json",
    )


@check("401", "gateway")
def _(story: Story) -> None:
    wrong = "sk-sluice-" + "x" * 43
    for key in ("nonsense", wrong):
        raises("AuthenticationError", story.with_key(key).models.list, code="invalid_api_key")
    nothing = {"Authorization": openai.Omit()}
    raises("AuthenticationError", lambda: story.chat(extra_headers=nothing), code="missing_api_key")


@check("403", "restricted_key")
def _(story: Story) -> None:
    client = story.with_key(story.given.restricted_key)
    create = client.chat.completions.create
    raises(
        "PermissionDeniedError",
        lambda: create(model="local/echo", messages=HELLO),
        code="model_not_allowed",
        param="model",
    )


@check("404 and 405", "gateway")
def _(story: Story) -> None:
    raises("NotFoundError", lambda: story.chat(model="no-such-model"), code="model_not_found", param="model")
    raises(
        "NotFoundError",
        lambda: story.client.models.retrieve("no/such"),
        code="model_not_found",
        param="model",
    )
    raises("NotFoundError", lambda: story.client.get("/nothing", cast_to=object), code="unknown_url")
    wrong = raises(
        "APIStatusError",
        lambda: story.client.get("/chat/completions", cast_to=object),
        code="method_not_allowed",
    )
    same(wrong.status_code, 405)


@check("413", "gateway")
def _(story: Story) -> None:
    large = [{"role": "user", "content": "x" * 6_100_000}]
    error = raises("APIStatusError", lambda: story.chat(messages=large), code="request_too_large")
    same(error.status_code, 413)


@check("429", "gateway")
def _(story: Story) -> None:
    error = raises("RateLimitError", lambda: story.chat(model="local/echo-429"), code="rate_limit_exceeded")
    same(error.response.headers["retry-after"], "1")


@check("5xx, and never a provider's 401", "gateway")
def _(story: Story) -> None:
    for model in ("local/echo-500", "local/echo-503", "local/echo-401"):
        for stream in (False, True):
            fails = partial(story.chat, model=model, stream=stream)
            error = raises("InternalServerError", fails, code="upstream_error")
            same((error.status_code, error.response.headers["x-should-retry"]), (502, "false"))
            same(error.body["metadata"]["attempts"][0]["model"], model)


@check("a provider's 400 is the caller's error and does not fail over", "gateway")
def _(story: Story) -> None:
    fails = partial(story.chat, model="local/echo-400", extra_body={"fallback_models": ["local/echo"]})
    error = raises("BadRequestError", fails, code="invalid_value", param="messages")
    same(error.body["metadata"]["origin"], "provider")


LATE = {
    "kind": "route",
    "id": "story-late",
    "when": {"tags.story": "late"},
    "model": "local/echo-late",
    "timeouts": {"first_token": 1},
}


@check("503 and 504", "dynamodb")
def _(story: Story) -> None:
    off = partial(story.chat, model="azure/nothing")  # off until a record gives its address
    raises("InternalServerError", off, code="no_candidate")
    put_rule(story, LATE)
    fields = {"tags": {"story": "late"}}
    body = {"messages": HELLO, **fields}
    soon(story, lambda: story.client.post("/explain", body=body, cast_to=object)["rule"] == LATE["id"])
    late = partial(story.chat, model="auto", stream=True, extra_body=fields)
    error = raises("InternalServerError", late, code="deadline_exceeded")
    same(error.status_code, 504)
    delete_rule(story, LATE)
