"""Conditions: what holds of what, how each is written down, and what is refused when a record is read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.errors import InvalidRecord
from rules.facts.facts import Facts
from rules.records.conditions import OPERATORS, Condition, read_conditions
from rules.records.patterns import compile_pattern

FACTS = Facts(
    model="OpenAI/GPT-5",
    user="ann@example.com",
    stream=True,
    tools=2,
    json="schema",
    reasoning="high",
    input_tokens=10,
    tags={"team": "red", "vip": "true", "level": "3"},
    metadata={"job": "interactive"},
    header={"x-team": "a*b"},
    hour=12,
    weekday="sat",
    bucket=7,
)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        pytest.param({"input_tokens": 10}, True, id="a value is equal"),
        pytest.param({"input_tokens": 11}, False, id="another value is not"),
        pytest.param({"input_tokens": "10"}, True, id="a text that is a JSON number is that number"),
        pytest.param({"input_tokens": Decimal("10.0")}, True, id="an integral decimal is an integer"),
        pytest.param({"input_tokens": 10.0}, True, id="an integral float is an integer"),
        pytest.param({"input_tokens": [9, "10"]}, True, id="a list is any of"),
        pytest.param({"input_tokens": [8, 9]}, False, id="none of a list"),
        pytest.param({"input_tokens": {"gt": 9}}, True, id="gt holds above"),
        pytest.param({"input_tokens": {"gt": 10}}, False, id="gt does not hold at the value"),
        pytest.param({"input_tokens": {"gte": 10}}, True, id="gte holds at the value"),
        pytest.param({"input_tokens": {"gte": 11}}, False, id="gte does not hold below"),
        pytest.param({"input_tokens": {"lt": 11}}, True, id="lt holds below"),
        pytest.param({"input_tokens": {"lt": 10}}, False, id="lt does not hold at the value"),
        pytest.param({"input_tokens": {"lte": "10"}}, True, id="lte holds at the value"),
        pytest.param({"input_tokens": {"lte": 9}}, False, id="lte does not hold above"),
        pytest.param({"input_tokens": {"gte": 5, "lt": 10}}, False, id="several operators must all hold"),
        pytest.param({"input_tokens": {"gte": 5, "lt": 11}}, True, id="several operators can all hold"),
        pytest.param({"input_tokens": {"not": 10}}, False, id="not a value"),
        pytest.param({"input_tokens": {"not": [1, 2]}}, True, id="not a list"),
        pytest.param({"input_tokens": {"in": [10]}}, True, id="in is the list in full"),
        pytest.param({"input_tokens": {"is": 10}}, True, id="is is the value in full"),
        pytest.param({"tools": True}, True, id="true of a count is at least one"),
        pytest.param({"tools": "true"}, True, id="a text that is a JSON boolean is that boolean"),
        pytest.param({"tools": False}, False, id="false of a count is none"),
        pytest.param({"images": False}, True, id="false of a count holds of none"),
        pytest.param({"images": True}, False, id="true of a count does not hold of none"),
        pytest.param({"tools": 2}, True, id="a number of a count compares"),
        pytest.param({"tools": 1}, False, id="one is not at least one"),
        pytest.param({"tools": {"gt": 1}}, True, id="a count compares"),
        pytest.param({"tools": {"not": True}}, False, id="not at least one"),
        pytest.param({"tools": [True]}, True, id="true within a list of a count"),
        pytest.param({"stream": True}, True, id="a flag"),
        pytest.param({"stream": "false"}, False, id="a flag as a text"),
        pytest.param({"model": "openai/gpt-5"}, True, id="capitals do not count in a model's name"),
        pytest.param({"model": "openai/*"}, True, id="a text with a star is a pattern"),
        pytest.param({"model": "*/gpt-4*"}, False, id="a pattern that does not fit"),
        pytest.param({"model": ["groq/*", "OPENAI/gpt-*"]}, True, id="patterns in a list"),
        pytest.param({"model": {"not": "openai/*"}}, False, id="not a pattern"),
        pytest.param({"model": {"not": ["groq/*", "xai/*"]}}, True, id="not a list of patterns"),
        pytest.param({"model": {"like": ["groq/*", "openai/*"]}}, True, id="like takes a list too"),
        pytest.param({"model": {"contains": "gpt"}}, True, id="contains, capitals not counting"),
        pytest.param({"user": "Ann@example.com"}, False, id="capitals count elsewhere"),
        pytest.param({"user": "*@example.com"}, True, id="a pattern at the start"),
        pytest.param({"user": {"contains": "@"}}, True, id="contains"),
        pytest.param({"user": {"contains": "*"}}, False, id="contains knows no pattern"),
        pytest.param({"header.x-team": {"is": "a*b"}}, True, id="is knows no pattern"),
        pytest.param({"header.x-team": {"is": "a*"}}, False, id="is does not match as a pattern"),
        pytest.param({"tags.team": {"red", "blue"}}, True, id="a set is any of"),
        pytest.param({"tags.vip": True}, True, id="a boolean tag is its text"),
        pytest.param({"tags.level": 3}, True, id="a number tag is its text"),
        pytest.param({"tags.level": Decimal("3")}, True, id="a decimal tag is its text"),
        pytest.param({"reasoning": True}, True, id="true of reasoning is any effort"),
        pytest.param({"reasoning": "high"}, True, id="an effort by name"),
        pytest.param({"reasoning": ["low", "medium"]}, False, id="another effort"),
        pytest.param({"json": "schema"}, True, id="a choice"),
        pytest.param({"weekday": "s*"}, True, id="a pattern of weekdays"),
        pytest.param({"weekday": ["sat", "sun"]}, True, id="weekdays"),
        pytest.param({"hour": {"gte": 9, "lt": 24}}, True, id="lt may say the hour after the last"),
        pytest.param({"bucket": {"lt": 100}}, True, id="every bucket"),
        pytest.param({"stream": True, "tags.team": "blue"}, False, id="all facts must hold"),
        pytest.param({}, True, id="nothing asked holds"),
        # absent facts
        pytest.param({"function": "x"}, False, id="nothing holds of an absent fact"),
        pytest.param({"function": {"not": "x"}}, False, id="not even not"),
        pytest.param({"max_tokens": {"lt": 10}}, False, id="nor a comparison"),
        pytest.param({"tags.none": "*"}, False, id="nor a pattern for everything"),
        pytest.param({"function": {"exists": False}}, True, id="only that it is absent"),
        pytest.param({"function": {"exists": "false"}}, True, id="only that it is absent, as a text"),
        pytest.param({"function": {"exists": True}}, False, id="that it exists does not hold of it"),
        pytest.param({"user": {"exists": True}}, True, id="that it exists holds of one that is there"),
        pytest.param({"user": {"exists": False}}, False, id="that it is absent does not"),
    ],
)
def test_holds(when: dict[str, Any], expected: bool) -> None:
    assert all(condition.holds(FACTS) for condition in read_conditions(when)) is expected


def test_no_effort_is_no_reasoning() -> None:
    assert not Condition("reasoning", "is", True).holds(Facts(reasoning="none"))
    assert not Condition("reasoning", "is", True).holds(Facts())


@pytest.mark.parametrize(
    ("when", "line", "outcome"),
    [
        pytest.param({"input_tokens": {"gt": "8000"}}, "input_tokens gt 8000", "got 10", id="a comparison"),
        pytest.param({"metadata.job": "batch"}, "metadata.job is 'batch'", "got 'interactive'", id="a value"),
        pytest.param({"metadata.x": "batch"}, "metadata.x is 'batch'", "got None", id="an absent fact"),
        pytest.param({"weekday": ["mon", "tue"]}, "weekday in ['mon', 'tue']", "got 'sat'", id="a list"),
        pytest.param({"model": "groq/*"}, "model like 'groq/*'", "got 'OpenAI/GPT-5'", id="a pattern"),
        pytest.param({"images": True}, "images is True", "got 0", id="a count"),
        pytest.param({"tools": {"not": 2}}, "tools not 2", "got 2", id="a denial"),
    ],
)
def test_the_line_of_an_explanation(when: dict[str, Any], line: str, outcome: str) -> None:
    (condition,) = read_conditions(when)
    assert str(condition) == line
    assert condition.explain_failure(condition.get_fact(FACTS)) == f"failed: {line}, {outcome}"


def test_an_explanation_is_short_whatever_was_sent() -> None:
    (condition,) = read_conditions({"user": "ann"})
    assert len(condition.explain_failure("x" * 10_000)) < 150


@pytest.mark.parametrize(
    ("when", "field", "problem"),
    [
        pytest.param({"input_token": 1}, "input_token", "did you mean `input_tokens`?", id="a misspelt fact"),
        pytest.param({"tag.team": "a"}, "tag.team", "did you mean `tags.team`?", id="a misspelt family"),
        pytest.param({"tags": {"team": "a"}}, "tags", "`tags.<name>`", id="a family as a map"),
        pytest.param({"nonsense": 1}, "nonsense", "unknown fact", id="an unknown fact"),
        pytest.param({"temperature": {}}, "temperature", "unknown fact", id="an unknown fact asked nothing"),
        pytest.param({"header.X-Team": "a"}, "header.X-Team", "`header.x-team`", id="a header in capitals"),
        pytest.param({"header.authorization": "a"}, "header.authorization", "secret", id="a secret header"),
        pytest.param({"header.api-key": "a"}, "header.api-key", "secret", id="Azure's header for a key"),
        pytest.param({"header.x-goog-api-key": "a"}, "header.x-goog-api-key", "secret", id="Google's"),
        pytest.param(
            {"header.x-amz-security-token": "a"}, "header.x-amz-security-token", "secret", id="AWS's"
        ),
        pytest.param({"header.Proxy-A": "a"}, "header.Proxy-A", "secret", id="a proxy header in capitals"),
        pytest.param({"hour": {"gte ": 1}}, "hour.gte ", "did you mean `gte`?", id="a misspelt operator"),
        pytest.param({"hour": {"eq": 1}}, "hour.eq", "unknown operator", id="an unknown operator"),
        pytest.param({"hour": {}}, "hour", "has no operator", id="no operator"),
        pytest.param({"input_tokens": {"gt": "many"}}, "input_tokens.gt", "'many'", id="a word for a number"),
        pytest.param({"input_tokens": "many"}, "input_tokens", "a whole number", id="a word as the value"),
        pytest.param({"input_tokens": {"gt": True}}, "input_tokens.gt", "got true", id="a bool is no number"),
        pytest.param({"max_tokens": True}, "max_tokens", "got true", id="a bool is no number, as the value"),
        pytest.param({"input_tokens": 1.5}, "input_tokens", "a whole number", id="half a token"),
        pytest.param({"input_tokens": [1, "x"]}, "input_tokens[1]", "'x'", id="one of a list"),
        pytest.param({"input_tokens": {"in": [1, "x"]}}, "input_tokens.in[1]", "'x'", id="one of an in"),
        pytest.param(
            {"input_tokens": {"gt": [1]}}, "input_tokens.gt", "got [1]", id="a list to compare with"
        ),
        pytest.param(
            {"input_tokens": "1*"}, "input_tokens", "patterns are for texts", id="a pattern of numbers"
        ),
        pytest.param({"input_tokens": {"contains": 1}}, "input_tokens.contains", "for texts", id="contains"),
        pytest.param({"input_tokens": []}, "input_tokens", "empty", id="an empty list"),
        pytest.param({"user": {"not": []}}, "user.not", "empty", id="not an empty list"),
        pytest.param({"user": ""}, "user", "empty", id="an empty text"),
        pytest.param({"user": 5}, "user", "must be a text", id="a number for a text"),
        pytest.param({"user": True}, "user", "must be a text", id="a bool for a text"),
        pytest.param({"user": None}, "user", "exists", id="null"),
        pytest.param({"user": [["a"]]}, "user[0]", "one value", id="a list in a list"),
        pytest.param({"user": {"is": {}}}, "user.is", "must be a text", id="a map as the value"),
        pytest.param({"user": {"gt": 5}}, "user.gt", "compares numbers", id="a comparison of texts"),
        pytest.param({"stream": 1}, "stream", "true or false", id="a number is no flag"),
        pytest.param({"stream": {"gt": 0}}, "stream.gt", "compares numbers", id="a comparison of flags"),
        pytest.param({"user": {"exists": "yes"}}, "user.exists", "true or false", id="exists yes"),
        pytest.param({"weekday": "monday"}, "weekday", "mon | tue", id="an unknown weekday"),
        pytest.param(
            {"weekday": {"not": ["mon", "Tue"]}}, "weekday.not[1]", "'Tue'", id="one of the weekdays"
        ),
        pytest.param({"weekday": "x*"}, "weekday", "matches none of", id="a pattern that no weekday fits"),
        pytest.param({"json": "json_schema"}, "json", "text | object | schema", id="an unknown format"),
        pytest.param({"hour": 24}, "hour", "from 0 to 23", id="an hour out of range"),
        pytest.param({"hour": {"gt": 24}}, "hour.gt", "from 0 to 23", id="after an hour out of range"),
        pytest.param({"hour": {"lt": 25}}, "hour.lt", "from 0 to 24", id="before an hour out of range"),
        pytest.param({"bucket": -1}, "bucket", "from 0 to 99", id="a bucket out of range"),
        pytest.param({"reasoning": False}, "reasoning", '{"exists": false}', id="false of reasoning"),
        pytest.param({"input_tokens": "1e999"}, "input_tokens", "whole number", id="an endless number"),
        pytest.param({"input_tokens": Decimal("1E+9999999")}, "input_tokens", "whole", id="a huge decimal"),
        pytest.param({"input_tokens": Decimal("sNaN")}, "input_tokens", "whole", id="no number at all"),
        pytest.param({"input_tokens": 10**400}, "input_tokens", "whole number", id="an int beyond floats"),
        pytest.param(["hour"], "", "must be a map", id="a list of conditions"),
        pytest.param({"": 1}, "", "without a name", id="a fact without a name"),
    ],
)
def test_is_refused(when: Any, field: str, problem: str) -> None:
    with pytest.raises(InvalidRecord) as caught:
        read_conditions(when)
    assert caught.value.field == field
    assert problem in caught.value.problem


def test_equal_conditions_are_equal() -> None:
    assert Condition("hour", "is", "5") == Condition("hour", "is", 5)
    assert len({Condition("hour", "in", [1, 2]), Condition("hour", "in", (1, 2))}) == 1


def test_every_operator_of_the_contract_is_there() -> None:
    assert set(OPERATORS) == {"is", "gt", "gte", "lt", "lte", "not", "in", "like", "contains", "exists"}


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        pytest.param("a", "a", True, id="no star is equality"),
        pytest.param("a", "ab", False, id="no star is no prefix"),
        pytest.param("*", "", True, id="a star is nothing too"),
        pytest.param("*", "anything", True, id="a star is anything"),
        pytest.param("a*", "abc", True, id="a prefix"),
        pytest.param("*c", "abc", True, id="a suffix"),
        pytest.param("a*c", "abc", True, id="both"),
        pytest.param("ab*bc", "abc", False, id="the ends do not overlap"),
        pytest.param("a*b*c", "axbyc", True, id="a middle"),
        pytest.param("a*bc*c", "abc", False, id="the middle does not overlap the end"),
        pytest.param("*b*a*", "ab", False, id="parts come in order"),
        pytest.param("**", "x", True, id="two stars"),
        pytest.param("a.c", "abc", False, id="a dot is a dot"),
        pytest.param("a?c", "abc", False, id="a question mark is one"),
        pytest.param("[a]*", "abc", False, id="brackets are brackets"),
        pytest.param("A*", "abc", False, id="capitals count"),
    ],
)
def test_patterns(pattern: str, text: str, expected: bool) -> None:
    assert compile_pattern(pattern)(text) is expected


def test_patterns_fold_capitals_where_asked() -> None:
    assert compile_pattern("A*C", ignore_case=True)("aBc")
    assert compile_pattern("ABC", ignore_case=True)("abc")


@given(st.lists(st.text("ab", max_size=3), min_size=1, max_size=4), st.text("ab", max_size=3))
def test_a_pattern_matches_what_it_was_made_from(parts: list[str], between: str) -> None:
    assert compile_pattern("*".join(parts))(between.join(parts))
