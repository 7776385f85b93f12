"""The captures of the bedrock dialect, read by botocore by its model of the service: not our own opinion.

A request is checked against the model, patterns and choices included, and must be what botocore would send.
Answers, events and errors must mean to botocore's parsers what they say.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.eventstream import EventStream
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator

from handler.errors import UpstreamError
from handler.providers.bedrock.translator import Bedrock
from rules.catalog.catalog import unlisted_model
from tests.handler.providers.wire_cases import WIRE, case_id, read_file
from tests.support.event_stream import frames

CASES = sorted(path.parent for path in (WIRE / "bedrock").glob("*/about.json"))
LATER = frozenset({"noteFromTheFuture", "somethingElse"})  # events that are to be ignored


def having(name: str) -> list[Path]:
    return [case for case in CASES if (case / name).exists()]


@cache
def operation(name: str) -> Any:
    return botocore.session.get_session().get_service_model("bedrock-runtime").operation_model(name)


def typed(value: Any, shape: Any) -> Any:
    """The value as botocore takes it: bytes where the wire has base64."""
    if shape.type_name == "blob":
        return base64.b64decode(value, validate=True)
    if shape.type_name == "list":
        return [typed(one, shape.member) for one in value]
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        return {
            name: typed(one, shape.members[name]) if name in shape.members else one
            for name, one in value.items()
        }
    return value


def strays(value: Any, shape: Any, where: str = "") -> Iterator[str]:
    """Texts that are none of the choices, or do not fit their pattern: botocore itself does not look."""
    if shape.type_name == "list":
        for at, one in enumerate(value):
            yield from strays(one, shape.member, f"{where}[{at}]")
    elif shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        for name, one in value.items():
            yield from strays(one, shape.members[name], f"{where}.{name}")
    elif shape.type_name == "string":
        pattern, longest = shape.metadata.get("pattern"), shape.metadata.get("max")
        if shape.metadata.get("enum") and value not in shape.metadata["enum"]:
            yield f"{where}: {value!r} is no choice"
        if (pattern and not re.fullmatch(pattern, value)) or (longest and len(value) > longest):
            yield f"{where}: {value!r} does not fit"


def sent(case: Path) -> tuple[Any, str, dict[str, Any]]:
    chat, model = read_file(case, "chat.json"), read_file(case, "about.json")["model"].partition("/")[2]
    name = "ConverseStream" if chat.get("stream") else "Converse"
    shape = operation(name).input_shape
    return operation(name), model, typed(read_file(case, "request.json"), shape) | {"modelId": model}


@pytest.mark.parametrize("case", having("request.json"), ids=case_id)
def test_a_request_is_one_by_the_model_of_the_service(case: Path) -> None:
    asked, _, given = sent(case)
    report = ParamValidator().validate(given, asked.input_shape)
    assert not report.has_errors(), report.generate_report()
    assert list(strays(given, asked.input_shape)) == []


def test_an_unknown_field_would_not_pass() -> None:
    asked, _, given = sent(WIRE / "bedrock" / "text")
    given["messages"][0]["content"][0]["unknown"] = 1
    assert ParamValidator().validate(given, asked.input_shape).has_errors()
    stray = {
        "messages": [{"role": "user", "content": [{"toolUse": {"toolUseId": "ä", "name": "n", "input": {}}}]}]
    }
    assert list(strays(stray, asked.input_shape))


@pytest.mark.parametrize("case", having("request.json"), ids=case_id)
def test_botocore_would_send_the_same_bytes_to_the_same_path(case: Path) -> None:
    asked, model, given = sent(case)
    made = create_serializer("rest-json").serialize_to_request(given, asked)
    assert json.loads(made["body"]) == read_file(case, "request.json")
    stream = asked.name == "ConverseStream"
    assert made["url_path"] == Bedrock().path(unlisted_model("bedrock", model), stream=stream)


def test_an_arn_is_encoded_as_a_whole() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
    made = create_serializer("rest-json").serialize_to_request({"modelId": arn}, operation("Converse"))
    assert made["url_path"] == Bedrock().path(unlisted_model("bedrock", arn), stream=False)
    assert "%2F" in made["url_path"]


@pytest.mark.parametrize("case", having("whole.json"), ids=case_id)
def test_botocore_reads_the_same_answer(case: Path) -> None:
    body, shape = read_file(case, "whole.json"), operation("Converse").output_shape
    response = {"status_code": 200, "headers": {}, "body": (case / "whole.json").read_bytes()}
    parsed = create_parser("rest-json").parse(response, shape)
    parsed.pop("ResponseMetadata")
    assert parsed == typed(body, shape)


def events_of(case: Path) -> list[Any]:
    lines = (case / "stream.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


class Raw:
    """A response's body as botocore's event stream wants it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self) -> Iterator[bytes]:
        yield from (self._data[at : at + 64] for at in range(0, len(self._data), 64))

    def close(self) -> None:
        pass


@pytest.mark.parametrize("case", having("stream.jsonl"), ids=case_id)
def test_botocore_reads_the_same_events(case: Path) -> None:
    events, shape = events_of(case), operation("ConverseStream").output_shape.members["stream"]
    told = [event for event in events if not set(event) & LATER and not _is_exception(event)]
    parser: Any = create_parser("rest-json")
    stream: Any = EventStream(Raw(frames(told)), shape, parser._event_stream_parser, "ConverseStream")
    assert list(stream) == [typed(_unpadded(event), shape) for event in told]
    assert all(set(event) <= set(shape.members) for event in events if not set(event) & LATER)


def _is_exception(event: Any) -> bool:
    return all(name.endswith("Exception") for name in event)


def _unpadded(event: Any) -> Any:
    return {name: {key: one for key, one in told.items() if key != "p"} for name, told in event.items()}


@pytest.mark.parametrize(
    "case", [case for case in having("error.json") if "headers" in read_file(case, "error.json")], ids=case_id
)
def test_botocore_reads_the_same_error(case: Path) -> None:
    told = read_file(case, "error.json")
    kind = told["headers"]["x-amzn-errortype"]
    response = {
        "status_code": told["status"],
        "headers": told["headers"],
        "body": json.dumps(told["body"]).encode(),
    }
    parsed = create_parser("rest-json").parse(response, operation("Converse").output_shape)
    assert parsed["Error"]["Code"] == kind.partition(":")[0]
    ours = Bedrock().error(told["status"], told["headers"], response["body"])
    assert isinstance(ours, UpstreamError)
    assert parsed["Error"]["Message"].partition("\n")[0] in (ours.message, *getattr(ours, "__notes__", ()))
