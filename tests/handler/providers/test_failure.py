"""Error responses of every shape: their failure class, and the error that a caller sees."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from handler.errors import ACTIONS, Json, UpstreamError
from handler.providers.failure import CODES, error_from_body
from handler.providers.openai.translator import OpenAI
from handler.providers.provider import Quirks


def error(status: int, body: object, headers: Mapping[str, str] | None = None) -> UpstreamError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return OpenAI().error(status, headers or {}, raw)


def openai_error(message: str = "no", **more: Any) -> Json:
    return {
        "error": {"message": message, "type": "invalid_request_error", "param": None, "code": None, **more}
    }


def flat_error(message: object, **more: Any) -> Json:
    return {"object": "error", "message": message, "type": "BadRequestError", "param": None, **more}


BY_STATUS = {
    **dict.fromkeys((400, 409, 413, 418, 422, 424, 451, 499), "invalid_request"),
    401: "auth",
    402: "quota",
    403: "permission",
    **dict.fromkeys((404, 405, 410), "not_found"),
    429: "rate_limit",
    **dict.fromkeys((408, 425, 500, 501, 502, 504, 520, 524), "server"),
    **dict.fromkeys((503, 529), "overloaded"),
    **dict.fromkeys((300, 301, 304, 308), "protocol"),
}


@pytest.mark.parametrize(
    "body",
    [openai_error(), flat_error("no"), {"error": "no"}, b"", b"<html>no</html>", b"\xff", b"[]", b"null"],
)
@pytest.mark.parametrize(("status", "failure_class"), BY_STATUS.items())
def test_the_status_decides_if_the_body_says_nothing(status: int, failure_class: str, body: object) -> None:
    upstream_error = error(status, body)
    assert (upstream_error.failure_class, upstream_error.upstream_status) == (failure_class, status)
    assert upstream_error.message


CONTEXT = "context_length"
POLICY = "content_policy"


@pytest.mark.parametrize(
    ("status", "body", "failure_class"),
    [
        pytest.param(
            400, openai_error(code="context_length_exceeded"), CONTEXT, id="OpenAI: too long, by code"
        ),
        pytest.param(
            400,
            openai_error("This model's maximum context length is 8192 tokens."),
            CONTEXT,
            id="OpenAI: too long, in words",
        ),
        pytest.param(
            400,
            flat_error(
                "'max_tokens' is too large: 9. This model's maximum context length is 4 tokens", code=400
            ),
            CONTEXT,
            id="vLLM: too long",
        ),
        pytest.param(
            400,
            openai_error("prompt is too long: 210000 tokens > 200000 maximum"),
            CONTEXT,
            id="Anthropic's words",
        ),
        pytest.param(
            400, openai_error("Input is too long for requested model."), CONTEXT, id="Bedrock's words"
        ),
        pytest.param(
            400,
            openai_error("The input token count (9) exceeds the maximum number of tokens"),
            CONTEXT,
            id="Gemini's words",
        ),
        pytest.param(
            400,
            openai_error("Please reduce the length of the messages or completion."),
            CONTEXT,
            id="Groq's words",
        ),
        pytest.param(
            400,
            openai_error("This model's maximum prompt length is 131072 but the request contains 2"),
            CONTEXT,
            id="xAI's words",
        ),
        pytest.param(
            400, openai_error("Your request exceeded model token limit: 8192"), CONTEXT, id="Moonshot's words"
        ),
        pytest.param(
            400, openai_error("Range of input length should be [1, 98304]"), CONTEXT, id="Qwen's words"
        ),
        pytest.param(
            500, {"error": "the request exceeds the available context size"}, CONTEXT, id="llama.cpp's words"
        ),
        pytest.param(
            400,
            {"error": {"code": "1261", "message": "Prompt exceeds max length"}},
            CONTEXT,
            id="Z.ai's code",
        ),
        pytest.param(
            413,
            openai_error("Request too large on tokens per minute (TPM)", code="rate_limit_exceeded"),
            "rate_limit",
            id="Groq: too many tokens per minute are a rate limit",
        ),
        pytest.param(
            400,
            openai_error(code="content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}),
            POLICY,
            id="Azure's filter",
        ),
        pytest.param(400, openai_error(code="content_policy_violation"), POLICY, id="OpenAI's policy"),
        pytest.param(400, openai_error("Content Exists Risk"), POLICY, id="DeepSeek's filter"),
        pytest.param(
            400,
            flat_error("Input data may contain inappropriate content.", code="DataInspectionFailed"),
            POLICY,
            id="Qwen's filter",
        ),
        pytest.param(
            403,
            {
                "error": {
                    "code": 403,
                    "message": "Your chosen model requires moderation and your input was flagged",
                }
            },
            POLICY,
            id="OpenRouter's moderation",
        ),
        pytest.param(
            403,
            {"code": "The caller does not have permission", "error": "Content violates usage guidelines."},
            POLICY,
            id="xAI's filter",
        ),
        pytest.param(
            500,
            openai_error("The content filter failed"),
            "server",
            id="a failure of the filter is the provider's",
        ),
        pytest.param(
            429,
            openai_error(
                "You exceeded your current quota", code="insufficient_quota", type="insufficient_quota"
            ),
            "quota",
            id="OpenAI: quota, by code",
        ),
        pytest.param(429, openai_error(type="insufficient_quota"), "quota", id="OpenAI: quota, by type"),
        pytest.param(
            429,
            openai_error(
                "Rate limit reached. Add a payment method under billing.", code="rate_limit_exceeded"
            ),
            "rate_limit",
            id="OpenAI: a rate limit that mentions billing",
        ),
        pytest.param(402, openai_error("Insufficient Balance"), "quota", id="DeepSeek: quota"),
        pytest.param(400, flat_error("Access denied", code="Arrearage"), "quota", id="Qwen: quota"),
        pytest.param(
            429,
            {"error": {"code": "1113", "message": "Your account is in arrears"}},
            "quota",
            id="Z.ai: quota",
        ),
        pytest.param(403, {"error": "Your team has used all available credits"}, "quota", id="xAI: quota"),
        pytest.param(
            400,
            {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***"},
            "auth",
            id="xAI: a wrong key is a 400",
        ),
        pytest.param(
            400,
            [
                {
                    "error": {
                        "code": 400,
                        "message": "API key not valid. Please pass a valid API key.",
                        "status": "INVALID_ARGUMENT",
                        "details": [{"reason": "API_KEY_INVALID"}],
                    }
                }
            ],
            "auth",
            id="Gemini: a wrong key is a 400",
        ),
        pytest.param(
            403,
            {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}]},
            "permission",
            id="Cloudflare's envelope",
        ),
        pytest.param(
            400,
            {"success": False, "errors": [{"code": 5007, "message": "No such model @cf/x"}]},
            "not_found",
            id="Cloudflare: no such model",
        ),
        pytest.param(400, openai_error("Model Not Exist"), "not_found", id="DeepSeek: no such model"),
        pytest.param(
            400,
            flat_error("Invalid model: x", type="invalid_model", code="1500"),
            "not_found",
            id="Mistral: no such model",
        ),
        pytest.param(400, openai_error(code="model_decommissioned"), "not_found", id="Groq: a retired model"),
        pytest.param(503, openai_error(code="server_is_overloaded"), "overloaded", id="OpenAI: overloaded"),
        pytest.param(
            400,
            openai_error("messages[0]: the text 'invalid api key' is odd"),
            "invalid_request",
            id="a quoted request does not decide",
        ),
    ],
)
def test_the_body_wins_over_the_status(status: int, body: object, failure_class: str) -> None:
    assert error(status, body).failure_class == failure_class


def test_the_class_of_every_code_has_an_action() -> None:
    assert set(CODES.values()) <= ACTIONS.keys()


@pytest.mark.parametrize(
    ("status", "body", "shown"),
    [
        pytest.param(
            422,
            openai_error("bad", code="invalid_type", param="messages[0].content"),
            (422, "invalid_request_error", "invalid_type", "messages[0].content", "bad"),
            id="an invalid request keeps status, message, code and param",
        ),
        pytest.param(
            400,
            flat_error(
                {"detail": [{"type": "extra_forbidden", "loc": ["body", "x"], "msg": "Extra inputs"}]}
            ),
            (400, "invalid_request_error", "invalid_value", None, "body.x: Extra inputs"),
            id="Mistral's list of problems becomes a sentence",
        ),
        pytest.param(
            422,
            flat_error('{"detail":[{"loc":["body","seed"],"msg":"Extra inputs"}]}', code="1000"),
            (422, "invalid_request_error", "1000", None, "body.seed: Extra inputs"),
            id="Mistral's list of problems in a text too",
        ),
        pytest.param(
            422,
            {"detail": [{"loc": ["body"], "msg": "a"}, {"loc": ["body"], "msg": "b"}]},
            (422, "invalid_request_error", "invalid_value", None, "body: a; body: b"),
            id="FastAPI's list of problems",
        ),
        pytest.param(
            400,
            openai_error("way too long", code="context_length_exceeded", param="x"),
            (400, "invalid_request_error", "context_length_exceeded", "messages", "way too long"),
            id="context_length has one code",
        ),
        pytest.param(
            403,
            openai_error("requires moderation"),
            (400, "invalid_request_error", "content_policy_violation", None, "requires moderation"),
            id="content_policy has one code",
        ),
        pytest.param(
            429,
            openai_error("org-123 is over its limit"),
            (429, "rate_limit_error", "rate_limit_exceeded", None, "The provider is over its rate limit."),
            id="a rate limit does not name the account",
        ),
        pytest.param(
            401,
            openai_error("Incorrect API key provided"),
            (502, "upstream_error", "upstream_error", None, "The provider refused the gateway's credential."),
            id="a refused credential is the gateway's problem",
        ),
        pytest.param(
            400,
            b"<html><body>Bad Request</body></html>",
            (400, "invalid_request_error", "invalid_value", None, "The provider refused the request."),
            id="an HTML page is not passed on",
        ),
        pytest.param(
            400,
            b"upstream says no",
            (400, "invalid_request_error", "invalid_value", None, "upstream says no"),
            id="plain text is passed on",
        ),
        pytest.param(
            400,
            openai_error("x", code="a code with spaces", param=7),
            (400, "invalid_request_error", "invalid_value", None, "x"),
            id="a code that is a sentence is ignored",
        ),
        pytest.param(
            400,
            {
                "error": {
                    "code": 400,
                    "message": "Provider returned error",
                    "metadata": {"raw": '{"error":{"message":"n is 9","param":"n"}}'},
                }
            },
            (400, "invalid_request_error", "invalid_value", "n", "n is 9"),
            id="the error of the provider behind OpenRouter wins",
        ),
    ],
)
def test_the_error_that_a_caller_sees(status: int, body: object, shown: tuple[Any, ...]) -> None:
    upstream_error = error(status, body)
    assert (
        upstream_error.status,
        upstream_error.type,
        upstream_error.code,
        upstream_error.param,
        upstream_error.message,
    ) == shown


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnopqrstuvwxyz012345",
        "Bearer abcdefghijklmnopqrstuvwxyz",
        "https://internal.example.net/v1/chat?key=1",
    ],
)
def test_keys_and_addresses_are_not_in_the_message(secret: str) -> None:
    upstream_error = error(400, openai_error(f"You sent {secret} to us"))
    assert secret not in upstream_error.message
    assert secret not in str(upstream_error.body())


def test_keys_are_not_in_code_or_param() -> None:
    upstream_error = error(
        400, openai_error("no", code="sk-proj-abcdefghijklmnop", param="Bearer abcdefghijklmnop")
    )
    assert (upstream_error.code, upstream_error.param) == ("invalid_value", "[redacted]")


def test_a_message_is_not_longer_than_500_characters() -> None:
    assert len(error(400, openai_error("x" * 10_000)).message) <= 500


def test_the_providers_message_is_a_note_for_the_log() -> None:
    assert error(403, openai_error("Your organisation must be verified")).__notes__ == [
        "Your organisation must be verified"
    ]


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        pytest.param({"retry-after": "7"}, openai_error(), 7, id="a header"),
        pytest.param({}, openai_error("Please try again in 6s."), 6, id="words"),
        pytest.param({}, openai_error(), None, id="nothing"),
        pytest.param({"x-ratelimit-reset-requests": "6m0s"}, openai_error(), 360, id="a limit's reset"),
        pytest.param(
            {"x-ratelimit-reset-requests": "6m0s"},
            openai_error("Try again in 6s."),
            6,
            id="words win over a limit's reset",
        ),
        pytest.param(
            {},
            openai_error(metadata={"headers": {"X-RateLimit-Reset": "12"}}),
            12,
            id="a limit's reset in the body",
        ),
        pytest.param(
            {}, openai_error(metadata={"headers": {"Retry-After": 3}}), 3, id="a header in the body"
        ),
        pytest.param(
            {},
            openai_error(metadata={"headers": "none"}),
            None,
            id="headers in the body that are not an object",
        ),
    ],
)
def test_retry_after(headers: Mapping[str, str], body: Json, seconds: float | None) -> None:
    assert error(429, body, headers).retry_after == seconds


def test_another_failure_does_not_wait_for_the_reset_of_a_limit() -> None:
    assert error(500, openai_error(), {"x-ratelimit-reset-requests": "6m0s"}).retry_after is None


@pytest.mark.parametrize(
    ("body", "failure_class"),
    [
        pytest.param(
            {"error": {"code": 502, "message": "down"}}, "server", id="OpenRouter: a number as a code"
        ),
        pytest.param(
            {"error": {"code": 429, "message": "slow"}}, "rate_limit", id="OpenRouter: a rate limit"
        ),
        pytest.param({"error": {"code": 402, "message": "money"}}, "quota", id="OpenRouter: quota"),
        pytest.param({"error": {"message": "x"}}, "server", id="an error without a code is the provider's"),
        pytest.param({"error": "x"}, "server", id="an error that is a string"),
        pytest.param(
            {"choices": None, "base_resp": {"status_code": 1002, "status_msg": "limit"}},
            "rate_limit",
            id="MiniMax: a rate limit",
        ),
        pytest.param(
            {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}},
            "quota",
            id="MiniMax: quota",
        ),
        pytest.param(
            {"base_resp": {"status_code": 1039, "status_msg": "token limit"}},
            CONTEXT,
            id="MiniMax: context_length",
        ),
        pytest.param({"success": False, "errors": [{"message": "x"}]}, "server", id="Cloudflare's envelope"),
        pytest.param({"code": "InternalError", "message": "x"}, "server", id="Qwen's flat form"),
        pytest.param(
            {"object": "error", "message": "x", "code": 400}, "invalid_request", id="vLLM's flat form"
        ),
        pytest.param({"detail": "x"}, "server", id="FastAPI's form"),
        pytest.param([{"error": {"code": 503, "message": "x"}}], "overloaded", id="Gemini's list"),
    ],
)
def test_an_error_in_a_200_is_an_error(body: Any, failure_class: str) -> None:
    upstream_error = error_from_body(body)
    assert upstream_error is not None
    assert upstream_error.failure_class == failure_class
    if isinstance(body, dict):
        with pytest.raises(UpstreamError) as raised:
            OpenAI().response(body, Quirks())
        assert raised.value.failure_class == failure_class
    with pytest.raises(UpstreamError) as raised:
        list(OpenAI().stream(Quirks()).feed(json.dumps(body)))
    assert raised.value.failure_class == failure_class
