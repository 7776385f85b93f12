"""Tests of handler/providers/google/media.py."""

from __future__ import annotations

import pytest

from handler.errors import Json
from tests.handler.providers.google.gemini import PNG, chat_part, contents, from_user, message, refusal_of


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        pytest.param(
            chat_part("image_url", url=f"data:image/JPEG;name=x;base64,{PNG}"),
            {"inlineData": {"mimeType": "image/png", "data": PNG}},
            id="the type is that of the bytes",
        ),
        pytest.param(
            chat_part("image_url", url="data:image/png;base64,UklGRgAAAABXRUJQ"),
            {"inlineData": {"mimeType": "image/webp", "data": "UklGRgAAAABXRUJQ"}},
            id="a WebP image with another type",
        ),
        pytest.param(
            chat_part("image_url", url="data:image/jpg;base64,AAAA"),
            {"inlineData": {"mimeType": "image/jpeg", "data": "AAAA"}},
            id="an alias of a type",
        ),
        pytest.param(
            chat_part("image_url", url="data:;base64,_-8"),
            {"inlineData": {"mimeType": "image/jpeg", "data": "/+8="}},
            id="URL-safe base64 without padding or type",
        ),
        pytest.param(
            chat_part("image_url", url="data:image/svg+xml,%3Csvg%2F%3E"),
            {"inlineData": {"mimeType": "image/svg+xml", "data": "PHN2Zy8+"}},
            id="percent-encoded data",
        ),
        pytest.param(
            chat_part("image_url", url="https://example.com/picture"),
            {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.com/picture"}},
            id="an address that Google fetches",
        ),
        pytest.param(
            chat_part("image_url", url="gs://bucket/a.png"),
            {"fileData": {"mimeType": "image/png", "fileUri": "gs://bucket/a.png"}},
            id="an address in Google Cloud Storage",
        ),
        pytest.param(
            chat_part("input_audio", data="AAAA", format="mp3"),
            {"inlineData": {"mimeType": "audio/mpeg", "data": "AAAA"}},
            id="audio",
        ),
        pytest.param(
            chat_part("file", file_data="JVBERi0=", filename="a.pdf"),
            {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}},
            id="a file as base64",
        ),
        pytest.param(
            chat_part("file", file_data="data:text/csv;base64,YSxi"),
            {"inlineData": {"mimeType": "text/csv", "data": "YSxi"}},
            id="a file as a data: URL",
        ),
        pytest.param(
            chat_part(
                "file", file_id="https://generativelanguage.googleapis.com/v1beta/files/x", filename="a.txt"
            ),
            {
                "fileData": {
                    "mimeType": "text/plain",
                    "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x",
                }
            },
            id="a file that was uploaded to Google",
        ),
        pytest.param(
            chat_part("video_url", url="data:video/mp4;base64,AAAA"),
            {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}},
            id="a video",
        ),
    ],
)
def test_a_part_that_is_not_text(part: Json, expected: Json) -> None:
    assert contents(message("user", [part])) == [from_user(expected)]


@pytest.mark.parametrize(
    ("part", "code", "param"),
    [
        pytest.param(
            chat_part("image_url", url="http://example.com/a.png"),
            "unsupported_parameter",
            "image_url.url",
            id="an http: address",
        ),
        pytest.param(
            chat_part("image_url", url="file:///etc/passwd"),
            "unsupported_parameter",
            "image_url.url",
            id="a file: address",
        ),
        pytest.param(
            chat_part("image_url", url="data:image/png;base64,A*"),
            "invalid_value",
            "image_url.url",
            id="data that is not base64",
        ),
        pytest.param(
            chat_part("image_url", url="data:image/png;base64"),
            "invalid_value",
            "image_url.url",
            id="a data: URL without data",
        ),
        pytest.param(
            chat_part("input_audio", data="é", format="wav"),
            "invalid_value",
            "input_audio.data",
            id="audio that is not base64",
        ),
        pytest.param(
            chat_part("file", file_id="file-123"),
            "unsupported_parameter",
            "file.file_id",
            id="an OpenAI file id",
        ),
        pytest.param({"type": "unknown"}, "unsupported_parameter", "type", id="a part of an unknown type"),
    ],
)
def test_an_unsupported_part_is_refused_with_its_path(part: Json, code: str, param: str) -> None:
    error = refusal_of({"messages": [message("user", [part])]})
    assert (error.code, error.param) == (code, f"messages[0].content[0].{param}")
