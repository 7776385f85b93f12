"""Samples of requests as JSON: what comes back, what is never in them, and what is no sample."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import Facts
from rules.facts.chat import bucket_of
from rules.review.samples import MAX_BYTES, Sample, read_sample, write_sample

TEXT = st.text(max_size=12)
COUNT = st.integers(0, 10**9)
# By the annotation of a field, its values. A new field of Facts or Sample with another type fails here.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "str": TEXT,
    "str | None": st.none() | TEXT,
    "int": COUNT,
    "int | None": st.none() | COUNT,
    "bool": st.booleans(),
    "float": st.floats(0, 1),
    "float | None": st.none() | st.floats(0, 100),
    "tuple[str, ...]": st.lists(TEXT, max_size=3).map(tuple),
    "tuple[str, ...] | None": st.none() | st.lists(TEXT, max_size=3).map(tuple),
    "Mapping[str, str]": st.dictionaries(TEXT, TEXT, max_size=3),
    "Mapping[str, int]": st.dictionaries(TEXT, COUNT, max_size=3),
}


def fields_of(cls: type[Any], *but: str) -> st.SearchStrategy[dict[str, Any]]:
    names = [name for name in cls.field_names if name not in but]
    return st.fixed_dictionaries({}, optional={name: VALUES[cls.__annotations__[name]] for name in names})


FACTS = fields_of(Facts).map(lambda fields: Facts(**fields))
SAMPLES = st.builds(
    lambda facts, fields: Sample(facts=facts, **fields), FACTS, fields_of(Sample, "facts", "withheld")
)


def public(facts: Facts) -> Facts:
    """The facts as a sample has them where no tag is private."""
    return facts.replaced(
        opening="",
        header=dict.fromkeys(facts.header, ""),
        user=facts.user and f"user {bucket_of(facts.user)}",
        session=facts.session and f"session {bucket_of(facts.session)}",
    )


@given(SAMPLES)
def test_a_sample_comes_back_with_all_that_is_not_private(sample: Sample) -> None:
    text = write_sample(sample)
    assert text is not None
    read = read_sample(text)
    expected = public(sample.facts)
    if sample.facts.user == "":
        expected = expected.replaced(user=f"user {bucket_of('')}")
    if sample.facts.session == "":
        expected = expected.replaced(session=f"session {bucket_of('')}")
    assert read.facts == expected
    assert read.replaced(facts=sample.facts, withheld=frozenset()) == sample


SECRET = "hunter2"
PRIVATE = Facts(
    user=f"{SECRET}@example.com",
    session=f"{SECRET}-session",
    opening=f"the prompt with {SECRET}",
    header={"x-team": SECRET, "accept": "*/*"},
    tags={"customer": SECRET, "user_id": SECRET, "team": "blue"},
    metadata={"customer": SECRET, "user_id": SECRET, "team": "blue"},
)


@pytest.mark.parametrize(
    ("private", "tags", "withheld"),
    [
        pytest.param(
            {"customer"},
            {"customer": "", "user_id": "", "team": "blue"},
            {"tags.customer", "tags.user_id", "metadata.customer", "metadata.user_id"},
            id="a private tag keeps its name and not its value, and user_id is always private",
        ),
        pytest.param({"*"}, {}, {"tags.*", "metadata.*"}, id="with * there are no tags"),
    ],
)
def test_what_is_private_is_not_in_a_sample(
    private: set[str], tags: dict[str, str], withheld: set[str]
) -> None:
    text = write_sample(Sample(facts=PRIVATE), private)
    assert text is not None
    assert SECRET not in text
    assert "prompt" not in text
    assert "*/*" not in text
    read = read_sample(text)
    assert (read.facts.tags, read.facts.metadata) == (tags, tags)
    assert read.withheld == withheld | {"user", "session", "header.x-team", "header.accept"}


def test_a_user_is_one_of_a_hundred() -> None:
    """Two users of one bucket cannot be told apart, and the bucket is a fact of its own anyway."""
    texts = {write_sample(Sample(facts=Facts(user=f"user{number}@example.com"))) for number in range(2000)}
    assert len(texts) == 100


def test_a_sample_that_is_too_long_is_not_written() -> None:
    facts = Facts(metadata={f"name{number}": "x" * 500 for number in range(20)})
    assert write_sample(Sample(facts=facts)) is None
    assert len(write_sample(Sample(facts=Facts(model="m" * 100_000))) or "") < MAX_BYTES


ODD_FACTS: tuple[Any, ...] = (
    *({"input_tokens": "many"}, {"input_tokens": -1}, {"input_tokens": True}, {"hour": None}),
    *({"unknown": 1}, {"user": "alice"}, {"user": []}, {"header": [[]]}, {"header": 5}),
    *({"tags": []}, {"tags": {"a": 1}}, {"fallbacks": "a"}, {"fallbacks": [1]}, {"model": 3}),
    *({"units": {"images": "1"}}, {"random": "0"}, {"stream": 1}, {"key_models": [None]}, 5),
)
ODD: tuple[Any, ...] = (
    *({"withheld": []}, {"cost": "1"}, {"at": 1.5}, {"usage": {"input": -1}}, {"new": 1}),
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="no JSON"),
        pytest.param("[" * 100_000, id="nested without end"),
        pytest.param("[]", id="a list"),
        pytest.param("null", id="null"),
        pytest.param("{}", id="no facts"),
        *(pytest.param(json.dumps({"facts": facts}), id=f"facts {facts}") for facts in ODD_FACTS),
        *(pytest.param(json.dumps({"facts": {}, **own}), id=f"a sample with {own}") for own in ODD),
    ],
)
def test_anything_else_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_sample(text)
