"""Tests of handler/providers/google/errors.py."""

from __future__ import annotations

import json

import pytest

from handler.providers.google.translator import Google


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="an empty body"),
        pytest.param(b"<html>Bad gateway</html>", id="an HTML page"),
        pytest.param(b"[]", id="an empty list"),
        pytest.param(b'{"error":"x"}', id="an error that is a text"),
        pytest.param(b'{"error":{"details":7,"status":[]}}', id="details of another type"),
    ],
)
def test_an_unreadable_error_has_the_class_of_its_status(body: bytes) -> None:
    assert Google().error(502, {}, body).failure_class == "server"


def test_the_message_of_an_error_does_not_contain_the_key() -> None:
    body = {
        "error": {"code": 400, "message": f"unknown field ?key=AIza{'x' * 35}", "status": "INVALID_ARGUMENT"}
    }
    assert "AIza" not in Google().error(400, {}, json.dumps(body).encode()).message
