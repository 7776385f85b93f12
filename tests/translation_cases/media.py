"""88 to 95: images, files, audio."""

from __future__ import annotations

import asyncio
import base64

import pytest

from handler.endpoints.streaming import read_body
from handler.errors import TooLarge
from tests.translation_cases.case_types import AtTheDoor, Case, Fails, Holds, NoCandidate, Refused, Sent
from tests.translation_cases.vocabulary import (
    GPT_6,
    JPEG,
    NOVA,
    OPUS,
    PDF,
    PNG,
    Json,
    asks,
    image,
    user,
    words,
)

NUMBERS = range(88, 96)

URL_SAFE = JPEG.replace("+", "-").replace("/", "_").rstrip("=")
LINK = "https://pictures.example/cat.png"
ODD = {
    "image/jpg": f"data:image/jpg;base64,{JPEG}",
    "capitals": f"DATA:IMAGE/JPEG;base64,{JPEG}",
    "parameters": f"data:image/jpeg;charset=utf-8;name=a.jpg;base64,{JPEG}",
    "no type": f"data:;base64,{JPEG}",
    "blanks in its data": f"data:image/jpeg;base64,{JPEG[:4]}\n{JPEG[4:]}",
    "letters for addresses, without padding": f"data:image/jpeg;base64,{URL_SAFE}",
}


def shows(url: str) -> Json:
    return asks(user([image(url)]))


def file(**fields: str) -> Json:
    return asks(user([{"type": "file", "file": fields}]))


def source(kind: str, data: str) -> Json:
    return {"type": "base64", "media_type": kind, "data": data}


def converse(sort: str, kind: str, data: str, **more: str) -> Json:
    return {sort: {"format": kind, "source": {"bytes": data}, **more}}


def is_jpeg(url: str) -> Json:
    return {
        "anthropic": {"messages.0.content.0.source": source("image/jpeg", JPEG)},
        "bedrock": {"messages.0.content": [converse("image", "jpeg", JPEG)]},
        OPUS: {"messages.0.content.0.source": source("image/jpeg", JPEG)},
        "gemini": {"contents.0.parts.0.inlineData": {"mimeType": "image/jpeg", "data": JPEG}},
        "openai": {"messages.0.content.0.image_url.url": url},
    }


def said_to_be_too_large() -> None:
    async def receive() -> Json:
        raise AssertionError("it was read")

    with pytest.raises(TooLarge):
        asyncio.run(read_body(receive, {"content-length": "6000001"}, 6_000_000))


CASES: list[Case] = [
    *(
        Sent(88, f"a data: URL with {how} is put right", shows(url), is_jpeg(url))
        for how, url in ODD.items()
        if "data" not in how and "letters" not in how
    ),
    Sent(
        89,
        "the bytes tell what an image is, whatever is declared",
        shows(f"data:image/jpeg;base64,{PNG}"),
        {
            "bedrock": {"messages.0.content": [converse("image", "png", PNG)]},
            "anthropic": {"messages.0.content.0.source": source("image/png", PNG)},
            "gemini": {"contents.0.parts.0.inlineData.mimeType": "image/png"},
            "openai": {"messages.0.content.0.image_url.url": f"data:image/jpeg;base64,{PNG}"},
        },
    ),
    *(
        Sent(
            89,
            f"{kind} is none of the sorts that Claude takes, nor Bedrock",
            shows(f"data:{kind};base64,AAAA"),
            {
                name: Refused("messages[0].content[0].image_url.url")
                for name in ("anthropic", "bedrock", NOVA, OPUS)
            },
        )
        for kind in ("image/svg+xml", "image/bmp", "image/heic", "image/tiff", "image/avif")
    ),
    *(
        Sent(90, f"a data: URL with {how} is put right", shows(url), is_jpeg(url))
        for how, url in ODD.items()
        if "data" in how or "letters" in how
    ),
    Sent(
        90,
        "data that is written in percents is base64 afterwards",
        shows("data:text/plain,caf%C3%A9"),
        {
            "bedrock": {
                "messages.0.content": [
                    converse("document", "txt", base64.b64encode("café".encode()).decode(), name="document"),
                    words("."),
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
    Sent(
        90,
        "data that is no base64 is refused by its place",
        shows("data:image/png;base64,!!!"),
        {
            "bedrock": Refused("messages[0].content[0].image_url.url"),
            "anthropic": Refused("messages[0].content[0].image_url.url"),
            "gemini": Refused("messages[0].content[0].image_url.url", "invalid_value"),
        },
    ),
    Sent(
        91,
        "an address is for the provider to fetch, never for Sluice",
        shows(LINK),
        {
            "anthropic": {"messages.0.content.0.source": {"type": "url", "url": LINK}},
            "gemini": {"contents.0.parts.0.fileData": {"mimeType": "image/png", "fileUri": LINK}},
            "openai": {"messages.0.content.0.image_url.url": LINK},
        },
    ),
    Sent(
        91,
        "an address that a provider does not fetch is refused",
        shows("http://169.254.169.254/latest"),
        {name: Refused("messages[0].content[0].image_url.url") for name in ("gemini", "bedrock")},
    ),
    NoCandidate(
        91,
        "whoever needs the bytes of an image is no candidate for its address",
        shows(LINK),
        {
            name: Refused("messages[0].content[0].image_url")
            for name in ("ollama", "moonshot", "bedrock", OPUS, GPT_6)
        },
        able=("openai", "anthropic", "gemini", "together"),
    ),
    NoCandidate(
        91,
        "but takes the bytes",
        shows(f"data:image/jpeg;base64,{JPEG}"),
        {},
        able=("ollama", "moonshot", "bedrock", NOVA, OPUS, GPT_6),
    ),
    Sent(
        92,
        "how closely an image is looked at is OpenAI's to know",
        asks(user([image(f"data:image/png;base64,{PNG}", detail="high")])),
        {
            "bedrock": {"messages.0.content": [converse("image", "png", PNG)]},
            "anthropic": {"messages.0.content": [{"type": "image", "source": source("image/png", PNG)}]},
            "gemini": {"contents.0.parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}]},
            "openai": {"messages.0.content.0.image_url.detail": "high"},
        },
    ),
    Sent(
        93,
        "a file that comes along goes along",
        file(file_data=f"data:application/pdf;base64,{PDF}", filename="a b.pdf"),
        {
            "bedrock": {"messages.0.content": [converse("document", "pdf", PDF, name="a b"), words(".")]},
            "anthropic": {
                "messages.0.content": [
                    {"type": "document", "source": source("application/pdf", PDF), "title": "a b.pdf"}
                ]
            },
            "gemini": {"contents.0.parts.0.inlineData": {"mimeType": "application/pdf", "data": PDF}},
            "openai": {"messages.0.content.0.file.filename": "a b.pdf"},
        },
    ),
    Sent(
        93,
        "a file that another provider keeps is refused",
        file(file_id="file-abc"),
        {
            "bedrock": Refused("messages[0].content[0].file"),
            "anthropic": Refused("messages[0].content[0].file"),
            "gemini": Refused("messages[0].content[0].file.file_id"),
            "openai": {"messages.0.content.0.file.file_id": "file-abc"},
        },
    ),
    Sent(
        93,
        "Converse takes no name twice, and few letters in one",
        asks(
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
                        converse("document", "pdf", PDF, name=name)
                        for name in ("a b (1)", "a b (1) (1)", "document", "document (3)")
                    ),
                    words("Read"),
                ]
            }
        },
    ),
    *(
        AtTheDoor(
            94,
            f"an image in what the {role} says is no chat of OpenAI's",
            asks({"role": role, "content": [image(LINK)]}, user("Hi")),
            Refused("messages[0].content[0].type", "invalid_value"),
        )
        for role in ("system", "developer", "assistant")
    ),
    Holds(95, "a body that says it is too large is not read", said_to_be_too_large),
    Fails(
        95,
        "what a provider finds too large is the caller's to mend",
        "anthropic",
        "invalid_request",
        status=413,
        body={"type": "error", "error": {"type": "request_too_large", "message": "Request exceeds 32 MB"}},
        shown={"status": 413, "code": "request_too_large"},
    ),
]
