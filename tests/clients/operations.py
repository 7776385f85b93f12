"""Uses every operation besides chat with the official clients: `python -m tests.clients.operations URL KEY`.

The client is openai's; with --cohere it is Cohere's. tests/clients/test_operations.py runs it.
"""

from __future__ import annotations

import io
import sys
from typing import Any

from tests.clients.harness import raises, same, that

VECTOR = [0.5, -1.0, 0.25]
AUDIO = bytes(range(256)) * 40


def use_openai(base_url: str, key: str) -> None:
    import openai  # type: ignore[import-not-found]

    client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=30)
    _embeddings(client)
    text = client.completions.create(model="up/complete", prompt="Well", suffix=".")
    same((text.choices[0].text, text.usage.total_tokens), ("of course", 5))
    stream = client.completions.create(model="up/complete", prompt="Well", stream=True)
    same("".join(chunk.choices[0].text for chunk in stream), "of course")
    same(client.moderations.create(model="up/guard", input="hello").results[0].flagged, False)
    same(client.images.generate(model="up/draw", prompt="a cat").data[0].b64_json, "AA==")
    image = ("cat.png", io.BytesIO(b"png"), "image/png")
    same(client.images.edit(model="up/draw", prompt="a cat", image=image).data[0].b64_json, "AA==")
    spoken = client.audio.speech.create(model="up/speak", voice="alloy", input="hello")
    same(spoken.content, AUDIO)
    with client.audio.speech.with_streaming_response.create(
        model="up/speak", voice="alloy", input="hello"
    ) as response:
        same(b"".join(response.iter_bytes()), AUDIO)
    for create in (client.audio.transcriptions.create, client.audio.translations.create):
        same(create(model="up/listen", file=("a.mp3", io.BytesIO(AUDIO))).text, "hello")
    raises(
        "BadRequestError",
        lambda: client.embeddings.create(model="up/speak", input="hello"),
        code="unsupported_operation",
        param="model",
    )


def _embeddings(client: Any) -> None:
    for model in ("up/embed", "aws/amazon.titan-embed-text-v2:0"):
        for more in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"}):
            answer = client.embeddings.create(model=model, input=["one", "two"], **more)
            vectors = [each.embedding for each in answer.data]
            as_text = more.get("encoding_format") == "base64"
            same(vectors, ["AAAAPwAAgL8AAIA+"] * 2 if as_text else [VECTOR] * 2)
            that(answer.usage.prompt_tokens > 0, "no usage")


def use_cohere(base_url: str, key: str) -> None:
    import cohere  # type: ignore[import-not-found]

    root = base_url.removesuffix("/v1")
    for make in (cohere.Client, cohere.ClientV2):
        client = make(api_key=key, base_url=root)
        answer = client.rerank(model="up/rank", query="q", documents=["a", "b"], top_n=2)
        same([each.index for each in answer.results], [1, 0])


if __name__ == "__main__":
    (use_cohere if "--cohere" in sys.argv else use_openai)(*sys.argv[1:3])
