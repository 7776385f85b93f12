"""What the Bedrock translator sends and answers, beside its captures: the edges of what clients ask for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import Json, UpstreamError
from handler.providers.bedrock.translator import Bedrock
from handler.providers.provider import Quirks
from rules import Model, load_catalog
from rules.catalog.catalog import unlisted_model
from tests.handler.providers.bedrock.test_botocore import operation, strays

NOVA, NOVA2 = "amazon.nova-lite-v1:0", "us.amazon.nova-2-lite-v1:0"
CLAUDE, BUDGET = "us.anthropic.claude-sonnet-4-6", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
MISTRAL, LLAMA, GPT = (
    "mistral.mistral-large-2407-v1:0",
    "meta.llama3-3-70b-instruct-v1:0",
    "us.openai.gpt-5.4",
)
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACw="


def model(name: str) -> Model:
    return load_catalog().pin("bedrock", name) or unlisted_model("bedrock", name)


def request(chat: Json, name: str = NOVA) -> tuple[Json, tuple[str, ...]]:
    return Bedrock().request({"messages": [user("Hi")], **chat}, model(name), Quirks())


def messages(*said: Json, name: str = NOVA, **chat: Any) -> list[Any]:
    return [
        (one["role"], one["content"])
        for one in request({"messages": list(said), **chat}, name)[0]["messages"]
    ]


def user(content: Any, **more: Any) -> Json:
    return {"role": "user", "content": content, **more}


def called(*calls: Json, content: Any = None) -> Json:
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


def call(id: str, name: str = "look", arguments: Any = "{}") -> Json:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(id: str, content: Any = "ok", **more: Any) -> Json:
    return {"role": "tool", "tool_call_id": id, "content": content, **more}


def tool(name: str = "look", **more: Any) -> Json:
    return {"type": "function", "function": {"name": name, **more}}


def refused(chat: Json, name: str = NOVA) -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        request(chat, name)
    assert (raised.value.failure_class, raised.value.status) == ("invalid_request", 400)
    assert raised.value.code == "unsupported_parameter"
    return raised.value


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param([user(" \n")], [("user", [{"text": "."}])], id="a blank text becomes a placeholder"),
        pytest.param(
            [user("a"), user("b")],
            [("user", [{"text": "a"}, {"text": "b"}])],
            id="two user messages become one turn",
        ),
        pytest.param(
            [{"role": "system", "content": "S"}],
            [("user", [{"text": "S"}])],
            id="a system message alone becomes the user's",
        ),
        pytest.param(
            [user("a"), {"role": "system", "content": "S"}, user("b")],
            [("user", [{"text": "a"}, {"text": "<system>\nS\n</system>"}, {"text": "b"}])],
            id="a later system message stays in its place",
        ),
        pytest.param(
            [user("a"), called(call("x"), content="")],
            [
                ("user", [{"text": "a"}]),
                ("assistant", [{"toolUse": {"toolUseId": "x", "name": "look", "input": {}}}]),
                (
                    "user",
                    [
                        {
                            "toolResult": {
                                "toolUseId": "x",
                                "content": [{"text": "No result provided."}],
                                "status": "error",
                            }
                        }
                    ],
                ),
            ],
            id="a call without a result gets an error",
        ),
    ],
)
def test_turns(said: list[Json], expected: list[Any]) -> None:
    assert messages(*said) == expected


def test_results_come_first_whatever_order_they_were_sent_in() -> None:
    sent = messages(
        user("a"), called(call("1"), call("2")), user("wait"), result("2", ""), result("1"), tools=[tool()]
    )
    kinds = [next(iter(block)) for block in sent[-1][1]]
    assert kinds == ["toolResult", "toolResult", "text"]
    assert [block["toolResult"]["toolUseId"] for block in sent[-1][1][:2]] == ["1", "2"]
    assert sent[-1][1][1]["toolResult"]["content"] == [{"text": "(no output)"}]


@pytest.mark.parametrize(
    ("id", "name", "fits"),
    [
        pytest.param("tooluse_x-1", NOVA, True, id="a valid id is unchanged"),
        pytest.param("x" * 64, NOVA, True, id="the longest valid id"),
        pytest.param("x" * 65, NOVA, False, id="an id that is too long"),
        pytest.param("call 1/ä", NOVA, False, id="an id with other characters"),
        pytest.param("abcDEF123", MISTRAL, True, id="nine characters for Mistral"),
        pytest.param("call_abcdef", MISTRAL, False, id="another length for Mistral"),
    ],
)
def test_ids_of_calls(id: str, name: str, fits: bool) -> None:
    said = (user("a"), called(call(id)), result(id))
    blocks = [block for _, content in messages(*said, name=name) for block in content]
    made = {
        block[kind]["toolUseId"] for block in blocks for kind in ("toolUse", "toolResult") if kind in block
    }
    assert len(made) == 1
    assert (made == {id}) is fits
    assert messages(*said, name=name) == messages(*said, name=name), "the same today and tomorrow"


def test_an_id_that_repeats_is_another_one_for_mistral_too() -> None:
    said = (user("a"), called(call("call_0")), result("call_0"), called(call("call_0")), result("call_0"))
    body = request({"messages": list(said)}, MISTRAL)[0]
    ids = [
        block["toolUse"]["toolUseId"]
        for one in body["messages"]
        for block in one["content"]
        if "toolUse" in block
    ]
    assert len(set(ids)) == 2
    assert all(len(id) == 9 and id.isalnum() for id in ids)


@given(st.text(max_size=70), st.text(max_size=40))
def test_whatever_ids_and_names_clients_have_the_request_is_one(id: str, name: str) -> None:
    chat = {
        "messages": [user("a"), called(call(id, name or "x")), result(id)],
        "tools": [tool("x"), *([tool(name)] if name.isalnum() and name != "x" and len(name) < 9 else [])],
    }
    body = request(chat, MISTRAL)[0]
    shape = operation("Converse").input_shape
    called_ = [stray for stray in strays(body, shape) if ".toolUse.name" not in stray or name]
    assert called_ == []


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=8))
def test_a_name_comes_back_as_it_was(name: str) -> None:
    spec = request({"tools": [tool(name)]})[0]["toolConfig"]["tools"][0]["toolSpec"]
    block = {"toolUse": {"toolUseId": "t", "name": spec["name"], "input": {}}}
    body = {"output": {"message": {"role": "assistant", "content": [block]}}, "stopReason": "tool_use"}
    answer = Bedrock().response(body, Quirks())
    assert answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == name


def test_a_name_that_is_too_long_is_refused() -> None:
    assert refused({"tools": [tool("x" * 65)]}).param == "tools[0].function.name"


@pytest.mark.parametrize(
    ("part", "param"),
    [
        pytest.param(
            {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
            "image_url.url",
            id="an address",
        ),
        pytest.param(
            {"type": "image_url", "image_url": {"url": "s3://bucket/a.png"}},
            "image_url.url",
            id="an address in S3",
        ),
        pytest.param(
            {"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,PHN2Zz4="}},
            "image_url.url",
            id="an SVG",
        ),
        pytest.param(
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,*"}},
            "image_url.url",
            id="not base64",
        ),
        pytest.param({"type": "file", "file": {"file_id": "file-1"}}, "file", id="a file stored elsewhere"),
        pytest.param(
            {"type": "file", "file": {"file_data": "https://x.example/a.pdf"}},
            "file.file_data",
            id="a file as an address",
        ),
        pytest.param(
            {"type": "file", "file": {"file_data": "data:application/zip;base64,UEs="}},
            "file.file_data",
            id="a ZIP",
        ),
        pytest.param({"type": "holograph"}, "type", id="an unknown type"),
    ],
)
def test_content_that_it_cannot_take(part: Json, param: str) -> None:
    error = refused({"messages": [user([{"type": "text", "text": "?"}, part])]})
    assert error.param == f"messages[0].content[1].{param}"


@pytest.mark.parametrize(
    ("part", "block"),
    [
        pytest.param(
            {"type": "image_url", "image_url": {"url": PIXEL}},
            {"image": {"format": "gif", "source": {"bytes": PIXEL.partition(",")[2]}}},
            id="an image",
        ),
        pytest.param(
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            {"audio": {"format": "mp3", "source": {"bytes": "AAAA"}}},
            id="audio",
        ),
        pytest.param(
            {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
            {"video": {"format": "mp4", "source": {"bytes": "AAAA"}}},
            id="a video",
        ),
        pytest.param(
            {"type": "file", "file": {"filename": "ä*.docx", "file_data": "AAAA"}},
            {"document": {"format": "docx", "source": {"bytes": "AAAA"}, "name": "document"}},
            id="a document with no permitted character in its name",
        ),
    ],
)
def test_content_that_it_takes(part: Json, block: Json) -> None:
    assert messages(user([{"type": "text", "text": "?"}, part])) == [("user", [{"text": "?"}, block])]


@pytest.mark.parametrize(
    ("name", "chat", "expected", "left_out"),
    [
        pytest.param(
            NOVA,
            {"reasoning_effort": "low"},
            {},
            ["reasoning_effort"],
            id="an effort for a model that does not think",
        ),
        pytest.param(NOVA2, {"reasoning_effort": "none"}, {}, [], id="Nova does not think by default"),
        pytest.param(
            NOVA2,
            {"reasoning_effort": "minimal", "max_tokens": 9},
            {
                "additionalModelRequestFields": {
                    "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}
                },
                "inferenceConfig": {"maxTokens": 9},
            },
            ["reasoning_effort"],
            id="an effort below Nova's lowest",
        ),
        pytest.param(
            GPT,
            {"reasoning_effort": "high", "temperature": 0, "top_k": 3},
            {"additionalModelRequestFields": {"reasoning": {"effort": "high"}}},
            ["temperature", "top_k"],
            id="GPT's effort has a field of its own",
        ),
        pytest.param(
            CLAUDE,
            {"reasoning_effort": "none"},
            {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}},
            [],
            id="Claude's thinking is disabled",
        ),
        pytest.param(
            BUDGET,
            {"reasoning_effort": "high", "max_tokens": 3000},
            {
                "inferenceConfig": {"maxTokens": 3000},
                "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1500}},
            },
            [],
            id="a budget is less than max_tokens",
        ),
        pytest.param(
            CLAUDE,
            {"temperature": 0.5, "top_p": 0.5, "top_k": 4},
            {
                "inferenceConfig": {"temperature": 0.5},
                "additionalModelRequestFields": {"top_k": 4},
            },
            ["top_p"],
            id="Claude accepts only one of temperature and top_p",
        ),
        pytest.param(
            NOVA,
            {"temperature": 0, "stop": ["", " ", "x"], "max_completion_tokens": 99999},
            {"inferenceConfig": {"maxTokens": 10000, "temperature": 0, "stopSequences": ["x"]}},
            ["max_completion_tokens", "stop"],
            id="temperature 0, a blank stop and max_tokens above the model's",
        ),
        pytest.param(
            NOVA,
            {"seed": 1, "logit_bias": {}, "user": "u", "n": 1, "store": False, "service_tier": "scale"},
            {},
            ["seed", "user", "service_tier"],
            id="unknown fields are left out",
        ),
        pytest.param(
            NOVA, {"service_tier": "flex"}, {"serviceTier": {"type": "flex"}}, [], id="a service tier"
        ),
    ],
)
def test_tuning(name: str, chat: Json, expected: Json, left_out: list[str]) -> None:
    body, dropped = request(chat, name)
    assert body == {"messages": [{"role": "user", "content": [{"text": "Hi"}]}], **expected}
    assert sorted(dropped) == sorted(left_out)


def test_where_a_call_cannot_be_forced_it_is_asked_for() -> None:
    body, dropped = request({"tools": [tool()], "tool_choice": "required"}, LLAMA)
    assert "toolChoice" not in body["toolConfig"]
    assert "calling at least one" in body["system"][0]["text"]
    assert dropped == ("tool_choice",)


def test_none_of_the_tools_in_a_talk_that_has_calls_is_said_in_words() -> None:
    said = [user("a"), called(call("1")), result("1")]
    body = request({"messages": said, "tools": [tool(description="d")], "tool_choice": "none"})[0]
    assert body["toolConfig"]["tools"][0]["toolSpec"]["description"] == "d"
    assert "Do not call" in body["system"][-1]["text"]


def test_strict_goes_where_the_model_takes_schemas() -> None:
    strict = {"tools": [tool(strict=True, parameters={"type": "object", "properties": {}})]}
    assert request(strict, CLAUDE)[0]["toolConfig"]["tools"][0]["toolSpec"]["strict"] is True
    assert "strict" not in request(strict, LLAMA)[0]["toolConfig"]["tools"][0]["toolSpec"]


def test_a_model_without_system_messages_gets_them_from_the_user() -> None:
    messages = [{"role": "system", "content": "Be brief."}, user("Hi")]
    body = request({"messages": messages}, "mistral.mixtral-8x7b-instruct-v0:1")[0]
    assert "system" not in body
    assert body["messages"] == [{"role": "user", "content": [{"text": "Be brief."}, {"text": "Hi"}]}]


def test_no_more_than_four_cache_marks_and_the_last_ones() -> None:
    marked = {"cache_control": {"type": "ephemeral"}}
    parts = [{"type": "text", "text": str(at), **marked} for at in range(6)]
    content = request({"messages": [user(parts)]}, CLAUDE)[0]["messages"][0]["content"]
    assert sum("cachePoint" in block for block in content) == 4
    assert content[:2] == [{"text": "0"}, {"text": "1"}]


def test_nova_takes_no_cache_mark_among_tools() -> None:
    body = request({"tools": [{**tool(), "cache_control": {"type": "ephemeral"}}]}, NOVA)[0]
    assert len(body["toolConfig"]["tools"]) == 1


def test_a_prefill_is_refused_where_the_model_is_known_not_to_take_it() -> None:
    said = {"messages": [user("a"), {"role": "assistant", "content": "b"}]}
    assert refused(said).param == "messages"
    assert request(said, "some.model-nobody-knows")[0]["messages"][-1]["role"] == "assistant"


def test_thoughts_of_another_model_are_left_out() -> None:
    thought = {"type": "reasoning.text", "text": "t", "signature": "s", "model": "claude-opus-5-5"}
    said = {"role": "assistant", "content": "a", "reasoning_details": [thought]}
    sent = messages(user("q"), said, user("r"), name=CLAUDE, reasoning_effort="low")
    assert sent[1] == ("assistant", [{"text": "a"}])
    mine = {**said, "reasoning_details": [{**thought, "model": "claude-sonnet-4-6"}]}
    kept = messages(user("q"), mine, user("r"), name=CLAUDE, reasoning_effort="low")[1][1][0]
    assert kept == {"reasoningContent": {"reasoningText": {"text": "t", "signature": "s"}}}


@pytest.mark.parametrize(
    ("reason", "content", "finish"),
    [
        pytest.param("end_turn", [{"text": "a"}], "stop", id="end_turn"),
        pytest.param("stop_sequence", [{"text": "a"}], "stop", id="stop_sequence"),
        pytest.param("model_context_window_exceeded", [{"text": "a"}], "length", id="a full context window"),
        pytest.param("content_filtered", [], "content_filter", id="a content filter without content"),
        pytest.param("malformed_tool_use", [{"text": "a"}], "stop", id="a malformed call after text"),
        pytest.param(
            None, [{"toolUse": {"toolUseId": "t", "name": "n"}}], "tool_calls", id="no reason after a call"
        ),
        pytest.param("new", [], "stop", id="an unknown reason"),
    ],
)
def test_stop_reasons(reason: str | None, content: list[Json], finish: str) -> None:
    answer = Bedrock().response(
        {"output": {"message": {"content": content}}, "stopReason": reason, "usage": None}, Quirks()
    )
    assert answer["choices"][0]["finish_reason"] == finish


@pytest.mark.parametrize(
    ("body", "failure_class"),
    [
        pytest.param({}, "protocol", id="an empty body"),
        pytest.param({"output": {"message": {"content": None}}}, "protocol", id="no content"),
        pytest.param({"message": "Something went wrong."}, "server", id="an error with status 200"),
        pytest.param(
            {"output": {"message": {"content": []}}, "stopReason": "malformed_model_output"},
            "server",
            id="malformed output without content",
        ),
    ],
)
def test_a_whole_answer_that_is_none(body: Json, failure_class: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        Bedrock().response(body, Quirks())
    assert raised.value.failure_class == failure_class


@pytest.mark.parametrize("event", ["[]", "{}", '{"contentBlockStart": {}}', '{"messageStop"'])
def test_one_event_that_is_none_is_skipped_and_a_second_is_a_failure(event: str) -> None:
    decoder = Bedrock().stream(Quirks())
    assert list(decoder.feed('{"messageStart": {"role": "assistant"}}'))
    assert list(decoder.feed(event)) == []
    with pytest.raises(UpstreamError) as raised:
        list(decoder.feed(event))
    assert raised.value.failure_class == "protocol"


def test_every_model_of_bedrock_gets_a_request_that_the_service_knows() -> None:
    chat = {
        "messages": [
            {"role": "system", "content": "S"},
            user("a"),
            called(call("1")),
            result("1"),
            user("b"),
        ],
        "tools": [tool(parameters={"type": "object"})],
        "reasoning_effort": "medium",
        "temperature": 0.3,
        "max_tokens": 2000,
    }
    converse = [one for one in load_catalog().all() if one.provider == "bedrock"]
    assert len(converse) > 200
    for one in converse:
        body, _ = Bedrock().request(chat, one, Quirks())
        assert list(strays(body, operation("Converse").input_shape)) == [], one.id
        assert json.loads(json.dumps(body)) == body


def test_a_custom_tool_takes_text_and_comes_back_as_one() -> None:
    spec = request({"tools": [{"type": "custom", "custom": {"name": "sh"}}]})[0]["toolConfig"]["tools"][0]
    name = spec["toolSpec"]["name"]
    events: list[Json] = [
        {"messageStart": {"role": "assistant"}},
        {
            "contentBlockStart": {
                "start": {"toolUse": {"toolUseId": "t", "name": name}},
                "contentBlockIndex": 0,
            }
        },
        {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"input": "ls"}'}}, "contentBlockIndex": 0}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "tool_use"}},
    ]
    decoder = Bedrock().stream(Quirks())
    deltas = [one["choices"][0]["delta"] for event in events for one in decoder.feed(json.dumps(event))]
    assert list(decoder.close()) == []
    (call_,) = [one for delta in deltas for one in delta.get("tool_calls", ())]
    assert call_ == {"index": 0, "id": "t", "type": "custom", "custom": {"name": "sh", "input": "ls"}}


@pytest.mark.parametrize(
    ("status", "headers", "body", "failure_class"),
    [
        pytest.param(502, {}, b"<html>Bad gateway</html>", "server", id="an HTML page"),
        pytest.param(429, {}, b"", "rate_limit", id="only a status"),
        pytest.param(
            400,
            {"x-amzn-errortype": "ServiceQuotaExceededException"},
            b"-",
            "rate_limit",
            id="text that is not JSON",
        ),
        pytest.param(
            400,
            {"x-amzn-errortype": "com.amazon#ThrottlingException:http://x/"},
            b"{}",
            "rate_limit",
            id="a type with namespace and address",
        ),
        pytest.param(
            400, {"x-amzn-errortype": "BrandNewException"}, b"[]", "invalid_request", id="an unknown type"
        ),
    ],
)
def test_errors_of_odd_shapes(status: int, headers: dict[str, str], body: bytes, failure_class: str) -> None:
    assert Bedrock().error(status, headers, body).failure_class == failure_class
