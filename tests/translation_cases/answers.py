"""96 to 127: answers."""

from __future__ import annotations

import json
from typing import Any

from handler.answers.client_stream import ClientStream
from handler.answers.usage import estimated, usage_of
from handler.errors import AttemptRecord
from handler.providers.failure import error_from_response
from handler.providers.registry import TRANSLATORS
from handler.providers.rows.builtin import PROVIDERS
from handler.relay.final_error import final_error
from tests.support.canned_answers import sse
from tests.translation_cases.case_types import ABSENT, AnswerCase, Case, CheckCase, FailureCase
from tests.translation_cases.vocabulary import (
    CALLS,
    CONTENT,
    FINISH,
    OSS,
    REFUSAL,
    THOUGHTS,
    Json,
    call_chunk,
    chunk,
    claude_events,
    claude_message,
    claude_text,
    completion,
    converse_answer,
    converse_arguments,
    converse_events,
    converse_start,
    converse_text,
    converse_use,
    function_call,
    gemini_answer,
    input_delta,
    text,
    tool_use,
)

NUMBERS = range(96, 128)

LOOK = {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CALLED = completion({"content": None, "tool_calls": [LOOK]}, "stop")
CALLING = [call_chunk(index=0, **LOOK), chunk("stop")]
BARE = {"id": "a", "type": "function", "function": {"name": "look", "arguments": ""}}
HI = chunk(content="Hi")
CACHED = {
    "inputTokens": 3,
    "outputTokens": 2,
    "totalTokens": 5,
    "cacheReadInputTokens": 18901,
    "cacheWriteInputTokens": 8,
}
DONE = "[DONE]"
BLOCKED = {
    "responseId": "r-1",
    "modelVersion": "m",
    "promptFeedback": {"blockReason": "SAFETY"},
    "usageMetadata": {"promptTokenCount": 3},
}
OVERFLOWS = {
    "openai": {"error": {"code": "context_length_exceeded", "message": "x", "type": "invalid_request_error"}},
    "anthropic": {
        "type": "error",
        "error": {
            "type": "invalid_request_error",
            "message": "prompt is too long: 210000 tokens > 200000 maximum",
        },
    },
    "gemini": {
        "error": {
            "code": 400,
            "message": "The input token count (1048577) exceeds the maximum number of tokens allowed.",
            "status": "INVALID_ARGUMENT",
        }
    },
    "bedrock": {"message": "Input is too long for requested model."},
    "vllm": {
        "object": "error",
        "message": "This model's maximum context length is 4096 tokens.",
        "code": 400,
    },
    "mistral": {"object": "error", "message": "Prompt is too long.", "type": "invalid_request_error"},
}
WRONG_KEY = {
    "error": {
        "code": 400,
        "message": "API key not valid. Please pass a valid API key.",
        "status": "INVALID_ARGUMENT",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
    }
}


def finish_case(target: str, reason: Any, expected: str) -> Case:
    return AnswerCase(
        96,
        f"{reason or repr(reason)} is {expected}",
        target,
        {FINISH: expected},
        events=[HI, chunk(reason), DONE],
        whole=completion({"content": "Hi"}, reason),
    )


def check_xai_reasoning() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 115,
        "completion_tokens_details": {"reasoning_tokens": 100},
    }
    counted = usage_of({"usage": usage})
    assert counted is not None
    assert (counted.output, counted.reasoning) == (105, 100)


def check_estimated_usage() -> None:
    assert usage_of({"usage": {"prompt_tokens": 0, "completion_tokens": 0}}) in (None, estimated_none())
    guess = estimated(input_tokens=7, output_bytes=40)
    assert guess.estimated
    assert guess.output == 10


def estimated_none() -> Any:
    return usage_of({"usage": {"prompt_tokens": 0, "completion_tokens": 0}})


def check_stream_head() -> None:
    """The model is the one that served, whatever name the provider sends."""
    row = PROVIDERS["azure"]
    frames = ClientStream(TRANSLATORS["openai"].stream(row.quirks), model="azure/gpt", wants_usage=False)
    first = {"choices": [], "prompt_filter_results": [{}], "id": "", "model": "", "created": 0}
    later = [
        {**chunk(content=word), "id": id, "created": made}
        for word, id, made in (("a", "x", 5), ("b", "y", 6))
    ]
    sent = frames.feed(b"".join(map(sse, (first, *later, chunk("stop")))) + b"data: [DONE]\n\n")
    chunks = [json.loads(line[6:]) for line in sent.decode().split("\n\n") if line]
    assert {(one["id"], one["created"], one["model"], one["object"]) for one in chunks} == {
        ("x", 5, "azure/gpt", "chat.completion.chunk")
    }


def check_final_error(body: Json | bytes, status: int, expected: tuple[int, str]) -> Any:
    """The caller's error after a single failed attempt."""

    def run() -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        error = error_from_response(status, {}, data)
        error = final_error(
            [error], [AttemptRecord("up/m", error.failure_class, status, 1)], model="up/m", pinned=True
        )
        assert (error.status, error.code) == expected

    return run


def error(message: str = "x", **more: Any) -> Json:
    return {"error": {"message": message, **more}}


CASES: list[Case] = [
    finish_case("together", "eos", "stop"),
    finish_case("vllm", "stop_sequence", "stop"),
    finish_case("openrouter", "end_turn", "stop"),
    finish_case("mistral", "model_length", "length"),
    finish_case("openrouter", "max_tokens", "length"),
    finish_case("openrouter", "model_context_window_exceeded", "length"),
    finish_case("zai", "sensitive", "content_filter"),
    finish_case("openrouter", "SAFETY", "content_filter"),
    finish_case("openrouter", "RECITATION", "content_filter"),
    finish_case("openrouter", "guardrail_intervened", "content_filter"),
    finish_case("openrouter", "refusal", "content_filter"),
    finish_case("openai", "a_new_word", "stop"),
    finish_case("xai", "", "stop"),
    finish_case("vllm", None, "stop"),
    AnswerCase(
        96,
        "an unknown finish reason after a call is tool_calls",
        "vllm",
        {FINISH: "tool_calls"},
        events=[call_chunk(index=0, **LOOK), chunk("a_new_word"), DONE],
        whole=completion({"content": None, "tool_calls": [LOOK]}, "a_new_word"),
    ),
    AnswerCase(
        96,
        "an unknown finish reason of Gemini is stop",
        "gemini",
        {FINISH: "stop"},
        events=[gemini_answer({"text": "Hi"}, finish="A_NEW_WORD")],
        whole=gemini_answer({"text": "Hi"}, finish="A_NEW_WORD"),
    ),
    AnswerCase(
        96,
        "an unknown stop reason of Claude is stop",
        "anthropic",
        {FINISH: "stop"},
        events=claude_events(claude_text("Hi"), stop="a_new_word"),
        whole=claude_message(text("Hi"), stop="a_new_word"),
    ),
    *(
        AnswerCase(
            96,
            f"{word} is {meant}",
            "bedrock",
            {FINISH: meant, CONTENT: "Hi"},
            events=converse_events([converse_text("Hi")], stop=word),
            whole=converse_answer(converse_text("Hi"), stop=word),
        )
        for word, meant in (
            ("end_turn", "stop"),
            ("stop_sequence", "stop"),
            ("max_tokens", "length"),
            ("model_context_window_exceeded", "length"),
            ("guardrail_intervened", "content_filter"),
            ("content_filtered", "content_filter"),
            ("a_new_word", "stop"),
        )
    ),
    *(
        AnswerCase(
            96,
            f"{how} of Converse after a call is tool_calls",
            "bedrock",
            {FINISH: "tool_calls", CALLS: [LOOK]},
            events=converse_events([converse_start("a"), converse_arguments("{}")], stop=word),
            whole=converse_answer(converse_use("a"), stop=word),
        )
        for how, word in (("an unknown stop reason", "a_new_word"), ("an empty stop reason", ""))
    ),
    AnswerCase(
        96,
        "a missing stop reason of Converse is stop",
        "bedrock",
        {FINISH: "stop", CONTENT: "Hi"},
        whole=converse_answer(converse_text("Hi"), stop=None),
    ),
    *(
        FailureCase(
            96,
            f"the finish reason {word} is a failure",
            target,
            "server",
            body=completion({"content": "Hi"}, word),
        )
        for target, word in (
            ("deepseek", "insufficient_system_resource"),
            ("zai", "network_error"),
            ("openrouter", "error"),
        )
    ),
    *(
        AnswerCase(
            97,
            "stop after calls is tool_calls",
            target,
            {FINISH: "tool_calls", CALLS: [LOOK]},
            events=CALLING,
            whole=CALLED,
        )
        for target in ("ollama", "vllm", "together")
    ),
    AnswerCase(
        97,
        "Gemini's STOP after calls is tool_calls",
        "gemini",
        {FINISH: "tool_calls"},
        events=[gemini_answer(function_call())],
        whole=gemini_answer(function_call()),
    ),
    AnswerCase(
        97,
        "OpenAI's stop after a forced call is kept",
        "openai",
        {FINISH: "stop"},
        events=CALLING,
        whole=CALLED,
    ),
    AnswerCase(
        98,
        "an answer that is cut off in a call ends with length",
        "vllm",
        {FINISH: "length", f"{CALLS}.0.function.arguments": '{"at": "Gra'},
        events=[
            call_chunk(index=0, id="a", type="function", function={"name": "look", "arguments": ""}),
            call_chunk(index=0, function={"arguments": '{"at": "Gra'}),
            chunk("length"),
        ],
        whole=completion(
            {"tool_calls": [{**LOOK, "function": {"name": "look", "arguments": '{"at": "Gra'}}]}, "length"
        ),
    ),
    AnswerCase(
        98,
        "a call that is cut off gets no arguments",
        "vllm",
        {FINISH: "length", f"{CALLS}.0.function.arguments": ""},
        events=[call_chunk(index=0, **BARE), chunk("length")],
        whole=completion({"tool_calls": [BARE]}, "length"),
    ),
    AnswerCase(
        98,
        "an answer of Claude that is cut off in a call ends with length",
        "anthropic",
        {FINISH: "length", f"{CALLS}.0.function.arguments": '{"at"'},
        events=claude_events([tool_use("a"), input_delta('{"at"')], stop="max_tokens"),
    ),
    AnswerCase(
        98,
        "an answer of Bedrock that is cut off in a call ends with length",
        "bedrock",
        {FINISH: "length", f"{CALLS}.0.function.arguments": '{"at"'},
        events=converse_events([converse_start("a"), converse_arguments('{"at"')], stop="max_tokens"),
    ),
    AnswerCase(
        99,
        "a paused turn is stop",
        "anthropic",
        {FINISH: "stop", CONTENT: "Hi"},
        events=claude_events(claude_text("Hi"), stop="pause_turn"),
        whole=claude_message(text("Hi"), stop="pause_turn"),
    ),
    AnswerCase(
        99,
        "a refusal without text carries its explanation",
        "anthropic",
        {FINISH: "content_filter", REFUSAL: "Not this."},
        events=claude_events(
            stop="refusal", delta={"stop_details": {"type": "refusal", "explanation": "Not this."}}
        ),
        whole=claude_message(stop="refusal", stop_details={"type": "refusal", "explanation": "Not this."}),
    ),
    AnswerCase(
        99,
        "a refusal after text keeps the text",
        "anthropic",
        {FINISH: "content_filter", CONTENT: "Well, "},
        events=claude_events(
            claude_text("Well, "), stop="refusal", delta={"stop_details": {"explanation": "No."}}
        ),
        whole=claude_message(text("Well, "), stop="refusal", stop_details={"explanation": "No."}),
    ),
    AnswerCase(
        100,
        "a blocked prompt is content_filter",
        "gemini",
        {
            FINISH: "content_filter",
            REFUSAL: "The provider blocked the prompt: SAFETY.",
            "usage.prompt_tokens": 3,
        },
        events=[BLOCKED],
        whole=BLOCKED,
    ),
    AnswerCase(
        100,
        "the message of a Bedrock guardrail is the answer",
        "bedrock",
        {FINISH: "content_filter", CONTENT: "Blocked.", "usage.prompt_tokens": 3},
        events=converse_events([converse_text("Blocked.")], stop="guardrail_intervened"),
        whole=converse_answer(converse_text("Blocked."), stop="guardrail_intervened"),
    ),
    AnswerCase(
        100,
        "an answer that a filter emptied is content_filter",
        "bedrock",
        {FINISH: "content_filter", "usage.prompt_tokens": 3},
        events=converse_events(stop="content_filtered"),
        whole=converse_answer(stop="content_filtered"),
    ),
    AnswerCase(
        101,
        "an empty answer is an empty text",
        "gemini",
        {FINISH: "stop", CONTENT: ""},
        whole={**gemini_answer(), "candidates": [{"finishReason": "STOP", "index": 0}]},
    ),
    *(
        FailureCase(
            102,
            f"{word} without text is a failure that is retried",
            "gemini",
            "server",
            body=gemini_answer(finish=word),
        )
        for word in ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL")
    ),
    *(
        FailureCase(
            102, f"{word} without text, {how}, is a failure that is retried", "bedrock", "server", **answer
        )
        for word in ("malformed_tool_use", "malformed_model_output")
        for how, answer in (
            ("whole", {"body": converse_answer(stop=word)}),
            ("streamed", {"events": converse_events(stop=word)}),
        )
    ),
    *(
        AnswerCase(
            102,
            f"{word} after text is stop",
            "bedrock",
            {FINISH: "stop", CONTENT: "Hi"},
            events=converse_events([converse_text("Hi")], stop=word),
            whole=converse_answer(converse_text("Hi"), stop=word),
        )
        for word in ("malformed_tool_use", "malformed_model_output")
    ),
    AnswerCase(
        102,
        "a malformed call is not passed on",
        "bedrock",
        {FINISH: "stop", f"{CALLS}.0.function.arguments": '{"at": '},
        events=converse_events(
            [converse_start("a"), converse_arguments('{"at": ')], stop="malformed_tool_use"
        ),
    ),
    AnswerCase(
        102,
        "MALFORMED_FUNCTION_CALL after text is stop",
        "gemini",
        {FINISH: "stop", CONTENT: "Hi"},
        events=[gemini_answer({"text": "Hi"}, finish="MALFORMED_FUNCTION_CALL")],
        whole=gemini_answer({"text": "Hi"}, finish="MALFORMED_FUNCTION_CALL"),
    ),
    AnswerCase(
        103,
        "text and calls are both kept",
        "anthropic",
        {CONTENT: "I look.", CALLS: [LOOK], FINISH: "tool_calls"},
        events=claude_events(claude_text("I look."), [tool_use("a")], stop="tool_use"),
        whole=claude_message(text("I look."), tool_use("a"), stop="tool_use"),
    ),
    AnswerCase(
        103,
        "content is null only without text",
        "anthropic",
        {CONTENT: None, CALLS: [LOOK]},
        whole=claude_message(tool_use("a"), stop="tool_use"),
    ),
    AnswerCase(
        103,
        "text and calls of Bedrock are both kept",
        "bedrock",
        {CONTENT: "I look.", CALLS: [LOOK], FINISH: "tool_calls"},
        events=converse_events(
            [converse_text("I look.")], [converse_start("a"), converse_arguments("{}")], stop="tool_use"
        ),
        whole=converse_answer(converse_text("I look."), converse_use("a"), stop="tool_use"),
    ),
    AnswerCase(
        103,
        "content is null only without text, on Bedrock",
        "bedrock",
        {CONTENT: None, CALLS: [LOOK]},
        whole=converse_answer(converse_use("a"), stop="tool_use"),
    ),
    AnswerCase(
        103,
        "text and calls of Gemini are both kept",
        "gemini",
        {CONTENT: "I look.", f"{CALLS}.0.function.name": "look"},
        events=[gemini_answer({"text": "I look."}, finish=None), gemini_answer(function_call())],
        whole=gemini_answer({"text": "I look."}, function_call()),
    ),
    *(
        AnswerCase(
            104,
            "a call without arguments gets an empty object",
            target,
            {f"{CALLS}.0.function.arguments": "{}", FINISH: "tool_calls"},
            events=events,
            whole=whole,
        )
        for target, events, whole in (
            (
                "vllm",
                [call_chunk(index=0, **BARE), chunk("tool_calls")],
                completion({"tool_calls": [BARE]}, "tool_calls"),
            ),
            (
                "anthropic",
                claude_events([tool_use("a"), input_delta("")], stop="tool_use"),
                claude_message(tool_use("a"), stop="tool_use"),
            ),
            (
                "bedrock",
                converse_events([converse_start("a"), converse_arguments("")], stop="tool_use"),
                converse_answer(converse_start("a"), stop="tool_use"),
            ),
            ("gemini", [gemini_answer(function_call())], gemini_answer({"functionCall": {"name": "look"}})),
        )
    ),
    AnswerCase(
        104,
        "a call without arguments gets an empty object in a stream without finish reason",
        "vllm",
        {f"{CALLS}.0.function.arguments": "{}", FINISH: "tool_calls"},
        events=[call_chunk(index=0, **BARE), DONE],
    ),
    AnswerCase(
        105,
        "an empty first piece of input keeps the call",
        "anthropic",
        {f"{CALLS}.0.function.arguments": '{"a":1}', FINISH: "tool_calls"},
        events=claude_events([tool_use("a"), input_delta(""), input_delta('{"a":1}')], stop="tool_use"),
    ),
    AnswerCase(
        105,
        "an empty first piece of input keeps the call on Bedrock",
        "bedrock",
        {f"{CALLS}.0.function.arguments": '{"a":1}', FINISH: "tool_calls"},
        events=converse_events(
            [converse_start("a"), converse_arguments(""), converse_arguments('{"a":1}')], stop="tool_use"
        ),
    ),
    AnswerCase(
        106,
        "calls are counted among calls, over the whole stream",
        "anthropic",
        {f"{CALLS}.0.id": "a", f"{CALLS}.1.id": "b", f"{CALLS}.2": ABSENT},
        events=claude_events(
            [{"type": "thinking", "thinking": "", "signature": ""}],
            claude_text("I look."),
            [tool_use("a"), input_delta("{}")],
            [tool_use("b"), input_delta("{}")],
            stop="tool_use",
        ),
    ),
    AnswerCase(
        106,
        "calls of Converse are counted among its blocks",
        "bedrock",
        {f"{CALLS}.0.id": "a", f"{CALLS}.1.id": "b", f"{CALLS}.2": ABSENT, THOUGHTS: "Hm."},
        events=converse_events(
            [{"reasoningContent": {"text": "Hm."}}, {"reasoningContent": {"signature": "c2ln"}}],
            [converse_text("I look.")],
            [converse_start("a"), converse_arguments("{}")],
            [converse_start("b"), converse_arguments("{}")],
            stop="tool_use",
        ),
    ),
    AnswerCase(
        106,
        "calls in events of their own are counted over the stream",
        "gemini",
        {f"{CALLS}.0.function.name": "first", f"{CALLS}.1.function.name": "second"},
        events=[gemini_answer(function_call("first"), finish=None), gemini_answer(function_call("second"))],
    ),
    AnswerCase(
        106,
        "calls that all have index 0 are counted over the stream",
        "qwen",
        {f"{CALLS}.0.id": "a", f"{CALLS}.1.id": "b"},
        events=[call_chunk(index=0, **LOOK), call_chunk(index=0, **{**LOOK, "id": "b"}), chunk("tool_calls")],
    ),
    *(
        AnswerCase(
            107,
            "two calls of one function are two calls",
            target,
            {f"{CALLS}.0.function.arguments": '{"a":1}', f"{CALLS}.1.function.arguments": '{"a":2}'},
            events=events,
        )
        for target, events in (
            ("gemini", [gemini_answer(function_call(a=1), function_call(a=2))]),
            (
                "anthropic",
                claude_events(
                    [tool_use("x"), input_delta('{"a":1}')], [tool_use("y"), input_delta('{"a":2}')]
                ),
            ),
            (
                "bedrock",
                converse_events(
                    [converse_start("x"), converse_arguments('{"a":1}')],
                    [converse_start("y"), converse_arguments('{"a":2}')],
                ),
            ),
            (
                "groq",
                [
                    call_chunk(
                        index=at, id=id, type="function", function={"name": "look", "arguments": arguments}
                    )
                    for at, id, arguments in ((0, "x", '{"a":1}'), (1, "y", '{"a":2}'))
                ]
                + [chunk("tool_calls")],
            ),
        )
    ),
    *(
        AnswerCase(
            number,
            how,
            "qwen",
            {CALLS: [{**LOOK, "function": {"name": "look", "arguments": '{"a":1}'}, "type": "function"}]},
            events=[
                chunk(role="assistant", **first),
                call_chunk(index=0, id="a", type="function", function={"name": "look", "arguments": ""}),
                chunk(role=again.pop("role"), tool_calls=[{**again, "function": function}]),
                chunk("tool_calls"),
            ],
        )
        for number, how, first, again, function in (
            (
                108,
                "a later empty id and name are ignored",
                {"content": ""},
                {"role": "", "index": 0, "id": "", "type": "function"},
                {"name": "", "arguments": '{"a":1}'},
            ),
            (
                108,
                "a later null id and name are ignored",
                {"content": None},
                {"role": None, "index": 0, "id": None, "type": None},
                {"name": None, "arguments": '{"a":1}'},
            ),
            (
                109,
                "a repeated id, name and role are sent once",
                {"content": ""},
                {"role": "assistant", "index": 0, "id": "a", "type": "function"},
                {"name": "look", "arguments": '{"a":1}'},
            ),
        )
    ),
    AnswerCase(
        110,
        "a call without an index gets one",
        "ollama",
        {f"{CALLS}.0.id": "a", f"{CALLS}.1.id": "b"},
        events=[chunk(tool_calls=[LOOK, {**LOOK, "id": "b"}]), chunk("tool_calls")],
    ),
    AnswerCase(
        111,
        "arguments that are an object become JSON text",
        "cloudflare",
        {f"{CALLS}.0.function.arguments": '{"ort":"Zürich"}'},
        events=[
            call_chunk(index=0, id="a", function={"name": "look", "arguments": {"ort": "Zürich"}}),
            chunk("stop"),
        ],
        whole=completion(
            {"tool_calls": [{"id": "a", "function": {"name": "look", "arguments": {"ort": "Zürich"}}}]}
        ),
    ),
    AnswerCase(
        111,
        "arguments that are an empty object become JSON text",
        "cloudflare",
        {f"{CALLS}.0.function.arguments": "{}"},
        events=[call_chunk(index=0, id="a", function={"name": "look", "arguments": {}}), chunk("stop")],
        whole=completion({"tool_calls": [{"id": "a", "function": {"name": "look", "arguments": {}}}]}),
    ),
    AnswerCase(
        112,
        "calls of Anthropic's own tools are not passed on",
        "anthropic",
        {CONTENT: "Found.", CALLS: ABSENT, FINISH: "stop"},
        events=claude_events(
            [{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, input_delta("{}")],
            [{"type": "web_search_tool_result", "tool_use_id": "s", "content": []}],
            claude_text("Found."),
        ),
        whole=claude_message(
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
            text("Found."),
        ),
    ),
    AnswerCase(
        112,
        "calls of Amazon's own tools are not passed on",
        "bedrock",
        {CONTENT: "Found.", CALLS: ABSENT, FINISH: "stop"},
        events=converse_events(
            [converse_start("s", "nova_grounding", type="server_tool_use"), converse_arguments("{}")],
            [{"toolResult": [{"text": "x"}]}],
            [converse_text("Found."), {"citation": {"title": "x"}}],
        ),
        whole=converse_answer(
            {**converse_start("s", "nova_grounding", type="server_tool_use", input={})},
            {"toolResult": {"toolUseId": "s", "content": [converse_text("x")]}},
            {"citationsContent": {"content": [converse_text("Found.")], "citations": []}},
        ),
    ),
    *(
        AnswerCase(
            113,
            "thoughts are always reasoning_content",
            target,
            {THOUGHTS: "Hm.", CONTENT: "Yes.", "choices.0.message.reasoning": ABSENT},
            events=events,
            whole=whole,
        )
        for target, events, whole in (
            (
                "groq",
                [chunk(reasoning="Hm."), chunk(content="Yes."), chunk("stop")],
                completion({"content": "Yes.", "reasoning": "Hm."}),
            ),
            (
                "vllm",
                [chunk(reasoning="Hm.", reasoning_content="Hm."), chunk(content="Yes."), chunk("stop")],
                completion({"content": "Yes.", "reasoning": "Hm.", "reasoning_content": "Hm."}),
            ),
            (
                "deepseek",
                [chunk(reasoning_content="Hm."), chunk(content="Yes."), chunk("stop")],
                completion({"content": "Yes.", "reasoning_content": "Hm."}),
            ),
            (
                "gemini",
                [gemini_answer({"text": "Hm.", "thought": True}, {"text": "Yes."})],
                gemini_answer({"text": "Hm.", "thought": True}, {"text": "Yes."}),
            ),
            (
                "bedrock",
                converse_events([{"reasoningContent": {"text": "Hm."}}], [converse_text("Yes.")]),
                converse_answer(
                    {"reasoningContent": {"reasoningText": {"text": "Hm."}}}, converse_text("Yes.")
                ),
            ),
            (
                "anthropic",
                claude_events(
                    [{"type": "thinking", "thinking": ""}, {"type": "thinking_delta", "thinking": "Hm."}],
                    claude_text("Yes."),
                ),
                claude_message({"type": "thinking", "thinking": "Hm."}, text("Yes.")),
            ),
        )
    ),
    *(
        AnswerCase(
            113,
            f"thoughts in the text {how}",
            target,
            {THOUGHTS: thoughts, CONTENT: content, FINISH: "stop"},
            events=[*(chunk(content=one) for one in pieces), chunk("stop")],
            whole=completion({"content": "".join(pieces)}),
        )
        for how, target, pieces, thoughts, content in (
            ("of gpt-oss are extracted", OSS, ["<reason", "ing>Hm.</reas", "oning>", "Yes."], "Hm.", "Yes."),
            ("are extracted", "minimax", ["<think>Hm.</think>\n\nYes."], "Hm.", "Yes."),
            (
                "are extracted wherever the stream is cut",
                "perplexity",
                ["\n<th", "ink>", "H", "m.</", "thi", "nk>", "\n", "\nY", "es."],
                "Hm.",
                "Yes.",
            ),
            ("may have no end tag", "minimax", ["<think>Hm. </thi"], "Hm. </thi", ""),
            (
                "count only at its start",
                "minimax",
                ["Yes <think>no</think>"],
                ABSENT,
                "Yes <think>no</think>",
            ),
            ("need a whole start tag", "minimax", ["<", "thin"], ABSENT, "<thin"),
            ("stay text for other providers", "openai", ["<think>Hm.</think>"], ABSENT, "<think>Hm.</think>"),
        )
    ),
    AnswerCase(
        114,
        "a list of thoughts and texts is split",
        "mistral",
        {THOUGHTS: "Hm.", CONTENT: "Yes."},
        events=[
            chunk(content=[{"type": "thinking", "thinking": [text("Hm.")]}]),
            chunk(content=[text("Yes.")]),
            chunk("stop"),
        ],
        whole=completion({"content": [{"type": "thinking", "thinking": [text("Hm.")]}, text("Yes.")]}),
    ),
    AnswerCase(
        115,
        "cached input counts as input",
        "anthropic",
        {
            "usage.prompt_tokens": 18909,
            "usage.completion_tokens": 5,
            "usage.total_tokens": 18914,
            "usage.prompt_tokens_details": {"cached_tokens": 18901, "cache_write_tokens": 0},
        },
        whole=claude_message(
            text("Hi"), usage={"input_tokens": 8, "cache_read_input_tokens": 18901, "output_tokens": 5}
        ),
    ),
    AnswerCase(
        115,
        "cached input counts as input on Bedrock",
        "bedrock",
        {
            "usage.prompt_tokens": 18912,
            "usage.completion_tokens": 2,
            "usage.total_tokens": 18914,
            "usage.prompt_tokens_details": {"cached_tokens": 18901, "cache_write_tokens": 8},
        },
        events=converse_events([converse_text("Hi")], usage=CACHED),
        whole=converse_answer(converse_text("Hi"), usage=CACHED),
    ),
    AnswerCase(
        116,
        "usage of a stream is the latest of each count",
        "anthropic",
        {
            "usage.prompt_tokens": 43,
            "usage.completion_tokens": 9,
            "usage.prompt_tokens_details.cached_tokens": 40,
        },
        events=claude_events(
            claude_text("Hi"), usage={"input_tokens": 3, "cache_read_input_tokens": 40, "output_tokens": 9}
        ),
    ),
    AnswerCase(
        117,
        "Gemini's thoughts count as output",
        "gemini",
        {"usage.completion_tokens": 12, "usage.completion_tokens_details.reasoning_tokens": 10},
        whole=gemini_answer(
            {"text": "Hi"}, usage={"promptTokenCount": 3, "candidatesTokenCount": 2, "thoughtsTokenCount": 10}
        ),
    ),
    AnswerCase(
        117,
        "Claude's thoughts are part of its output",
        "anthropic",
        {"usage.completion_tokens": 12, "usage.completion_tokens_details.reasoning_tokens": 10},
        whole=claude_message(
            text("Hi"),
            usage={"input_tokens": 3, "output_tokens": 12, "output_tokens_details": {"thinking_tokens": 10}},
        ),
    ),
    CheckCase(117, "xAI's separate reasoning tokens count as output", check_xai_reasoning),
    *(
        AnswerCase(
            118,
            f"usage {how} is sent once, at the end",
            target,
            {"usage.completion_tokens": 2, CONTENT: "Hi!"},
            events=events,
        )
        for how, target, events in (
            (
                "on every chunk",
                "perplexity",
                [
                    {**chunk(content="Hi"), "usage": {"prompt_tokens": 3, "completion_tokens": 1}},
                    {**chunk(content="!"), "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
                    {**chunk("stop"), "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
                ],
            ),
            (
                "with the finish reason",
                "mistral",
                [
                    chunk(content="Hi!"),
                    {**chunk("stop"), "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
                ],
            ),
            (
                "with every event",
                "gemini",
                [
                    gemini_answer({"text": "Hi"}, finish=None, usage={"candidatesTokenCount": 1}),
                    gemini_answer({"text": "!"}, usage={"candidatesTokenCount": 2}),
                ],
            ),
        )
    ),
    AnswerCase(
        116,
        "Converse reports usage once, after the end",
        "bedrock",
        {"usage.prompt_tokens": 3, "usage.completion_tokens": 2, FINISH: "stop"},
        events=converse_events([converse_text("Hi")]),
    ),
    AnswerCase(
        119,
        "an answer of Converse without usage has none",
        "bedrock",
        {"usage": ABSENT, CONTENT: "Hi"},
        whole={name: part for name, part in converse_answer(converse_text("Hi")).items() if name != "usage"},
    ),
    AnswerCase(
        119,
        "a stream of Converse without usage has none",
        "bedrock",
        {"usage": None, CONTENT: "Hi", FINISH: "stop"},
        events=converse_events([converse_text("Hi")])[:-1],
    ),
    CheckCase(119, "missing usage is estimated and marked", check_estimated_usage),
    CheckCase(121, "the chunks of a stream have one id, one time, one model", check_stream_head),
    AnswerCase(
        122,
        "a null delta becomes an empty one",
        "vllm",
        {CONTENT: "Hi", FINISH: "stop"},
        events=[
            HI,
            {**chunk(), "choices": [{"index": 0, "delta": None, "logprobs": None, "finish_reason": "stop"}]},
        ],
    ),
    *(
        FailureCase(123, f"a 200 that is {whose} error", target, failure_class, body=body)
        for whose, target, failure_class, body in (
            ("OpenRouter's", "openrouter", "rate_limit", {"error": {"code": 429, "message": "slow"}}),
            (
                "MiniMax's",
                "minimax",
                "rate_limit",
                {"base_resp": {"status_code": 1002, "status_msg": "rate limit"}, "choices": None},
            ),
            (
                "Cloudflare's",
                "cloudflare",
                "server",
                {"success": False, "errors": [{"code": 1, "message": "x"}]},
            ),
            ("Qwen's", "qwen", "server", {"code": "InternalError", "message": "x"}),
            ("Gemini's", "gemini", "overloaded", {"error": {"code": 503, "message": "x"}}),
            ("Bedrock's", "bedrock", "server", {"message": "x"}),
            (
                "Anthropic's",
                "anthropic",
                "overloaded",
                {"type": "error", "error": {"type": "overloaded_error", "message": "x"}},
            ),
        )
    ),
    *(
        FailureCase(
            124, f"an error that is {how}", target, failure_class, status=status, body=body, expected=expected
        )
        for how, target, status, body, failure_class, expected in (
            ("a page", "openai", 502, b"<html>secret</html>", "server", {"message": "The provider failed."}),
            ("empty", "vllm", 500, b"", "server", {"message": "The provider failed."}),
            ("a list", "gemini", 429, [{"error": {"code": 429, "message": "x"}}], "rate_limit", {}),
            (
                "a text with a key",
                "xai",
                400,
                {"error": "bad: Bearer abcdefgh12345678"},
                "invalid_request",
                {"message": "bad: [redacted]"},
            ),
            ("a page", "bedrock", 502, b"<html></html>", "server", {"message": "The provider failed."}),
            ("empty", "bedrock", 429, b"", "rate_limit", {"status": 429}),
            (
                "a page",
                "anthropic",
                529,
                b"<html></html>",
                "overloaded",
                {"message": "The provider is overloaded."},
            ),
        )
    ),
    *(
        CheckCase(
            125,
            f"{status} of the provider is {expected[0]} to the caller",
            check_final_error(error(), status, expected),
        )
        for status, expected in (
            (401, (502, "upstream_error")),
            (403, (502, "upstream_error")),
            (402, (502, "upstream_error")),
            (429, (429, "rate_limit_exceeded")),
            (529, (502, "upstream_error")),
        )
    ),
    FailureCase(
        126,
        "a wrong key is the gateway's failure, although Gemini sends 400",
        "gemini",
        "auth",
        status=400,
        body=WRONG_KEY,
        expected={"status": 502, "code": "upstream_error"},
    ),
    *(
        FailureCase(
            127,
            "a prompt that is too long has one code",
            target,
            "context_length",
            status=400,
            body=body,
            expected={"status": 400, "code": "context_length_exceeded", "param": "messages"},
        )
        for target, body in OVERFLOWS.items()
    ),
    FailureCase(
        127,
        "a prompt that is too long has one code in a stream",
        "bedrock",
        "context_length",
        events=[{"validationException": {"message": "Input is too long for requested model."}}],
        expected={"status": 400, "code": "context_length_exceeded", "param": "messages"},
    ),
]
