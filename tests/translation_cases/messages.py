"""1 to 19: the shape of messages."""

from __future__ import annotations

from handler.providers.operations.format import endpoints_of
from handler.providers.rows.builtin import PROVIDERS
from tests.translation_cases.case_types import ABSENT, CandidateCase, Case, Refusal, RejectedCase, RequestCase
from tests.translation_cases.vocabulary import (
    CACHE_POINT,
    JPEG,
    LLAMA,
    MISTRAL,
    NOVA,
    OPUS,
    OSS,
    SONNET,
    assistant,
    call,
    chat,
    converse_result,
    converse_text,
    converse_use,
    image,
    result,
    system,
    text,
    tool,
    tool_result,
    tool_spec,
    tool_use,
    user,
)

NUMBERS = range(1, 20)

# Rows of chats that are compatible with OpenAI and not OpenAI.
COMPATIBLE = [
    name
    for name, row in PROVIDERS.items()
    if row.dialect == "openai" and name not in ("openai", "azure", "local") and "chat" in endpoints_of(row)
]
WITHOUT_CONTENT = {key: value for key, value in assistant(None, call("a")).items() if key != "content"}
PREFILL = assistant("The answer is ")
DEVELOPER = {"role": "developer", "content": "Be brief."}
WITH_NULLS = assistant("Hi", function_call=None, tool_calls=None, audio=None, refusal=None)
FOREIGN_FIELDS = assistant(
    "Hi", reasoning="Hm.", annotations=[], provider_specific_fields={}, reasoning_details=[{}]
)
SIGNED = assistant(None, call("a", thought_signature="c2ln"))

CASES: list[Case] = [
    *(
        RequestCase(
            1,
            f"a call with content {how} is sent without an empty text",
            chat(user("Hi"), message, result("a"), tools=[tool()]),
            {
                "bedrock": {"messages.1.content": [converse_use("a")]},
                "anthropic": {"messages.1.content": [tool_use("a")]},
                "gemini": {"contents.1.parts.0.functionCall.name": "look", "contents.1.parts.1": ABSENT},
                "openai": {"messages.1": message},
            },
        )
        for how, message in (
            ("''", assistant("", call("a"))),
            ("null", assistant(None, call("a"))),
            ("missing", WITHOUT_CONTENT),
        )
    ),
    RequestCase(
        2,
        "a blank text is left out",
        chat(user("Hi"), assistant("\n", call("a")), result("a"), user([text(" "), text("Well?")])),
        {
            "bedrock": {
                "messages.1.content": [converse_use("a")],
                "messages.2.content.1": converse_text("Well?"),
            },
            "anthropic": {"messages.1.content": [tool_use("a")], "messages.2.content.1": text("Well?")},
        },
    ),
    RequestCase(
        3,
        "a user's turn without any other text is kept",
        chat(user(""), assistant("Yes?"), user("  ")),
        {
            "bedrock": {
                "messages.0.content": [converse_text(".")],
                "messages.2.content": [converse_text(".")],
            },
            "anthropic": {"messages.0.content": [text(".")], "messages.2.content": [text(".")]},
            "gemini": {"contents.0.parts": [text_part := {"text": " "}], "contents.1.role": "model"},
        },
    ),
    RequestCase(
        4,
        "a prefill is stripped at its end only",
        chat(user("Hi"), assistant([text("It is "), text("so ")])),
        {
            "bedrock": {"messages.1.content": [converse_text("It is "), converse_text("so")]},
            "anthropic": {"messages.1.content": [text("It is "), text("so")]},
        },
    ),
    RequestCase(
        5,
        "a prefill is refused for a model that takes none",
        chat(user("Hi"), PREFILL),
        {
            "bedrock": {"messages.1.role": "assistant"},
            **{name: Refusal("messages") for name in (SONNET, NOVA, MISTRAL, LLAMA, OPUS)},
            OSS: {"messages.1": PREFILL},
            "anthropic/claude-sonnet-4-6": Refusal("messages"),
            "anthropic/claude-opus-5-5": Refusal("messages"),
            "anthropic/claude-haiku-4-5": {"messages.1.role": "assistant"},
        },
    ),
    RequestCase(
        6,
        "two user messages become one turn",
        chat(user("A"), user("B")),
        {
            "bedrock": {"messages": [user([converse_text("A"), converse_text("B")])]},
            "anthropic": {"messages": [user([text("A"), text("B")])]},
            "gemini": {"contents": [{"role": "user", "parts": [{"text": "A"}, {"text": "B"}]}]},
            "perplexity": {"messages": [user("A\n\nB")]},
            "openai": {"messages": [user("A"), user("B")]},
        },
    ),
    RequestCase(
        7,
        "two assistant messages become one turn with their calls in order",
        chat(user("Hi"), assistant("A", call("a")), assistant("B", call("b")), result("b"), result("a")),
        {
            "bedrock": {
                "messages.1.content": [
                    converse_text("A"),
                    converse_use("a"),
                    converse_text("B"),
                    converse_use("b"),
                ]
            },
            LLAMA: {
                "messages.1.content": [converse_text("A")],
                "messages.2.role": "user",
                "messages.3.content": [converse_use("a")],
                "messages.5.content": [converse_text("B")],
                "messages.7.content": [converse_use("b")],
                "messages.8.content": [converse_result("a"), converse_result("b")],
            },
            "anthropic": {"messages.1.content": [text("A"), tool_use("a"), text("B"), tool_use("b")]},
            "gemini": {
                "contents.1.parts.0.text": "A",
                "contents.1.parts.1.text": "B",
                "contents.1.parts.2.functionCall.id": "a",
                "contents.1.parts.3.functionCall.id": "b",
            },
            "openai": {"messages.2.tool_calls": [call("b")]},
        },
    ),
    RequestCase(
        8,
        "a user's turn is put before a first assistant message",
        chat(assistant("Hello!"), user("Hi")),
        {
            "bedrock": {"messages.0": user([converse_text(".")]), "messages.1.role": "assistant"},
            "anthropic": {"messages.0": user([text(".")]), "messages.1.role": "assistant"},
            "gemini": {"contents.0": {"role": "user", "parts": [text_part]}, "contents.1.role": "model"},
            "openai": {"messages.0": assistant("Hello!")},
        },
    ),
    RequestCase(
        9,
        "if there are only instructions, the last becomes the user's",
        chat(system("A"), system("B")),
        {
            "bedrock": {"system": [converse_text("A")], "messages": [user([converse_text("B")])]},
            "anthropic": {"system": [text("A")], "messages": [user([text("B")])]},
            "gemini": {"systemInstruction.parts": [{"text": "A"}], "contents.0.parts": [{"text": "B"}]},
            "openai": {"messages": [system("A"), system("B")]},
        },
    ),
    RequestCase(
        10,
        "an instruction between messages keeps its place",
        chat(user("A"), assistant("B"), user("C"), system("D"), assistant("E"), user("F")),
        {
            "bedrock": {
                "system": ABSENT,
                "messages.2.content": [converse_text("C"), converse_text("<system>\nD\n</system>")],
            },
            OPUS: {"messages.3": {"role": "system", "content": [text("D")]}},
            OSS: {"messages.3": system("D")},
            "anthropic/claude-haiku-5-5": {
                "system": ABSENT,
                "messages.3": {"role": "system", "content": [text("D")]},
            },
            "anthropic/claude-haiku-4-5": {
                "system": ABSENT,
                "messages.2.content": [text("C"), text("<system>\nD\n</system>")],
            },
            "gemini": {"systemInstruction": ABSENT, "contents.2.parts": [{"text": "C"}, {"text": "D"}]},
            "openai": {"messages.3": system("D")},
        },
    ),
    RequestCase(
        11,
        "each of several first instructions is a block with its own cache mark",
        chat(system([text("A", cache_control={"type": "ephemeral"})]), system("B"), user("Hi")),
        {
            **{
                name: {"system": [converse_text("A"), CACHE_POINT, converse_text("B")]}
                for name in ("bedrock", NOVA)
            },
            LLAMA: {"system": [converse_text("A"), converse_text("B")]},
            "anthropic": {"system": [text("A", cache_control={"type": "ephemeral"}), text("B")]},
            "gemini": {"systemInstruction.parts": [{"text": "A"}, {"text": "B"}]},
        },
    ),
    RequestCase(
        12,
        "the role developer becomes system outside OpenAI",
        chat(DEVELOPER, user("Hi")),
        {
            **{name: {"messages.0.role": "system"} for name in COMPATIBLE},
            "bedrock": {"system": [converse_text("Be brief.")]},
            OPUS: {"system": [text("Be brief.")]},
            OSS: {"messages.0.role": "system"},
            "anthropic": {"system": [text("Be brief.")]},
            "gemini": {"systemInstruction.parts": [{"text": "Be brief."}]},
            "openai": {"messages.0": DEVELOPER},
            "azure": {"messages.0": DEVELOPER},
        },
    ),
    RequestCase(
        13,
        "a list of texts is joined where lists are not taken",
        chat(user([text("A"), text("B")])),
        {
            **{
                name: {"messages.0.content": "AB"} for name in ("cerebras", "sambanova", "deepseek", "nvidia")
            },
            "openai": {"messages.0.content": [text("A"), text("B")]},
        },
    ),
    RequestCase(
        14,
        "a refusal in the history becomes text in formats without refusals",
        chat(user("Hi"), assistant([{"type": "refusal", "refusal": "No."}]), user("Why?")),
        {
            **{name: {"messages.1.content": [text("No.")]} for name in ("mistral", "groq", "vllm")},
            "deepseek": {"messages.1.content": "No."},
            "bedrock": {"messages.1.content": [converse_text("No.")]},
            OSS: {"messages.1.content": [text("No.")]},
            "anthropic": {"messages.1.content": [text("No.")]},
            "gemini": {"contents.1.parts": [{"text": "No."}]},
            "openai": {"messages.1.content": [{"type": "refusal", "refusal": "No."}]},
        },
    ),
    RequestCase(
        14,
        "a refusal that OpenAI answered becomes text in formats without refusals",
        chat(user("Hi"), assistant(None, refusal="No."), user("Why?")),
        {
            "mistral": {"messages.1": assistant("No.")},
            "bedrock": {"messages.1.content": [converse_text("No.")]},
            OSS: {"messages.1": assistant("No.")},
            "anthropic": {"messages.1.content": [text("No.")]},
            "gemini": {"contents.1.parts": [{"text": "No."}]},
            "openai": {"messages.1": assistant(None, refusal="No.")},
        },
    ),
    RequestCase(
        15,
        "the name of a message is left out where it is refused",
        chat(user("Hi", name="bob")),
        {
            **{
                name: {"messages.0": user("Hi"), "dropped": ("messages.name",)}
                for name in ("groq", "mistral", "xai", "cerebras", OSS)
            },
            "bedrock": {"messages.0": user([converse_text("Hi")])},
            "anthropic": {"messages.0": user([text("Hi")])},
            "openai": {"messages.0.name": "bob"},
        },
    ),
    RejectedCase(
        16,
        "a part of unknown type is refused with its path",
        chat(user([text("A"), {"type": "hologram"}])),
        Refusal("messages[0].content[1].type", "invalid_value"),
    ),
    CandidateCase(
        16,
        "a model that cannot take a part is no candidate",
        chat(user([image(f"data:image/jpeg;base64,{JPEG}")])),
        {name: Refusal("messages") for name in ("groq/openai/gpt-oss-120b", LLAMA, OSS)},
        able=("anthropic", "bedrock", "gemini", "openai", NOVA, OPUS),
    ),
    RequestCase(
        16,
        "a part that the format lacks is refused with its path",
        chat(user([{"type": "video_url", "video_url": {"url": "https://x.example/a.mp4"}}])),
        {
            "bedrock": Refusal("messages[0].content[0].video_url.url"),
            "anthropic": Refusal("messages[0].content[0].type"),
        },
    ),
    RequestCase(
        17,
        "functions become tools in formats without functions",
        chat(
            user("Hi"),
            assistant(None, function_call={"name": "look", "arguments": "{}"}),
            {"role": "function", "name": "look", "content": "ok"},
            functions=[{"name": "look"}],
            function_call="auto",
        ),
        {
            "mistral": {
                "functions": ABSENT,
                "tools": [tool()],
                "messages.1.tool_calls.0.function.name": "look",
                "messages.2.role": "tool",
            },
            "bedrock": {"toolConfig.tools": [tool_spec()], "messages.2.content": [converse_result("call_1")]},
            OSS: {"functions": ABSENT, "tools": [tool()], "messages.2.role": "tool"},
            "anthropic": {"tools.0.name": "look", "messages.2.content": [tool_result("call_1")]},
            "gemini": {"contents.2.parts.0.functionResponse.name": "look"},
            "openai": {"functions": [{"name": "look"}], "tools": ABSENT},
        },
    ),
    RequestCase(
        18,
        "nulls that a library adds to the history are left out",
        chat(user("Hi"), WITH_NULLS, user("Go on")),
        {
            **{name: {"messages.1": assistant("Hi")} for name in COMPATIBLE},
            "bedrock": {"messages.1.content": [converse_text("Hi")]},
            OSS: {"messages.1": assistant("Hi")},
            "anthropic": {"messages.1.content": [text("Hi")]},
            "gemini": {"contents.1.parts": [{"text": "Hi"}]},
            "openai": {"messages.1": WITH_NULLS},
        },
    ),
    RequestCase(
        18,
        "an empty list of calls is left out",
        chat(user("Hi"), assistant("Hi", tool_calls=[]), user("Go on")),
        {
            **{name: {"messages.1": assistant("Hi")} for name in (*COMPATIBLE, "openai", "azure")},
            "bedrock": {"messages.1.content": [converse_text("Hi")]},
            OSS: {"messages.1": assistant("Hi")},
            "anthropic": {"messages.1.content": [text("Hi")]},
        },
    ),
    RequestCase(
        19,
        "fields of other providers' answers are left out for strict providers",
        chat(user("Hi"), FOREIGN_FIELDS, user("Go on")),
        {
            **{
                name: {"messages.1": assistant("Hi")} for name in ("mistral", "groq", "fireworks", "cerebras")
            },
            "openai": {"messages.1": assistant("Hi", annotations=[])},
            "openrouter": {"messages.1.reasoning_details": [{}]},
            "bedrock": {"messages.1.content": [converse_text("Hi")]},
            OSS: {"messages.1": assistant("Hi")},
            "anthropic": {"messages.1.content": [text("Hi")]},
        },
    ),
    RequestCase(
        19,
        "a signature of a call is left out for strict providers",
        chat(user("Hi"), SIGNED, result("a")),
        {
            **{
                name: {"messages.1.tool_calls.0.thought_signature": ABSENT}
                for name in (*COMPATIBLE, "openai")
            },
            "bedrock": {"messages.1.content": [converse_use("a")]},
            OSS: {"messages.1.tool_calls.0.thought_signature": ABSENT},
            "anthropic": {"messages.1.content": [tool_use("a")]},
            "gemini": {"contents.1.parts.0.thoughtSignature": "c2ln"},
        },
    ),
]
