"""Whole answers and streams as messages: blocks, stop reasons, usage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from handler.errors import Json, RateLimited, UpstreamError
from handler.formats.anthropic.format import MESSAGES
from handler.formats.opaque_state import decode_state, is_state
from tests.handler.formats.anthropic.builders import (
    call,
    chunk,
    completion,
    events_of,
    fold,
    parse,
    piece,
    pieces,
    request,
    stream_events,
    text,
    tool_use,
)
from tests.handler.providers.wire_cases import CASES, case_id, chunks_of, completion_of, configuration

DETAIL = {
    "type": "reasoning.text",
    "text": "hm",
    "signature": "s",
    "format": "anthropic-claude-v1",
    "index": 0,
}
SIGNED: Json = {"thought_signature": "AAAA", "extra_content": {"google": {"thought_signature": "AAAA"}}}
EXTRA = {"google": {"thought_signature": "BBBB"}}
PAGE = {
    "type": "url_citation",
    "url_citation": {"url": "https://x", "title": "X", "start_index": 0, "end_index": 1},
}


def message(finish_reason: str = "stop", **fields: Any) -> Json:
    return MESSAGES.answer(completion(finish_reason, **fields), parse(request()))


def plain(blocks: list[Json]) -> list[Json]:
    """Return blocks with their state in place of the text that has it."""
    return [
        {**block, **{name: decode_state(block[name]) for name in block if is_state(block[name])}}
        for block in blocks
    ]


CONTENT = [
    pytest.param({"content": "a"}, [text("a")], id="text"),
    pytest.param({"content": ""}, [], id="no text"),
    pytest.param(
        {"content": None, "tool_calls": [call("a", arguments='{"x": 1}')]}, [tool_use("a", x=1)], id="a call"
    ),
    pytest.param(
        {"content": "t", "tool_calls": [call("a"), call("b")]},
        [text("t"), tool_use("a"), tool_use("b")],
        id="text and calls",
    ),
    pytest.param(
        {"content": None, "tool_calls": [call("a", arguments="")]},
        [tool_use("a")],
        id="a call without arguments",
    ),
    pytest.param(
        {"content": None, "tool_calls": [call("a", arguments="{")]},
        [tool_use("a", _raw="{")],
        id="arguments that are cut off",
    ),
    pytest.param(
        {"content": None, "tool_calls": [call("a", arguments="[1]")]},
        [tool_use("a", value=[1])],
        id="arguments that are a list",
    ),
    pytest.param(
        {"content": None, "tool_calls": [call("f.g:0")]},
        [tool_use("sluice_Zi5nOjA")],
        id="an id with other characters",
    ),
    pytest.param(
        {"content": "a", "reasoning_content": "hm"},
        [{"type": "thinking", "thinking": "hm", "signature": {}}, text("a")],
        id="reasoning",
    ),
    pytest.param(
        {"content": "a", "reasoning_content": "hm", "reasoning_details": [DETAIL]},
        [
            {
                "type": "thinking",
                "thinking": "hm",
                "signature": {"details": [{name: DETAIL[name] for name in DETAIL if name != "text"}]},
            },
            text("a"),
        ],
        id="signed reasoning",
    ),
    pytest.param(
        {"content": "a", "reasoning_details": [{"type": "reasoning.encrypted", "data": "xx"}]},
        [
            {
                "type": "redacted_thinking",
                "data": {"details": [{"type": "reasoning.encrypted", "data": "xx"}]},
            },
            text("a"),
        ],
        id="encrypted reasoning",
    ),
    pytest.param(
        {"content": None, "tool_calls": [call("a", **SIGNED), call("b")]},
        [{"type": "redacted_thinking", "data": {"calls": {"a": SIGNED}}}, tool_use("a"), tool_use("b")],
        id="a signed call",
    ),
    pytest.param(
        {"content": "a", "extra_content": EXTRA},
        [text("a")],
        id="a signed text, whose signature would be the last block",
    ),
    pytest.param(
        {"content": "a", "extra_content": EXTRA, "tool_calls": [call("a")]},
        [text("a"), tool_use("a"), {"type": "redacted_thinking", "data": {"extra": EXTRA}}],
        id="a signed text before a call",
    ),
    pytest.param(
        {"content": "", "extra_content": EXTRA},
        [{"type": "redacted_thinking", "data": {"extra": EXTRA}}],
        id="only a signature",
    ),
    pytest.param(
        {"content": "a", "annotations": [PAGE, {"type": "other"}]},
        [
            text(
                "a",
                citations=[
                    {
                        "type": "web_search_result_location",
                        "url": "https://x",
                        "title": "X",
                        "cited_text": "",
                        "encrypted_index": {},
                    }
                ],
            )
        ],
        id="a citation",
    ),
    pytest.param(
        {"content": "a", "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]},
        [text("a"), text("![image](data:image/png;base64,AA)")],
        id="an image",
    ),
    pytest.param({"content": None, "refusal": "No."}, [text("No.")], id="a refusal"),
    pytest.param(
        {"content": 5, "tool_calls": "x", "reasoning_details": {}, "images": [1], "annotations": 1},
        [],
        id="wrong types",
    ),
]


@pytest.mark.parametrize(("fields", "blocks"), CONTENT)
def test_the_content_of_an_answer(fields: Json, blocks: list[Json]) -> None:
    content = message(**fields)["content"]
    for block in content:
        for citation in block.get("citations") or ():
            citation |= {"encrypted_index": decode_state(citation["encrypted_index"])}
    assert plain(content) == blocks


ENDINGS = [
    pytest.param("stop", {"content": "a"}, "end_turn", id="the end"),
    pytest.param("length", {"content": "a"}, "max_tokens", id="the limit"),
    pytest.param("tool_calls", {"tool_calls": [call()]}, "tool_use", id="a call"),
    pytest.param(
        "stop", {"tool_calls": [call()]}, "tool_use", id="a forced call, which OpenAI ends with stop"
    ),
    pytest.param("length", {"tool_calls": [call(arguments="{")]}, "max_tokens", id="a call that is cut off"),
    pytest.param("content_filter", {"content": "a"}, "refusal", id="a filter"),
    pytest.param("stop", {"refusal": "No."}, "refusal", id="a refusal"),
    pytest.param("odd", {"content": "a"}, "end_turn", id="an unknown reason"),
]


@pytest.mark.parametrize(("reason", "fields", "expected"), ENDINGS)
def test_the_stop_reason(reason: str, fields: Json, expected: str) -> None:
    found = message(reason, **fields)
    details = {"type": "refusal", "category": None, "explanation": fields.get("refusal")}
    assert found["stop_reason"] == expected
    assert found["stop_sequence"] is None
    assert found["stop_details"] == (details if expected == "refusal" else None)


def test_a_stop_sequence_that_the_host_names() -> None:
    answer, chat = completion(content="a"), parse(request(stop_sequences=["END"]))
    for sequence, expected in (
        ("END", ("stop_sequence", "END")),
        ("other", ("end_turn", None)),
        (2, ("end_turn", None)),
    ):
        answer["choices"][0]["stop_reason"] = sequence
        found = MESSAGES.answer(answer, chat)
        assert (found["stop_reason"], found["stop_sequence"]) == expected


def usage(fresh: int, out: int, *, read: int = 0, written: int = 0, hour: int = 0, thinking: int = 0) -> Json:
    return {
        "input_tokens": fresh,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": written - hour, "ephemeral_1h_input_tokens": hour},
        "output_tokens": out,
        "output_tokens_details": {"thinking_tokens": thinking},
    }


USAGES = [
    pytest.param({"prompt_tokens": 10, "completion_tokens": 3}, usage(10, 3), id="tokens"),
    pytest.param(
        {
            "prompt_tokens": 100,
            "completion_tokens": 9,
            "prompt_tokens_details": {
                "cached_tokens": 60,
                "cache_write_tokens": 30,
                "cache_write_1h_tokens": 10,
            },
            "completion_tokens_details": {"reasoning_tokens": 4},
        },
        usage(10, 9, read=60, written=30, hour=10, thinking=4),
        id="with a cache and reasoning",
    ),
    pytest.param(
        {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.5},
        {**usage(1, 1), "cost": 0.5},
        id="with its cost",
    ),
    pytest.param(
        {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}},
        usage(0, 0, read=9),
        id="more cached than read",
    ),
    pytest.param(
        {"prompt_tokens": "x", "completion_tokens": None, "prompt_tokens_details": []},
        usage(0, 0),
        id="wrong types",
    ),
]


@pytest.mark.parametrize(("given_usage", "expected"), USAGES)
def test_the_usage(given_usage: Json, expected: Json) -> None:
    assert message(content="a", usage=given_usage)["usage"] == expected


def test_the_head_of_a_message_and_the_explanation() -> None:
    answer = {
        **completion(content="a"),
        "id": "chatcmpl.1/2",
        "service_tier": "priority",
        "sluice": {"reason": "rule"},
    }
    found = MESSAGES.answer(answer, parse(request()))
    assert (found["id"], found["type"], found["role"]) == ("msg_chatcmpl_1_2", "message", "assistant")
    assert (found["model"], found["sluice"]) == ("p/m", {"reason": "rule"})
    assert found["usage"]["service_tier"] == "priority"
    assert MESSAGES.answer({**answer, "id": "msg_01"}, parse(request()))["id"] == "msg_01"


def test_the_client_may_hide_the_thinking() -> None:
    chat = parse(request(thinking={"type": "adaptive", "display": "omitted"}))
    chunks = [chunk(reasoning_content="h"), chunk(reasoning_content="m"), chunk(content="a"), chunk("stop")]
    whole = MESSAGES.answer(completion(content="a", reasoning_content="hm"), chat)
    assert plain(whole["content"]) == [
        {"type": "thinking", "thinking": "", "signature": {"text": "hm"}},
        text("a"),
    ]
    assert fold(stream_events(chunks, chat))["content"] == whole["content"]


@pytest.mark.parametrize("case", [case for case in CASES if not configuration(case)[2]], ids=case_id)
def test_the_stream_of_every_provider_builds_the_same_message_as_the_whole_answer(case: Path) -> None:
    chat, chunks = parse(request()), chunks_of(case)
    whole, streamed = MESSAGES.answer(completion_of(case), chat), fold(stream_events(chunks, chat))
    assert _comparable(streamed) == _comparable(whole)
    if case.parent.name != "bedrock":  # whose answers have no id
        assert (streamed["id"], streamed["model"]) == (whole["id"], whole["model"])
    json.dumps(whole, allow_nan=False)


def _comparable(message: Json) -> Json:
    """Return what stays the same: a stream has the order of interleaved blocks, a whole answer has not."""
    found: dict[str, Any] = {"stop_reason": message["stop_reason"], "usage": message["usage"]}
    for block in plain(message["content"]):
        kind = block["type"]
        if kind == "tool_use":
            found.setdefault("uses", []).append((block["id"], block["name"], block["input"]))
        elif kind in ("text", "thinking"):
            found[kind] = found.get(kind, "") + block[kind]
        for state in (block.get("signature"), block.get("data")):
            for name, value in (state or {}).items():
                found[name] = [*found.get(name, []), *value] if isinstance(value, list) else value
    found["details"] = len(found.get("details", ()))
    return found


def test_a_stream_event_by_event() -> None:
    head = {"id": "msg_chatcmpl-1", "type": "message", "role": "assistant", "model": "p/m", "content": []}
    ending = {"stop_reason": None, "stop_sequence": None, "stop_details": None}
    chunks = [
        chunk(role="assistant", content=""),
        chunk(reasoning_content="hm"),
        chunk(content="I "),
        chunk(content="look."),
        pieces({"index": 0, **call("c1", arguments="")}),
        pieces(piece(0, '{"a"')),
        pieces(piece(0, ":1}")),
        chunk("tool_calls"),
        {
            **chunk(),
            "choices": [],
            "usage": {"prompt_tokens": 7, "completion_tokens": 2},
            "sluice": {"reason": "rule"},
        },
    ]
    events = stream_events(chunks)
    signature = events[4]["delta"].pop("signature")
    assert decode_state(signature) == {}
    assert events == [
        {"type": "message_start", "message": {**head, **ending, "usage": usage(0, 0)}},
        {"type": "ping"},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": text("")},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "I "}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "look."}},
        {"type": "content_block_stop", "index": 1},
        {"type": "content_block_start", "index": 2, "content_block": tool_use("c1")},
        {
            "type": "content_block_delta",
            "index": 2,
            "delta": {"type": "input_json_delta", "partial_json": '{"a"'},
        },
        {
            "type": "content_block_delta",
            "index": 2,
            "delta": {"type": "input_json_delta", "partial_json": ":1}"},
        },
        {"type": "content_block_stop", "index": 2},
        {
            "type": "message_delta",
            "delta": {**ending, "stop_reason": "tool_use"},
            "usage": usage(7, 2),
            "sluice": {"reason": "rule"},
        },
        {"type": "message_stop"},
    ]


def first(index: int, arguments: str = "", **more: Any) -> Json:
    return {"index": index, **call(f"c{index}", arguments=arguments, **more)}


SPLIT = [
    pytest.param([pieces(first(0, '{"x":0}')), pieces(first(1, '{"x":1}'))], id="one after the other"),
    pytest.param([pieces(first(0, '{"x":0}'), first(1, '{"x":1}'))], id="in one chunk"),
    pytest.param(
        [
            pieces(first(0), first(1)),
            pieces(piece(0, '{"x"'), piece(1, '{"x":')),
            pieces(piece(1, "1}"), piece(0, ":0}")),
        ],
        id="piece by piece at once",
    ),
    pytest.param(
        [pieces(first(0, '{"x"')), pieces(first(1, '{"x":1}')), pieces(piece(0, ":0}"))],
        id="the first one ends last",
    ),
]


@pytest.mark.parametrize("chunks", SPLIT)
def test_parallel_calls_of_a_stream_become_one_block_each(chunks: list[Json]) -> None:
    found = fold(stream_events([chunk(content="t"), *chunks, chunk("tool_calls")]))
    assert found["content"] == [text("t"), tool_use("c0", x=0), tool_use("c1", x=1)]


def test_text_waits_for_a_call_that_is_incomplete() -> None:
    chunks = [
        pieces(first(0, "{")),
        chunk(content="a"),
        chunk(content="b"),
        pieces(piece(0, "}")),
        chunk(content="c"),
    ]
    assert fold(stream_events(chunks))["content"] == [tool_use("c0"), text("abc")]


def test_reasoning_between_calls_keeps_its_place_in_a_stream() -> None:
    chunks = [
        chunk(reasoning_content="1"),
        pieces(first(0, "{}")),
        chunk(reasoning_content="2"),
        pieces(first(1, "{}")),
    ]
    content = fold(stream_events(chunks))["content"]
    assert [block["type"] for block in content] == ["thinking", "tool_use", "thinking", "tool_use"]


def test_details_in_pieces_are_one_detail() -> None:
    chunks = [
        chunk(
            reasoning_content=letter,
            reasoning_details=[{"type": "reasoning.text", "text": letter, "index": 0}],
        )
        for letter in "hm"
    ]
    chunks += [
        chunk(reasoning_details=[{"type": "reasoning.text", "signature": "s", "index": 0}]),
        chunk(content="a"),
    ]
    whole = {"type": "reasoning.text", "index": 0, "signature": "s"}
    assert plain(fold(stream_events(chunks))["content"])[0]["signature"] == {"details": [whole]}


def test_an_empty_stream_is_a_message() -> None:
    found = fold(stream_events([]))
    assert (found["content"], found["stop_reason"]) == ([], "end_turn")


def test_other_choices_are_left_out() -> None:
    chunks = [chunk(content="a"), {**chunk(), "choices": [{"index": 1, "delta": {"content": "b"}}]}]
    assert fold(stream_events(chunks))["content"] == [text("a")]


def test_long_arguments_take_linear_time() -> None:
    chunks = [pieces(first(0, '{"x":"'))] + [pieces(piece(0, "y" * 50))] * 5000
    chunks += [pieces(first(index)) for index in range(1, 500)]
    events = stream_events(
        [*chunks, pieces(piece(0, '"}')), *(pieces(piece(index, "{}")) for index in range(1, 500))]
    )
    assert len(fold(events)["content"]) == 500


def test_the_keep_alive_is_a_ping() -> None:
    encoder = MESSAGES.encoder(parse(request()))
    assert encoder.media_type == "text/event-stream"
    assert events_of(encoder.keep_alive) == [{"type": "ping"}]
    assert events_of(encoder.keep_alive + encoder.feed(chunk(content="a")))[1]["type"] == "message_start"


@pytest.mark.parametrize("begun", [True, False])
def test_a_stream_that_fails_ends_with_an_error(begun: bool) -> None:
    encoder = MESSAGES.encoder(parse(request()))
    data = encoder.feed(chunk(content="a")) if begun else b""
    data += encoder.fail(UpstreamError("It broke off.", failure_class="network"))
    last = events_of(data)[-1]
    assert (last["type"], last["error"]["type"], last["error"]["message"]) == (
        "error",
        "api_error",
        "It broke off.",
    )


ERRORS = [
    pytest.param(400, "invalid_request_error", id="a bad request"),
    pytest.param(401, "authentication_error", id="no key"),
    pytest.param(402, "billing_error", id="no money"),
    pytest.param(403, "permission_error", id="no permission"),
    pytest.param(404, "not_found_error", id="no such model"),
    pytest.param(405, "invalid_request_error", id="another method"),
    pytest.param(413, "request_too_large", id="too large"),
    pytest.param(429, "rate_limit_error", id="too many"),
    pytest.param(500, "api_error", id="our fault"),
    pytest.param(502, "api_error", id="their fault"),
    pytest.param(503, "overloaded_error", id="nobody can"),
    pytest.param(504, "timeout_error", id="too slow"),
    pytest.param(529, "overloaded_error", id="overloaded"),
]


@pytest.mark.parametrize(("status", "kind"), ERRORS)
def test_the_type_of_an_error(status: int, kind: str) -> None:
    error = UpstreamError("m", failure_class="server", status=status, code="c")
    assert MESSAGES.error(error) == {"type": "error", "error": {"type": kind, "message": "m", "code": "c"}}


def test_an_error_has_sluices_own_members() -> None:
    error = RateLimited("Slow down.", param="model", retry_after=3, metadata={"class": "rate_limit"})
    assert MESSAGES.error(error)["error"] == {
        "type": "rate_limit_error",
        "message": "Slow down.",
        "code": "rate_limit_exceeded",
        "param": "model",
        "metadata": {"class": "rate_limit", "retry_after": 3},
    }


@pytest.mark.parametrize("words", ["Too many tokens.", "Prompt is too long: 9 > 8"])
def test_clients_recognise_a_prompt_that_is_too_long(words: str) -> None:
    error = UpstreamError(words, failure_class="context_length", status=400, code="context_length_exceeded")
    assert MESSAGES.error(error)["error"]["message"].lower().count("prompt is too long") == 1
