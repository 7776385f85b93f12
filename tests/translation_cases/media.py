"""88 to 95: images, files, audio."""

from __future__ import annotations

import asyncio
import base64

import pytest

from handler.endpoints.exchange.http import read_body
from handler.errors import TooLarge
from tests.translation_cases.case_types import (
    CandidateCase,
    Case,
    CheckCase,
    FailureCase,
    Refusal,
    RejectedCase,
    RequestCase,
)
from tests.translation_cases.vocabulary import (
    GPT_6,
    JPEG,
    NOVA,
    OPUS,
    PDF,
    PNG,
    Json,
    chat,
    converse_text,
    image,
    user,
)

NUMBERS = range(88, 96)

URL_SAFE = JPEG.replace("+", "-").replace("/", "_").rstrip("=")
LINK = "https://pictures.example/cat.png"
DATA_URLS = {
    "image/jpg": f"data:image/jpg;base64,{JPEG}",
    "capitals": f"DATA:IMAGE/JPEG;base64,{JPEG}",
    "parameters": f"data:image/jpeg;charset=utf-8;name=a.jpg;base64,{JPEG}",
    "no type": f"data:;base64,{JPEG}",
    "blanks in its data": f"data:image/jpeg;base64,{JPEG[:4]}\n{JPEG[4:]}",
    "letters for addresses, without padding": f"data:image/jpeg;base64,{URL_SAFE}",
}


def image_chat(url: str) -> Json:
    return chat(user([image(url)]))


def file(**fields: str) -> Json:
    return chat(user([{"type": "file", "file": fields}]))


def source(kind: str, data: str) -> Json:
    return {"type": "base64", "media_type": kind, "data": data}


def converse_block(part_type: str, kind: str, data: str, **more: str) -> Json:
    return {part_type: {"format": kind, "source": {"bytes": data}, **more}}


def as_jpeg(url: str) -> Json:
    return {
        "anthropic": {"messages.0.content.0.source": source("image/jpeg", JPEG)},
        "bedrock": {"messages.0.content": [converse_block("image", "jpeg", JPEG)]},
        OPUS: {"messages.0.content.0.source": source("image/jpeg", JPEG)},
        "gemini": {"contents.0.parts.0.inlineData": {"mimeType": "image/jpeg", "data": JPEG}},
        "openai": {"messages.0.content.0.image_url.url": url},
    }


def check_declared_size() -> None:
    async def receive() -> Json:
        raise AssertionError("it was read")

    with pytest.raises(TooLarge):
        asyncio.run(read_body(receive, {"content-length": "6000001"}, 6_000_000))


CASES: list[Case] = [
    *(
        RequestCase(88, f"a data: URL with {how} is corrected", image_chat(url), as_jpeg(url))
        for how, url in DATA_URLS.items()
        if "data" not in how and "letters" not in how
    ),
    RequestCase(
        89,
        "the type of an image follows its bytes, not its declaration",
        image_chat(f"data:image/jpeg;base64,{PNG}"),
        {
            "bedrock": {"messages.0.content": [converse_block("image", "png", PNG)]},
            "anthropic": {"messages.0.content.0.source": source("image/png", PNG)},
            "gemini": {"contents.0.parts.0.inlineData.mimeType": "image/png"},
            "openai": {"messages.0.content.0.image_url.url": f"data:image/jpeg;base64,{PNG}"},
        },
    ),
    *(
        RequestCase(
            89,
            f"{kind} is refused for Claude and Bedrock",
            image_chat(f"data:{kind};base64,AAAA"),
            {
                name: Refusal("messages[0].content[0].image_url.url")
                for name in ("anthropic", "bedrock", NOVA, OPUS)
            },
        )
        for kind in ("image/svg+xml", "image/bmp", "image/heic", "image/tiff", "image/avif")
    ),
    *(
        RequestCase(90, f"a data: URL with {how} is corrected", image_chat(url), as_jpeg(url))
        for how, url in DATA_URLS.items()
        if "data" in how or "letters" in how
    ),
    RequestCase(
        90,
        "percent-encoded data becomes base64",
        image_chat("data:text/plain,caf%C3%A9"),
        {
            "bedrock": {
                "messages.0.content": [
                    converse_block(
                        "document", "txt", base64.b64encode("café".encode()).decode(), name="document"
                    ),
                    converse_text("."),
                ]
            },
            "gemini": {
                "contents.0.parts.0.inlineData": {
                    "mimeType": "text/plain",
                    "data": base64.b64encode("café".encode()).decode(),
                }
            },
        },
    ),
    RequestCase(
        90,
        "invalid base64 is refused with its path",
        image_chat("data:image/png;base64,!!!"),
        {
            "bedrock": Refusal("messages[0].content[0].image_url.url"),
            "anthropic": Refusal("messages[0].content[0].image_url.url"),
            "gemini": Refusal("messages[0].content[0].image_url.url", "invalid_value"),
        },
    ),
    RequestCase(
        91,
        "the URL of an image is passed on and never fetched",
        image_chat(LINK),
        {
            "anthropic": {"messages.0.content.0.source": {"type": "url", "url": LINK}},
            "gemini": {"contents.0.parts.0.fileData": {"mimeType": "image/png", "fileUri": LINK}},
            "openai": {"messages.0.content.0.image_url.url": LINK},
        },
    ),
    RequestCase(
        91,
        "the URL of an image is refused where the provider does not fetch it",
        image_chat("http://169.254.169.254/latest"),
        {name: Refusal("messages[0].content[0].image_url.url") for name in ("gemini", "bedrock")},
    ),
    CandidateCase(
        91,
        "a provider that needs the bytes of an image is no candidate for a URL",
        image_chat(LINK),
        {
            name: Refusal("messages[0].content[0].image_url")
            for name in ("ollama", "moonshot", "bedrock", OPUS, GPT_6)
        },
        able=("openai", "anthropic", "gemini", "together"),
    ),
    CandidateCase(
        91,
        "an image in base64 is sent where a URL is refused",
        image_chat(f"data:image/jpeg;base64,{JPEG}"),
        {},
        able=("ollama", "moonshot", "bedrock", NOVA, OPUS, GPT_6),
    ),
    RequestCase(
        92,
        "the detail of an image is sent to OpenAI only",
        chat(user([image(f"data:image/png;base64,{PNG}", detail="high")])),
        {
            "bedrock": {"messages.0.content": [converse_block("image", "png", PNG)]},
            "anthropic": {"messages.0.content": [{"type": "image", "source": source("image/png", PNG)}]},
            "gemini": {"contents.0.parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}]},
            "openai": {"messages.0.content.0.image_url.detail": "high"},
        },
    ),
    RequestCase(
        93,
        "a file in the request is sent",
        file(file_data=f"data:application/pdf;base64,{PDF}", filename="a b.pdf"),
        {
            "bedrock": {
                "messages.0.content": [converse_block("document", "pdf", PDF, name="a b"), converse_text(".")]
            },
            "anthropic": {
                "messages.0.content": [
                    {"type": "document", "source": source("application/pdf", PDF), "title": "a b.pdf"}
                ]
            },
            "gemini": {"contents.0.parts.0.inlineData": {"mimeType": "application/pdf", "data": PDF}},
            "openai": {"messages.0.content.0.file.filename": "a b.pdf"},
        },
    ),
    RequestCase(
        93,
        "a file stored at another provider is refused",
        file(file_id="file-abc"),
        {
            "bedrock": Refusal("messages[0].content[0].file"),
            "anthropic": Refusal("messages[0].content[0].file"),
            "gemini": Refusal("messages[0].content[0].file.file_id"),
            "openai": {"messages.0.content.0.file.file_id": "file-abc"},
        },
    ),
    RequestCase(
        93,
        "file names for Converse are unique and of few characters",
        chat(
            user(
                [
                    {"type": "file", "file": {"file_data": PDF, "filename": name}}
                    for name in ("a/b  (1).pdf", "a b (1).pdf", "ü.pdf", "é.pdf")
                ]
                + [{"type": "text", "text": "Read"}]
            )
        ),
        {
            "bedrock": {
                "messages.0.content": [
                    *(
                        converse_block("document", "pdf", PDF, name=name)
                        for name in ("a b (1)", "a b (1) (1)", "document", "document (3)")
                    ),
                    converse_text("Read"),
                ]
            }
        },
    ),
    *(
        RejectedCase(
            94,
            f"an image in a message of the {role} is refused",
            chat({"role": role, "content": [image(LINK)]}, user("Hi")),
            Refusal("messages[0].content[0].type", "invalid_value"),
        )
        for role in ("system", "developer", "assistant")
    ),
    CheckCase(95, "a body that declares too many bytes is not read", check_declared_size),
    FailureCase(
        95,
        "a provider's 413 is the caller's error",
        "anthropic",
        "invalid_request",
        status=413,
        body={"type": "error", "error": {"type": "request_too_large", "message": "Request exceeds 32 MB"}},
        expected={"status": 413, "code": "request_too_large"},
    ),
]
