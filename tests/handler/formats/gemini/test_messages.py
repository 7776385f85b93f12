"""Contents become messages: roles, parts, calls and their results, signatures."""

from __future__ import annotations

from typing import Any

import pytest

from handler.errors import Json
from handler.formats.opaque_state import encode_state
from tests.handler.formats.gemini.bodies import HI, IMAGE, PIXEL, parse

DETAIL = {"type": "reasoning.text", "text": "t", "signature": "s", "format": "anthropic-claude-v1"}
SIGNATURE, OTHER = "c2lnbmF0dXJl", "b3RoZXI="
IMAGE_URL = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}


def messages(*contents: Json, **body: Any) -> Any:
    return parse({"contents": list(contents), **body}).body["messages"]


def user(*parts: Json) -> Json:
    return {"role": "user", "parts": list(parts)}


def model(*parts: Json) -> Json:
    return {"role": "model", "parts": list(parts)}


def call(name: str = "f", **members: Any) -> Json:
    return {"functionCall": {"name": name, **members}}


def result(name: str = "f", **members: Any) -> Json:
    return {"functionResponse": {"name": name, "response": {"output": "x"}, **members}}


def blob(kind: str, data: str = "AAAA", **members: Any) -> Json:
    return {"inlineData": {"mimeType": kind, "data": data, **members}}


def file(uri: str, kind: str | None = None) -> Json:
    return {"fileData": {"fileUri": uri, **({"mimeType": kind} if kind else {})}}


@pytest.mark.parametrize(
    ("instruction", "content"),
    [
        pytest.param("be brief", "be brief", id="text"),
        pytest.param(
            {"role": "user", "parts": [{"text": "be brief"}]}, "be brief", id="a content with a role"
        ),
        pytest.param({"parts": {"text": "be brief"}}, "be brief", id="one part without a list"),
        pytest.param(
            {"parts": [{"text": "a"}, {"text": "b"}]},
            [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            id="two parts",
        ),
        pytest.param({"parts": []}, None, id="no parts"),
    ],
)
@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
def test_the_system_instruction_is_the_first_message(name: str, instruction: Any, content: Any) -> None:
    system = [] if content is None else [{"role": "system", "content": content}]
    assert messages(HI, **{name: instruction}) == [*system, {"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        pytest.param({"text": "a"}, {"type": "text", "text": "a"}, id="text"),
        pytest.param(IMAGE, IMAGE_URL, id="an image"),
        pytest.param(
            {"inline_data": {"mime_type": "image/png", "data": PIXEL.replace("+", "-").replace("/", "_")}},
            IMAGE_URL,
            id="an image in the other spelling and alphabet",
        ),
        pytest.param(
            blob("audio/mpeg"),
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            id="audio",
        ),
        pytest.param(
            blob("audio/flac"),
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "flac"}},
            id="flac",
        ),
        pytest.param(
            blob("video/mp4"),
            {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
            id="video",
        ),
        pytest.param(
            blob("application/pdf"),
            {
                "type": "file",
                "file": {"filename": "file.pdf", "file_data": "data:application/pdf;base64,AAAA"},
            },
            id="a document",
        ),
        pytest.param(
            blob("text/plain", displayName="a.txt"),
            {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,AAAA"}},
            id="a document with a name",
        ),
        pytest.param(
            file("https://a.example/b.png", "image/png"),
            {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
            id="an image by its address",
        ),
        pytest.param(
            file("https://youtu.be/x"),
            {"type": "video_url", "video_url": {"url": "https://youtu.be/x"}},
            id="a film on YouTube",
        ),
        pytest.param(
            file("https://a.example/b.pdf", "application/pdf"),
            {"type": "file", "file": {"file_data": "https://a.example/b.pdf"}},
            id="a document by its address",
        ),
    ],
)
def test_a_part_of_the_users_becomes_a_part(part: Json, expected: Json) -> None:
    blank = {"type": "text", "text": "?"}
    parsed = parse({"contents": [user(part, {"text": "?"})]})
    assert parsed.body["messages"] == [{"role": "user", "content": [expected, blank]}]
    assert parsed.native is not None
    assert (parsed.native.only, parsed.native.dropped) == (None, ())


@pytest.mark.parametrize(
    ("content", "path"),
    [
        pytest.param(user(file("gs://b/a.png", "image/png")), "fileData.fileUri", id="Google's storage"),
        pytest.param(
            user(file("https://generativelanguage.googleapis.com/v1beta/files/a")),
            "fileData.fileUri",
            id="an uploaded file",
        ),
        pytest.param(user(file("files/a")), "fileData.fileUri", id="the name of an uploaded file"),
        pytest.param(
            user(file("https://[x", "image/png")), "fileData.fileUri", id="an address that is broken"
        ),
        pytest.param(
            user(file("https://a.example/b", "audio/wav")), "fileData.mimeType", id="audio by address"
        ),
        pytest.param(model({"executableCode": {}}), "executableCode", id="code that Google ran"),
        pytest.param(model({"code_execution_result": {}}), "code_execution_result", id="the other spelling"),
        pytest.param(model(IMAGE), "inlineData", id="an image of the model's"),
        pytest.param(user({"newPart": {}}), "newPart", id="an unknown part"),
    ],
)
def test_only_gemini_can_read_such_a_part(content: Json, path: str) -> None:
    native = parse({"contents": [content]}).native
    assert native is not None
    assert native.only is not None
    assert native.only[0] == f"contents[0].parts[0].{path}"


def test_the_tuning_of_a_part_is_dropped() -> None:
    native = parse({"contents": [user({**IMAGE, "videoMetadata": {"fps": 1}, "mediaResolution": {}})]}).native
    assert native is not None
    assert native.only is None
    assert native.dropped == ("contents.parts.videoMetadata", "contents.parts.mediaResolution")


@pytest.mark.parametrize(
    ("contents", "ids"),
    [
        pytest.param([model(call()), user(result())], [("call_0", "call_0")], id="no ids"),
        pytest.param([model(call(id="a")), user(result(id="a"))], [("a", "a")], id="ids"),
        pytest.param([model(call(id="a")), user(result())], [("a", "a")], id="an id that the result lost"),
        pytest.param(
            [model(call()), user(result(id="b"))], [("call_0", "call_0")], id="an id that the call lost"
        ),
        pytest.param([model(call(id="")), user(result(id=""))], [("call_0", "call_0")], id="empty ids"),
        pytest.param(
            [model(call("f"), call("g"), call("f")), user(result("g"), result("f"), result("f"))],
            [("call_0", "call_1"), ("call_1", "call_0"), ("call_2", "call_2")],
            id="parallel calls match by name and order",
        ),
        pytest.param(
            [model(call(id="a"), call(id="a")), user(result(id="a"), result(id="a"))],
            [("a", "a"), ("call_0", "call_0")],
            id="two calls with one id",
        ),
        pytest.param(
            [model(call(id="a")), user(result(id="a")), model(call(id="a")), user(result(id="a"))],
            [("a", "a"), ("call_0", "call_0")],
            id="an id that comes back in a later turn",
        ),
        pytest.param(
            [model(call(id="call_0"), call()), user(result(id="call_0"), result())],
            [("call_0", "call_0"), ("call_1", "call_1")],
            id="an id that looks like ours",
        ),
        pytest.param(
            [model(call()), user({"text": "wait"}), {"role": "function", "parts": [result()]}],
            [("call_0", "call_0")],
            id="a result after another message",
        ),
    ],
)
def test_a_result_belongs_to_its_call(contents: list[Json], ids: list[tuple[str, str]]) -> None:
    found = messages(*contents)
    calls = [one["id"] for message in found for one in message.get("tool_calls", ())]
    results = [message["tool_call_id"] for message in found if message["role"] == "tool"]
    assert list(zip(calls, results, strict=True)) == ids


def test_a_result_without_a_call_has_an_id_of_its_own() -> None:
    calls, _, *results = messages(
        model(call("f")), user({"text": "hi"}), user(result("g"), result("g", id="x"))
    )
    assert calls["tool_calls"][0]["id"] == "call_0"
    assert [one["tool_call_id"] for one in results] == ["call_1", "x"]


@pytest.mark.parametrize(
    ("response", "content"),
    [
        pytest.param({"output": "text"}, "text", id="an output that is text"),
        pytest.param({"output": 1}, '{"output":1}', id="another output"),
        pytest.param({"output": "a", "b": 1}, '{"output":"a","b":1}', id="an output among others"),
        pytest.param({"error": {"code": 1}}, '{"error":{"code":1}}', id="an error that is no text"),
        pytest.param({}, "{}", id="an empty object"),
        pytest.param(None, "", id="nothing"),
    ],
)
def test_a_result_is_a_text(response: Json | None, content: str) -> None:
    assert messages(model(call()), user(result(response=response)))[1]["content"] == content


def test_an_error_of_a_function_is_marked() -> None:
    _, message = messages(model(call()), user(result(response={"error": "no"})))
    assert message == {"role": "tool", "tool_call_id": "call_0", "content": "no", "is_error": True}


def test_the_media_of_a_result_are_parts_of_it() -> None:
    found = messages(model(call()), user(result(parts=[IMAGE]), {"text": "look"}))
    assert found[1]["content"] == [{"type": "text", "text": "x"}, IMAGE_URL]
    assert found[2] == {"role": "user", "content": "look"}


def test_only_gemini_takes_audio_in_a_result() -> None:
    native = parse({"contents": [model(call()), user(result(parts=[blob("audio/wav")]))]}).native
    assert native is not None
    assert native.only is not None
    assert native.only[0] == "contents[1].parts[0].functionResponse.parts"


def test_contents_of_the_model_in_a_row_are_one_answer() -> None:
    found = messages(
        HI, model({"text": "Hel"}), model({"text": "lo"}), model({"text": ""}, call()), user(result())
    )
    assert [message["role"] for message in found] == ["user", "assistant", "tool"]
    assert (found[1]["content"], len(found[1]["tool_calls"])) == ("Hello", 1)


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        pytest.param([user()], [{"role": "user", "content": ""}], id="a content without parts"),
        pytest.param([{"parts": None}], [{"role": "user", "content": ""}], id="no parts at all"),
        pytest.param([model()], [{"role": "assistant", "content": ""}], id="an empty answer"),
        pytest.param(
            [model({"text": "t", "thought": True})],
            [{"role": "assistant", "content": "", "reasoning_content": "t"}],
            id="a thought",
        ),
    ],
)
def test_unusual_contents(contents: list[Json], expected: list[Json]) -> None:
    assert messages(*contents) == expected


def with_state(**state: Any) -> str:
    return encode_state(state)


SEVERAL = [
    {"index": 0, "characters": 1, "signature": SIGNATURE},
    {"index": 1, "characters": 2, "signature": OTHER},
]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param(
            [{"text": "a", "thoughtSignature": SIGNATURE}],
            {"content": "a", "extra_content": {"google": {"thought_signature": SIGNATURE}}},
            id="of a text",
        ),
        pytest.param(
            [{"text": "a", "thoughtSignature": SIGNATURE}, {"text": "b", "thought_signature": OTHER}],
            {
                "content": "ab",
                "extra_content": {"google": {"thought_signature": OTHER, "thought_signatures": SEVERAL}},
            },
            id="of two texts",
        ),
        pytest.param(
            [{"text": "a"}, {"text": "", "thoughtSignature": with_state(reasoning_details=[DETAIL])}],
            {"content": "a", "reasoning_details": [DETAIL]},
            id="another model's reasoning",
        ),
        pytest.param(
            [{"text": "a", "thoughtSignature": with_state(reasoning_details=7, extra_content="x")}],
            {"content": "a"},
            id="a state of the wrong types",
        ),
        pytest.param(
            [{"text": "a", "thoughtSignature": "sluicev1????"}], {"content": "a"}, id="a broken state"
        ),
        pytest.param(
            [{"text": "a", "thoughtSignature": "skip_thought_signature_validator"}],
            {"content": "a"},
            id="a placeholder",
        ),
    ],
)
def test_signatures_become_members_of_the_message(parts: list[Json], expected: Json) -> None:
    assert messages(model(*parts)) == [{"role": "assistant", **expected}]


@pytest.mark.parametrize(
    ("signature", "of_call", "details"),
    [
        pytest.param(SIGNATURE, SIGNATURE, None, id="Gemini's"),
        pytest.param(with_state(reasoning_details=[DETAIL]), None, [DETAIL], id="another model's reasoning"),
        pytest.param(
            with_state(reasoning_details=[DETAIL], thought_signature=SIGNATURE),
            SIGNATURE,
            [DETAIL],
            id="both",
        ),
        pytest.param("skip_thought_signature_validator", None, None, id="a placeholder"),
    ],
)
def test_the_signature_of_a_call(signature: str, of_call: str | None, details: Any) -> None:
    (message,) = messages(model({**call(), "thoughtSignature": signature}))
    assert message["tool_calls"][0].get("thought_signature") == of_call
    assert message.get("reasoning_details") == details
