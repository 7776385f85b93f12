"""The parts of Converse's answers, and its errors."""

from __future__ import annotations

import pytest

from handler.errors import Json, UpstreamError
from handler.providers.bedrock.translator import Bedrock
from handler.providers.provider import Quirks


@pytest.mark.parametrize(
    ("reason", "content", "finish"),
    [
        pytest.param("end_turn", [{"text": "a"}], "stop", id="end_turn"),
        pytest.param("stop_sequence", [{"text": "a"}], "stop", id="stop_sequence"),
        pytest.param("model_context_window_exceeded", [{"text": "a"}], "length", id="a full context window"),
        pytest.param("content_filtered", [], "content_filter", id="a content filter without content"),
        pytest.param("malformed_tool_use", [{"text": "a"}], "stop", id="a malformed call after text"),
        pytest.param(
            None, [{"toolUse": {"toolUseId": "t", "name": "n"}}], "tool_calls", id="no reason after a call"
        ),
        pytest.param("new", [], "stop", id="an unknown reason"),
    ],
)
def test_stop_reasons(reason: str | None, content: list[Json], finish: str) -> None:
    answer = Bedrock().response(
        {"output": {"message": {"content": content}}, "stopReason": reason, "usage": None}, Quirks()
    )
    assert answer["choices"][0]["finish_reason"] == finish


@pytest.mark.parametrize(
    ("body", "failure_class"),
    [
        pytest.param({}, "protocol", id="an empty body"),
        pytest.param({"output": {"message": {"content": None}}}, "protocol", id="no content"),
        pytest.param({"message": "Something went wrong."}, "server", id="an error with status 200"),
        pytest.param(
            {"output": {"message": {"content": []}}, "stopReason": "malformed_model_output"},
            "server",
            id="malformed output without content",
        ),
    ],
)
def test_a_body_that_is_not_a_message_is_a_failure(body: Json, failure_class: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        Bedrock().response(body, Quirks())
    assert raised.value.failure_class == failure_class


@pytest.mark.parametrize(
    ("status", "headers", "body", "failure_class"),
    [
        pytest.param(502, {}, b"<html>Bad gateway</html>", "server", id="an HTML page"),
        pytest.param(429, {}, b"", "rate_limit", id="only a status"),
        pytest.param(
            400,
            {"x-amzn-errortype": "ServiceQuotaExceededException"},
            b"-",
            "rate_limit",
            id="text that is not JSON",
        ),
        pytest.param(
            400,
            {"x-amzn-errortype": "com.amazon#ThrottlingException:http://x/"},
            b"{}",
            "rate_limit",
            id="a type with namespace and address",
        ),
        pytest.param(
            400, {"x-amzn-errortype": "BrandNewException"}, b"[]", "invalid_request", id="an unknown type"
        ),
    ],
)
def test_unusual_errors(status: int, headers: dict[str, str], body: bytes, failure_class: str) -> None:
    assert Bedrock().error(status, headers, body).failure_class == failure_class
