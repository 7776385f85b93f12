"""1 to 19: the shape of messages."""

from __future__ import annotations

from handler.providers.rows.builtin import PROVIDERS
from tests.translation_cases.case_types import GONE, AtTheDoor, Case, NoCandidate, Refused, Sent
from tests.translation_cases.vocabulary import (
    JPEG,
    LLAMA,
    MISTRAL,
    NOVA,
    OPUS,
    OSS,
    POINT,
    SONNET,
    asks,
    call,
    image,
    outcome,
    result,
    results,
    said,
    spec,
    system,
    text,
    tool,
    use,
    user,
    uses,
    words,
)

NUMBERS = range(1, 20)

# Rows that are compatible with OpenAI and not OpenAI.
OTHERS = [
    name
    for name, row in PROVIDERS.items()
    if row.dialect == "openai" and name not in ("openai", "azure", "local")
]
WITHOUT_CONTENT = {key: value for key, value in said(None, call("a")).items() if key != "content"}
BEGUN = said("The answer is ")
DEVELOPER = {"role": "developer", "content": "Be brief."}
DUMPED = said("Hi", function_call=None, tool_calls=None, audio=None, refusal=None)
ECHOED = said("Hi", reasoning="Hm.", annotations=[], provider_specific_fields={}, reasoning_details=[{}])
SIGNED = said(None, call("a", thought_signature="c2ln"))

CASES: list[Case] = [
    *(
        Sent(
            1,
            f"an assistant who only calls, with content {how}, says no empty text",
            asks(user("Hi"), message, result("a"), tools=[tool()]),
            {
                "bedrock": {"messages.1.content": [uses("a")]},
                "anthropic": {"messages.1.content": [use("a")]},
                "gemini": {"contents.1.parts.0.functionCall.name": "look", "contents.1.parts.1": GONE},
                "openai": {"messages.1": message},
            },
        )
        for how, message in (
            ("''", said("", call("a"))),
            ("null", said(None, call("a"))),
            ("missing", WITHOUT_CONTENT),
        )
    ),
    Sent(
        2,
        "text of blanks alone is left out",
        asks(user("Hi"), said("\n", call("a")), result("a"), user([text(" "), text("Well?")])),
        {
            "bedrock": {"messages.1.content": [uses("a")], "messages.2.content.1": words("Well?")},
            "anthropic": {"messages.1.content": [use("a")], "messages.2.content.1": text("Well?")},
        },
    ),
    Sent(
        3,
        "a user's turn in which nothing is left stays",
        asks(user(""), said("Yes?"), user("  ")),
        {
            "bedrock": {"messages.0.content": [words(".")], "messages.2.content": [words(".")]},
            "anthropic": {"messages.0.content": [text(".")], "messages.2.content": [text(".")]},
            "gemini": {"contents.0.parts": [text_part := {"text": " "}], "contents.1.role": "model"},
        },
    ),
    Sent(
        4,
        "a prefill loses the blanks at its end, and only there",
        asks(user("Hi"), said([text("It is "), text("so ")])),
        {
            "bedrock": {"messages.1.content": [words("It is "), words("so")]},
            "anthropic": {"messages.1.content": [text("It is "), text("so")]},
        },
    ),
    Sent(
        5,
        "a model that takes no prefill is not sent one",
        asks(user("Hi"), BEGUN),
        {
            "bedrock": {"messages.1.role": "assistant"},
            **{name: Refused("messages") for name in (SONNET, NOVA, MISTRAL, LLAMA, OPUS)},
            OSS: {"messages.1": BEGUN},
            "anthropic/claude-sonnet-4-6": Refused("messages"),
            "anthropic/claude-opus-5-5": Refused("messages"),
            "anthropic/claude-haiku-4-5": {"messages.1.role": "assistant"},
        },
    ),
    Sent(
        6,
        "what a user says in two messages is one turn",
        asks(user("A"), user("B")),
        {
            "bedrock": {"messages": [user([words("A"), words("B")])]},
            "anthropic": {"messages": [user([text("A"), text("B")])]},
            "gemini": {"contents": [{"role": "user", "parts": [{"text": "A"}, {"text": "B"}]}]},
            "perplexity": {"messages": [user("A\n\nB")]},
            "openai": {"messages": [user("A"), user("B")]},
        },
    ),
    Sent(
        7,
        "what an assistant says in two messages is one turn, its calls in their order",
        asks(user("Hi"), said("A", call("a")), said("B", call("b")), result("b"), result("a")),
        {
            "bedrock": {"messages.1.content": [words("A"), uses("a"), words("B"), uses("b")]},
            LLAMA: {
                "messages.1.content": [words("A")],
                "messages.2.role": "user",
                "messages.3.content": [uses("a")],
                "messages.5.content": [words("B")],
                "messages.7.content": [uses("b")],
                "messages.8.content": [results("a"), results("b")],
            },
            "anthropic": {"messages.1.content": [text("A"), use("a"), text("B"), use("b")]},
            "gemini": {
                "contents.1.parts.0.text": "A",
                "contents.1.parts.1.text": "B",
                "contents.1.parts.2.functionCall.id": "a",
                "contents.1.parts.3.functionCall.id": "b",
            },
            "openai": {"messages.2.tool_calls": [call("b")]},
        },
    ),
    Sent(
        8,
        "before an assistant who comes first a user says something",
        asks(said("Hello!"), user("Hi")),
        {
            "bedrock": {"messages.0": user([words(".")]), "messages.1.role": "assistant"},
            "anthropic": {"messages.0": user([text(".")]), "messages.1.role": "assistant"},
            "gemini": {"contents.0": {"role": "user", "parts": [text_part]}, "contents.1.role": "model"},
            "openai": {"messages.0": said("Hello!")},
        },
    ),
    Sent(
        9,
        "of nothing but instructions the last is the user's",
        asks(system("A"), system("B")),
        {
            "bedrock": {"system": [words("A")], "messages": [user([words("B")])]},
            "anthropic": {"system": [text("A")], "messages": [user([text("B")])]},
            "gemini": {"systemInstruction.parts": [{"text": "A"}], "contents.0.parts": [{"text": "B"}]},
            "openai": {"messages": [system("A"), system("B")]},
        },
    ),
    Sent(
        10,
        "an instruction in the middle stays there",
        asks(user("A"), said("B"), user("C"), system("D"), said("E"), user("F")),
        {
            "bedrock": {
                "system": GONE,
                "messages.2.content": [words("C"), words("<system>\nD\n</system>")],
            },
            OPUS: {"messages.3": {"role": "system", "content": [text("D")]}},
            OSS: {"messages.3": system("D")},
            "anthropic/claude-haiku-5-5": {
                "system": GONE,
                "messages.3": {"role": "system", "content": [text("D")]},
            },
            "anthropic/claude-haiku-4-5": {
                "system": GONE,
                "messages.2.content": [text("C"), text("<system>\nD\n</system>")],
            },
            "gemini": {"systemInstruction": GONE, "contents.2.parts": [{"text": "C"}, {"text": "D"}]},
            "openai": {"messages.3": system("D")},
        },
    ),
    Sent(
        11,
        "several instructions at the head are a block each, with their own marks",
        asks(system([text("A", cache_control={"type": "ephemeral"})]), system("B"), user("Hi")),
        {
            **{name: {"system": [words("A"), POINT, words("B")]} for name in ("bedrock", NOVA)},
            LLAMA: {"system": [words("A"), words("B")]},
            "anthropic": {"system": [text("A", cache_control={"type": "ephemeral"}), text("B")]},
            "gemini": {"systemInstruction.parts": [{"text": "A"}, {"text": "B"}]},
        },
    ),
    Sent(
        12,
        "a developer is called system by all but OpenAI",
        asks(DEVELOPER, user("Hi")),
        {
            **{name: {"messages.0.role": "system"} for name in OTHERS},
            "bedrock": {"system": [words("Be brief.")]},
            OPUS: {"system": [text("Be brief.")]},
            OSS: {"messages.0.role": "system"},
            "anthropic": {"system": [text("Be brief.")]},
            "gemini": {"systemInstruction.parts": [{"text": "Be brief."}]},
            "openai": {"messages.0": DEVELOPER},
            "azure": {"messages.0": DEVELOPER},
        },
    ),
    Sent(
        13,
        "a list of texts is one text where lists are not taken",
        asks(user([text("A"), text("B")])),
        {
            **{
                name: {"messages.0.content": "AB"} for name in ("cerebras", "sambanova", "deepseek", "nvidia")
            },
            "openai": {"messages.0.content": [text("A"), text("B")]},
        },
    ),
    Sent(
        14,
        "a refusal in the history is text to whoever knows no refusals",
        asks(user("Hi"), said([{"type": "refusal", "refusal": "No."}]), user("Why?")),
        {
            **{name: {"messages.1.content": [text("No.")]} for name in ("mistral", "groq", "vllm")},
            "deepseek": {"messages.1.content": "No."},
            "bedrock": {"messages.1.content": [words("No.")]},
            OSS: {"messages.1.content": [text("No.")]},
            "anthropic": {"messages.1.content": [text("No.")]},
            "gemini": {"contents.1.parts": [{"text": "No."}]},
            "openai": {"messages.1.content": [{"type": "refusal", "refusal": "No."}]},
        },
    ),
    Sent(
        14,
        "and so is the refusal that an answer of OpenAI's was",
        asks(user("Hi"), said(None, refusal="No."), user("Why?")),
        {
            "mistral": {"messages.1": said("No.")},
            "bedrock": {"messages.1.content": [words("No.")]},
            OSS: {"messages.1": said("No.")},
            "anthropic": {"messages.1.content": [text("No.")]},
            "gemini": {"contents.1.parts": [{"text": "No."}]},
            "openai": {"messages.1": said(None, refusal="No.")},
        },
    ),
    Sent(
        15,
        "a message's name is left out where it is refused",
        asks(user("Hi", name="bob")),
        {
            **{
                name: {"messages.0": user("Hi"), "dropped": ("messages.name",)}
                for name in ("groq", "mistral", "xai", "cerebras", OSS)
            },
            "bedrock": {"messages.0": user([words("Hi")])},
            "anthropic": {"messages.0": user([text("Hi")])},
            "openai": {"messages.0.name": "bob"},
        },
    ),
    AtTheDoor(
        16,
        "a sort of part that nobody knows is refused by its place",
        asks(user([text("A"), {"type": "hologram"}])),
        Refused("messages[0].content[1].type", "invalid_value"),
    ),
    NoCandidate(
        16,
        "a part that a model cannot take makes it no candidate",
        asks(user([image(f"data:image/jpeg;base64,{JPEG}")])),
        {name: Refused("messages") for name in ("groq/openai/gpt-oss-120b", LLAMA, OSS)},
        able=("anthropic", "bedrock", "gemini", "openai", NOVA, OPUS),
    ),
    Sent(
        16,
        "a part that a format has no place for is refused by its place",
        asks(user([{"type": "video_url", "video_url": {"url": "https://x.example/a.mp4"}}])),
        {
            "bedrock": Refused("messages[0].content[0].video_url.url"),
            "anthropic": Refused("messages[0].content[0].type"),
        },
    ),
    Sent(
        17,
        "functions are tools to whoever knows no functions",
        asks(
            user("Hi"),
            said(None, function_call={"name": "look", "arguments": "{}"}),
            {"role": "function", "name": "look", "content": "ok"},
            functions=[{"name": "look"}],
            function_call="auto",
        ),
        {
            "mistral": {
                "functions": GONE,
                "tools": [tool()],
                "messages.1.tool_calls.0.function.name": "look",
                "messages.2.role": "tool",
            },
            "bedrock": {"toolConfig.tools": [spec()], "messages.2.content": [results("call_1")]},
            OSS: {"functions": GONE, "tools": [tool()], "messages.2.role": "tool"},
            "anthropic": {"tools.0.name": "look", "messages.2.content": [outcome("call_1")]},
            "gemini": {"contents.2.parts.0.functionResponse.name": "look"},
            "openai": {"functions": [{"name": "look"}], "tools": GONE},
        },
    ),
    Sent(
        18,
        "nulls that a library writes into the history are left out",
        asks(user("Hi"), DUMPED, user("Go on")),
        {
            **{name: {"messages.1": said("Hi")} for name in OTHERS},
            "bedrock": {"messages.1.content": [words("Hi")]},
            OSS: {"messages.1": said("Hi")},
            "anthropic": {"messages.1.content": [text("Hi")]},
            "gemini": {"contents.1.parts": [{"text": "Hi"}]},
            "openai": {"messages.1": DUMPED},
        },
    ),
    Sent(
        18,
        "and so is a list of no calls",
        asks(user("Hi"), said("Hi", tool_calls=[]), user("Go on")),
        {
            **{name: {"messages.1": said("Hi")} for name in (*OTHERS, "openai", "azure")},
            "bedrock": {"messages.1.content": [words("Hi")]},
            OSS: {"messages.1": said("Hi")},
            "anthropic": {"messages.1.content": [text("Hi")]},
        },
    ),
    Sent(
        19,
        "what other providers' answers leave in the history is refused by the strict ones",
        asks(user("Hi"), ECHOED, user("Go on")),
        {
            **{name: {"messages.1": said("Hi")} for name in ("mistral", "groq", "fireworks", "cerebras")},
            "openai": {"messages.1": said("Hi", annotations=[])},
            "openrouter": {"messages.1.reasoning_details": [{}]},
            "bedrock": {"messages.1.content": [words("Hi")]},
            OSS: {"messages.1": said("Hi")},
            "anthropic": {"messages.1.content": [text("Hi")]},
        },
    ),
    Sent(
        19,
        "and so is a signature at a call",
        asks(user("Hi"), SIGNED, result("a")),
        {
            **{name: {"messages.1.tool_calls.0.thought_signature": GONE} for name in (*OTHERS, "openai")},
            "bedrock": {"messages.1.content": [uses("a")]},
            OSS: {"messages.1.tool_calls.0.thought_signature": GONE},
            "anthropic": {"messages.1.content": [use("a")]},
            "gemini": {"contents.1.parts.0.thoughtSignature": "c2ln"},
        },
    ),
]
