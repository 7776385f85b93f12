"""96 to 127: what comes back."""

from __future__ import annotations

import json
from typing import Any

from handler.answers.client_stream import ClientStream
from handler.answers.usage import estimated, usage_of
from handler.errors import AttemptRecord
from handler.providers.failure import error_from_response
from handler.providers.registry import TRANSLATORS
from handler.providers.rows.builtin import PROVIDERS
from handler.relay.failover import final_error
from tests.support.canned_answers import sse
from tests.translation_cases.case_types import GONE, Case, Fails, Heard, Holds
from tests.translation_cases.vocabulary import (
    CALLS,
    CONTENT,
    FINISH,
    OSS,
    REFUSAL,
    THOUGHTS,
    Json,
    argues,
    begins,
    chunk,
    completion,
    converse_events,
    conversed,
    function_call,
    generated,
    input_delta,
    message,
    message_events,
    piece,
    says,
    text,
    use,
    uses,
    words,
)

NUMBERS = range(96, 128)

LOOK = {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CALLED = completion({"content": None, "tool_calls": [LOOK]}, "stop")
CALLING = [piece(index=0, **LOOK), chunk("stop")]
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


def finishes(target: str, word: Any, meant: str) -> list[Case]:
    said = f"{word or repr(word)} is {meant}"
    return [
        Heard(
            96,
            said,
            target,
            {FINISH: meant},
            events=[HI, chunk(word), DONE],
            whole=completion({"content": "Hi"}, word),
        )
    ]


def what_xai_reasons_counts_as_output() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 115,
        "completion_tokens_details": {"reasoning_tokens": 100},
    }
    told = usage_of({"usage": usage})
    assert told is not None
    assert (told.output, told.reasoning) == (105, 100)


def usage_is_never_nothing() -> None:
    assert usage_of({"usage": {"prompt_tokens": 0, "completion_tokens": 0}}) in (None, estimated_none())
    guess = estimated(input_tokens=7, output_bytes=40)
    assert guess.estimated
    assert guess.output == 10


def estimated_none() -> Any:
    return usage_of({"usage": {"prompt_tokens": 0, "completion_tokens": 0}})


def a_stream_has_one_head() -> None:
    """The model is the one that served, whatever the provider calls it."""
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


def a_caller_sees(body: Json | bytes, status: int, shown: tuple[int, str]) -> Any:
    """The last failure of one attempt, as the caller is told it."""

    def run() -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        error = error_from_response(status, {}, data)
        told = final_error(
            [error], [AttemptRecord("up/m", error.failure_class, status, 1)], model="up/m", pinned=True
        )
        assert (told.status, told.code) == shown

    return run


def error(words: str = "x", **more: Any) -> Json:
    return {"error": {"message": words, **more}}


CASES: list[Case] = [
    *finishes("together", "eos", "stop"),
    *finishes("vllm", "stop_sequence", "stop"),
    *finishes("openrouter", "end_turn", "stop"),
    *finishes("mistral", "model_length", "length"),
    *finishes("openrouter", "max_tokens", "length"),
    *finishes("openrouter", "model_context_window_exceeded", "length"),
    *finishes("zai", "sensitive", "content_filter"),
    *finishes("openrouter", "SAFETY", "content_filter"),
    *finishes("openrouter", "RECITATION", "content_filter"),
    *finishes("openrouter", "guardrail_intervened", "content_filter"),
    *finishes("openrouter", "refusal", "content_filter"),
    *finishes("openai", "a_new_word", "stop"),
    *finishes("xai", "", "stop"),
    *finishes("vllm", None, "stop"),
    Heard(
        96,
        "a word that nobody knows is a call's where there was one",
        "vllm",
        {FINISH: "tool_calls"},
        events=[piece(index=0, **LOOK), chunk("a_new_word"), DONE],
        whole=completion({"content": None, "tool_calls": [LOOK]}, "a_new_word"),
    ),
    Heard(
        96,
        "a word of Gemini's that nobody knows",
        "gemini",
        {FINISH: "stop"},
        events=[generated({"text": "Hi"}, finish="A_NEW_WORD")],
        whole=generated({"text": "Hi"}, finish="A_NEW_WORD"),
    ),
    Heard(
        96,
        "a word of Claude's that nobody knows",
        "anthropic",
        {FINISH: "stop"},
        events=message_events(says("Hi"), stop="a_new_word"),
        whole=message(text("Hi"), stop="a_new_word"),
    ),
    *(
        Heard(
            96,
            f"{word} is {meant}",
            "bedrock",
            {FINISH: meant, CONTENT: "Hi"},
            events=converse_events([words("Hi")], stop=word),
            whole=conversed(words("Hi"), stop=word),
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
        Heard(
            96,
            f"{how} is a call's where there was one",
            "bedrock",
            {FINISH: "tool_calls", CALLS: [LOOK]},
            events=converse_events([begins("a"), argues("{}")], stop=word),
            whole=conversed(uses("a"), stop=word),
        )
        for how, word in (("a word of Converse's that nobody knows", "a_new_word"), ("no word", ""))
    ),
    Heard(
        96,
        "nothing is an end to Converse as well",
        "bedrock",
        {FINISH: "stop", CONTENT: "Hi"},
        whole=conversed(words("Hi"), stop=None),
    ),
    *(
        Fails(
            96, f"{word} is a failure, not an end", target, "server", body=completion({"content": "Hi"}, word)
        )
        for target, word in (
            ("deepseek", "insufficient_system_resource"),
            ("zai", "network_error"),
            ("openrouter", "error"),
        )
    ),
    *(
        Heard(
            97,
            "stop beside calls is an end by calls",
            target,
            {FINISH: "tool_calls", CALLS: [LOOK]},
            events=CALLING,
            whole=CALLED,
        )
        for target in ("ollama", "vllm", "together")
    ),
    Heard(
        97,
        "as it is at Gemini",
        "gemini",
        {FINISH: "tool_calls"},
        events=[generated(function_call())],
        whole=generated(function_call()),
    ),
    Heard(
        97,
        "but OpenAI means it, of a call that was forced",
        "openai",
        {FINISH: "stop"},
        events=CALLING,
        whole=CALLED,
    ),
    Heard(
        98,
        "an answer cut off in a call stays cut off",
        "vllm",
        {FINISH: "length", f"{CALLS}.0.function.arguments": '{"at": "Gra'},
        events=[
            piece(index=0, id="a", type="function", function={"name": "look", "arguments": ""}),
            piece(index=0, function={"arguments": '{"at": "Gra'}),
            chunk("length"),
        ],
        whole=completion(
            {"tool_calls": [{**LOOK, "function": {"name": "look", "arguments": '{"at": "Gra'}}]}, "length"
        ),
    ),
    Heard(
        98,
        "and gets no arguments that it had not",
        "vllm",
        {FINISH: "length", f"{CALLS}.0.function.arguments": ""},
        events=[piece(index=0, **BARE), chunk("length")],
        whole=completion({"tool_calls": [BARE]}, "length"),
    ),
    Heard(
        98,
        "at Claude as well",
        "anthropic",
        {FINISH: "length", f"{CALLS}.0.function.arguments": '{"at"'},
        events=message_events([use("a"), input_delta('{"at"')], stop="max_tokens"),
    ),
    Heard(
        98,
        "and on Bedrock",
        "bedrock",
        {FINISH: "length", f"{CALLS}.0.function.arguments": '{"at"'},
        events=converse_events([begins("a"), argues('{"at"')], stop="max_tokens"),
    ),
    Heard(
        99,
        "a pause is an end",
        "anthropic",
        {FINISH: "stop", CONTENT: "Hi"},
        events=message_events(says("Hi"), stop="pause_turn"),
        whole=message(text("Hi"), stop="pause_turn"),
    ),
    Heard(
        99,
        "a refusal says why where nothing else was said",
        "anthropic",
        {FINISH: "content_filter", REFUSAL: "Not this."},
        events=message_events(
            stop="refusal", delta={"stop_details": {"type": "refusal", "explanation": "Not this."}}
        ),
        whole=message(stop="refusal", stop_details={"type": "refusal", "explanation": "Not this."}),
    ),
    Heard(
        99,
        "a refusal behind text leaves the text",
        "anthropic",
        {FINISH: "content_filter", CONTENT: "Well, "},
        events=message_events(says("Well, "), stop="refusal", delta={"stop_details": {"explanation": "No."}}),
        whole=message(text("Well, "), stop="refusal", stop_details={"explanation": "No."}),
    ),
    Heard(
        100,
        "a prompt that was blocked is an answer that says so",
        "gemini",
        {
            FINISH: "content_filter",
            REFUSAL: "The provider blocked the prompt: SAFETY.",
            "usage.prompt_tokens": 3,
        },
        events=[BLOCKED],
        whole=BLOCKED,
    ),
    Heard(
        100,
        "what a guardrail of Bedrock's says instead is the answer",
        "bedrock",
        {FINISH: "content_filter", CONTENT: "Blocked.", "usage.prompt_tokens": 3},
        events=converse_events([words("Blocked.")], stop="guardrail_intervened"),
        whole=conversed(words("Blocked."), stop="guardrail_intervened"),
    ),
    Heard(
        100,
        "a filter that lets nothing through is an answer too",
        "bedrock",
        {FINISH: "content_filter", "usage.prompt_tokens": 3},
        events=converse_events(stop="content_filtered"),
        whole=conversed(stop="content_filtered"),
    ),
    Heard(
        101,
        "an answer with nothing in it is an empty text",
        "gemini",
        {FINISH: "stop", CONTENT: ""},
        whole={**generated(), "candidates": [{"finishReason": "STOP", "index": 0}]},
    ),
    *(
        Fails(
            102, f"{word} with nothing said is asked again", "gemini", "server", body=generated(finish=word)
        )
        for word in ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL")
    ),
    *(
        Fails(102, f"{word} with nothing said, {how}, is asked again", "bedrock", "server", **told)
        for word in ("malformed_tool_use", "malformed_model_output")
        for how, told in (
            ("whole", {"body": conversed(stop=word)}),
            ("streamed", {"events": converse_events(stop=word)}),
        )
    ),
    *(
        Heard(
            102,
            f"{word} behind text is an end",
            "bedrock",
            {FINISH: "stop", CONTENT: "Hi"},
            events=converse_events([words("Hi")], stop=word),
            whole=conversed(words("Hi"), stop=word),
        )
        for word in ("malformed_tool_use", "malformed_model_output")
    ),
    Heard(
        102,
        "what there is of a broken call is not for the client to run",
        "bedrock",
        {FINISH: "stop", f"{CALLS}.0.function.arguments": '{"at": '},
        events=converse_events([begins("a"), argues('{"at": ')], stop="malformed_tool_use"),
    ),
    Heard(
        102,
        "behind text it is an end",
        "gemini",
        {FINISH: "stop", CONTENT: "Hi"},
        events=[generated({"text": "Hi"}, finish="MALFORMED_FUNCTION_CALL")],
        whole=generated({"text": "Hi"}, finish="MALFORMED_FUNCTION_CALL"),
    ),
    Heard(
        103,
        "text and calls are both kept",
        "anthropic",
        {CONTENT: "I look.", CALLS: [LOOK], FINISH: "tool_calls"},
        events=message_events(says("I look."), [use("a")], stop="tool_use"),
        whole=message(text("I look."), use("a"), stop="tool_use"),
    ),
    Heard(
        103,
        "content is null only where there is no text",
        "anthropic",
        {CONTENT: None, CALLS: [LOOK]},
        whole=message(use("a"), stop="tool_use"),
    ),
    Heard(
        103,
        "on Bedrock both are kept",
        "bedrock",
        {CONTENT: "I look.", CALLS: [LOOK], FINISH: "tool_calls"},
        events=converse_events([words("I look.")], [begins("a"), argues("{}")], stop="tool_use"),
        whole=conversed(words("I look."), uses("a"), stop="tool_use"),
    ),
    Heard(
        103,
        "and content is null only where there is no text",
        "bedrock",
        {CONTENT: None, CALLS: [LOOK]},
        whole=conversed(uses("a"), stop="tool_use"),
    ),
    Heard(
        103,
        "at Gemini as well",
        "gemini",
        {CONTENT: "I look.", f"{CALLS}.0.function.name": "look"},
        events=[generated({"text": "I look."}, finish=None), generated(function_call())],
        whole=generated({"text": "I look."}, function_call()),
    ),
    *(
        Heard(
            104,
            "a call without arguments has an empty object",
            target,
            {f"{CALLS}.0.function.arguments": "{}", FINISH: "tool_calls"},
            events=events,
            whole=whole,
        )
        for target, events, whole in (
            (
                "vllm",
                [piece(index=0, **BARE), chunk("tool_calls")],
                completion({"tool_calls": [BARE]}, "tool_calls"),
            ),
            (
                "anthropic",
                message_events([use("a"), input_delta("")], stop="tool_use"),
                message(use("a"), stop="tool_use"),
            ),
            (
                "bedrock",
                converse_events([begins("a"), argues("")], stop="tool_use"),
                conversed(begins("a"), stop="tool_use"),
            ),
            ("gemini", [generated(function_call())], generated({"functionCall": {"name": "look"}})),
        )
    ),
    Heard(
        104,
        "a stream that ends without a reason gives it one too",
        "vllm",
        {f"{CALLS}.0.function.arguments": "{}", FINISH: "tool_calls"},
        events=[piece(index=0, **BARE), DONE],
    ),
    Heard(
        105,
        "a first piece of input that is empty does not lose the call",
        "anthropic",
        {f"{CALLS}.0.function.arguments": '{"a":1}', FINISH: "tool_calls"},
        events=message_events([use("a"), input_delta(""), input_delta('{"a":1}')], stop="tool_use"),
    ),
    Heard(
        105,
        "nor does it on Bedrock",
        "bedrock",
        {f"{CALLS}.0.function.arguments": '{"a":1}', FINISH: "tool_calls"},
        events=converse_events([begins("a"), argues(""), argues('{"a":1}')], stop="tool_use"),
    ),
    Heard(
        106,
        "calls are counted over the whole stream, and among calls only",
        "anthropic",
        {f"{CALLS}.0.id": "a", f"{CALLS}.1.id": "b", f"{CALLS}.2": GONE},
        events=message_events(
            [{"type": "thinking", "thinking": "", "signature": ""}],
            says("I look."),
            [use("a"), input_delta("{}")],
            [use("b"), input_delta("{}")],
            stop="tool_use",
        ),
    ),
    Heard(
        106,
        "Converse's blocks are of all sorts as well",
        "bedrock",
        {f"{CALLS}.0.id": "a", f"{CALLS}.1.id": "b", f"{CALLS}.2": GONE, THOUGHTS: "Hm."},
        events=converse_events(
            [{"reasoningContent": {"text": "Hm."}}, {"reasoningContent": {"signature": "c2ln"}}],
            [words("I look.")],
            [begins("a"), argues("{}")],
            [begins("b"), argues("{}")],
            stop="tool_use",
        ),
    ),
    Heard(
        106,
        "also where each comes in an event of its own",
        "gemini",
        {f"{CALLS}.0.function.name": "first", f"{CALLS}.1.function.name": "second"},
        events=[generated(function_call("first"), finish=None), generated(function_call("second"))],
    ),
    Heard(
        106,
        "and where each is number 0",
        "qwen",
        {f"{CALLS}.0.id": "a", f"{CALLS}.1.id": "b"},
        events=[piece(index=0, **LOOK), piece(index=0, **{**LOOK, "id": "b"}), chunk("tool_calls")],
    ),
    *(
        Heard(
            107,
            "one function called twice at once is two calls",
            target,
            {f"{CALLS}.0.function.arguments": '{"a":1}', f"{CALLS}.1.function.arguments": '{"a":2}'},
            events=events,
        )
        for target, events in (
            ("gemini", [generated(function_call(a=1), function_call(a=2))]),
            (
                "anthropic",
                message_events([use("x"), input_delta('{"a":1}')], [use("y"), input_delta('{"a":2}')]),
            ),
            (
                "bedrock",
                converse_events([begins("x"), argues('{"a":1}')], [begins("y"), argues('{"a":2}')]),
            ),
            (
                "groq",
                [
                    piece(index=at, id=id, type="function", function={"name": "look", "arguments": said})
                    for at, id, said in ((0, "x", '{"a":1}'), (1, "y", '{"a":2}'))
                ]
                + [chunk("tool_calls")],
            ),
        )
    ),
    *(
        Heard(
            number,
            how,
            "qwen",
            {CALLS: [{**LOOK, "function": {"name": "look", "arguments": '{"a":1}'}, "type": "function"}]},
            events=[
                chunk(role="assistant", **first),
                piece(index=0, id="a", type="function", function={"name": "look", "arguments": ""}),
                chunk(role=again.pop("role"), tool_calls=[{**again, "function": function}]),
                chunk("tool_calls"),
            ],
        )
        for number, how, first, again, function in (
            (
                108,
                "an id and a name that are empty later on say nothing",
                {"content": ""},
                {"role": "", "index": 0, "id": "", "type": "function"},
                {"name": "", "arguments": '{"a":1}'},
            ),
            (
                108,
                "nor do those that are null",
                {"content": None},
                {"role": None, "index": 0, "id": None, "type": None},
                {"name": None, "arguments": '{"a":1}'},
            ),
            (
                109,
                "an id, a name and a role that are told again are told once",
                {"content": ""},
                {"role": "assistant", "index": 0, "id": "a", "type": "function"},
                {"name": "look", "arguments": '{"a":1}'},
            ),
        )
    ),
    Heard(
        110,
        "a call without a number gets one",
        "ollama",
        {f"{CALLS}.0.id": "a", f"{CALLS}.1.id": "b"},
        events=[chunk(tool_calls=[LOOK, {**LOOK, "id": "b"}]), chunk("tool_calls")],
    ),
    Heard(
        111,
        "arguments that are an object become text",
        "cloudflare",
        {f"{CALLS}.0.function.arguments": '{"ort":"Zürich"}'},
        events=[
            piece(index=0, id="a", function={"name": "look", "arguments": {"ort": "Zürich"}}),
            chunk("stop"),
        ],
        whole=completion(
            {"tool_calls": [{"id": "a", "function": {"name": "look", "arguments": {"ort": "Zürich"}}}]}
        ),
    ),
    Heard(
        111,
        "also one of nothing",
        "cloudflare",
        {f"{CALLS}.0.function.arguments": "{}"},
        events=[piece(index=0, id="a", function={"name": "look", "arguments": {}}), chunk("stop")],
        whole=completion({"tool_calls": [{"id": "a", "function": {"name": "look", "arguments": {}}}]}),
    ),
    Heard(
        112,
        "what a provider's own tools do is no call of the client's",
        "anthropic",
        {CONTENT: "Found.", CALLS: GONE, FINISH: "stop"},
        events=message_events(
            [{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, input_delta("{}")],
            [{"type": "web_search_tool_result", "tool_use_id": "s", "content": []}],
            says("Found."),
        ),
        whole=message(
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
            text("Found."),
        ),
    ),
    Heard(
        112,
        "nor is what Amazon's do",
        "bedrock",
        {CONTENT: "Found.", CALLS: GONE, FINISH: "stop"},
        events=converse_events(
            [begins("s", "nova_grounding", type="server_tool_use"), argues("{}")],
            [{"toolResult": [{"text": "x"}]}],
            [words("Found."), {"citation": {"title": "x"}}],
        ),
        whole=conversed(
            {**begins("s", "nova_grounding", type="server_tool_use", input={})},
            {"toolResult": {"toolUseId": "s", "content": [words("x")]}},
            {"citationsContent": {"content": [words("Found.")], "citations": []}},
        ),
    ),
    *(
        Heard(
            113,
            "thoughts have one name",
            target,
            {THOUGHTS: "Hm.", CONTENT: "Yes.", "choices.0.message.reasoning": GONE},
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
                [generated({"text": "Hm.", "thought": True}, {"text": "Yes."})],
                generated({"text": "Hm.", "thought": True}, {"text": "Yes."}),
            ),
            (
                "bedrock",
                converse_events([{"reasoningContent": {"text": "Hm."}}], [words("Yes.")]),
                conversed({"reasoningContent": {"reasoningText": {"text": "Hm."}}}, words("Yes.")),
            ),
            (
                "anthropic",
                message_events(
                    [{"type": "thinking", "thinking": ""}, {"type": "thinking_delta", "thinking": "Hm."}],
                    says("Yes."),
                ),
                message({"type": "thinking", "thinking": "Hm."}, text("Yes.")),
            ),
        )
    ),
    *(
        Heard(
            113,
            f"thoughts in the text {how}",
            target,
            {THOUGHTS: thoughts, CONTENT: content, FINISH: "stop"},
            events=[*(chunk(content=one) for one in pieces), chunk("stop")],
            whole=completion({"content": "".join(pieces)}),
        )
        for how, target, pieces, thoughts, content in (
            ("of gpt-oss are", OSS, ["<reason", "ing>Hm.</reas", "oning>", "Yes."], "Hm.", "Yes."),
            ("are told apart", "minimax", ["<think>Hm.</think>\n\nYes."], "Hm.", "Yes."),
            (
                "are, wherever it is cut",
                "perplexity",
                ["\n<th", "ink>", "H", "m.</", "thi", "nk>", "\n", "\nY", "es."],
                "Hm.",
                "Yes.",
            ),
            ("may never end", "minimax", ["<think>Hm. </thi"], "Hm. </thi", ""),
            (
                "begin it, or they are none",
                "minimax",
                ["Yes <think>no</think>"],
                GONE,
                "Yes <think>no</think>",
            ),
            ("are not begun by every sign", "minimax", ["<", "thin"], GONE, "<thin"),
            ("are text where nobody says so", "openai", ["<think>Hm.</think>"], GONE, "<think>Hm.</think>"),
        )
    ),
    Heard(
        114,
        "a list of thoughts and texts is told apart",
        "mistral",
        {THOUGHTS: "Hm.", CONTENT: "Yes."},
        events=[
            chunk(content=[{"type": "thinking", "thinking": [text("Hm.")]}]),
            chunk(content=[text("Yes.")]),
            chunk("stop"),
        ],
        whole=completion({"content": [{"type": "thinking", "thinking": [text("Hm.")]}, text("Yes.")]}),
    ),
    Heard(
        115,
        "what was read from the cache or written to it is input too",
        "anthropic",
        {
            "usage.prompt_tokens": 18909,
            "usage.completion_tokens": 5,
            "usage.total_tokens": 18914,
            "usage.prompt_tokens_details": {"cached_tokens": 18901, "cache_write_tokens": 0},
        },
        whole=message(
            text("Hi"), usage={"input_tokens": 8, "cache_read_input_tokens": 18901, "output_tokens": 5}
        ),
    ),
    Heard(
        115,
        "on Bedrock as well",
        "bedrock",
        {
            "usage.prompt_tokens": 18912,
            "usage.completion_tokens": 2,
            "usage.total_tokens": 18914,
            "usage.prompt_tokens_details": {"cached_tokens": 18901, "cache_write_tokens": 8},
        },
        events=converse_events([words("Hi")], usage=CACHED),
        whole=conversed(words("Hi"), usage=CACHED),
    ),
    Heard(
        116,
        "usage of a stream is the latest of each count, not their sum",
        "anthropic",
        {
            "usage.prompt_tokens": 43,
            "usage.completion_tokens": 9,
            "usage.prompt_tokens_details.cached_tokens": 40,
        },
        events=message_events(
            says("Hi"), usage={"input_tokens": 3, "cache_read_input_tokens": 40, "output_tokens": 9}
        ),
    ),
    Heard(
        117,
        "what Gemini thinks is output",
        "gemini",
        {"usage.completion_tokens": 12, "usage.completion_tokens_details.reasoning_tokens": 10},
        whole=generated(
            {"text": "Hi"},
            usage={"promptTokenCount": 3, "candidatesTokenCount": 2, "thoughtsTokenCount": 10},
        ),
    ),
    Heard(
        117,
        "what Claude thinks is in its output",
        "anthropic",
        {"usage.completion_tokens": 12, "usage.completion_tokens_details.reasoning_tokens": 10},
        whole=message(
            text("Hi"),
            usage={
                "input_tokens": 3,
                "output_tokens": 12,
                "output_tokens_details": {"thinking_tokens": 10},
            },
        ),
    ),
    Holds(117, "what xAI reasons is output, though it counts it apart", what_xai_reasons_counts_as_output),
    *(
        Heard(
            118,
            f"usage {how} is told once, and last",
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
                "beside the end",
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
                    generated({"text": "Hi"}, finish=None, usage={"candidatesTokenCount": 1}),
                    generated({"text": "!"}, usage={"candidatesTokenCount": 2}),
                ],
            ),
        )
    ),
    Heard(
        116,
        "Converse tells it once, behind the end",
        "bedrock",
        {"usage.prompt_tokens": 3, "usage.completion_tokens": 2, FINISH: "stop"},
        events=converse_events([words("Hi")]),
    ),
    Heard(
        119,
        "an answer of Converse's without usage tells none",
        "bedrock",
        {"usage": GONE, CONTENT: "Hi"},
        whole={name: part for name, part in conversed(words("Hi")).items() if name != "usage"},
    ),
    Heard(
        119,
        "nor does its stream",
        "bedrock",
        {"usage": None, CONTENT: "Hi", FINISH: "stop"},
        events=converse_events([words("Hi")])[:-1],
    ),
    Holds(119, "usage that is not told is estimated, and says so", usage_is_never_nothing),
    Holds(121, "the chunks of a stream have one id, one time, one model", a_stream_has_one_head),
    Heard(
        122,
        "a delta of nothing is an empty one",
        "vllm",
        {CONTENT: "Hi", FINISH: "stop"},
        events=[
            HI,
            {**chunk(), "choices": [{"index": 0, "delta": None, "logprobs": None, "finish_reason": "stop"}]},
        ],
    ),
    *(
        Fails(123, f"a 200 that is {whose} error", target, failure_class, body=body)
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
        Fails(124, f"an error that is {how}", target, failure_class, status=status, body=body, shown=shown)
        for how, target, status, body, failure_class, shown in (
            (
                "a page",
                "openai",
                502,
                b"<html>secret</html>",
                "server",
                {"message": "The provider failed."},
            ),
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
        Holds(125, f"{status} is {shown[0]} to the caller", a_caller_sees(error(), status, shown))
        for status, shown in (
            (401, (502, "upstream_error")),
            (403, (502, "upstream_error")),
            (402, (502, "upstream_error")),
            (429, (429, "rate_limit_exceeded")),
            (529, (502, "upstream_error")),
        )
    ),
    Fails(
        126,
        "a wrong key is the gateway's, though Gemini says 400",
        "gemini",
        "auth",
        status=400,
        body=WRONG_KEY,
        shown={"status": 502, "code": "upstream_error"},
    ),
    *(
        Fails(
            127,
            "a prompt that is too long has one code",
            target,
            "context_length",
            status=400,
            body=body,
            shown={"status": 400, "code": "context_length_exceeded", "param": "messages"},
        )
        for target, body in OVERFLOWS.items()
    ),
    Fails(
        127,
        "when a stream says so too",
        "bedrock",
        "context_length",
        events=[{"validationException": {"message": "Input is too long for requested model."}}],
        shown={"status": 400, "code": "context_length_exceeded", "param": "messages"},
    ),
]
