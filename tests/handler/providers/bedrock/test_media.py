"""Images, documents, audio and video."""

from __future__ import annotations

import pytest

from handler.errors import Json
from tests.handler.providers.bedrock.builders import messages, refusal
from tests.handler.providers.content_blocks.builders import user

PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACw="


@pytest.mark.parametrize(
    ("part", "param"),
    [
        pytest.param(
            {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
            "image_url.url",
            id="an address",
        ),
        pytest.param(
            {"type": "image_url", "image_url": {"url": "s3://bucket/a.png"}},
            "image_url.url",
            id="an address in S3",
        ),
        pytest.param(
            {"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,PHN2Zz4="}},
            "image_url.url",
            id="an SVG",
        ),
        pytest.param(
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,*"}},
            "image_url.url",
            id="not base64",
        ),
        pytest.param({"type": "file", "file": {"file_id": "file-1"}}, "file", id="a file stored elsewhere"),
        pytest.param(
            {"type": "file", "file": {"file_data": "https://x.example/a.pdf"}},
            "file.file_data",
            id="a file as an address",
        ),
        pytest.param(
            {"type": "file", "file": {"file_data": "data:application/zip;base64,UEs="}},
            "file.file_data",
            id="a ZIP",
        ),
        pytest.param({"type": "holograph"}, "type", id="an unknown type"),
    ],
)
def test_unsupported_content(part: Json, param: str) -> None:
    error = refusal({"messages": [user([{"type": "text", "text": "?"}, part])]})
    assert error.param == f"messages[0].content[1].{param}"


@pytest.mark.parametrize(
    ("part", "block"),
    [
        pytest.param(
            {"type": "image_url", "image_url": {"url": PIXEL}},
            {"image": {"format": "gif", "source": {"bytes": PIXEL.partition(",")[2]}}},
            id="an image",
        ),
        pytest.param(
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            {"audio": {"format": "mp3", "source": {"bytes": "AAAA"}}},
            id="audio",
        ),
        pytest.param(
            {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
            {"video": {"format": "mp4", "source": {"bytes": "AAAA"}}},
            id="a video",
        ),
        pytest.param(
            {"type": "file", "file": {"filename": "ä*.docx", "file_data": "AAAA"}},
            {"document": {"format": "docx", "source": {"bytes": "AAAA"}, "name": "document"}},
            id="a document with no permitted character in its name",
        ),
    ],
)
def test_supported_content(part: Json, block: Json) -> None:
    assert messages(user([{"type": "text", "text": "?"}, part])) == [("user", [{"text": "?"}, block])]
