"""Outputs in the format of Bedrock's Converse, read by botocore and checked against its model of Bedrock."""

from __future__ import annotations

import base64
import io
from typing import Any

import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from urllib3 import HTTPResponse

from tests.handler.formats.converse.bodies import fold
from tests.handler.providers.bedrock.service_model import operation, violations
from tests.official_types.output import Output
from tests.official_types.strict import Json, Mismatch, must_equal, raised

REQUEST: Json = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "hi"}]}]}
COSTS = ("cost", "cost_details")  # of usage, which the service does not have


class Canned:
    """A client of Bedrock whose requests all get `answer`."""

    def __init__(self) -> None:
        self.answer: Output | None = None
        self.client: Any = botocore.session.get_session().create_client(
            "bedrock-runtime",
            "us-east-1",
            aws_access_key_id="k",
            aws_secret_access_key="s",
            endpoint_url="http://m",
            config=Config(retries={"total_max_attempts": 1}),
        )
        self.client.meta.events.register("before-send", self._send)

    def _send(self, request: Any, **_: Any) -> Any:
        assert self.answer is not None
        raw: Any = HTTPResponse(io.BytesIO(self.answer.body), preload_content=False)
        headers: Any = self.answer.headers
        return AWSResponse(request.url, self.answer.status, headers, raw)


CANNED = Canned()
CLIENT = CANNED.client


def check_converse(output: Output) -> None:
    CANNED.answer = output
    if output.status >= 400:
        check_error(output)
    elif output.stream:
        check_stream(output)
    else:
        answer = as_text(CLIENT.converse(**REQUEST))
        del answer["ResponseMetadata"]
        must_equal(answer, without_costs(output.json), "answer")
        if not output.relayed:
            check_choices(answer, "Converse")


def check_error(output: Output) -> None:
    """Check that the client raises an error of Bedrock's, whose fault it is, and what it says."""
    error = raised(lambda: CLIENT.converse(**REQUEST), ClientError)
    code = error.response["Error"]["Code"]
    shapes = {shape.name: shape for shape in CLIENT.meta.service_model.error_shapes}
    if code not in shapes:
        raise Mismatch(f"Bedrock has no {code}")
    status = shapes[code].metadata["error"]["httpStatusCode"]
    must_equal(status // 100, output.status // 100, f"class of status for {code}")
    must_equal(error.response["Error"]["Message"], output.json["message"], "message")


def check_stream(output: Output) -> None:
    stream = CLIENT.converse_stream(**REQUEST)["stream"]
    if output.ends == "failed":
        raised(lambda: list(stream), EventStreamError)
        return
    events = [as_text(event) for event in stream]
    if output.folded:
        answer = fold([pair for event in events for pair in event.items()])
        must_equal(answer, without_costs(output.folded), "answer")
        for event in events:
            check_choices(event, "ConverseStream", "stream")


def check_choices(value: Json, name: str, *members: str) -> None:
    """Check texts that have a pattern or choices. Names of tools are the client's own."""
    shape = operation(name).output_shape
    for member in members:
        shape = shape.members[member]
    if found := [one for one in violations(value, shape) if "toolUse.name" not in one]:
        raise Mismatch("; ".join(found))


def without_costs(answer: Json) -> Json:
    usage = {name: value for name, value in answer["usage"].items() if name not in COSTS}
    return {**answer, "usage": usage}


def as_text(value: Any) -> Any:
    """Return the value with its bytes in base64."""
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {name: as_text(one) for name, one in value.items()}
        case list():
            return [as_text(one) for one in value]
    return value
