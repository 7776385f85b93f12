"""Objects with named fields behave as dataclasses do, and show no secret."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from functools import cached_property
from typing import Any

import pytest

from handler.settings import Settings
from handler.upstream.connection import Origin
from handler.upstream.proxies import Proxies, Proxy
from handler.upstream.request import UpstreamRequest
from rules import Facts, Fields, Frozen, fresh


class Point(Frozen, kw_only=False):
    x: int
    y: int = 0
    label: str = "p"

    @cached_property
    def sum(self) -> int:
        return self.x + self.y


class Point3(Point, kw_only=False):
    z: int = 0


UNCHECKED: Any = Point  # mypy refuses what the table below shows


class Bag(Fields):
    name: str
    things: list[int] = fresh(factory=list)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: UNCHECKED(), id="a field is missing"),
        pytest.param(lambda: UNCHECKED(1, 2, "p", 4), id="there are too many values"),
        pytest.param(lambda: UNCHECKED(1, x=2), id="a field has two values"),
        pytest.param(lambda: UNCHECKED(1, w=2), id="a field is unknown"),
        pytest.param(lambda: Point(1).replaced(w=2), id="an unknown field is replaced"),
        pytest.param(lambda: Point(1).replaced(sum=2), id="a cached property is replaced"),
        pytest.param(lambda: Point.of({"y": 1}), id="a field is missing in a dict"),
        pytest.param(lambda: Point.of({"x": 1, "w": 1}), id="a field of a dict is unknown"),
    ],
)
def test_wrong_fields_are_a_type_error(make: Callable[[], Any]) -> None:
    with pytest.raises(TypeError):
        make()


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda point: pickle.loads(pickle.dumps(point)), Point.replaced],
    ids=["copy", "deepcopy", "pickle", "replaced"],
)
def test_a_copy_is_equal_and_as_frozen(copied: Callable[[Point], Point]) -> None:
    point = Point(1, 2)
    assert point.sum == 3
    again = copied(point)
    assert again == point
    assert again is not point
    assert (hash(again), repr(again), again.sum) == (hash(point), "Point(x=1, y=2, label='p')", 3)
    with pytest.raises(AttributeError):
        again.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del again.x


def test_values_of_two_classes_are_not_equal() -> None:
    assert Point(1) != Point3(1)
    assert Point(1) == Point(1, 0) != Point(1, 1)
    assert Point3(1, z=2).as_dict() == {"x": 1, "y": 0, "label": "p", "z": 2}


def test_what_is_computed_is_computed_again_for_other_fields() -> None:
    point = Point(1)
    assert point.sum == 1
    assert point.replaced(y=5).sum == 6


def test_a_fresh_default_is_not_shared() -> None:
    one, other = Bag(name="one"), Bag(name="other")
    one.things.append(1)
    assert (one.things, other.things, Bag(name="third").things) == ([1], [], [])


PROXY = Proxy(origin=Origin(False, "h", 1), headers=((b"proxy-authorization", b"SECRET"),))
REQUEST = UpstreamRequest(
    url="u", headers=[(b"x", b"SECRET")], body=b"SECRET", dropped=(), secrets=("SECRET",)
)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(Settings(environment={"OPENAI_API_KEY": "SECRET"}), id="settings"),
        pytest.param(PROXY, id="a proxy"),
        pytest.param(Proxies(https=PROXY), id="proxies"),
        pytest.param(REQUEST, id="a request to a provider"),
        pytest.param(Facts(opening="SECRET"), id="the text of a conversation"),
    ],
)
def test_no_secret_is_shown(value: object) -> None:
    assert "SECRET" not in f"{value!r} {value}"


def test_fields_that_are_hidden_exist() -> None:
    classes: list[Any] = [Frozen]
    for each in classes:
        classes += each.__subclasses__()
        assert each.hidden <= set(each.field_names), each
