"""The Gemini translator: the edge cases of a request, of an answer and of a stream, one a case."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.answers.client_stream import ClientStream, content_of
from handler.answers.usage import usage_of
from handler.errors import Json, UpstreamError
from handler.providers.data_urls import parse_data_url
from handler.providers.google.names import decode_name, encode_name
from handler.providers.google.schema import gemini_schema
from handler.providers.google.translator import Google
from handler.providers.openai.translator import OpenAI
from handler.providers.provider import Quirks
from handler.providers.quirks.model_rules import PLACEHOLDER_SIGNATURE
from handler.providers.rows.builtin import PROVIDERS
from handler.wire.splice import splice
from rules import Model, load_catalog
from rules.catalog.catalog import unlisted_model
from tests.support.canned_answers import Reply, whole
from tests.support.gateways import RunningGateway, provider, start_gateway
from tests.support.upstream import Upstream

QUIRKS = PROVIDERS["gemini"].quirks
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n and so on").decode()
SIGNATURE = base64.b64encode(b"a thought that nobody sees").decode()
HELLO: list[Json] = [{"role": "user", "content": "Hello"}]


def model(name: str = "gemini-3.5-flash") -> Model:
    return load_catalog().get("gemini", name) or unlisted_model("gemini", name)


def asked(chat: Json, name: str = "gemini-3.5-flash", quirks: Quirks = QUIRKS) -> tuple[Json, list[str]]:
    before = json.dumps(chat)
    body, dropped = Google().request({"messages": HELLO, **chat}, model(name), quirks)
    assert json.dumps(chat) == before
    return body, list(dropped)


def contents(*messages: Json, name: str = "gemini-3.5-flash") -> list[Json]:
    found: list[Json] = asked({"messages": list(messages)}, name)[0]["contents"]
    return found


def refused(chat: Json, name: str = "gemini-3.5-flash") -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        asked(chat, name)
    assert raised.value.failure_class == "invalid_request"
    assert raised.value.status == 400
    return raised.value


def user(*parts: Json) -> Json:
    return {"role": "user", "parts": list(parts)}


def said(*parts: Json) -> Json:
    return {"role": "model", "parts": list(parts)}


def text(words: str) -> Json:
    return {"text": words}


def message(role: str, content: Any = None, **more: Any) -> Json:
    return {"role": role, "content": content, **more}


def call(id: str, name: str = "look", arguments: Any = "{}", **more: Any) -> Json:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def calling(*calls: Json, content: Any = None) -> Json:
    return message("assistant", content, tool_calls=list(calls))


def result(id: str, content: Any = "ok") -> Json:
    return message("tool", content, tool_call_id=id)


@pytest.mark.parametrize(
    ("name", "stream", "path"),
    [
        pytest.param("gemini-x", False, "/models/gemini-x:generateContent", id="a whole answer"),
        pytest.param("gemini-x", True, "/models/gemini-x:streamGenerateContent?alt=sse", id="a stream"),
        pytest.param("models/gemini-x", False, "/models/gemini-x:generateContent", id="named in full"),
        pytest.param("tunedModels/mine", False, "/tunedModels/mine:generateContent", id="a tuned one"),
        pytest.param("a/b", False, "/models/a/b:generateContent", id="nothing else than a model"),
    ],
)
def test_the_path_names_the_model(name: str, stream: bool, path: str) -> None:
    assert Google().path(unlisted_model("gemini", name), stream=stream) == path


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param([message("user", "")], [user(text(" "))], id="a user who says nothing"),
        pytest.param([message("system", "Be kind.")], [user(text("Be kind."))], id="instructions alone"),
        pytest.param([message("system", "")], [user(text(" "))], id="empty instructions alone"),
        pytest.param(
            [message("user", "a"), message("user", [{"type": "text", "text": "b"}])],
            [user(text("a"), text("b"))],
            id="two turns of the user are one",
        ),
        pytest.param(
            [message("user", "a"), message("assistant", "b"), message("assistant", "c")],
            [user(text("a")), said(text("b"), text("c"))],
            id="two turns of the assistant are one, and it may come last",
        ),
        pytest.param(
            [message("assistant", "b"), message("user", "a")],
            [user(text(" ")), said(text("b")), user(text("a"))],
            id="the user comes first",
        ),
        pytest.param(
            [
                message("user", "a"),
                message("assistant", "b"),
                message("developer", "c"),
                message("user", "d"),
            ],
            [user(text("a")), said(text("b")), user(text("c"), text("d"))],
            id="instructions in the middle stay there",
        ),
        pytest.param(
            [message("user", "a"), message("assistant", "", tool_calls=[]), message("user", "b")],
            [user(text("a"), text("b"))],
            id="an assistant who said nothing",
        ),
        pytest.param(
            [message("user", "a"), message("assistant", None, refusal="No.")],
            [user(text("a")), said(text("No."))],
            id="a refusal beside no content",
        ),
        pytest.param(
            [
                message("user", "a"),
                message("assistant", [{"type": "refusal", "refusal": "No."}, {"type": "thinking"}]),
            ],
            [user(text("a")), said(text("No."))],
            id="a refusal among the content, and another provider's thoughts",
        ),
    ],
)
def test_messages_become_contents(messages: list[Json], expected: list[Json]) -> None:
    assert contents(*messages) == expected


def test_instructions_at_the_head_keep_their_order_and_parts() -> None:
    body, _ = asked({"messages": [message("system", "a"), message("developer", "b"), *HELLO]})
    assert body["systemInstruction"] == {"parts": [text("a"), text("b")]}
    assert body["contents"] == [user(text("Hello"))]


def test_a_model_without_instructions_is_told_them_by_the_user() -> None:
    body, _ = asked({"messages": [message("system", "a"), *HELLO]}, "gemma-3-27b-it")
    assert body == {"contents": [user(text("a"), text("Hello"))]}


def test_of_instructions_alone_the_last_is_asked() -> None:
    body, _ = asked({"messages": [message("system", "a"), message("system", "b")]})
    assert body == {"systemInstruction": {"parts": [text("a")]}, "contents": [user(text("b"))]}


def made(
    id: str, name: str = "look", *, args: Json | None = None, signature: str | None = PLACEHOLDER_SIGNATURE
) -> Json:
    part: Json = {"functionCall": {"id": id, "name": name, "args": args or {}}}
    return part if signature is None else {**part, "thoughtSignature": signature}


def given_back(id: str, response: Json, name: str = "look", **more: Any) -> Json:
    return {"functionResponse": {"id": id, "name": name, "response": response, **more}}


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param(
            [calling(call("a"), call("b", "see")), result("b", "2"), result("a", "1")],
            [
                said(made("a"), made("b", "see", signature=None)),
                user(given_back("a", {"output": "1"}), given_back("b", {"output": "2"}, "see")),
            ],
            id="results in the order of the calls",
        ),
        pytest.param(
            [calling(call("a")), message("system", "x"), result("a"), message("user", "y")],
            [said(made("a")), user(given_back("a", {"output": "ok"})), user(text("x"), text("y"))],
            id="what stands between call and result comes after it",
        ),
        pytest.param(
            [calling(call("a")), message("user", "never mind")],
            [
                said(made("a")),
                user(given_back("a", {"error": "No result provided"})),
                user(text("never mind")),
            ],
            id="a call without a result",
        ),
        pytest.param(
            [calling(call("a"))],
            [said(made("a")), user(given_back("a", {"error": "No result provided"}))],
            id="a call at the end",
        ),
        pytest.param(
            [calling(call("a")), result("a", "old"), result("a", "new")],
            [said(made("a")), user(given_back("a", {"output": "new"}))],
            id="of two results the last",
        ),
        pytest.param(
            [calling(call("a"), call("a")), result("a", "1"), result("a", "2")],
            [
                said(made("a"), made("a-1", signature=None)),
                user(given_back("a", {"output": "1"}), given_back("a-1", {"output": "2"})),
            ],
            id="two calls of one id are two",
        ),
        pytest.param(
            [calling(call("a")), calling(call("b")), result("a", "1"), result("b", "2")],
            [
                said(made("a"), made("b", signature=None)),
                user(given_back("a", {"output": "1"}), given_back("b", {"output": "2"})),
            ],
            id="calls in two messages are calls of one turn",
        ),
        pytest.param(
            [message("assistant", "Hm."), result("z", "lost")],
            [said(text("Hm.")), user(text("[tool result z]"), text("lost"))],
            id="a result of no call",
        ),
        pytest.param(
            [
                calling(call("a")),
                result("a", [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]),
            ],
            [
                said(made("a")),
                user(
                    given_back(
                        "a", {"output": ""}, parts=[{"inlineData": {"mimeType": "image/png", "data": PNG}}]
                    )
                ),
            ],
            id="an image in a result",
        ),
        pytest.param(
            [calling(call("a"), content="Wait."), result("a")],
            [said(text("Wait."), made("a")), user(given_back("a", {"output": "ok"}))],
            id="text and call keep together",
        ),
    ],
)
def test_calls_and_their_results(messages: list[Json], expected: list[Json]) -> None:
    assert contents(*HELLO, *messages)[1:] == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param('{"a":1}', {"a": 1}, id="an object"),
        pytest.param("", {}, id="nothing"),
        pytest.param("null", {}, id="null"),
        pytest.param(None, {}, id="null itself"),
        pytest.param({"a": 1}, {"a": 1}, id="an object that is no text"),
        pytest.param("[1]", {"value": [1]}, id="a list"),
        pytest.param('"x"', {"value": "x"}, id="a text"),
        pytest.param('{"a":', {"_raw": '{"a":'}, id="what is no JSON"),
        pytest.param('{"a":NaN}', {"_raw": '{"a":NaN}'}, id="what only Python reads"),
    ],
)
def test_arguments_of_the_history_are_an_object(arguments: Any, expected: Json) -> None:
    found = contents(*HELLO, calling(call("a", arguments=arguments)))[1]["parts"][0]["functionCall"]["args"]
    assert found == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param('{"a":1}', {"a": 1}, id="an object goes as it is"),
        pytest.param("[1]", {"output": [1]}, id="a list is the output"),
        pytest.param("12", {"output": "12"}, id="a number stays the text it was"),
        pytest.param("", {"output": ""}, id="nothing"),
        pytest.param([], {"output": ""}, id="a list of nothing"),
        pytest.param("{broken", {"output": "{broken"}, id="what is no JSON"),
        pytest.param('{"$ref":"x"}', {"output": '{"$ref":"x"}'}, id="a reference would be followed"),
        pytest.param(
            [{"type": "text", "text": '{"a"'}, {"type": "text", "text": ":1}"}], {"a": 1}, id="in two parts"
        ),
    ],
)
def test_a_result_is_an_object(content: Any, expected: Json) -> None:
    parts = contents(*HELLO, calling(call("a")), result("a", content))[2]["parts"]
    assert parts == [given_back("a", expected)]


@pytest.mark.parametrize(
    ("carried", "expected"),
    [
        pytest.param({"thought_signature": SIGNATURE}, SIGNATURE, id="with the call"),
        pytest.param(
            {"extra_content": {"google": {"thought_signature": SIGNATURE}}},
            SIGNATURE,
            id="as Google's own API",
        ),
        pytest.param(
            {"provider_specific_fields": {"thought_signature": SIGNATURE}}, SIGNATURE, id="as other gateways"
        ),
        pytest.param({"id": f"a__thought__{SIGNATURE}"}, SIGNATURE, id="in the id"),
        pytest.param({}, PLACEHOLDER_SIGNATURE, id="nowhere"),
        pytest.param({"thought_signature": "not base64"}, PLACEHOLDER_SIGNATURE, id="another provider's"),
        pytest.param({"extra_content": "x"}, PLACEHOLDER_SIGNATURE, id="something else"),
    ],
)
def test_a_signature_goes_back_with_its_call(carried: Json, expected: str) -> None:
    signed = {**call("a"), **carried}
    made_, answered = contents(*HELLO, calling(signed), result(signed["id"]))[1:]
    assert made_["parts"][0]["thoughtSignature"] == expected
    assert made_["parts"][0]["functionCall"]["id"] == "a"
    assert answered["parts"][0]["functionResponse"] == {
        "id": "a",
        "name": "look",
        "response": {"output": "ok"},
    }


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([text("Hi")], id="no signature"),
        pytest.param([{**text("Hi"), "thoughtSignature": "QUJD"}], id="one of the only part"),
        pytest.param(
            [{**text("a"), "thoughtSignature": "QUJD"}, text("b"), {**text("c"), "thoughtSignature": "REVG"}],
            id="of the first and of the last part",
        ),
        pytest.param(
            [{**text("a"), "thoughtSignature": "QUJD"}, text("b"), {**text(""), "thoughtSignature": "REVG"}],
            id="the last behind the text",
        ),
        pytest.param(
            [{**text(word), "thoughtSignature": "QUJD"} for word in ("a", "bc")] + [text("d")],
            id="text behind the last",
        ),
    ],
)
def test_signatures_of_text_go_back_to_the_parts_that_had_them(parts: list[Json]) -> None:
    """Whole or streamed, with the text that the client keeps as one."""
    whole_ = choice(answer(*parts))["message"]
    chunks = fed(*(answer(part, finish=None) for part in parts[:-1]), answer(parts[-1]))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    (extra,) = [delta["extra_content"] for delta in deltas if "extra_content" in delta] or [None]
    content = "".join(delta.get("content") or "" for delta in deltas)
    assert (extra, content) == (whole_.get("extra_content"), whole_["content"])
    history = message("assistant", content, extra_content=extra)
    sent: list[Json] = contents(*HELLO, history)[1]["parts"]
    assert joined(sent) == joined(parts)


def joined(parts: list[Json]) -> list[tuple[str, str | None]]:
    """Texts with their signatures; a text without one is the beginning of the next."""
    found: list[tuple[str, str | None]] = []
    for part in parts:
        open_text = found.pop()[0] if found and found[-1][1] is None else ""
        found.append((open_text + part["text"], part.get("thoughtSignature")))
    return found


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param("x", id="no list"),
        pytest.param([], id="an empty list"),
        pytest.param([1, None], id="no objects"),
        pytest.param([{"characters": -1, "signature": "QUJD"}], id="before the beginning"),
        pytest.param([{"characters": 1, "signature": "not base64"}], id="another provider's"),
    ],
)
def test_of_a_list_of_signatures_that_cannot_be_read_the_last_signature_counts(entries: Any) -> None:
    extra = {"google": {"thought_signature": "QUJD", "thought_signatures": entries}}
    sent = contents(*HELLO, message("assistant", "Hi", extra_content=extra))[1]["parts"]
    assert sent == [{"text": "Hi", "thoughtSignature": "QUJD"}]


def test_every_image_of_an_answer_has_its_index() -> None:
    """openai-python puts the lists of a stream together by it."""
    image = {"inlineData": {"mimeType": "image/png", "data": PNG}}
    whole_ = choice(answer(image, text("and"), image))["message"]["images"]
    chunks = fed(answer(image, finish=None), answer(text("and"), finish=None), answer(image))
    streamed = [one for chunk in chunks for c in chunk["choices"] for one in c["delta"].get("images", ())]
    assert [one["index"] for one in whole_] == [0, 1]
    assert streamed == whole_


def test_an_older_model_is_sent_no_signature_that_nobody_made() -> None:
    first = contents(*HELLO, calling(call("a")), result("a"), name="gemini-2.5-flash")[1]["parts"][0]
    assert "thoughtSignature" not in first


def test_a_row_may_say_that_calls_have_no_ids() -> None:
    quirks = Quirks(legacy=False, message_drop=frozenset({"tool_call_id"}))
    body, _ = asked({"messages": [*HELLO, calling(call("a")), result("a")]}, quirks=quirks)
    assert "id" not in body["contents"][1]["parts"][0]["functionCall"]


def part(kind: str, **value: str) -> Json:
    return {"type": kind, kind: value}


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        pytest.param(
            part("image_url", url=f"data:image/JPEG;name=x;base64,{PNG}"),
            {"inlineData": {"mimeType": "image/png", "data": PNG}},
            id="the bytes say what they are",
        ),
        pytest.param(
            part("image_url", url="data:image/png;base64,UklGRgAAAABXRUJQ"),
            {"inlineData": {"mimeType": "image/webp", "data": "UklGRgAAAABXRUJQ"}},
            id="a WebP that is called something else",
        ),
        pytest.param(
            part("image_url", url="data:image/jpg;base64,AAAA"),
            {"inlineData": {"mimeType": "image/jpeg", "data": "AAAA"}},
            id="a wrong name of a type",
        ),
        pytest.param(
            part("image_url", url="data:;base64,_-8"),
            {"inlineData": {"mimeType": "image/jpeg", "data": "/+8="}},
            id="the other alphabet, no padding, no type",
        ),
        pytest.param(
            part("image_url", url="data:image/svg+xml,%3Csvg%2F%3E"),
            {"inlineData": {"mimeType": "image/svg+xml", "data": "PHN2Zy8+"}},
            id="not base64 but percent-encoded",
        ),
        pytest.param(
            part("image_url", url="https://example.com/picture"),
            {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.com/picture"}},
            id="an address, which Google fetches",
        ),
        pytest.param(
            part("image_url", url="gs://bucket/a.png"),
            {"fileData": {"mimeType": "image/png", "fileUri": "gs://bucket/a.png"}},
            id="an address of Google's own",
        ),
        pytest.param(
            part("input_audio", data="AAAA", format="mp3"),
            {"inlineData": {"mimeType": "audio/mpeg", "data": "AAAA"}},
            id="sound",
        ),
        pytest.param(
            part("file", file_data="JVBERi0=", filename="a.pdf"),
            {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}},
            id="a file as bare base64",
        ),
        pytest.param(
            part("file", file_data="data:text/csv;base64,YSxi"),
            {"inlineData": {"mimeType": "text/csv", "data": "YSxi"}},
            id="a file as a URL",
        ),
        pytest.param(
            part(
                "file", file_id="https://generativelanguage.googleapis.com/v1beta/files/x", filename="a.txt"
            ),
            {
                "fileData": {
                    "mimeType": "text/plain",
                    "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x",
                }
            },
            id="a file that Google has",
        ),
        pytest.param(
            part("video_url", url="data:video/mp4;base64,AAAA"),
            {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}},
            id="a film",
        ),
    ],
)
def test_what_is_no_text(given_: Json, expected: Json) -> None:
    assert contents(message("user", [given_])) == [user(expected)]


@pytest.mark.parametrize(
    ("given_", "code", "param"),
    [
        pytest.param(
            part("image_url", url="http://example.com/a.png"),
            "unsupported_parameter",
            "image_url.url",
            id="a plain address",
        ),
        pytest.param(
            part("image_url", url="file:///etc/passwd"), "unsupported_parameter", "image_url.url", id="a path"
        ),
        pytest.param(
            part("image_url", url="data:image/png;base64,A*"),
            "invalid_value",
            "image_url.url",
            id="no base64",
        ),
        pytest.param(
            part("image_url", url="data:image/png;base64"), "invalid_value", "image_url.url", id="no data"
        ),
        pytest.param(
            part("input_audio", data="é", format="wav"), "invalid_value", "input_audio.data", id="no letters"
        ),
        pytest.param(
            part("file", file_id="file-123"), "unsupported_parameter", "file.file_id", id="another's file"
        ),
        pytest.param({"type": "odd"}, "unsupported_parameter", "type", id="a part that nobody knows"),
    ],
)
def test_what_it_does_not_take_is_refused_by_name(given_: Json, code: str, param: str) -> None:
    error = refused({"messages": [message("user", [given_])]})
    assert (error.code, error.param) == (code, f"messages[0].content[0].{param}")


@pytest.mark.parametrize(
    ("chat", "config", "dropped"),
    [
        pytest.param({"temperature": 0}, {"temperature": 0}, [], id="a temperature of 0 is one"),
        pytest.param({"max_tokens": 7.0}, {"maxOutputTokens": 7}, [], id="an integral float"),
        pytest.param(
            {"max_completion_tokens": 10**9},
            {"maxOutputTokens": 65536},
            ["max_completion_tokens"],
            id="no more than it can",
        ),
        pytest.param({"stop": ["", "a"]}, {"stopSequences": ["a"]}, [], id="empty stops are none"),
        pytest.param({"stop": ""}, {}, [], id="an empty stop"),
        pytest.param({"seed": 2**40 + 5}, {"seed": 5}, [], id="a seed of 32 bits"),
        pytest.param({"n": 1, "logprobs": False, "frequency_penalty": 0}, {}, [], id="what says nothing"),
        pytest.param({"n": 3}, {"candidateCount": 3}, [], id="several choices"),
        pytest.param(
            {"logprobs": True, "top_logprobs": 2},
            {"responseLogprobs": True, "logprobs": 2},
            [],
            id="logprobs",
        ),
        pytest.param({"top_logprobs": 2}, {}, [], id="top_logprobs alone"),
        pytest.param({"stop": None, "seed": None}, {}, [], id="null is absent"),
        pytest.param({"top_k": 5, "top_p": 0.5}, {"topK": 5, "topP": 0.5}, [], id="top_k too"),
        pytest.param(
            {"logit_bias": {"1": 2}, "user": "u", "min_p": 1, "store": True, "service_tier": "auto"},
            {},
            ["logit_bias", "user", "min_p", "store"],
            id="what it does not know is left out and named",
        ),
        pytest.param({"parallel_tool_calls": False}, {}, ["parallel_tool_calls"], id="one call at a time"),
        pytest.param({"modalities": ["text"]}, {}, [], id="text alone"),
        pytest.param(
            {"response_format": {"type": "json_object"}},
            {"responseMimeType": "application/json"},
            [],
            id="any JSON",
        ),
        pytest.param({"response_format": {"type": "text"}}, {}, [], id="plain text"),
        pytest.param(
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            {"responseMimeType": "application/json"},
            [],
            id="a schema that is not given",
        ),
    ],
)
def test_parameters(chat: Json, config: Json, dropped: list[str]) -> None:
    body, left_out = asked(chat)
    assert body.get("generationConfig", {}) == config
    assert sorted(left_out) == sorted(dropped)


@pytest.mark.parametrize(
    ("name", "effort", "thinking", "lowered"),
    [
        pytest.param("gemini-3.5-flash", "minimal", {"thinkingLevel": "MINIMAL"}, False, id="flash, minimal"),
        pytest.param("gemini-3.5-flash", "none", {"thinkingLevel": "MINIMAL"}, True, id="flash, none"),
        pytest.param(
            "gemini-3.8-flash", "minimal", {"thinkingLevel": "LOW"}, True, id="newer flash, minimal"
        ),
        pytest.param("gemini-3.1-pro-preview", "none", {"thinkingLevel": "LOW"}, True, id="pro, none"),
        pytest.param("gemini-3.1-pro-preview", "xhigh", {"thinkingLevel": "HIGH"}, True, id="pro, xhigh"),
        pytest.param("gemini-9", "medium", {"thinkingLevel": "MEDIUM"}, False, id="an unknown one"),
        pytest.param("gemini-9", "none", {"thinkingLevel": "LOW"}, True, id="an unknown one, none"),
        pytest.param("gemini-9", "odd", None, True, id="an effort nobody knows"),
        pytest.param("gemini-2.5-flash", "none", {"thinkingBudget": 0}, False, id="2.5 flash can do without"),
        pytest.param("gemini-2.5-pro", "none", {"thinkingBudget": 128}, True, id="2.5 pro cannot"),
        pytest.param("gemini-2.5-flash", "low", {"thinkingBudget": 1024}, False, id="2.5, low"),
        pytest.param("gemini-2.5-flash", "max", {"thinkingBudget": 24576}, False, id="2.5, max"),
    ],
)
def test_reasoning_effort(name: str, effort: str, thinking: Json | None, lowered: bool) -> None:
    body, dropped = asked({"reasoning_effort": effort}, name)
    shown = {} if effort == "none" else {"includeThoughts": True}
    expected = {} if thinking is None else {"thinkingConfig": {**thinking, **shown}}
    assert body.get("generationConfig", {}) == expected
    assert dropped == (["reasoning_effort"] if lowered else [])


TOOL: Json = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
OTHER: Json = {"type": "function", "function": {"name": "2see"}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}


@pytest.mark.parametrize(
    ("choice", "calling_", "declared"),
    [
        pytest.param(None, None, 2, id="none given"),
        pytest.param({}, None, 2, id="an empty one"),
        pytest.param("auto", {"mode": "AUTO"}, 2, id="auto"),
        pytest.param("none", {"mode": "NONE"}, 2, id="none"),
        pytest.param("required", {"mode": "ANY"}, 2, id="required"),
        pytest.param("any", {"mode": "ANY"}, 2, id="any"),
        pytest.param(
            {"type": "function", "function": {"name": "2see"}},
            {"mode": "ANY", "allowedFunctionNames": ["_:2see"]},
            2,
            id="one by name",
        ),
        pytest.param(
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [TOOL]}},
            {"mode": "ANY", "allowedFunctionNames": ["look"]},
            2,
            id="one of some",
        ),
        pytest.param(
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TOOL]}},
            {"mode": "AUTO"},
            1,
            id="perhaps one of some",
        ),
    ],
)
def test_tool_choice(choice: Any, calling_: Json | None, declared: int) -> None:
    body, dropped = asked({"tools": [TOOL, OTHER, TOOL], "tool_choice": choice})
    assert body.get("toolConfig", {}).get("functionCallingConfig") == calling_
    assert len(body["tools"][0]["functionDeclarations"]) == declared
    assert dropped == []


def test_strict_tools_are_validated_unless_the_answer_has_a_schema() -> None:
    strict = {"type": "function", "function": {**TOOL["function"], "strict": True}}
    validated = {"functionCallingConfig": {"mode": "VALIDATED"}}
    assert asked({"tools": [strict]})[0]["toolConfig"] == validated
    assert "toolConfig" not in asked({"tools": [strict], "response_format": FORMAT})[0]


@pytest.mark.parametrize(
    ("chat", "name", "param"),
    [
        pytest.param({"modalities": ["audio"]}, "gemini-3.5-flash", "modalities", id="a spoken answer"),
        pytest.param(
            {"tools": [TOOL], "tool_choice": {"type": "custom", "custom": {"name": "x"}}},
            "gemini-3.5-flash",
            "tool_choice",
            id="a choice that is no function",
        ),
        pytest.param({"tool_choice": "required"}, "gemini-3.5-flash", "tool_choice", id="a tool of none"),
        pytest.param(
            {"tools": [{"type": "custom", "custom": {"name": "x"}}]},
            "gemini-3.5-flash",
            "tools[0].type",
            id="a tool that is no function",
        ),
        pytest.param(
            {"tools": [TOOL, {"type": "function", "function": {"name": "look", "description": "x"}}]},
            "gemini-3.5-flash",
            "tools",
            id="two functions of one name",
        ),
        pytest.param(
            {"tools": [TOOL], "response_format": FORMAT},
            "gemini-2.5-flash",
            "response_format",
            id="a schema beside tools, an older model",
        ),
        pytest.param(
            {"tools": [TOOL], "response_format": FORMAT, "tool_choice": "required"},
            "gemini-3.5-flash",
            "response_format",
            id="a schema beside a forced call",
        ),
        pytest.param(
            {
                "messages": [
                    *HELLO,
                    calling({"id": "a", "type": "custom", "custom": {"name": "x", "input": "y"}}),
                ]
            },
            "gemini-3.5-flash",
            "messages[1].tool_calls[0]",
            id="a call that is of no function",
        ),
    ],
)
def test_features_it_does_not_have(chat: Json, name: str, param: str) -> None:
    error = refused(chat, name)
    assert (error.code, error.param) == ("unsupported_parameter", param)


def test_tools_that_may_not_be_called_do_not_stand_in_the_way_of_a_schema() -> None:
    body, _ = asked({"tools": [TOOL], "response_format": FORMAT, "tool_choice": "none"}, "gemini-2.5-flash")
    assert body.keys() == {"contents", "generationConfig"}


def test_search_is_a_tool_where_a_rule_lets_it_through() -> None:
    body, _ = asked({"tools": [TOOL], "web_search_options": {}})
    assert [list(tool) for tool in body["tools"]] == [["functionDeclarations"], ["googleSearch"]]


@pytest.mark.parametrize("tier", ["flex", "default"])
def test_a_service_tier(tier: str) -> None:
    assert asked({"service_tier": tier})[0]["serviceTier"] == {"flex": "flex", "default": "standard"}[tier]


@pytest.mark.parametrize("name", ["look", "_x", "a.b:c-d", "2see", "-x", "_:x", "_:_:x", ".a", "x" * 128])
def test_a_functions_name_comes_back_as_it_was(name: str) -> None:
    assert encode_name(name)[0].isalpha() or encode_name(name)[0] == "_"
    assert decode_name(encode_name(name)) == name


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        pytest.param({"$schema": "x", "type": "object"}, {"type": "object"}, id="words it does not know go"),
        pytest.param({"const": "a"}, {"enum": ["a"]}, id="const"),
        pytest.param({"const": True}, {"type": "boolean"}, id="const of a truth value"),
        pytest.param(
            {"type": ["string", "null"], "enum": ["a", None]},
            {"anyOf": [{"enum": ["a"], "type": "string"}, {"type": "null"}]},
            id="null in enum",
        ),
        pytest.param(
            {"enum": ["a", 1, True, None]},
            {"anyOf": [{"enum": ["a", 1]}, {"type": "boolean"}, {"type": "null"}]},
            id="values of several types",
        ),
        pytest.param({"const": {"a": 1}}, {"type": "object"}, id="a value that is an object"),
        pytest.param(
            {"type": "string", "nullable": True},
            {"type": ["string", "null"]},
            id="nullable, as OpenAPI has it",
        ),
        pytest.param(
            {"oneOf": [{"type": "string"}, {"not": {}}]}, {"anyOf": [{"type": "string"}, {}]}, id="oneOf"
        ),
        pytest.param(
            {"type": "integer", "exclusiveMinimum": 3}, {"type": "integer", "minimum": 4}, id="bounds"
        ),
        pytest.param({"exclusiveMaximum": 3.5}, {"maximum": 3.5}, id="bounds of what is not whole"),
        pytest.param({"exclusiveMinimum": True, "minimum": 3}, {"minimum": 3}, id="bounds as they once were"),
        pytest.param(
            {
                "allOf": [{"properties": {"a": {}}, "required": ["a"]}],
                "properties": {"b": {}},
                "required": ["b"],
            },
            {"properties": {"a": {}, "b": {}}, "required": ["a", "b"]},
            id="allOf is laid together",
        ),
        pytest.param(
            {"allOf": [{"$ref": "#/$defs/a"}], "description": "x"}, {"$ref": "#/$defs/a"}, id="allOf of one"
        ),
        pytest.param(
            {"properties": {"default": {"type": "string"}, "$ref": {"const": 1}, "title": {}}},
            {"properties": {"default": {"type": "string"}, "$ref": {"enum": [1]}, "title": {}}},
            id="properties that are called like words",
        ),
        pytest.param({"properties": []}, {"properties": {}}, id="no properties, as PHP writes them"),
        pytest.param({"required": ["a"], "properties": {}}, {"properties": {}}, id="required of nothing"),
        pytest.param({"items": [{"const": 1}]}, {"prefixItems": [{"enum": [1]}]}, id="items one by one"),
        pytest.param(
            {"$ref": "#/definitions/a", "definitions": {"a": {"const": 1}}},
            {"$ref": "#/$defs/a", "$defs": {"a": {"enum": [1]}}},
            id="definitions",
        ),
        pytest.param(
            {"additionalProperties": {"pattern": "x"}}, {"additionalProperties": {}}, id="any property"
        ),
        pytest.param(
            {"additionalProperties": False}, {"additionalProperties": False}, id="no other property"
        ),
        pytest.param(None, {"type": "object"}, id="none at all"),
    ],
)
def test_a_schema_is_cleaned(schema: Any, expected: Json) -> None:
    before = json.dumps(schema)
    assert gemini_schema(schema) == expected
    assert json.dumps(schema) == before


@pytest.mark.parametrize(("most", "kept"), [(480, True), (481, False)])
def test_bounds_of_lists_go_where_they_are_too_many_together(most: int, kept: bool) -> None:
    bounded = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": most}
    named = {"type": "object", "properties": {"a": bounded, "maxItems": {"type": "integer"}}}
    tools = [{"type": "function", "function": {"name": name, "parameters": named}} for name in "ab"]
    declared = asked({"tools": tools})[0]["tools"][0]["functionDeclarations"]
    assert ["maxItems" in one["parametersJsonSchema"]["properties"]["a"] for one in declared] == [kept] * 2
    assert "maxItems" in declared[0]["parametersJsonSchema"]["properties"], "a property is no bound"


def answer(*parts: Json, finish: str | None = "STOP", **more: Any) -> Json:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": finish}
    return {"candidates": [candidate], "responseId": "r", "modelVersion": "m", **more}


def choice(body: Json) -> Json:
    (found,) = Google().response(body, QUIRKS)["choices"]
    return dict(found)


@pytest.mark.parametrize(
    ("finish", "expected"),
    [
        pytest.param("STOP", "stop", id="at its end"),
        pytest.param("MAX_TOKENS", "length", id="cut off"),
        pytest.param("CONTINUATION", "length", id="to be continued"),
        pytest.param("SAFETY", "content_filter", id="filtered"),
        pytest.param("PROHIBITED_CONTENT", "content_filter", id="prohibited"),
        pytest.param("MODEL_ARMOR", "content_filter", id="another filter"),
        pytest.param("MALFORMED_FUNCTION_CALL", "stop", id="broken after it said something"),
        pytest.param("FINISH_REASON_UNSPECIFIED", "stop", id="not specified"),
        pytest.param("NEW_WORD", "stop", id="a word nobody knows"),
        pytest.param(None, "stop", id="not said"),
    ],
)
def test_every_finish_reason_has_a_meaning(finish: str | None, expected: str) -> None:
    assert choice(answer(text("Hi"), finish=finish))["finish_reason"] == expected


@pytest.mark.parametrize("finish", ["STOP", "FINISH_REASON_UNSPECIFIED", None])
def test_a_call_makes_stop_tool_calls(finish: str | None) -> None:
    found = choice(answer({"functionCall": {"name": "_:2see"}}, finish=finish))
    assert found["finish_reason"] == "tool_calls"
    assert found["message"]["content"] is None
    assert found["message"]["tool_calls"][0]["function"] == {"name": "2see", "arguments": "{}"}


def test_a_call_that_was_cut_off_stays_cut_off() -> None:
    found = choice(answer({"functionCall": {"name": "x"}}, finish="MAX_TOKENS"))
    assert found["finish_reason"] == "length"


@pytest.mark.parametrize("finish", ["MALFORMED_FUNCTION_CALL", "OTHER", "MISSING_THOUGHT_SIGNATURE"])
def test_one_that_broke_down_with_nothing_said_may_be_asked_again(finish: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        choice(answer(finish=finish))
    assert raised.value.action.retry


def test_calls_of_one_id_or_none_get_ids_of_their_own() -> None:
    calls = [{"functionCall": {"name": "x", "id": id_}} for id_ in ("a", "a", "", None)]
    found = [one["id"] for one in choice(answer(*calls))["message"]["tool_calls"]]
    assert found[0] == "a"
    assert len(set(found)) == 4
    assert all(found)


def test_an_answer_without_a_part_is_an_empty_text() -> None:
    assert choice({"candidates": [{"finishReason": "STOP"}]})["message"]["content"] == ""


def test_an_answer_without_an_id_gets_one() -> None:
    first, second = (Google().response({"candidates": [{}]}, QUIRKS)["id"] for _ in range(2))
    assert first != second


@pytest.mark.parametrize(
    ("body", "failure_class"),
    [
        pytest.param({}, "protocol", id="nothing"),
        pytest.param({"candidates": []}, "server", id="no candidate"),
        pytest.param({"usageMetadata": {"promptTokenCount": 1}}, "server", id="nothing but usage"),
        pytest.param({"candidates": "x"}, "protocol", id="candidates of another type"),
        pytest.param({"candidates": [1]}, "protocol", id="a candidate of another type"),
        pytest.param({"candidates": [{"content": {"parts": [1]}}]}, "protocol", id="a part of another type"),
        pytest.param({"candidates": [{"content": "x"}]}, "protocol", id="content of another type"),
        pytest.param({"candidates": [{"index": "x"}]}, "protocol", id="an index of another type"),
        pytest.param({"error": {"code": 503, "status": "UNAVAILABLE"}}, "overloaded", id="an error with 200"),
        pytest.param(
            {"error": {"code": 400, "details": [{"reason": "API_KEY_INVALID"}]}}, "auth", id="a key with 200"
        ),
    ],
)
def test_an_answer_that_is_none(body: Json, failure_class: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        Google().response(body, QUIRKS)
    assert raised.value.failure_class == failure_class


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>Bad gateway</html>", id="a page"),
        pytest.param(b"[]", id="an empty list"),
        pytest.param(b'{"error":"x"}', id="a text"),
        pytest.param(b'{"error":{"details":7,"status":[]}}', id="details of another type"),
    ],
)
def test_an_error_in_any_shape_has_the_class_of_its_status(body: bytes) -> None:
    assert Google().error(502, {}, body).failure_class == "server"


def test_an_error_does_not_tell_the_key() -> None:
    body = {"error": {"code": 400, "message": f"odd field ?key=AIza{'x' * 35}", "status": "INVALID_ARGUMENT"}}
    assert "AIza" not in Google().error(400, {}, json.dumps(body).encode()).message


def test_usage_is_what_the_cost_is_told_by() -> None:
    told = {"promptTokenCount": 100, "cachedContentTokenCount": 60, "toolUsePromptTokenCount": 5}
    told |= {"candidatesTokenCount": 7, "thoughtsTokenCount": 30, "totalTokenCount": 142}
    usage = usage_of(Google().response(answer(text("x"), usageMetadata=told), QUIRKS))
    assert usage is not None
    assert (usage.input, usage.cached, usage.output, usage.reasoning) == (105, 60, 37, 30)


def fed(*events: Json) -> list[Json]:
    decoder = Google().stream(QUIRKS)
    return [*(chunk for event in events for chunk in decoder.feed(json.dumps(event))), *decoder.close()]


def test_done_means_nothing_to_it_and_one_bad_event_is_skipped() -> None:
    decoder = Google().stream(QUIRKS)
    events = ["", "[DONE]", "{", json.dumps(answer(text("Hi")))]
    chunks = [chunk for data in events for chunk in decoder.feed(data)]
    assert [content_of(chunk) for chunk in chunks] == [2]
    with pytest.raises(UpstreamError, match="could not be understood"):
        list(decoder.feed('{"odd":1}'))


def test_calls_of_a_stream_are_numbered_over_all_its_events() -> None:
    call_ = {"functionCall": {"name": "x", "args": {"a": 1}}}
    chunks = fed(answer(call_, finish=None), answer(text(""), finish=None), answer(call_))
    calls = [one for chunk in chunks for c in chunk["choices"] for one in c["delta"].get("tool_calls", ())]
    assert [one["index"] for one in calls] == [0, 1]
    assert calls[0]["id"] != calls[1]["id"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_stream_that_only_thought_and_broke_down_is_a_failure() -> None:
    thought = {"text": "Hm.", "thought": True}
    with pytest.raises(UpstreamError):
        fed(answer(thought, finish=None), answer(finish="MALFORMED_FUNCTION_CALL"))


def test_a_refusal_is_the_first_content_of_a_stream() -> None:
    chunks = fed({"promptFeedback": {"blockReason": "SAFETY"}, "responseId": "r"})
    assert [content_of(chunk) is not None for chunk in chunks] == [True]
    assert chunks[0]["choices"][0]["finish_reason"] == "content_filter"


def test_frames_of_a_stream_are_the_clients() -> None:
    frames = ClientStream(Google().stream(QUIRKS), model="gemini/m", wants_usage=True)
    event = answer(text("Hi"), usageMetadata={"promptTokenCount": 1, "candidatesTokenCount": 1})
    sent = frames.feed(f"data: {json.dumps(event)}\r\n\r\n".encode()) + frames.close()
    chunks = [json.loads(line.removeprefix("data: ")) for line in sent.decode().split("\n\n") if line]
    assert [chunk["model"] for chunk in chunks] == ["gemini/m"] * 3
    assert frames.usage is not None
    assert frames.failure is None
    assert frames.ended


FULL = json.loads((Path(__file__).parents[1] / "wire/google/logprobs/whole.json").read_text(encoding="utf-8"))
FULL |= {"promptFeedback": {"blockReason": "x"}}
FULL["candidates"][0]["content"]["parts"] += [
    {"functionCall": {"id": "a", "name": "x", "args": {"a": 1}}, "thoughtSignature": SIGNATURE},
    {"inlineData": {"mimeType": "image/png", "data": PNG}},
]
FAILED = {
    "error": {"code": 1, "message": "x", "status": "x", "details": [{"reason": "x", "violations": [{}]}]}
}
JUNK: tuple[Any, ...] = (None, 7, -1.5, True, "odd", [], {}, [1], [None], {"odd": 1})


def spoilt(value: Any) -> Iterator[Any]:
    """The value with anything else in the place of each of its parts in turn."""
    yield from JUNK
    places = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place, inner in places:
        for other in spoilt(inner):
            copy: Any = dict(value) if isinstance(value, dict) else list(value)
            copy[place] = other
            yield copy


def test_nothing_in_an_answer_breaks_it_otherwise_than_as_a_failure() -> None:
    for body in (*spoilt(FULL), *spoilt(FAILED)):
        assert Google().error(500, {}, json.dumps(body).encode()).failure_class
        with suppress(UpstreamError):
            fed(body)
        if isinstance(body, dict):
            with suppress(UpstreamError):
                assert json.dumps(Google().response(body, QUIRKS))


def test_a_request_can_be_put_into_the_clients_text() -> None:
    chat = {"model": "gemini/x", "messages": HELLO, "tools": [TOOL], "temperature": 0.5, "stream": True}
    body, _ = asked(chat)
    sent = json.dumps(chat)
    assert json.loads(splice(sent, json.loads(sent), body)) == body


@given(st.binary(min_size=1))
def test_the_bytes_of_a_data_url_are_kept(data: bytes) -> None:
    for encoded in (base64.b64encode(data), base64.urlsafe_b64encode(data).rstrip(b"=")):
        media = parse_data_url(f"data:application/pdf;base64,{encoded.decode()}")
        assert base64.b64decode(media.data) == data


@pytest.fixture
async def gateway(upstream: Upstream) -> AsyncIterator[RunningGateway]:
    started = start_gateway([provider(upstream.url, dialect="google")])
    yield started
    await started.gateway.aclose()


NAMELESS = "None"  # the model is in the path, not in the body
WIRE = Path(__file__).parents[1] / "wire" / "google"


async def test_a_whole_answer_through_the_gateway(upstream: Upstream, gateway: RunningGateway) -> None:
    upstream.script(NAMELESS, whole((WIRE / "tools" / "whole.json").read_bytes()))
    tool = {"type": "function", "function": {"name": "weather"}}
    heard = await gateway.chat(model="up/gemini-x", seed=3, tools=[tool])
    answer_ = json.loads(heard.body)
    assert upstream.requests[0].path == "/v1/models/gemini-x:generateContent"
    assert upstream.requests[0].json["generationConfig"] == {"seed": 3}
    assert answer_["model"] == "up/gemini-x"
    assert answer_["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "weather"
    assert answer_["usage"]["completion_tokens"] == 51


async def test_a_stream_through_the_gateway(upstream: Upstream, gateway: RunningGateway) -> None:
    events = (WIRE / "text" / "stream.sse").read_bytes()
    upstream.script(NAMELESS, Reply(headers={"content-type": "text/event-stream"}, pieces=(events,)))
    heard = await gateway.chat(model="up/gemini-x", stream=True, stream_options={"include_usage": True})
    *told, done = heard.body.decode().removesuffix("\n\n").split("\n\n")
    chunks = [json.loads(line.removeprefix("data: ")) for line in told]
    assert upstream.requests[0].path == "/v1/models/gemini-x:streamGenerateContent?alt=sse"
    assert done == "data: [DONE]"
    spoken = [one["delta"].get("content", "") for chunk in chunks for one in chunk["choices"]]
    assert "".join(spoken) == "Hello, Zoë 👋."
    assert chunks[-1]["usage"]["total_tokens"] == 15
    assert {chunk["model"] for chunk in chunks} == {"up/gemini-x"}


@pytest.mark.parametrize("provider_", ["openai", "azure", "groq", "mistral", "fireworks"])
def test_a_conversation_goes_on_where_nobody_knows_of_signatures_and_comes_back(provider_: str) -> None:
    body = json.loads((WIRE / "tools" / "whole.json").read_text(encoding="utf-8"))
    answered = choice(body)["message"]
    messages = [*HELLO, answered, result(answered["tool_calls"][0]["id"])]
    row = PROVIDERS[provider_]
    elsewhere, _ = OpenAI().request({"messages": messages}, unlisted_model(provider_, "m"), row.quirks)
    assert "signature" not in json.dumps(elsewhere)
    back = contents(*messages)
    assert back[1]["parts"] == body["candidates"][0]["content"]["parts"]
    unsigned = contents(*elsewhere["messages"])
    assert unsigned[1]["parts"][1]["thoughtSignature"] == PLACEHOLDER_SIGNATURE


async def test_a_part_it_cannot_be_sent_is_400_and_nobody_is_asked(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    upstream.script(NAMELESS, whole((WIRE / "text" / "whole.json").read_bytes()))
    heard = await gateway.chat(
        model="up/gemini-x", messages=[message("user", [part("image_url", url="http://10.0.0.1/a.png")])]
    )
    error = json.loads(heard.body)["error"]
    assert (heard.status, error["code"]) == (400, "unsupported_parameter")
    assert error["param"] == "messages[0].content[0].image_url.url"
    assert upstream.requests == []
