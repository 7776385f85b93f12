"""The cases of the bedrock dialect in wire/, checked by botocore and its model of the service.

A request must match the model, including patterns and choices, and be the same as botocore's. botocore's
parsers must read the same values from answers, events and errors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.eventstream import EventStream
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator

from handler.errors import UpstreamError
from handler.providers.bedrock.translator import Bedrock
from rules.catalog.catalog import unlisted_model
from tests.handler.providers.bedrock.service_model import operation, violations, with_blobs
from tests.handler.providers.wire_cases import WIRE, case_id, read_file
from tests.support.event_stream import frames

CASES = sorted(path.parent for path in (WIRE / "bedrock").glob("*/about.json"))
UNKNOWN_EVENTS = frozenset({"noteFromTheFuture", "somethingElse"})


def captures_with(name: str) -> list[Path]:
    return [case for case in CASES if (case / name).exists()]


def sent(case: Path) -> tuple[Any, str, dict[str, Any]]:
    chat, model = read_file(case, "chat.json"), read_file(case, "about.json")["model"].partition("/")[2]
    name = "ConverseStream" if chat.get("stream") else "Converse"
    shape = operation(name).input_shape
    return operation(name), model, with_blobs(read_file(case, "request.json"), shape) | {"modelId": model}


@pytest.mark.parametrize("case", captures_with("request.json"), ids=case_id)
def test_a_request_matches_the_service_model(case: Path) -> None:
    converse, _, params = sent(case)
    report = ParamValidator().validate(params, converse.input_shape)
    assert not report.has_errors(), report.generate_report()
    assert list(violations(params, converse.input_shape)) == []


def test_an_unknown_field_is_detected() -> None:
    converse, _, params = sent(WIRE / "bedrock" / "text")
    params["messages"][0]["content"][0]["unknown"] = 1
    assert ParamValidator().validate(params, converse.input_shape).has_errors()
    invalid = {
        "messages": [{"role": "user", "content": [{"toolUse": {"toolUseId": "ä", "name": "n", "input": {}}}]}]
    }
    assert list(violations(invalid, converse.input_shape))


@pytest.mark.parametrize("case", captures_with("request.json"), ids=case_id)
def test_botocore_sends_the_same_bytes_to_the_same_path(case: Path) -> None:
    converse, model, params = sent(case)
    request = create_serializer("rest-json").serialize_to_request(params, converse)
    assert json.loads(request["body"]) == read_file(case, "request.json")
    stream = converse.name == "ConverseStream"
    assert request["url_path"] == Bedrock().path(unlisted_model("bedrock", model), stream=stream)


def test_an_arn_is_encoded_as_a_whole() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
    request = create_serializer("rest-json").serialize_to_request({"modelId": arn}, operation("Converse"))
    assert request["url_path"] == Bedrock().path(unlisted_model("bedrock", arn), stream=False)
    assert "%2F" in request["url_path"]


@pytest.mark.parametrize("case", captures_with("whole.json"), ids=case_id)
def test_botocore_reads_the_same_answer(case: Path) -> None:
    body, shape = read_file(case, "whole.json"), operation("Converse").output_shape
    response = {"status_code": 200, "headers": {}, "body": (case / "whole.json").read_bytes()}
    parsed = create_parser("rest-json").parse(response, shape)
    parsed.pop("ResponseMetadata")
    assert parsed == with_blobs(body, shape)


def events_of(case: Path) -> list[Any]:
    lines = (case / "stream.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


class Raw:
    """The body of a response, as botocore's event stream reads it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self) -> Iterator[bytes]:
        yield from (self._data[at : at + 64] for at in range(0, len(self._data), 64))

    def close(self) -> None:
        pass


@pytest.mark.parametrize("case", captures_with("stream.jsonl"), ids=case_id)
def test_botocore_reads_the_same_events(case: Path) -> None:
    events, shape = events_of(case), operation("ConverseStream").output_shape.members["stream"]
    known = [event for event in events if not set(event) & UNKNOWN_EVENTS and not _is_exception(event)]
    parser: Any = create_parser("rest-json")
    stream: Any = EventStream(Raw(frames(known)), shape, parser._event_stream_parser, "ConverseStream")
    assert list(stream) == [with_blobs(_unpadded(event), shape) for event in known]
    assert all(set(event) <= set(shape.members) for event in events if not set(event) & UNKNOWN_EVENTS)


def _is_exception(event: Any) -> bool:
    return all(name.endswith("Exception") for name in event)


def _unpadded(event: Any) -> Any:
    return {name: {key: one for key, one in content.items() if key != "p"} for name, content in event.items()}


@pytest.mark.parametrize(
    "case",
    [case for case in captures_with("error.json") if "headers" in read_file(case, "error.json")],
    ids=case_id,
)
def test_botocore_reads_the_same_error(case: Path) -> None:
    error = read_file(case, "error.json")
    kind = error["headers"]["x-amzn-errortype"]
    response = {
        "status_code": error["status"],
        "headers": error["headers"],
        "body": json.dumps(error["body"]).encode(),
    }
    parsed = create_parser("rest-json").parse(response, operation("Converse").output_shape)
    assert parsed["Error"]["Code"] == kind.partition(":")[0]
    ours = Bedrock().error(error["status"], error["headers"], response["body"])
    assert isinstance(ours, UpstreamError)
    assert parsed["Error"]["Message"].partition("\n")[0] in (ours.message, *getattr(ours, "__notes__", ()))
