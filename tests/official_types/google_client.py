"""Outputs in Gemini's format, read by Google's client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google import genai  # type: ignore[import-untyped,import-not-found,unused-ignore]
from google.genai import errors, types  # type: ignore[import-not-found,unused-ignore]
from pydantic import TypeAdapter

from tests.official_types.output import Output
from tests.official_types.strict import Canned, Json, data_of, must_equal, raised, validate, without_empty

CANNED = Canned()
CLIENT = genai.Client(
    api_key="k", http_options=types.HttpOptions(base_url="http://m", httpx_client=CANNED.http)
)
REQUEST: Json = {"model": "m", "contents": "hi"}
ANSWER: TypeAdapter[Any] = TypeAdapter(types.GenerateContentResponse)
MORE = frozenset({"cost"})  # a member that the types lack
UNREAD = (*MORE, "finishMessage", "citationMetadata")  # the client leaves these out, or renames their members
BASE64 = ("data", "thoughtSignature")  # the client writes them in the other alphabet


def check_gemini(output: Output) -> None:
    CANNED.set(output.status, output.headers, output.body)
    if output.status >= 400:
        check_error(output.status, output.json, lambda: CLIENT.models.generate_content(**REQUEST))
    elif output.stream:
        check_stream(output)
    else:
        validate(ANSWER, output.json, None if output.relayed else MORE)
        must_equal(readable(CLIENT.models.generate_content(**REQUEST)), readable(output.json), "answer")


def check_error(status: int, body: Json, call: Callable[[], Any]) -> None:
    error, ours = raised(call, errors.APIError), body["error"]
    must_equal([error.code, error.status, error.message], [status, ours["status"], ours["message"]], "error")


def check_stream(output: Output) -> None:
    events = data_of(output.body)
    if isinstance(events[-1], list):  # an error of Google's, which its client does not see in a list
        return
    for event in events:
        if "error" not in event:
            validate(ANSWER, event, None if output.relayed else MORE)
    stream = CLIENT.models.generate_content_stream(**REQUEST)
    if output.ends == "failed":
        check_error(events[-1]["error"]["code"], events[-1], lambda: list(stream))
    else:
        must_equal([readable(one) for one in stream], [readable(one) for one in events], "stream")


def readable(value: Any) -> Any:
    """Return an answer as JSON, without what the client leaves out."""
    if isinstance(value, types.GenerateContentResponse):
        unsent = {"sdk_http_response", "parsed"}
        value = value.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=unsent)
    return without_empty(_in_one_alphabet(value), *UNREAD)


def _in_one_alphabet(value: Any) -> Any:
    if isinstance(value, list):
        return [_in_one_alphabet(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: one.replace("-", "+").replace("_", "/").rstrip("=") if name in BASE64 else _in_one_alphabet(one)
        for name, one in value.items()
    }
