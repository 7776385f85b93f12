"""Requests of operations besides chat: random bodies are accepted or refused with the path of a field."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from handler.errors import GatewayError, InvalidRequest
from handler.formats.operations.operation import BY_PATH
from handler.formats.operations.request import file_bytes, parse_operation

NAMES = (
    *("model", "input", "prompt", "query", "documents", "n", "stream", "dimensions", "encoding_format"),
    *(
        "tags",
        "usage",
        "user",
        "suffix",
        "top_n",
        "max_tokens",
        "instructions",
        "store",
        "stream_options",
        "metadata",
    ),
)
GOOD = {"input": "a", "prompt": "a", "query": "a", "documents": ["a"]}
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 1.5, 2.0, 1e300, "", "a", "up/m", [], {}, [1], ["a"], [[1]], [[]], [None]),
    *({"a": 1}, {"include": True}, {"include": 1}, [{"text": "a"}], [1, "a"]),
)


@pytest.mark.parametrize("path", BY_PATH)
def test_a_random_body_is_parsed_or_refused(path: str) -> None:
    dice, accepted, named = random.Random(path), 0, set[str]()
    for _ in range(1500):
        wrong = {name: dice.choice(VALUES) for name in dice.sample(NAMES, dice.randrange(4))}
        body = {**GOOD, **wrong}
        try:
            chat, request = parse_operation(BY_PATH[path], json.dumps(body).encode(), {}, 8)
        except InvalidRequest as error:
            named.add((error.param or "model").split(".")[0].split("[")[0])
        else:
            accepted += 1
            assert (chat.body, request.operation, request.form) == (body, BY_PATH[path], None)
    assert 0 < accepted < 1500
    assert named <= set(NAMES)


def form(*fields: tuple[str, bytes]) -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
    return b"".join(head % (name.encode(), value) for name, value in fields) + b"--b--\r\n"


HEADERS = {"content-type": "multipart/form-data; boundary=b"}


def test_the_fields_of_a_form_have_their_types() -> None:
    data = form(
        ("model", b"m"),
        ("stream", b"True"),
        ("n", b"2"),
        ("include[]", b"a"),
        ("include[]", b"b"),
        ("n2", b"3"),
    )
    chat, request = parse_operation(BY_PATH["/audio/transcriptions"], data, HEADERS, 8)
    assert chat.body == {"model": "m", "stream": True, "n": 2, "include[]": ["a", "b"], "n2": "3"}
    assert (chat.stream, chat.n, file_bytes(request.form)) == (True, 2, 0)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        pytest.param([("stream", b"maybe")], "stream", id="a flag that is none"),
        pytest.param([("n", b"two")], "n", id="a number that is none"),
        pytest.param([("n", b"2"), ("n", b"3")], "n", id="two numbers"),
        pytest.param([("model", b"a"), ("model", b"a")], "model", id="two models"),
        pytest.param([("model", b"")], None, id="an empty model is none"),
    ],
)
def test_a_wrong_field_of_a_form_is_named(fields: list[tuple[str, bytes]], param: str | None) -> None:
    try:
        parse_operation(BY_PATH["/audio/transcriptions"], form(*fields), HEADERS, 8)
    except GatewayError as error:
        found: str | None = error.param
    else:
        found = None
    assert found == param
