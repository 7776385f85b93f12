"""The parts of a form, a part that is replaced, and forms that two parsers could read in different ways."""

from __future__ import annotations

import random

import pytest

from handler.errors import InvalidRequest
from handler.wire.multipart import MAX_PARTS, is_form, parse_form

TYPE = "multipart/form-data; boundary=b-1"


def part(name: str, content: bytes = b"x", *, more: str = "") -> bytes:
    head = f'--b-1\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + content + b"\r\n"


END = b"--b-1--\r\n"
FILE = part("file", b"\r\n--b\r\n\x00\xff", more='; filename="a.mp3"\r\nContent-Type: audio/mpeg')


@pytest.mark.parametrize(
    "content_type",
    [
        pytest.param("multipart/form-data; boundary=b-1", id="a plain boundary"),
        pytest.param('Multipart/Form-Data;boundary="b-1"; charset=utf-8', id="a quoted boundary"),
    ],
)
def test_the_parts_of_a_form(content_type: str) -> None:
    assert is_form(content_type)
    data = part("model", b"up/m") + FILE + part("prompt", "é".encode()) + part("empty", b"") + END
    form = parse_form(data, content_type)
    found = [(each.name, each.is_file, data[each.start : each.end]) for each in form.parts]
    assert found == [
        ("model", False, b"up/m"),
        ("file", True, b"\r\n--b\r\n\x00\xff"),
        ("prompt", False, "é".encode()),
        ("empty", False, b""),
    ]
    assert form.text(form.parts[2]) == "é"


@pytest.mark.parametrize(
    ("head", "name", "is_file"),
    [
        pytest.param('form-data; name="a"', "a", False, id="a field"),
        pytest.param('FORM-DATA;Name="a";', "a", False, id="in capitals, with a semicolon at its end"),
        pytest.param("form-data; name=a; filename=b.mp3; filename*=utf-8''b.mp3", "a", True, id=".NET"),
        pytest.param('form-data; name="a"; filename="b.mp3"; size=7', "a", True, id="a size"),
        pytest.param(f'form-data; name="a"; filename="{"b" * 600}"', "a", True, id="a long name of a file"),
        pytest.param('form-data; name="a"; filename="b\\".mp3"', "a", True, id="curl's quotation mark"),
        pytest.param('form-data; filename="C:\\b.mp3"; name="a"', "a", True, id="a path of Windows"),
        pytest.param('form-data; name="a"; filename=""', "a", True, id="a file without a name"),
        pytest.param(
            'form-data; name="é"\r\nContent-Transfer-Encoding: Binary\r\nContent-Length: 1\r\nX:',
            "é",
            False,
            id="more headers",
        ),
    ],
)
def test_the_headers_that_clients_send(head: str, name: str, is_file: bool) -> None:
    data = f"--b-1\r\nContent-Disposition: {head}\r\n\r\nx\r\n".encode() + END
    (found,) = parse_form(data, TYPE).parts
    assert (found.name, found.is_file) == (name, is_file)


def test_only_the_one_part_is_replaced() -> None:
    form = parse_form(FILE + part("model", b"up/m") + part("n", b"1") + END, TYPE)
    assert form.with_value("model", "m") == FILE + part("model", b"m") + part("n", b"1") + END
    assert form.media_type == 'multipart/form-data; boundary="b-1"'


def test_a_part_that_is_not_there_is_added() -> None:
    form = parse_form(FILE + END, TYPE)
    added = form.with_value("model", "m")
    assert added.endswith(FILE + END)
    assert [each.name for each in parse_form(added, TYPE).parts] == ["model", "file"]


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        pytest.param(b"", TYPE, id="nothing"),
        pytest.param(b"x" + part("a") + END, TYPE, id="a preamble"),
        pytest.param(part("a"), TYPE, id="no end"),
        pytest.param(part("a")[:-2], TYPE, id="a part that is cut off"),
        pytest.param(part("a") + b"--b-1x\r\n" + END, TYPE, id="text behind a boundary"),
        pytest.param(part("a", b"y\n--b-1\nz") + END, TYPE, id="a boundary with LF alone"),
        pytest.param(part("a", more='; name="b"') + END, TYPE, id="two names"),
        pytest.param(part("a", more="; name*=utf-8''b") + END, TYPE, id="a name in two notations"),
        pytest.param(part('a\\"b') + END, TYPE, id="an escape in a name"),
        pytest.param(
            part("a", more='\r\nContent-Disposition: form-data; name="b"') + END, TYPE, id="two dispositions"
        ),
        pytest.param(
            part("a", more='\r\nContent-Disposition: inline; name="b"') + END,
            TYPE,
            id="two dispositions, one of another type",
        ),
        pytest.param(
            part("a", more='\r\nContent-Disposition : form-data; name="b"') + END,
            TYPE,
            id="a space before the colon of a header",
        ),
        pytest.param(part("a", more='; name = "b"') + END, TYPE, id="spaces around an equals sign"),
        pytest.param(part("a", more='\r\n ; name="b"') + END, TYPE, id="a header of two lines"),
        pytest.param(
            b'--b-1\r\nx: y\nContent-Disposition: form-data; name="a"\r\n\r\nz\r\n' + END,
            TYPE,
            id="a header behind LF alone",
        ),
        pytest.param(
            b'--b-1\r\nContent-Disposition: form-data; name="a"\rx: y\r\n\r\nz\r\n' + END,
            TYPE,
            id="a header that has CR alone",
        ),
        pytest.param(part("a\0b") + END, TYPE, id="NUL in a name"),
        pytest.param(part("a", more='; filename="x"; filename="y"') + END, TYPE, id="two names of a file"),
        pytest.param(
            part("a", more='; filename="x\\"; name="b"') + END,
            TYPE,
            id="a quotation mark that is an escape for some parsers",
        ),
        pytest.param(
            part("a", more="\r\nContent-Transfer-Encoding: quoted-printable") + END,
            TYPE,
            id="content in another encoding",
        ),
        pytest.param(b"--b-1\r\nx: y\r\n\r\nz\r\n" + END, TYPE, id="no name"),
        pytest.param(b"--b-1\r\n\r\nz\r\n" + END, TYPE, id="no headers"),
        pytest.param(
            b'--b-1\r\nContent-Disposition: form-data; name="a' + b'; name="a' * 800 + b"\r\n\r\n" + END,
            TYPE,
            id="a name without an end",
        ),
        pytest.param(b"--b-1\r\n" + b"x: y\r\n" * 2000 + b"\r\nz\r\n" + END, TYPE, id="large headers"),
        pytest.param(part("a") * (MAX_PARTS + 1) + END, TYPE, id="too many parts"),
        pytest.param(part("a") + END, "multipart/form-data", id="no boundary"),
        pytest.param(part("a") + END, "multipart/form-data; boundary=a{b", id="a boundary that is not legal"),
        pytest.param(part("a") + END, "multipart/form-data; boundary=" + "b" * 71, id="a long boundary"),
    ],
)
def test_a_form_that_is_not_clear_is_refused(data: bytes, content_type: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_form(data, content_type)


def test_a_part_is_text_in_utf8() -> None:
    form = parse_form(part("a", b"\xff") + END, TYPE)
    with pytest.raises(InvalidRequest, match="UTF-8") as refused:
        form.text(form.parts[0])
    assert refused.value.param == "a"


def test_random_damage_is_refused_or_leaves_the_other_parts() -> None:
    dice, whole = random.Random(7), part("model", b"up/m") + FILE + END
    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(dice.randrange(1, 4)):
            at = dice.randrange(len(data))
            data[at : at + dice.randrange(3)] = dice.choice([b"", b"\n", b"\r\n", b"--b-1", b'"', b"\x00"])
        try:
            form = parse_form(bytes(data), TYPE)
        except InvalidRequest:
            continue
        replaced = form.with_value("model", "m")
        assert [each.name for each in parse_form(replaced, TYPE).parts if each.name != "model"] == [
            each.name for each in form.parts if each.name != "model"
        ]
