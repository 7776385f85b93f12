"""20 to 55: tool calls in a request."""

from __future__ import annotations

from typing import Any

from tests.translation_cases.case_types import (
    GONE,
    AtTheDoor,
    Case,
    Heard,
    Holds,
    NoCandidate,
    Refused,
    Sent,
    completion_of,
    request_of,
)
from tests.translation_cases.messages import OTHERS
from tests.translation_cases.vocabulary import (
    CALLS,
    JPEG,
    LLAMA,
    MISTRAL,
    NO_RESULT,
    NOVA,
    OPUS,
    OSS,
    SONNET,
    Json,
    asks,
    call,
    chunk,
    conversed,
    custom,
    function_call,
    generated,
    image,
    message,
    outcome,
    piece,
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

NUMBERS = range(20, 56)

TWO = said(None, call("a"), call("b", "list"))
PARAMETERS = {"type": "object", "properties": {"at": {"type": "string"}}}
STRICT = tool(strict=True, parameters=PARAMETERS)
NAMED = {"type": "function", "function": {"name": "look"}}
SOME = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [NAMED]}}
GRAMMAR = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "[a-z]+"}}
THOUGHT = {
    "type": "reasoning.text",
    "text": "Hm.",
    "signature": "c2ln",
    "format": "anthropic-claude-v1",
    "index": 0,
    "model": "claude-opus-5-5",
}


def history(arguments: str) -> Json:
    return asks(user("Hi"), said(None, call("a", arguments=arguments)), result("a"))


def ids_are_stable() -> None:
    """The same id has the same stand-in in another request, so that prompts stay cached."""
    first, _ = request_of(asks(user("Hi"), said(None, call("a.b")), result("a.b")), "mistral")
    later = asks(user("Other"), said(None, call("x")), result("x"), said(None, call("a.b")), result("a.b"))
    second, _ = request_of(later, "mistral")
    assert first["messages"][1]["tool_calls"][0]["id"] == second["messages"][3]["tool_calls"][0]["id"]


def ids_are_minted() -> None:
    calls = [piece(index=at, **call(f"call_{at}")) for at in range(2)]
    answer = Heard(34, "", OSS, {}, events=[*calls, chunk("tool_calls")])
    told = [completion_of(answer, 1_000_000)["choices"][0]["message"]["tool_calls"] for _ in range(2)]
    ids = [each[index]["id"] for each in told for index in range(2)]
    assert len({"call_0", "call_1", *ids}) == 6


def of_arguments(arguments: str, input: Any) -> dict[str, Json]:
    return {
        "anthropic": {"messages.1.content.0.input": input},
        "bedrock": {"messages.1.content.0.toolUse.input": input},
        "gemini": {"contents.1.parts.0.functionCall.args": input},
        "openai": {"messages.1.tool_calls.0.function.arguments": arguments},
    }


CASES: list[Case] = [
    Sent(
        20,
        "consecutive tool messages are one user turn, results first",
        asks(user("Hi"), TWO, result("a", "1"), result("b", "2"), user("And?")),
        {
            "bedrock": {
                "messages.2": user([results("a", words("1")), results("b", words("2")), words("And?")]),
                "messages.3": GONE,
            },
            LLAMA: {
                "messages.2": user([results("a", words("1")), results("b", words("2"))]),
                "messages.3": {"role": "assistant", "content": [words(".")]},
                "messages.4": user([words("And?")]),
            },
            "anthropic": {
                "messages.2.role": "user",
                "messages.2.content": [outcome("a", "1"), outcome("b", "2"), text("And?")],
                "messages.3": GONE,
            },
            "gemini": {
                "contents.2.parts.0.functionResponse.id": "a",
                "contents.2.parts.1.functionResponse.id": "b",
                "contents.2.parts.2": GONE,
                "contents.3.parts": [{"text": "And?"}],
            },
            "openai": {"messages.2": result("a", "1"), "messages.3": result("b", "2")},
        },
    ),
    Sent(
        21,
        "what stands between calls and results goes behind these",
        asks(user("Hi"), said(None, call("a")), user("Hurry"), system("Be brief."), result("a")),
        {
            "bedrock": {
                "messages.2.content": [
                    results("a"),
                    words("Hurry"),
                    words("<system>\nBe brief.\n</system>"),
                ]
            },
            "anthropic": {
                "messages.2.content": [outcome("a"), text("Hurry"), text("<system>\nBe brief.\n</system>")]
            },
            "gemini": {
                "contents.2.parts.0.functionResponse.id": "a",
                "contents.3.parts": [{"text": "Hurry"}, {"text": "Be brief."}],
            },
        },
    ),
    Sent(
        22,
        "a call that was not answered gets a result that says so",
        asks(user("Hi"), TWO, result("b"), user("Stop")),
        {
            "bedrock": {
                "messages.2.content.0": results("a", words("No result provided."), status="error"),
                "messages.2.content.1": results("b"),
            },
            "anthropic": {
                "messages.2.content.0": {**outcome("a"), **NO_RESULT},
                "messages.2.content.1": outcome("b"),
            },
            "gemini": {"contents.2.parts.0.functionResponse.response": {"error": "No result provided"}},
        },
    ),
    Sent(
        22,
        "to OpenAI's format the history goes on as it is, and is the provider's to refuse",
        asks(user("Hi"), said(None, call("a")), user("Stop")),
        {"openai": {"messages": [user("Hi"), said(None, call("a")), user("Stop")]}},
    ),
    Sent(
        23,
        "a result of no call is text",
        asks(user("Hi"), result("z", "left over")),
        {
            "bedrock": {"messages.0.content": [words("Hi"), words("[tool result z]"), words("left over")]},
            "anthropic": {"messages.0.content": [text("Hi"), text("[tool result z]"), text("left over")]},
            "gemini": {"contents.0.parts.1.text": "[tool result z]", "contents.0.parts.2.text": "left over"},
            "openai": {"messages.1": result("z", "left over")},
        },
    ),
    Sent(
        24,
        "of two results for one call the last counts",
        asks(user("Hi"), said(None, call("a")), result("a", "1"), result("a", "2")),
        {
            "bedrock": {"messages.2.content": [results("a", words("2"))]},
            "anthropic": {"messages.2.content": [outcome("a", "2")]},
            "gemini": {
                "contents.2.parts.0.functionResponse.response": {"output": "2"},
                "contents.2.parts.1": GONE,
            },
        },
    ),
    Sent(
        24,
        "two calls of one id are told apart, and so are their results",
        asks(user("Hi"), said(None, call("a"), call("a")), result("a", "1"), result("a", "2")),
        {
            "bedrock": {
                "messages.1.content": [uses("a"), uses("a_1")],
                "messages.2.content": [results("a", words("1")), results("a_1", words("2"))],
            },
            "anthropic": {
                "messages.1.content": [use("a"), use("a_1")],
                "messages.2.content": [outcome("a", "1"), outcome("a_1", "2")],
            },
            "gemini": {
                "contents.1.parts.1.functionCall.id": "a-1",
                "contents.2.parts.1.functionResponse": {
                    "id": "a-1",
                    "name": "look",
                    "response": {"output": "2"},
                },
            },
        },
    ),
    Sent(
        25,
        "images in a result go where the format has a place for them",
        asks(
            user("Hi"),
            said(None, call("a")),
            result("a", [text("seen"), image(f"data:image/jpeg;base64,{JPEG}")]),
        ),
        {
            "bedrock": {
                "messages.2.content": [
                    results("a", words("seen"), {"image": {"format": "jpeg", "source": {"bytes": JPEG}}})
                ]
            },
            "anthropic": {
                "messages.2.content.0.content.0": text("seen"),
                "messages.2.content.0.content.1.type": "image",
            },
            "gemini": {
                "contents.2.parts.0.functionResponse.parts.0.inlineData.data": JPEG,
                "contents.3": GONE,
            },
            "gemini/gemini-2.5-flash": {
                "contents.2.parts.0.functionResponse.parts": GONE,
                "contents.3.parts.0.inlineData.data": JPEG,
            },
            "openai": {"messages.2.content.1.type": "image_url"},
        },
    ),
    *(
        Sent(
            26,
            f"a result that is {how}",
            asks(user("Hi"), said(None, call("a")), result("a", content)),
            {
                "bedrock": {"messages.2.content": [results("a", words("(no output)"))]},
                "anthropic": {"messages.2.content.0.content": GONE},
                "gemini": {"contents.2.parts.0.functionResponse.response": {"output": ""}},
            },
        )
        for how, content in (("empty", ""), ("a list of nothing", []))
    ),
    *(
        Sent(
            27,
            f"a result that is {how} is an object for Gemini, and text elsewhere",
            asks(user("Hi"), said(None, call("a")), result("a", content)),
            {
                "gemini": {"contents.2.parts.0.functionResponse.response": response},
                "bedrock": {"messages.2.content": [results("a", words(content))]},
            },
        )
        for how, content, response in (
            ("an object", '{"t": 1}', {"t": 1}),
            ("a list", "[1]", {"output": [1]}),
            ("a text", "fine", {"output": "fine"}),
            ("half an object", '{"t": ', {"output": '{"t": '}),
            ("an object that points elsewhere", '{"$ref": "x"}', {"output": '{"$ref": "x"}'}),
        )
    ),
    Sent(
        28,
        "results come in the order of the calls",
        asks(user("Hi"), TWO, result("b", "2"), result("a", "1")),
        {
            "bedrock": {"messages.2.content": [results("a", words("1")), results("b", words("2"))]},
            "anthropic": {"messages.2.content": [outcome("a", "1"), outcome("b", "2")]},
            "gemini": {
                "contents.2.parts.0.functionResponse.name": "look",
                "contents.2.parts.1.functionResponse.name": "list",
            },
        },
    ),
    Sent(
        29,
        "the name of a result is that of its call, in whichever turn",
        asks(
            user("Hi"),
            said(None, call("a", "first")),
            result("a"),
            said(None, call("b", "second")),
            result("b"),
            said("Done"),
            user("Thanks"),
        ),
        {
            "gemini": {
                "contents.2.parts.0.functionResponse.name": "first",
                "contents.4.parts.0.functionResponse.name": "second",
            }
        },
    ),
    Sent(
        33,
        "an id that does not fit becomes one that does, at both ends",
        asks(user("Hi"), said(None, call("call.1/x")), result("call.1/x")),
        {
            "bedrock": {
                "messages.1.content.0.toolUse.toolUseId": "call_1_x_bfb11148",
                "messages.2.content.0.toolResult.toolUseId": "call_1_x_bfb11148",
            },
            MISTRAL: {
                "messages.1.content.0.toolUse.toolUseId": "bfb111483",
                "messages.2.content.0.toolResult.toolUseId": "bfb111483",
            },
            "anthropic": {
                "messages.1.content.0.id": "call_1_x_bfb11148",
                "messages.2.content.0.tool_use_id": "call_1_x_bfb11148",
            },
            "mistral": {
                "messages.1.tool_calls.0.id": "bfb111483",
                "messages.2.tool_call_id": "bfb111483",
            },
            "openai": {"messages.1.tool_calls.0.id": "call.1/x"},
        },
    ),
    Sent(
        33,
        "an id that fits stays",
        asks(user("Hi"), said(None, call("abcDEF123")), result("abcDEF123")),
        {
            **{
                name: {"messages.1.content.0.toolUse.toolUseId": "abcDEF123"} for name in ("bedrock", MISTRAL)
            },
            "anthropic": {"messages.1.content.0.id": "abcDEF123"},
            "mistral": {"messages.1.tool_calls.0.id": "abcDEF123"},
        },
    ),
    Holds(33, "an id has the same stand-in tomorrow", ids_are_stable),
    Sent(
        34,
        "ids that come again in a later turn are told apart",
        asks(
            user("Hi"),
            said(None, call("call_0")),
            result("call_0", "1"),
            said(None, call("call_0")),
            result("call_0", "2"),
        ),
        {
            "bedrock": {
                "messages.3.content.0.toolUse.toolUseId": "call_0_1",
                "messages.4.content": [results("call_0_1", words("2"))],
            },
            "anthropic": {
                "messages.3.content.0.id": "call_0_1",
                "messages.4.content": [outcome("call_0_1", "2")],
            },
            "gemini": {"contents.4.parts.0.functionResponse.response": {"output": "2"}},
        },
    ),
    Holds(34, "calls that gpt-oss on Bedrock gives one id in every turn get their own", ids_are_minted),
    Heard(
        34,
        "calls that Gemini gives one id, or none, get their own",
        "gemini",
        {
            f"{CALLS}.0.id": "f-1",
            f"{CALLS}.1.id": "call_c86b0019994f4073b4cdbcc3",
            f"{CALLS}.2.id": "call_0feaa42cb949d2f7ffdff5f4",
        },
        whole=generated(
            {"functionCall": {"id": "f-1", "name": "look"}},
            {"functionCall": {"id": "f-1", "name": "look"}},
            function_call(),
        ),
    ),
    Sent(
        35,
        "a name with other characters is spelled, at every place",
        asks(
            user("Hi"),
            said(None, call("a", "files.read")),
            result("a"),
            tools=[tool("files.read")],
            tool_choice={"type": "function", "function": {"name": "files.read"}},
        ),
        {
            "bedrock": {
                "toolConfig.tools.0.toolSpec.name": "files_x2e_read",
                "toolConfig.toolChoice.tool.name": "files_x2e_read",
                "messages.1.content.0.toolUse.name": "files_x2e_read",
            },
            "anthropic": {
                "tools.0.name": "files_x2e_read",
                "tool_choice.name": "files_x2e_read",
                "messages.1.content.0.name": "files_x2e_read",
            },
            "gemini": {"tools.0.functionDeclarations.0.name": "files.read"},
            "openai": {"tools.0.function.name": "files.read"},
        },
    ),
    Heard(
        35,
        "and comes back as it was",
        "anthropic",
        {f"{CALLS}.0.function.name": "files.read"},
        whole=message(use("a", "files_x2e_read"), stop="tool_use"),
    ),
    Heard(
        35,
        "and comes back from Converse too",
        "bedrock",
        {f"{CALLS}.0.function.name": "files.read"},
        whole=conversed(uses("a", "files_x2e_read"), stop="tool_use"),
    ),
    Sent(
        35,
        "a name is no longer than is taken",
        asks(tools=[tool("x" * 63 + ".")]),
        {
            "anthropic": {"tools.0.name": "x" * 63 + "_x2e_"},
            "bedrock": Refused("tools[0].function.name"),
        },
    ),
    Sent(
        35,
        "Gemini's begin with a letter",
        asks(tools=[tool("2fa")]),
        {"gemini": {"tools.0.functionDeclarations.0.name": "_:2fa"}},
    ),
    Heard(
        35,
        "that one too comes back as it was",
        "gemini",
        {f"{CALLS}.0.function.name": "2fa"},
        whole=generated(function_call("_:2fa")),
    ),
    AtTheDoor(
        35,
        "a name that OpenAI does not take is refused",
        asks(tools=[tool("read file")]),
        Refused("tools[0].function.name", "invalid_value"),
    ),
    Sent(
        36,
        "names that differ in what is spelled stay different",
        asks(tools=[tool("a.b"), tool("a_b"), tool("a:b"), tool("a_x2e_b")]),
        {
            "bedrock": {
                "toolConfig.tools": [spec("a_x2e_b"), spec("a_b"), spec("a_x3a_b"), spec("a_x5f_x2e_b")]
            },
            "anthropic": {
                "tools.0.name": "a_x2e_b",
                "tools.1.name": "a_b",
                "tools.2.name": "a_x3a_b",
                "tools.3.name": "a_x5f_x2e_b",
            },
        },
    ),
    Sent(
        37,
        "a tool that stands twice is declared once",
        asks(tools=[tool(), tool()]),
        {
            "bedrock": {"toolConfig.tools": [spec()]},
            "anthropic": {"tools.0.name": "look", "tools.1": GONE},
            "gemini": {"tools.0.functionDeclarations.1": GONE},
        },
    ),
    Sent(
        37,
        "two tools of one name are refused",
        asks(tools=[tool(), tool(description="Other")]),
        {"bedrock": Refused("tools[1]"), "anthropic": Refused("tools[1]"), "gemini": Refused("tools")},
    ),
    *(
        Sent(
            38,
            f"a tool with {how} takes an empty object",
            asks(tools=[tool(**function)]),
            {
                "bedrock": {"toolConfig.tools": [spec()]},
                "anthropic": {"tools.0.input_schema": {"type": "object", "properties": {}}},
                "gemini": {"tools.0.functionDeclarations": [{"name": "look"}]},
            },
        )
        for how, function in (
            ("no parameters", {}),
            ("parameters of nothing", {"parameters": {}}),
            ("PHP's empty properties", {"parameters": {"type": "object", "properties": []}}),
        )
    ),
    Sent(
        39,
        "an empty description is none",
        asks(tools=[tool(description="")]),
        {
            "bedrock": {"toolConfig.tools": [spec()]},
            "anthropic": {"tools.0.description": GONE},
            "gemini": {"tools.0.functionDeclarations.0.description": GONE},
        },
    ),
    Sent(
        40,
        "strict goes to those who know it",
        asks(tools=[STRICT]),
        {
            "openai": {"tools": [STRICT]},
            "bedrock": {
                "toolConfig.tools.0.toolSpec.strict": True,
                "toolConfig.tools.0.toolSpec.inputSchema.json.additionalProperties": False,
            },
            **{
                name: {
                    "toolConfig.tools.0.toolSpec.strict": GONE,
                    "toolConfig.tools.0.toolSpec.inputSchema.json.additionalProperties": GONE,
                    "dropped": ("tools.function.strict",),
                }
                for name in (NOVA, LLAMA)
            },
            OSS: {"tools": [STRICT]},
            "anthropic": {"tools.0.strict": True, "tools.0.input_schema.additionalProperties": False},
            "gemini": {
                "tools.0.functionDeclarations.0.strict": GONE,
                "toolConfig.functionCallingConfig": {"mode": "VALIDATED"},
            },
            **{
                name: {"tools.0.function.strict": GONE, "dropped": ("tools.function.strict",)}
                for name in ("mistral", "xai", "fireworks")
            },
        },
    ),
    Sent(
        41,
        "that no tool may be called leaves the tools where they are",
        asks(user("Hi"), said(None, call("a")), result("a"), tools=[tool()], tool_choice="none"),
        {
            "bedrock": {
                "toolConfig": {"tools": [spec()]},
                "system": [words("Do not call any tool now: answer in words.")],
            },
            "anthropic": {"tools.0.name": "look", "tool_choice": {"type": "none"}},
            "gemini": {"toolConfig.functionCallingConfig": {"mode": "NONE"}},
            "openai": {"tools": [tool()], "tool_choice": "none"},
        },
    ),
    Sent(
        41,
        "without calls in the history they go where no choice can be told",
        asks(tools=[tool()], tool_choice="none"),
        {
            "anthropic": {"tools.0.name": "look", "tool_choice": {"type": "none"}},
            "bedrock": {"toolConfig": GONE, "system": GONE, "dropped": ()},
        },
    ),
    *(
        Sent(
            42,
            f"without tools, {how}, a choice among them says nothing",
            asks(**fields),
            {
                name: {"tools": GONE, "tool_choice": GONE, "parallel_tool_calls": GONE, "dropped": ()}
                for name in ("openai", "azure", "mistral", "groq", "vllm", "anthropic", "gemini", OSS)
            }
            | {"bedrock": {"toolConfig": GONE, "dropped": ()}},
        )
        for how, fields in (
            ("a list of none", {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}),
            ("none at all", {"tool_choice": "none"}),
            ("an empty choice", {"tool_choice": {}}),
        )
    ),
    Sent(
        42,
        "a call that is forced without tools is refused",
        asks(tool_choice="required"),
        {
            "bedrock": Refused("tool_choice"),
            "anthropic": Refused("tool_choice"),
            "gemini": Refused("tool_choice"),
            "openai": {"tool_choice": "required"},
        },
    ),
    Sent(
        43,
        "a call that is required goes by each one's word",
        asks(tools=[tool()], tool_choice="required"),
        {
            "bedrock": {"toolConfig.toolChoice": {"any": {}}, "dropped": ()},
            LLAMA: {
                "toolConfig": {"tools": [spec()]},
                "system": [words("Answer by calling at least one of the tools.")],
                "dropped": ("tool_choice",),
            },
            OSS: {"tool_choice": "required"},
            "anthropic": {"tool_choice": {"type": "any"}, "dropped": ()},
            "anthropic/claude-opus-5-5": {
                "tool_choice": GONE,
                "system": [text("Answer by calling at least one of the tools.")],
                "dropped": ("tool_choice",),
            },
            "gemini": {"toolConfig.functionCallingConfig": {"mode": "ANY"}},
            "mistral": {"tool_choice": "any"},
            "fireworks": {"tool_choice": "any"},
            "cohere": {"tool_choice": "required"},
            "moonshot": {"tool_choice": "auto", "dropped": ("tool_choice",)},
            "zai": {"tool_choice": "auto", "dropped": ("tool_choice",)},
            "openai": {"tool_choice": "required"},
        },
    ),
    Sent(
        44,
        "a named tool",
        asks(tools=[tool(), tool("list")], tool_choice=NAMED, reasoning_effort="high"),
        {
            "bedrock": {
                "toolConfig.toolChoice": {"tool": {"name": "look"}},
                "additionalModelRequestFields": GONE,
                "dropped": ("reasoning_effort",),
            },
            LLAMA: {
                "toolConfig": {"tools": [spec()]},
                "system": [words("Answer by calling the tool look.")],
                "dropped": ("tool_choice", "reasoning_effort"),
            },
            OSS: {"tool_choice": NAMED},
            "anthropic": {
                "tool_choice": {"type": "tool", "name": "look"},
                "thinking": GONE,
                "dropped": ("reasoning_effort",),
            },
            "anthropic/claude-opus-5-5": {"tools.0.name": "look", "tools.1": GONE, "tool_choice": GONE},
            "gemini": {"toolConfig.functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}},
            "openai": {"tool_choice": NAMED},
        },
    ),
    Sent(
        45,
        "of some tools the others are left out where nobody can be told",
        asks(tools=[tool(), tool("list")], tool_choice=SOME),
        {
            "openai": {"tools": [tool(), tool("list")], "tool_choice": SOME},
            "groq": {"tools": [tool()], "tool_choice": "required"},
            "mistral": {"tools": [tool()], "tool_choice": "any"},
            "moonshot": {"tools": [tool()], "tool_choice": "auto", "dropped": ("tool_choice",)},
            "bedrock": {"toolConfig": {"tools": [spec()], "toolChoice": {"any": {}}}},
            "anthropic": {"tools.0.name": "look", "tools.1": GONE, "tool_choice": {"type": "any"}},
            "gemini": {"toolConfig.functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}},
        },
    ),
    Sent(
        46,
        "one call at a time",
        asks(tools=[tool()], parallel_tool_calls=False),
        {
            "bedrock": {"toolConfig": {"tools": [spec()]}, "dropped": ("parallel_tool_calls",)},
            "anthropic": {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
            "gemini": {"dropped": ("parallel_tool_calls",)},
            "cerebras": {"parallel_tool_calls": GONE, "dropped": ("parallel_tool_calls",)},
            "openai": {"parallel_tool_calls": False},
        },
    ),
    Sent(
        47,
        "a custom tool takes its text in an object, its grammar in words",
        asks(tools=[custom(format=GRAMMAR)]),
        {
            "bedrock": {
                "toolConfig.tools.0.toolSpec.name": "_xct_shell",
                "toolConfig.tools.0.toolSpec.inputSchema.json.required": ["input"],
                "toolConfig.tools.0.toolSpec.description": "`input` must follow this regex grammar:\n[a-z]+",
            },
            "anthropic": {
                "tools.0.name": "_xct_shell",
                "tools.0.input_schema.required": ["input"],
                "tools.0.description": "`input` must follow this regex grammar:\n[a-z]+",
            },
            "openai": {"tools": [custom(format=GRAMMAR)]},
        },
    ),
    Heard(
        47,
        "and its call comes back as one of a custom tool",
        "anthropic",
        {f"{CALLS}.0": {"id": "a", "type": "custom", "custom": {"name": "shell", "input": "ls"}}},
        whole=message(use("a", "_xct_shell", input="ls"), stop="tool_use"),
    ),
    Heard(
        47,
        "from Converse too",
        "bedrock",
        {f"{CALLS}.0": {"id": "a", "type": "custom", "custom": {"name": "shell", "input": "ls"}}},
        whole=conversed(uses("a", "_xct_shell", input="ls"), stop="tool_use"),
    ),
    NoCandidate(
        47,
        "whoever knows no custom tools is no candidate",
        asks(tools=[custom()]),
        {name: Refused("tools") for name in (*OTHERS, "gemini", OSS)},
        able=("openai", "azure", "anthropic", "bedrock", NOVA, OPUS),
    ),
    Sent(
        48,
        "tools that only the history calls are declared, and may not be called",
        asks(user("Hi"), said(None, call("a")), result("a")),
        {
            "bedrock": {
                "toolConfig": {"tools": [spec()]},
                "system": [words("Do not call any tool now: answer in words.")],
            },
            OSS: {"tools": GONE},
            "anthropic": {
                "tools": [{"name": "look", "input_schema": {"type": "object", "properties": {}}}],
                "tool_choice": {"type": "none"},
            },
            "openai": {"tools": GONE},
        },
    ),
    Sent(49, "no arguments in the history are an empty object", history(""), of_arguments("", {})),
    *(
        AtTheDoor(
            49,
            f"arguments that are {how} are no arguments of OpenAI's",
            asks(user("Hi"), said(None, call("a", arguments=value)), result("a")),  # type: ignore[arg-type]
            Refused("messages[1].tool_calls[0].function.arguments", code),
        )
        for how, value, code in (
            ("null", None, "missing_required_parameter"),
            ("an object", {}, "invalid_value"),
        )
    ),
    *(
        Sent(50, f"arguments that are {how} keep their call", history(raw), of_arguments(raw, {"_raw": raw}))
        for how, raw in (("cut off", '{"at": '), ("two objects", '{"a": 1}{"b": 2}'))
    ),
    *(
        Sent(51, f"arguments that are {raw} are wrapped", history(raw), of_arguments(raw, {"value": value}))
        for raw, value in (("[1]", [1]), ("7", 7), ('"x"', "x"))
    ),
    Sent(
        52,
        "calls that another model made have the documented stand-in, the first of each turn",
        asks(user("Hi"), TWO, result("a"), result("b"), said(None, call("c")), result("c")),
        {
            "gemini": {
                "contents.1.parts.0.thoughtSignature": "skip_thought_signature_validator",
                "contents.1.parts.1.thoughtSignature": GONE,
                "contents.3.parts.0.thoughtSignature": "skip_thought_signature_validator",
            },
            "gemini/gemini-2.5-flash": {"contents.1.parts.0.thoughtSignature": GONE},
        },
    ),
    Sent(
        53,
        "a signature goes back to who gave it, and to nobody else",
        asks(
            user("Hi"),
            said(
                None,
                call("a", thought_signature="c2ln", extra_content={"google": {"thought_signature": "c2ln"}}),
                reasoning_details=[THOUGHT],
            ),
            result("a"),
            reasoning_effort="high",
        ),
        {
            "gemini": {"contents.1.parts.0.thoughtSignature": "c2ln"},
            OPUS: {
                "messages.1.content.0": {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                "messages.1.content.1": use("a"),
            },
            "bedrock": {"messages.1.content": [uses("a")]},
            OSS: {"messages.1.tool_calls.0": call("a"), "messages.1.reasoning_details": GONE},
            "anthropic/claude-opus-5-5": {
                "messages.1.content.0": {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                "messages.1.content.1": use("a"),
            },
            **{
                name: {
                    "messages.1.tool_calls.0": call("a"),
                    "messages.1.reasoning_details": GONE,
                }
                for name in ("openai", "azure", "xai", "groq", "together", "vllm")
            },
        },
    ),
    Sent(
        53,
        "to the same Claude on Bedrock as well",
        asks(
            user("Hi"),
            said(None, call("a"), reasoning_details=[{**THOUGHT, "model": "claude-sonnet-4-6"}]),
            result("a"),
            reasoning_effort="high",
        ),
        {
            SONNET: {
                "messages.1.content": [
                    {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
                    uses("a"),
                ]
            },
            NOVA: {"messages.1.content": [uses("a")]},
        },
    ),
    Sent(
        54,
        "thoughts of another model are left out",
        asks(
            user("Hi"),
            said("Well.", reasoning_content="Hm.", reasoning_details=[{**THOUGHT, "model": "claude-opus-5"}]),
            user("Go on"),
            reasoning_effort="high",
        ),
        {
            **{name: {"messages.1.content": [words("Well.")]} for name in (SONNET, NOVA)},
            OPUS: {"messages.1.content": [text("Well.")]},
            OSS: {"messages.1": said("Well.")},
            "anthropic/claude-opus-5-5": {"messages.1.content": [text("Well.")]},
            "gemini": {"contents.1.parts": [{"text": "Well."}]},
            "openai": {"messages.1": said("Well.")},
        },
    ),
    Sent(
        55,
        "thoughts that got lost are a blank to those who want them back",
        asks(user("Hi"), said(None, call("a")), result("a"), said("Well."), user("Go on")),
        {
            **{
                name: {
                    "messages.1.reasoning_content": " ",
                    "messages.3.reasoning_content": " ",
                    "messages.4": user("Go on"),
                }
                for name in ("deepseek/deepseek-v4-pro", "moonshot/kimi-k3", "minimax/MiniMax-M3")
            },
            "groq": {"messages.1.reasoning_content": GONE},
        },
    ),
    Sent(
        55,
        "and where they are, or nothing was called, nothing is put in",
        asks(user("Hi"), said("Well.", reasoning_content="Hm."), user("No"), said("Oh."), user("Go on")),
        {
            "deepseek/deepseek-v4-pro": {
                "messages.1.reasoning_content": "Hm.",
                "messages.3.reasoning_content": GONE,
            }
        },
    ),
]
