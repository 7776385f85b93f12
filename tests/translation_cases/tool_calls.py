"""20 to 55: tool calls in a request."""

from __future__ import annotations

from typing import Any

from tests.translation_cases.case_types import (
    ABSENT,
    AnswerCase,
    CandidateCase,
    Case,
    CheckCase,
    Refusal,
    RejectedCase,
    RequestCase,
    completion_of,
    request_of,
)
from tests.translation_cases.messages import COMPATIBLE
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
    assistant,
    call,
    call_chunk,
    chat,
    chunk,
    claude_message,
    converse_answer,
    converse_result,
    converse_text,
    converse_use,
    custom_tool,
    function_call,
    gemini_answer,
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

NUMBERS = range(20, 56)

TWO = assistant(None, call("a"), call("b", "list"))
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
    return chat(user("Hi"), assistant(None, call("a", arguments=arguments)), result("a"))


def check_stable_ids() -> None:
    """The same id has the same replacement in every request, so that prompts stay cached."""
    first, _ = request_of(chat(user("Hi"), assistant(None, call("a.b")), result("a.b")), "mistral")
    later = chat(
        user("Other"), assistant(None, call("x")), result("x"), assistant(None, call("a.b")), result("a.b")
    )
    second, _ = request_of(later, "mistral")
    assert first["messages"][1]["tool_calls"][0]["id"] == second["messages"][3]["tool_calls"][0]["id"]


def check_own_ids() -> None:
    calls = [call_chunk(index=at, **call(f"call_{at}")) for at in range(2)]
    answer = AnswerCase(34, "", OSS, {}, events=[*calls, chunk("tool_calls")])
    answers = [completion_of(answer, 1_000_000)["choices"][0]["message"]["tool_calls"] for _ in range(2)]
    ids = [each[index]["id"] for each in answers for index in range(2)]
    assert len({"call_0", "call_1", *ids}) == 6


def of_arguments(arguments: str, input: Any) -> dict[str, Json]:
    return {
        "anthropic": {"messages.1.content.0.input": input},
        "bedrock": {"messages.1.content.0.toolUse.input": input},
        "gemini": {"contents.1.parts.0.functionCall.args": input},
        "openai": {"messages.1.tool_calls.0.function.arguments": arguments},
    }


CASES: list[Case] = [
    RequestCase(
        20,
        "consecutive tool messages become one user turn, results first",
        chat(user("Hi"), TWO, result("a", "1"), result("b", "2"), user("And?")),
        {
            "bedrock": {
                "messages.2": user(
                    [
                        converse_result("a", converse_text("1")),
                        converse_result("b", converse_text("2")),
                        converse_text("And?"),
                    ]
                ),
                "messages.3": ABSENT,
            },
            LLAMA: {
                "messages.2": user(
                    [converse_result("a", converse_text("1")), converse_result("b", converse_text("2"))]
                ),
                "messages.3": {"role": "assistant", "content": [converse_text(".")]},
                "messages.4": user([converse_text("And?")]),
            },
            "anthropic": {
                "messages.2.role": "user",
                "messages.2.content": [tool_result("a", "1"), tool_result("b", "2"), text("And?")],
                "messages.3": ABSENT,
            },
            "gemini": {
                "contents.2.parts.0.functionResponse.id": "a",
                "contents.2.parts.1.functionResponse.id": "b",
                "contents.2.parts.2": ABSENT,
                "contents.3.parts": [{"text": "And?"}],
            },
            "openai": {"messages.2": result("a", "1"), "messages.3": result("b", "2")},
        },
    ),
    RequestCase(
        21,
        "a message between calls and results moves behind the results",
        chat(user("Hi"), assistant(None, call("a")), user("Hurry"), system("Be brief."), result("a")),
        {
            "bedrock": {
                "messages.2.content": [
                    converse_result("a"),
                    converse_text("Hurry"),
                    converse_text("<system>\nBe brief.\n</system>"),
                ]
            },
            "anthropic": {
                "messages.2.content": [
                    tool_result("a"),
                    text("Hurry"),
                    text("<system>\nBe brief.\n</system>"),
                ]
            },
            "gemini": {
                "contents.2.parts.0.functionResponse.id": "a",
                "contents.3.parts": [{"text": "Hurry"}, {"text": "Be brief."}],
            },
        },
    ),
    RequestCase(
        22,
        "a call without a result gets one that says so",
        chat(user("Hi"), TWO, result("b"), user("Stop")),
        {
            "bedrock": {
                "messages.2.content.0": converse_result(
                    "a", converse_text("No result provided."), status="error"
                ),
                "messages.2.content.1": converse_result("b"),
            },
            "anthropic": {
                "messages.2.content.0": {**tool_result("a"), **NO_RESULT},
                "messages.2.content.1": tool_result("b"),
            },
            "gemini": {"contents.2.parts.0.functionResponse.response": {"error": "No result provided"}},
        },
    ),
    RequestCase(
        22,
        "OpenAI's format keeps calls and results as they are",
        chat(user("Hi"), assistant(None, call("a")), user("Stop")),
        {"openai": {"messages": [user("Hi"), assistant(None, call("a")), user("Stop")]}},
    ),
    RequestCase(
        23,
        "a result without a call becomes text",
        chat(user("Hi"), result("z", "left over")),
        {
            "bedrock": {
                "messages.0.content": [
                    converse_text("Hi"),
                    converse_text("[tool result z]"),
                    converse_text("left over"),
                ]
            },
            "anthropic": {"messages.0.content": [text("Hi"), text("[tool result z]"), text("left over")]},
            "gemini": {"contents.0.parts.1.text": "[tool result z]", "contents.0.parts.2.text": "left over"},
            "openai": {"messages.1": result("z", "left over")},
        },
    ),
    RequestCase(
        24,
        "the last of two results for one call is sent",
        chat(user("Hi"), assistant(None, call("a")), result("a", "1"), result("a", "2")),
        {
            "bedrock": {"messages.2.content": [converse_result("a", converse_text("2"))]},
            "anthropic": {"messages.2.content": [tool_result("a", "2")]},
            "gemini": {
                "contents.2.parts.0.functionResponse.response": {"output": "2"},
                "contents.2.parts.1": ABSENT,
            },
        },
    ),
    RequestCase(
        24,
        "two calls with one id and their results get different ids",
        chat(user("Hi"), assistant(None, call("a"), call("a")), result("a", "1"), result("a", "2")),
        {
            "bedrock": {
                "messages.1.content": [converse_use("a"), converse_use("a_1")],
                "messages.2.content": [
                    converse_result("a", converse_text("1")),
                    converse_result("a_1", converse_text("2")),
                ],
            },
            "anthropic": {
                "messages.1.content": [tool_use("a"), tool_use("a_1")],
                "messages.2.content": [tool_result("a", "1"), tool_result("a_1", "2")],
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
    RequestCase(
        25,
        "images in a result go where the format allows them",
        chat(
            user("Hi"),
            assistant(None, call("a")),
            result("a", [text("seen"), image(f"data:image/jpeg;base64,{JPEG}")]),
        ),
        {
            "bedrock": {
                "messages.2.content": [
                    converse_result(
                        "a", converse_text("seen"), {"image": {"format": "jpeg", "source": {"bytes": JPEG}}}
                    )
                ]
            },
            "anthropic": {
                "messages.2.content.0.content.0": text("seen"),
                "messages.2.content.0.content.1.type": "image",
            },
            "gemini": {
                "contents.2.parts.0.functionResponse.parts.0.inlineData.data": JPEG,
                "contents.3": ABSENT,
            },
            "gemini/gemini-2.5-flash": {
                "contents.2.parts.0.functionResponse.parts": ABSENT,
                "contents.3.parts.0.inlineData.data": JPEG,
            },
            "openai": {
                "messages.2.content": [text("seen")],
                "messages.3.content.0": text("[tool result a]"),
                "messages.3.content.1.type": "image_url",
            },
        },
    ),
    *(
        RequestCase(
            26,
            f"a result that is {how}",
            chat(user("Hi"), assistant(None, call("a")), result("a", content)),
            {
                "bedrock": {"messages.2.content": [converse_result("a", converse_text("(no output)"))]},
                "anthropic": {"messages.2.content.0.content": ABSENT},
                "gemini": {"contents.2.parts.0.functionResponse.response": {"output": ""}},
            },
        )
        for how, content in (("empty", ""), ("a list of nothing", []))
    ),
    *(
        RequestCase(
            27,
            f"a result that is {how} is an object for Gemini, and text elsewhere",
            chat(user("Hi"), assistant(None, call("a")), result("a", content)),
            {
                "gemini": {"contents.2.parts.0.functionResponse.response": response},
                "bedrock": {"messages.2.content": [converse_result("a", converse_text(content))]},
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
    RequestCase(
        28,
        "results are sorted in the order of the calls",
        chat(user("Hi"), TWO, result("b", "2"), result("a", "1")),
        {
            "bedrock": {
                "messages.2.content": [
                    converse_result("a", converse_text("1")),
                    converse_result("b", converse_text("2")),
                ]
            },
            "anthropic": {"messages.2.content": [tool_result("a", "1"), tool_result("b", "2")]},
            "gemini": {
                "contents.2.parts.0.functionResponse.name": "look",
                "contents.2.parts.1.functionResponse.name": "list",
            },
        },
    ),
    RequestCase(
        29,
        "a result is named after its call, in any turn",
        chat(
            user("Hi"),
            assistant(None, call("a", "first")),
            result("a"),
            assistant(None, call("b", "second")),
            result("b"),
            assistant("Done"),
            user("Thanks"),
        ),
        {
            "gemini": {
                "contents.2.parts.0.functionResponse.name": "first",
                "contents.4.parts.0.functionResponse.name": "second",
            }
        },
    ),
    RequestCase(
        33,
        "an invalid id is replaced in the call and in its result",
        chat(user("Hi"), assistant(None, call("call.1/x")), result("call.1/x")),
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
            "mistral": {"messages.1.tool_calls.0.id": "bfb111483", "messages.2.tool_call_id": "bfb111483"},
            "openai": {"messages.1.tool_calls.0.id": "call.1/x"},
        },
    ),
    RequestCase(
        33,
        "a valid id is kept",
        chat(user("Hi"), assistant(None, call("abcDEF123")), result("abcDEF123")),
        {
            **{
                name: {"messages.1.content.0.toolUse.toolUseId": "abcDEF123"} for name in ("bedrock", MISTRAL)
            },
            "anthropic": {"messages.1.content.0.id": "abcDEF123"},
            "mistral": {"messages.1.tool_calls.0.id": "abcDEF123"},
        },
    ),
    CheckCase(33, "the replacement of an id is stable", check_stable_ids),
    RequestCase(
        34,
        "an id that a later turn repeats is replaced",
        chat(
            user("Hi"),
            assistant(None, call("call_0")),
            result("call_0", "1"),
            assistant(None, call("call_0")),
            result("call_0", "2"),
        ),
        {
            "bedrock": {
                "messages.3.content.0.toolUse.toolUseId": "call_0_1",
                "messages.4.content": [converse_result("call_0_1", converse_text("2"))],
            },
            "anthropic": {
                "messages.3.content.0.id": "call_0_1",
                "messages.4.content": [tool_result("call_0_1", "2")],
            },
            "gemini": {"contents.4.parts.0.functionResponse.response": {"output": "2"}},
        },
    ),
    CheckCase(34, "gpt-oss calls on Bedrock get ids of their own", check_own_ids),
    AnswerCase(
        34,
        "Gemini's calls with one id or none get ids of their own",
        "gemini",
        {
            f"{CALLS}.0.id": "f-1",
            f"{CALLS}.1.id": "call_c86b0019994f4073b4cdbcc3",
            f"{CALLS}.2.id": "call_0feaa42cb949d2f7ffdff5f4",
        },
        whole=gemini_answer(
            {"functionCall": {"id": "f-1", "name": "look"}},
            {"functionCall": {"id": "f-1", "name": "look"}},
            function_call(),
        ),
    ),
    RequestCase(
        35,
        "a name with other characters is encoded everywhere",
        chat(
            user("Hi"),
            assistant(None, call("a", "files.read")),
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
    AnswerCase(
        35,
        "an encoded name is decoded in the answer",
        "anthropic",
        {f"{CALLS}.0.function.name": "files.read"},
        whole=claude_message(tool_use("a", "files_x2e_read"), stop="tool_use"),
    ),
    AnswerCase(
        35,
        "an encoded name is decoded in Converse's answer",
        "bedrock",
        {f"{CALLS}.0.function.name": "files.read"},
        whole=converse_answer(converse_use("a", "files_x2e_read"), stop="tool_use"),
    ),
    RequestCase(
        35,
        "a name whose encoded form is too long is refused",
        chat(tools=[tool("x" * 63 + ".")]),
        {"anthropic": {"tools.0.name": "x" * 63 + "_x2e_"}, "bedrock": Refusal("tools[0].function.name")},
    ),
    RequestCase(
        35,
        "a name for Gemini begins with a letter",
        chat(tools=[tool("2fa")]),
        {"gemini": {"tools.0.functionDeclarations.0.name": "_:2fa"}},
    ),
    AnswerCase(
        35,
        "the prefix of a name is removed in Gemini's answer",
        "gemini",
        {f"{CALLS}.0.function.name": "2fa"},
        whole=gemini_answer(function_call("_:2fa")),
    ),
    RejectedCase(
        35,
        "a name that OpenAI does not take is refused",
        chat(tools=[tool("read file")]),
        Refusal("tools[0].function.name", "invalid_value"),
    ),
    RequestCase(
        36,
        "names that differ in encoded characters stay different",
        chat(tools=[tool("a.b"), tool("a_b"), tool("a:b"), tool("a_x2e_b")]),
        {
            "bedrock": {
                "toolConfig.tools": [
                    tool_spec("a_x2e_b"),
                    tool_spec("a_b"),
                    tool_spec("a_x3a_b"),
                    tool_spec("a_x5f_x2e_b"),
                ]
            },
            "anthropic": {
                "tools.0.name": "a_x2e_b",
                "tools.1.name": "a_b",
                "tools.2.name": "a_x3a_b",
                "tools.3.name": "a_x5f_x2e_b",
            },
        },
    ),
    RequestCase(
        37,
        "a repeated tool is declared once",
        chat(tools=[tool(), tool()]),
        {
            "bedrock": {"toolConfig.tools": [tool_spec()]},
            "anthropic": {"tools.0.name": "look", "tools.1": ABSENT},
            "gemini": {"tools.0.functionDeclarations.1": ABSENT},
        },
    ),
    RequestCase(
        37,
        "two tools of one name are refused",
        chat(tools=[tool(), tool(description="Other")]),
        {"bedrock": Refusal("tools[1]"), "anthropic": Refusal("tools[1]"), "gemini": Refusal("tools")},
    ),
    *(
        RequestCase(
            38,
            f"a tool with {how} takes an empty object",
            chat(tools=[tool(**function)]),
            {
                "bedrock": {"toolConfig.tools": [tool_spec()]},
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
    RequestCase(
        39,
        "an empty description is left out",
        chat(tools=[tool(description="")]),
        {
            "bedrock": {"toolConfig.tools": [tool_spec()]},
            "anthropic": {"tools.0.description": ABSENT},
            "gemini": {"tools.0.functionDeclarations.0.description": ABSENT},
        },
    ),
    RequestCase(
        40,
        "strict is sent to providers that know it",
        chat(tools=[STRICT]),
        {
            "openai": {"tools": [STRICT]},
            "bedrock": {
                "toolConfig.tools.0.toolSpec.strict": True,
                "toolConfig.tools.0.toolSpec.inputSchema.json.additionalProperties": False,
            },
            **{
                name: {
                    "toolConfig.tools.0.toolSpec.strict": ABSENT,
                    "toolConfig.tools.0.toolSpec.inputSchema.json.additionalProperties": ABSENT,
                    "dropped": ("tools.function.strict",),
                }
                for name in (NOVA, LLAMA)
            },
            OSS: {"tools": [STRICT]},
            "anthropic": {"tools.0.strict": True, "tools.0.input_schema.additionalProperties": False},
            "gemini": {
                "tools.0.functionDeclarations.0.strict": ABSENT,
                "toolConfig.functionCallingConfig": {"mode": "VALIDATED"},
            },
            **{
                name: {"tools.0.function.strict": ABSENT, "dropped": ("tools.function.strict",)}
                for name in ("mistral", "xai", "fireworks")
            },
        },
    ),
    RequestCase(
        41,
        "tool_choice none keeps the tools",
        chat(user("Hi"), assistant(None, call("a")), result("a"), tools=[tool()], tool_choice="none"),
        {
            "bedrock": {
                "toolConfig": {"tools": [tool_spec()]},
                "system": [converse_text("Do not call any tool now: answer in words.")],
            },
            "anthropic": {"tools.0.name": "look", "tool_choice": {"type": "none"}},
            "gemini": {"toolConfig.functionCallingConfig": {"mode": "NONE"}},
            "openai": {"tools": [tool()], "tool_choice": "none"},
        },
    ),
    RequestCase(
        41,
        "tool_choice none removes the tools where it cannot be sent",
        chat(tools=[tool()], tool_choice="none"),
        {
            "anthropic": {"tools.0.name": "look", "tool_choice": {"type": "none"}},
            "bedrock": {"toolConfig": ABSENT, "system": ABSENT, "dropped": ()},
        },
    ),
    *(
        RequestCase(
            42,
            f"without tools ({how}), tool_choice is left out",
            chat(**fields),
            {
                name: {"tools": ABSENT, "tool_choice": ABSENT, "parallel_tool_calls": ABSENT, "dropped": ()}
                for name in ("openai", "azure", "mistral", "groq", "vllm", "anthropic", "gemini", OSS)
            }
            | {"bedrock": {"toolConfig": ABSENT, "dropped": ()}},
        )
        for how, fields in (
            ("a list of none", {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}),
            ("none at all", {"tool_choice": "none"}),
            ("an empty choice", {"tool_choice": {}}),
        )
    ),
    RequestCase(
        42,
        "a forced call without tools is refused",
        chat(tool_choice="required"),
        {
            "bedrock": Refusal("tool_choice"),
            "anthropic": Refusal("tool_choice"),
            "gemini": Refusal("tool_choice"),
            "openai": {"tool_choice": "required"},
        },
    ),
    RequestCase(
        43,
        "tool_choice required is translated",
        chat(tools=[tool()], tool_choice="required"),
        {
            "bedrock": {"toolConfig.toolChoice": {"any": {}}, "dropped": ()},
            LLAMA: {
                "toolConfig": {"tools": [tool_spec()]},
                "system": [converse_text("Answer by calling at least one of the tools.")],
                "dropped": ("tool_choice",),
            },
            OSS: {"tool_choice": "required"},
            "anthropic": {"tool_choice": {"type": "any"}, "dropped": ()},
            "anthropic/claude-opus-5-5": {
                "tool_choice": ABSENT,
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
    RequestCase(
        44,
        "a tool choice that names a tool is translated",
        chat(tools=[tool(), tool("list")], tool_choice=NAMED, reasoning_effort="high"),
        {
            "bedrock": {
                "toolConfig.toolChoice": {"tool": {"name": "look"}},
                "additionalModelRequestFields": ABSENT,
                "dropped": ("reasoning_effort",),
            },
            LLAMA: {
                "toolConfig": {"tools": [tool_spec()]},
                "system": [converse_text("Answer by calling the tool look.")],
                "dropped": ("tool_choice", "reasoning_effort"),
            },
            OSS: {"tool_choice": NAMED},
            "anthropic": {
                "tool_choice": {"type": "tool", "name": "look"},
                "thinking": ABSENT,
                "dropped": ("reasoning_effort",),
            },
            "anthropic/claude-opus-5-5": {"tools.0.name": "look", "tools.1": ABSENT, "tool_choice": ABSENT},
            "gemini": {"toolConfig.functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}},
            "openai": {"tool_choice": NAMED},
        },
    ),
    RequestCase(
        45,
        "tools outside allowed_tools are left out where the choice cannot name several",
        chat(tools=[tool(), tool("list")], tool_choice=SOME),
        {
            "openai": {"tools": [tool(), tool("list")], "tool_choice": SOME},
            "groq": {"tools": [tool()], "tool_choice": "required"},
            "mistral": {"tools": [tool()], "tool_choice": "any"},
            "moonshot": {"tools": [tool()], "tool_choice": "auto", "dropped": ("tool_choice",)},
            "bedrock": {"toolConfig": {"tools": [tool_spec()], "toolChoice": {"any": {}}}},
            "anthropic": {"tools.0.name": "look", "tools.1": ABSENT, "tool_choice": {"type": "any"}},
            "gemini": {"toolConfig.functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}},
        },
    ),
    RequestCase(
        46,
        "parallel_tool_calls false is translated",
        chat(tools=[tool()], parallel_tool_calls=False),
        {
            "bedrock": {"toolConfig": {"tools": [tool_spec()]}, "dropped": ("parallel_tool_calls",)},
            "anthropic": {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
            "gemini": {"dropped": ("parallel_tool_calls",)},
            "cerebras": {"parallel_tool_calls": ABSENT, "dropped": ("parallel_tool_calls",)},
            "openai": {"parallel_tool_calls": False},
        },
    ),
    RequestCase(
        47,
        "a custom tool becomes a function of one text, its grammar described",
        chat(tools=[custom_tool(format=GRAMMAR)]),
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
            "gemini": {
                "tools.0.functionDeclarations.0.name": "custom::shell",
                "tools.0.functionDeclarations.0.parametersJsonSchema.required": ["input"],
            },
            "openai": {"tools": [custom_tool(format=GRAMMAR)]},
        },
    ),
    AnswerCase(
        47,
        "a call of a custom tool is translated back",
        "anthropic",
        {f"{CALLS}.0": {"id": "a", "type": "custom", "custom": {"name": "shell", "input": "ls"}}},
        whole=claude_message(tool_use("a", "_xct_shell", input="ls"), stop="tool_use"),
    ),
    AnswerCase(
        47,
        "a call of a custom tool is translated back from Converse",
        "bedrock",
        {f"{CALLS}.0": {"id": "a", "type": "custom", "custom": {"name": "shell", "input": "ls"}}},
        whole=converse_answer(converse_use("a", "_xct_shell", input="ls"), stop="tool_use"),
    ),
    CandidateCase(
        47,
        "a provider without custom tools is no candidate",
        chat(tools=[custom_tool()]),
        {name: Refusal("tools") for name in (*COMPATIBLE, OSS)},
        able=("openai", "azure", "anthropic", "gemini", "bedrock", NOVA, OPUS),
    ),
    RequestCase(
        48,
        "tools of the history are declared and cannot be called",
        chat(user("Hi"), assistant(None, call("a")), result("a")),
        {
            "bedrock": {
                "toolConfig": {"tools": [tool_spec()]},
                "system": [converse_text("Do not call any tool now: answer in words.")],
            },
            OSS: {"tools": ABSENT},
            "anthropic": {
                "tools": [{"name": "look", "input_schema": {"type": "object", "properties": {}}}],
                "tool_choice": {"type": "none"},
            },
            "openai": {"tools": ABSENT},
        },
    ),
    RequestCase(
        49, "empty arguments in the history become an empty object", history(""), of_arguments("", {})
    ),
    *(
        RejectedCase(
            49,
            f"arguments that are {how} are refused",
            chat(user("Hi"), assistant(None, call("a", arguments=value)), result("a")),  # type: ignore[arg-type]
            Refusal("messages[1].tool_calls[0].function.arguments", code),
        )
        for how, value, code in (
            ("null", None, "missing_required_parameter"),
            ("an object", {}, "invalid_value"),
        )
    ),
    *(
        RequestCase(
            50, f"arguments that are {how} are kept as text", history(raw), of_arguments(raw, {"_raw": raw})
        )
        for how, raw in (("cut off", '{"at": '), ("two objects", '{"a": 1}{"b": 2}'))
    ),
    *(
        RequestCase(
            51, f"arguments that are {raw} are wrapped", history(raw), of_arguments(raw, {"value": value})
        )
        for raw, value in (("[1]", [1]), ("7", 7), ('"x"', "x"))
    ),
    RequestCase(
        52,
        "the first call of a turn of another model gets the documented signature",
        chat(user("Hi"), TWO, result("a"), result("b"), assistant(None, call("c")), result("c")),
        {
            "gemini": {
                "contents.1.parts.0.thoughtSignature": "skip_thought_signature_validator",
                "contents.1.parts.1.thoughtSignature": ABSENT,
                "contents.3.parts.0.thoughtSignature": "skip_thought_signature_validator",
            },
            "gemini/gemini-2.5-flash": {"contents.1.parts.0.thoughtSignature": ABSENT},
        },
    ),
    RequestCase(
        53,
        "a signature is sent only to the provider that made it",
        chat(
            user("Hi"),
            assistant(
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
                "messages.1.content.1": tool_use("a"),
            },
            "bedrock": {"messages.1.content": [converse_use("a")]},
            OSS: {"messages.1.tool_calls.0": call("a"), "messages.1.reasoning_details": ABSENT},
            "anthropic/claude-opus-5-5": {
                "messages.1.content.0": {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                "messages.1.content.1": tool_use("a"),
            },
            **{
                name: {"messages.1.tool_calls.0": call("a"), "messages.1.reasoning_details": ABSENT}
                for name in ("openai", "azure", "xai", "groq", "together", "vllm")
            },
        },
    ),
    RequestCase(
        53,
        "a signature of Claude is sent to the same Claude on Bedrock",
        chat(
            user("Hi"),
            assistant(None, call("a"), reasoning_details=[{**THOUGHT, "model": "claude-sonnet-4-6"}]),
            result("a"),
            reasoning_effort="high",
        ),
        {
            SONNET: {
                "messages.1.content": [
                    {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
                    converse_use("a"),
                ]
            },
            NOVA: {"messages.1.content": [converse_use("a")]},
        },
    ),
    RequestCase(
        54,
        "thoughts of another model are left out",
        chat(
            user("Hi"),
            assistant(
                "Well.", reasoning_content="Hm.", reasoning_details=[{**THOUGHT, "model": "claude-opus-5"}]
            ),
            user("Go on"),
            reasoning_effort="high",
        ),
        {
            **{name: {"messages.1.content": [converse_text("Well.")]} for name in (SONNET, NOVA)},
            OPUS: {"messages.1.content": [text("Well.")]},
            OSS: {"messages.1": assistant("Well.")},
            "anthropic/claude-opus-5-5": {"messages.1.content": [text("Well.")]},
            "gemini": {"contents.1.parts": [{"text": "Well."}]},
            "openai": {"messages.1": assistant("Well.")},
        },
    ),
    RequestCase(
        55,
        "lost thoughts are replaced by a blank where the provider requires them",
        chat(user("Hi"), assistant(None, call("a")), result("a"), assistant("Well."), user("Go on")),
        {
            **{
                name: {
                    "messages.1.reasoning_content": " ",
                    "messages.3.reasoning_content": " ",
                    "messages.4": user("Go on"),
                }
                for name in ("deepseek/deepseek-v4-pro", "moonshot/kimi-k3", "minimax/MiniMax-M3")
            },
            "groq": {"messages.1.reasoning_content": ABSENT},
        },
    ),
    RequestCase(
        55,
        "lost thoughts are not replaced if others are left or nothing was called",
        chat(
            user("Hi"),
            assistant("Well.", reasoning_content="Hm."),
            user("No"),
            assistant("Oh."),
            user("Go on"),
        ),
        {
            "deepseek/deepseek-v4-pro": {
                "messages.1.reasoning_content": "Hm.",
                "messages.3.reasoning_content": ABSENT,
            }
        },
    ),
]
