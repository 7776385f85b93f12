"""Gemini requests for tests: parsed ones, one as Gemini CLI sends it, and random ones."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from handler.errors import Json
from handler.formats.chat.request import Chat
from handler.formats.gemini.format import GeminiFormat
from handler.settings import Settings

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="
IMAGE = {"inlineData": {"mimeType": "image/png", "data": PIXEL}}
HI = {"role": "user", "parts": [{"text": "hi"}]}
FUNCTIONS = [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}]


def parse(body: Any, *, model: str = "gemini-2.5-pro", stream: bool = False) -> Chat:
    return GeminiFormat(model, stream=stream).parse(json.dumps(body).encode(), {}, Settings())


def chat(**members: Any) -> Json:
    """Return the chat of a request with one message and these members."""
    return parse({"contents": [HI], **members}).body


def config(**members: Any) -> Json:
    """Return the fields of the chat besides the message and the model."""
    return {
        name: value
        for name, value in chat(generationConfig=members).items()
        if name not in ("messages", "model")
    }


def limits(**members: Any) -> tuple[str | None, tuple[str, ...]]:
    """Return the path of what only Gemini can answer, and the dropped fields."""
    native = parse({"contents": [HI], **members}).native
    assert native is not None
    return native.only and native.only[0], native.dropped


def agent_body() -> Json:
    """Return the second request of a coding agent, in the shape of Gemini CLI's."""
    read = {"name": "read_file", "args": {"path": "a.py"}, "id": "read_file__call_1"}
    properties = {"path": {"type": "string", "description": "the file"}}
    schema = {"type": "object", "properties": properties, "required": ["path"]}
    declaration = {"name": "read_file", "description": "Reads a file.", "parametersJsonSchema": schema}
    return {
        "contents": [
            {"role": "user", "parts": [{"text": "<session_context>Linux</session_context>"}]},
            {"role": "user", "parts": [{"text": "Explain a.py."}]},
            {"role": "model", "parts": [{"text": "I read it."}, {"functionCall": read}]},
            {
                "role": "user",
                "parts": [
                    {
                        "functionResponse": {
                            "id": "read_file__call_1",
                            "name": "read_file",
                            "response": {"output": "x = 1\n"},
                        }
                    }
                ],
            },
        ],
        "systemInstruction": {"role": "user", "parts": [{"text": "You are an agent."}]},
        "tools": [{"functionDeclarations": [declaration]}],
        "generationConfig": {
            "temperature": 1,
            "topP": 0.95,
            "topK": 64,
            "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 8192},
        },
    }


def random_body(random: Random) -> Json:
    """Return a request with a conversation of random turns, whose calls have results."""
    contents: list[Json] = [{"role": "user", "parts": [_text(random)]}]
    for _ in range(random.randrange(4)):
        calls = [_call(random) for _ in range(random.choice((0, 0, 1, 1, 2, 3)))]
        thoughts = [{**_text(random), "thought": True}] if random.random() < 0.3 else []
        texts = [_text(random)] if not calls or random.random() < 0.5 else []
        for part in (*texts, *calls):
            if random.random() < 0.3:
                part["thoughtSignature"] = "c2lnbmF0dXJl" * random.randrange(1, 4)
        contents.append({"role": "model", "parts": [*thoughts, *texts, *calls]})
        if calls:
            contents.append({"role": "user", "parts": [_result(random, call) for call in calls]})
        if not calls or random.random() < 0.3:
            more = [IMAGE] if random.random() < 0.3 else []
            contents.append({"role": "user", "parts": [_text(random), *more]})
    return {"contents": contents, **_options(random)}


def _options(random: Random) -> Json:
    settings = {
        "temperature": random.choice((0, 0.5, 2)),
        "topP": 0.5,
        "topK": 40,
        "maxOutputTokens": 100,
        "stopSequences": ["a", "b"],
        "seed": 7,
        "presencePenalty": 0.5,
        "thinkingConfig": {"thinkingLevel": random.choice(("LOW", "HIGH")), "includeThoughts": True},
    }
    few = dict(
        random.sample(sorted(settings.items(), key=lambda one: one[0]), random.randrange(len(settings)))
    )
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    tools = [{"functionDeclarations": [{"name": name, "parametersJsonSchema": schema} for name in "fgh"]}]
    options: Json = {"generationConfig": few} if few else {}
    if random.random() < 0.7:
        options["systemInstruction"] = {"parts": [_text(random)]}
    if random.random() < 0.8:
        mode = random.choice(("AUTO", "ANY", "NONE"))
        options |= {"tools": tools, "toolConfig": {"functionCallingConfig": {"mode": mode}}}
    return options


def _text(random: Random) -> Json:
    return {"text": "".join(random.choices('abc é\u2028\U0001f600\n"\\{}', k=random.randrange(1, 12)))}


def _call(random: Random) -> Json:
    call: Json = {"name": random.choice("fgh"), "args": {"a": random.choice(("x", "é"))}}
    if random.random() < 0.5:
        call["id"] = f"id{random.randrange(10**9)}"
    return {"functionCall": call}


def _result(random: Random, part: Json) -> Json:
    call = part["functionCall"]
    response = random.choice(({"output": "text"}, {"rows": [1, 2], "n": None}, {"error": "no"}))
    own = {"id": call["id"]} if "id" in call else {}
    return {"functionResponse": {**own, "name": call["name"], "response": response}}
