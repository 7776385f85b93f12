"""Tests of handler/upstream/http1.py: what is a response, where it ends, and what follows it."""

from __future__ import annotations

from random import Random

import pytest

from handler.upstream.http1 import MAX_FIELDS, MAX_HEAD, Fields, MalformedHTTP, write_request
from tests.support.http_outcomes import (
    Outcome,
    by_connection,
    by_h11,
    by_parser,
    disagreements,
    mutated,
    split,
)

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = OK + b"content-length: 5\r\n"
NOTHING = OK + b"content-length: 0\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"

GENERATED = 4_000  # responses; `python -m bench.http_fuzz` tries others without end


def complete(body: bytes = b"hello", *, status: int = 200, reusable: bool = True) -> Outcome:
    return Outcome("complete", status, body, reusable)


ANSWERS = [
    pytest.param(LENGTH + b"\r\nhello", complete(), id="a length"),
    pytest.param(NOTHING + b"\r\n", complete(b""), id="a length of nothing"),
    pytest.param(LENGTH + b"Content-Length:5\r\n\r\nhello", complete(), id="the same length twice"),
    pytest.param(OK + b"content-length: 5, 5\r\n\r\nhello", complete(), id="the same length in a list"),
    pytest.param(b"HTTP/1.1 200\r\ncontent-length: 5\r\n\r\nhello", complete(), id="no reason"),
    pytest.param(LENGTH + b"x-folded: a\r\n b\r\n\r\nhello", complete(), id="a folded field"),
    pytest.param(
        LENGTH + b"x-text: caf\xe9\t \r\nx-empty:\r\n\r\nhello", complete(), id="bytes that are not ASCII"
    ),
    pytest.param(CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n" + END, complete(), id="chunks"),
    pytest.param(CHUNKED + b"005;a=b;c\r\nhello\r\n0;d\r\n\r\n", complete(), id="extensions of chunks"),
    pytest.param(CHUNKED + b"a\r\n0123456789\r\n" + END, complete(b"0123456789"), id="a size with a letter"),
    pytest.param(CHUNKED + b"5\r\nhello\r\n0\r\nx: 1\r\ny: 2\r\n\r\n", complete(), id="trailers"),
    pytest.param(CHUNKED + END, complete(b""), id="no chunk"),
    # Single bytes are then read with pauses, and the last one comes in a pause or not.
    *(
        pytest.param(NOTHING + b"x: %b\r\n\r\n" % (b"x" * n), complete(b""), id=f"+{n} bytes")
        for n in (100, 101)
    ),
    pytest.param(
        b"HTTP/1.1 103 Hints\r\nlink: </a>\r\n\r\n" * 9 + LENGTH + b"\r\nhello", complete(), id="hints first"
    ),
    pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", complete(b"", status=204), id="a 204"),
    pytest.param(b"HTTP/1.1 304 Same\r\ncontent-length: 9\r\n\r\n", complete(b"", status=304), id="a 304"),
]

# These are answers, but the connection serves no further request.
LAST_ANSWERS = [
    pytest.param(OK + b"\r\nhello", id="the end of the connection is that of the answer"),
    pytest.param(LENGTH + b"connection: close\r\n\r\nhello", id="it is closed"),
    pytest.param(LENGTH + b"Connection: x, Close\r\n\r\nhello", id="it is closed, in a list"),
    pytest.param(b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", id="HTTP/1.0"),
    pytest.param(
        LENGTH + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n" + END, id="a length and chunks"
    ),
    pytest.param(LENGTH + b"\r\nhello\r\n", id="a line end follows"),
    pytest.param(LENGTH + b"\r\nhello" + OK, id="another answer follows"),
    pytest.param(CHUNKED + b"5\r\nhello\r\n" + END + b"\r\n", id="a line end follows chunks"),
    pytest.param(CHUNKED + b"5\r\nhello\r\n" + END + END, id="another end follows chunks"),
    pytest.param(CHUNKED + b"5\r\nhello\r\n0\r\nx: 1\r\n\r\n0", id="a byte follows trailers"),
]

# The second value: h11 takes it.
MALFORMED = [
    pytest.param(LENGTH + b"content-length: 6\r\n\r\nhello", False, id="two lengths"),
    pytest.param(LENGTH + b"content-length: 05\r\n\r\nhello", False, id="a length in two ways"),
    pytest.param(OK + b"content-length: 5, 6\r\n\r\nhello", False, id="two lengths in a list"),
    *(
        pytest.param(OK + b"content-length: %b\r\n\r\nhello" % text, False, id=f"the length {text!r}")
        for text in (b"+5", b"-5", b"5;", b"0x5", b"5_0", b"5 0", b"", b"5,", b"\xb2", b"five", b"9" * 30)
    ),
    *(
        pytest.param(OK + b"transfer-encoding: %b\r\n\r\n" % text + END, False, id=f"the coding {text!r}")
        for text in (
            b"gzip, chunked",
            b"identity",
            b"chunked, chunked",
            b"xchunked",
            b"",
            b"chunked;a",
            b"\x0bchunked",
        )
    ),
    pytest.param(OK + b"transfer-encoding: chunked\r\n" + CHUNKED[17:] + END, False, id="the coding twice"),
    *(
        pytest.param(CHUNKED + b"%b\r\nhello\r\n" % text + END, False, id=f"the size {text!r}")
        for text in (b"", b"+5", b"-5", b" 5", b"0x5", b"5_", b"5 ;a", b"5,", b"g", b"\xb2", b"F" * 30)
    ),
    pytest.param(CHUNKED + b"5\r\nhello!\r\n" + END, False, id="a chunk is longer than its size"),
    pytest.param(CHUNKED + b"5\r\nhello" + END, False, id="no line end after a chunk"),
    pytest.param(CHUNKED + b"5\r\nhello\r0" + END, False, id="half a line end after a chunk"),
    pytest.param(CHUNKED + b"5\r\nhello\n" + END, False, id="a bare line feed after a chunk"),
    pytest.param(CHUNKED + b"5\nhello\r\n" + END, False, id="a bare line feed after a size"),
    pytest.param(CHUNKED + b"5;a\nb\r\nhello\r\n" + END, False, id="a bare line feed in an extension"),
    pytest.param(CHUNKED + b"5;a\rb\r\nhello\r\n" + END, True, id="a bare carriage return in an extension"),
    pytest.param(CHUNKED + b"0\r\nno colon\r\n\r\n", False, id="a trailer without a colon"),
    pytest.param(CHUNKED + b"0\r\n folded: 1\r\n\r\n", False, id="the first trailer is folded"),
    pytest.param(CHUNKED + b"0\r\nx: 1\n\r\n\r\n", True, id="a bare line feed after a trailer"),
    pytest.param(LENGTH + b"x: a\nb: c\r\n\r\nhello", True, id="a bare line feed in the head"),
    pytest.param(LENGTH + b"x: a\rb: c\r\n\r\nhello", False, id="a bare carriage return in the head"),
    pytest.param(LENGTH + b"x: a\0b\r\n\r\nhello", False, id="a NUL"),
    pytest.param(LENGTH + b"x: a\x01b\r\n\r\nhello", True, id="a control character"),
    pytest.param(LENGTH + b"x: a\x7fb\r\n\r\nhello", True, id="a DEL"),
    pytest.param(LENGTH + b"x : 1\r\n\r\nhello", False, id="a space before the colon"),
    pytest.param(LENGTH + b"x\xe9: 1\r\n\r\nhello", False, id="a name that is not ASCII"),
    pytest.param(LENGTH + b": 1\r\n\r\nhello", False, id="a field without a name"),
    pytest.param(LENGTH + b"x\r\n\r\nhello", False, id="a field without a colon"),
    pytest.param(OK + b" x: 1\r\n\r\n", False, id="the first field is folded"),
    pytest.param(b"\r\n" + LENGTH + b"\r\nhello", False, id="an empty line first"),
    pytest.param(b"HTTP/0.9 200 OK\r\n\r\n", True, id="HTTP/0.9"),
    pytest.param(b"HTTP/1.2 200 OK\r\n\r\n", True, id="HTTP/1.2"),
    pytest.param(b"HTTP/2.0 200 OK\r\n\r\n", True, id="HTTP/2.0"),
    pytest.param(b"HTTP/2 200\r\n\r\n", False, id="HTTP/2"),
    pytest.param(b"http/1.1 200 OK\r\n\r\n", False, id="http in small letters"),
    pytest.param(b"ICY 200 OK\r\n\r\n", False, id="another protocol"),
    *(
        pytest.param(b"HTTP/1.1 %b\r\n\r\n" % text, False, id=f"the status {text!r}")
        for text in (
            b"",
            b"2",
            b"20",
            b"2000",
            b"+20",
            b"099",
            b"000",
            b"2 0",
            b" 200",
            b"\xb2\xb2\xb2",
            b"200OK",
        )
    ),
    pytest.param(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n", False, id="another protocol after it"),
    pytest.param(b"HTTP/1.1 102 Wait\r\n\r\n" * 100, False, id="interim answers without end"),
    pytest.param(
        b"HTTP/1.1 102 Wait\r\ncontent-length: x\r\n\r\n", False, id="an interim answer with a bad length"
    ),
    pytest.param(OK + b"x: %b\r\n\r\n" % (b"a" * MAX_HEAD), True, id="a head that is too long"),
    pytest.param(OK + b"x: 1\r\n" * (MAX_FIELDS + 1) + b"\r\n", True, id="too many fields"),
    pytest.param(
        CHUNKED + b"5;%b\r\nhello\r\n" % (b"a" * MAX_HEAD) + END, True, id="an extension that is too long"
    ),
    pytest.param(CHUNKED + b"0\r\nx: %b\r\n\r\n" % (b"a" * MAX_HEAD), True, id="trailers that are too long"),
    pytest.param(b"HTTP/1.1 200 " + b"a" * MAX_HEAD, False, id="a head without an end"),
    pytest.param(CHUNKED + b"0" * (MAX_HEAD + 2), False, id="a size without an end"),
]

CUT = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"HTT", id="in the version"),
    pytest.param(LENGTH, id="in the head"),
    *(pytest.param(LENGTH + b"x" * n, id=f"after {n} bytes more of the head") for n in (100, 101)),
    pytest.param(b"HTTP/1.1 103 Hints\r\n\r\n", id="after an interim answer"),
    pytest.param(LENGTH + b"\r\nhell", id="in the body"),
    pytest.param(OK + b"content-length: %d\r\n\r\nhello" % 10**15, id="in a body without end"),
    pytest.param(CHUNKED, id="before the first chunk"),
    pytest.param(CHUNKED + b"5", id="in a size"),
    pytest.param(CHUNKED + b"5\r\nhel", id="in a chunk"),
    pytest.param(CHUNKED + b"5\r\nhello\r", id="in the line end after a chunk"),
    pytest.param(CHUNKED + b"5\r\nhello\r\n", id="after a chunk"),
    pytest.param(CHUNKED + b"5\r\nhello\r\n0\r\n", id="in the last line"),
    pytest.param(CHUNKED + b"5\r\nhello\r\n0\r\nx: 1\r\n", id="in the trailers"),
]


async def outcomes(data: bytes, method: str = "POST") -> set[Outcome]:
    """The outcomes of the same bytes in one read, in two, and in single bytes if they are few."""
    halves = [data[: len(data) // 2], data[len(data) // 2 :]]
    splits = [[data], halves, *([[bytes([byte]) for byte in data]] if len(data) < 1_000 else [])]
    readers = [by_parser(pieces, method) for pieces in splits]
    return {*readers, *[await by_connection(pieces, method) for pieces in splits]}


@pytest.mark.parametrize(("data", "outcome"), ANSWERS)
async def test_an_answer_ends_where_it_says(data: bytes, outcome: Outcome) -> None:
    assert await outcomes(data) == {outcome}
    assert by_h11(data) == outcome


@pytest.mark.parametrize("data", LAST_ANSWERS)
async def test_no_request_follows_an_answer_that_may_not_be_the_last(data: bytes) -> None:
    assert await outcomes(data) == {complete(reusable=False)}
    assert by_h11(data) == complete(reusable=False)


@pytest.mark.parametrize(("data", "h11_takes_it"), MALFORMED)
async def test_everything_else_is_refused(data: bytes, h11_takes_it: bool) -> None:
    assert {found.end for found in await outcomes(data)} == {"http"}
    assert (by_h11(data).end == "complete") == h11_takes_it


@pytest.mark.parametrize("data", CUT)
async def test_an_answer_that_is_cut_is_not_complete(data: bytes) -> None:
    assert {found.end for found in await outcomes(data)} == {"closed"}
    single = [bytes([byte]) for byte in data]
    assert (await by_connection(single, linger=0.0)).end == "closed"


@pytest.mark.parametrize(
    ("method", "data", "outcome"),
    [
        pytest.param("HEAD", LENGTH + b"\r\n", complete(b""), id="to HEAD, a length without a body"),
        pytest.param("HEAD", LENGTH + b"\r\nhello", complete(b"", reusable=False), id="to HEAD, a body"),
        pytest.param("CONNECT", OK + b"\r\n", complete(b"", reusable=False), id="to CONNECT, a tunnel"),
        pytest.param(
            "CONNECT", LENGTH + b"\r\nhello", complete(b"", reusable=False), id="to CONNECT, a body"
        ),
        pytest.param(
            "CONNECT",
            b"HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno",
            complete(b"no", status=403),
            id="a refusal",
        ),
    ],
)
async def test_the_method_decides_if_there_is_a_body(method: str, data: bytes, outcome: Outcome) -> None:
    assert await outcomes(data, method) == {outcome}


def test_generated_bytes_mean_the_same_to_h11_and_in_any_pieces() -> None:
    found = [one for seed in range(GENERATED) for one in disagreements(Random(seed))]
    assert found == []


async def test_a_connection_reads_what_its_parser_reads() -> None:
    for seed in range(GENERATED // 4):
        random = Random(seed)
        data = mutated(random)
        pieces = split(data, random)
        assert await by_connection(pieces) == by_parser(pieces), (seed, data)


HOST = (b"host", b"provider")
LONG = (b"content-length", b"2")


def test_a_request_is_written_as_it_is_given() -> None:
    head = write_request("POST", b"/v1?a=%20", [HOST, (b"X-Text", b"caf\xe9"), LONG], b"{}")
    assert (
        head == b"POST /v1?a=%20 HTTP/1.1\r\nhost: provider\r\nX-Text: caf\xe9\r\ncontent-length: 2\r\n\r\n"
    )
    assert write_request("GET", b"/", [HOST], b"") == b"GET / HTTP/1.1\r\nhost: provider\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "target", "fields", "body"),
    [
        pytest.param("PO ST", b"/", [HOST], b"", id="a method of two words"),
        pytest.param("GET", b"/a b", [HOST], b"", id="a target of two words"),
        pytest.param("GET", b" /b", [HOST], b"", id="a space before the target"),
        pytest.param("GET", b"/b ", [HOST], b"", id="a space after the target"),
        pytest.param("GET", b"/\tb", [HOST], b"", id="a tab in the target"),
        pytest.param("GET", b"/\xe9", [HOST], b"", id="a target that is not ASCII"),
        pytest.param("GET", b"", [HOST], b"", id="no target"),
        pytest.param("GET", b"/\r\nx: 1", [HOST], b"", id="a line end in the target"),
        pytest.param("GET", b"/", [HOST, (b"x", b"a\r\nb: c")], b"", id="a line end in a value"),
        pytest.param("GET", b"/", [HOST, (b"x", b"a\nb")], b"", id="a line feed in a value"),
        pytest.param("GET", b"/", [HOST, (b"x", b"a\0b")], b"", id="a NUL in a value"),
        pytest.param("GET", b"/", [HOST, (b"x: 1\r\ny", b"a")], b"", id="a line end in a name"),
        pytest.param("GET", b"/", [HOST, (b"x y", b"a")], b"", id="a name of two words"),
        pytest.param("GET", b"/", [HOST, (b"", b"a")], b"", id="a field without a name"),
        pytest.param("GET", b"/", [], b"", id="no host"),
        pytest.param("GET", b"/", [HOST, HOST], b"", id="two hosts"),
        pytest.param("POST", b"/", [HOST], b"{}", id="a body without a length"),
        pytest.param("POST", b"/", [HOST, LONG], b"{", id="a body that is shorter than its length"),
        pytest.param("POST", b"/", [HOST, LONG, LONG], b"{}", id="two lengths"),
        pytest.param("POST", b"/", [HOST, (b"content-length", b"+2")], b"{}", id="an odd length"),
        pytest.param("POST", b"/", [HOST, LONG, (b"Transfer-Encoding", b"chunked")], b"{}", id="chunks"),
    ],
)
def test_no_request_is_written_that_could_be_read_in_another_way(
    method: str, target: bytes, fields: Fields, body: bytes
) -> None:
    with pytest.raises(MalformedHTTP):
        write_request(method, target, fields, body)
