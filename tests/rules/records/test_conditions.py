"""Conditions: which facts each holds for, how it is written, and which are refused when a record is read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from rules.errors import InvalidRecord
from rules.facts.facts import Facts
from rules.reading.conditions import OPERATORS, read_condition, read_conditions

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


# Conditions, and True for those that hold for FACTS.
WHEN = [
    pytest.param({"input_tokens": 10}, True, id="a value is compared for equality"),
    pytest.param({"input_tokens": 11}, False, id="another value does not hold"),
    pytest.param({"input_tokens": "10"}, True, id="a text that is a JSON number is that number"),
    pytest.param({"input_tokens": Decimal("10.0")}, True, id="an integral decimal is an integer"),
    pytest.param({"input_tokens": 10.0}, True, id="an integral float is an integer"),
    pytest.param({"input_tokens": [9, "10"]}, True, id="a list holds for any member"),
    pytest.param({"input_tokens": [8, 9]}, False, id="a list without the value does not hold"),
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
    pytest.param({"input_tokens": {"not": 10}}, False, id="not with the value does not hold"),
    pytest.param({"input_tokens": {"not": [1, 2]}}, True, id="not with a list of other values holds"),
    pytest.param({"input_tokens": {"in": [10]}}, True, id="in takes a list"),
    pytest.param({"input_tokens": {"is": 10}}, True, id="is takes a value"),
    pytest.param({"tools": True}, True, id="true of a count is at least one"),
    pytest.param({"tools": "true"}, True, id="a text that is a JSON boolean is that boolean"),
    pytest.param({"tools": False}, False, id="false of a count is zero"),
    pytest.param({"images": False}, True, id="false of a count holds for zero"),
    pytest.param({"images": True}, False, id="true of a count does not hold for zero"),
    pytest.param({"tools": 2}, True, id="a number is compared with a count"),
    pytest.param({"tools": 1}, False, id="one is not read as true"),
    pytest.param({"tools": {"gt": 1}}, True, id="gt of a count"),
    pytest.param({"tools": {"not": True}}, False, id="not true of a count"),
    pytest.param({"tools": [True]}, True, id="true within a list of a count"),
    pytest.param({"stream": True}, True, id="a flag as a boolean"),
    pytest.param({"stream": "false"}, False, id="a flag as a text"),
    pytest.param({"model": "openai/gpt-5"}, True, id="case is ignored in a model's name"),
    pytest.param({"model": "openai/*"}, True, id="a text with a star is a pattern"),
    pytest.param({"model": "*/gpt-4*"}, False, id="a pattern that does not match"),
    pytest.param({"model": ["groq/*", "OPENAI/gpt-*"]}, True, id="patterns in a list"),
    pytest.param({"model": {"not": "openai/*"}}, False, id="not with a pattern that matches"),
    pytest.param({"model": {"not": ["groq/*", "xai/*"]}}, True, id="not with patterns that do not match"),
    pytest.param({"model": {"like": ["groq/*", "openai/*"]}}, True, id="like takes a list too"),
    pytest.param({"model": {"contains": "gpt"}}, True, id="contains ignores case in a model's name"),
    pytest.param({"user": "Ann@example.com"}, False, id="case matters in other facts"),
    pytest.param({"user": "*@example.com"}, True, id="a pattern at the start"),
    pytest.param({"user": {"contains": "@"}}, True, id="contains a part"),
    pytest.param({"user": {"contains": "*"}}, False, id="contains has no patterns"),
    pytest.param({"header.x-team": {"is": "a*b"}}, True, id="is compares a star as a star"),
    pytest.param({"header.x-team": {"is": "a*"}}, False, id="is does not match patterns"),
    pytest.param({"tags.team": {"red", "blue"}}, True, id="a set holds for any member"),
    pytest.param({"tags.vip": True}, True, id="a boolean tag is its text"),
    pytest.param({"tags.level": 3}, True, id="a number tag is its text"),
    pytest.param({"tags.level": Decimal("3")}, True, id="a decimal tag is its text"),
    pytest.param({"reasoning": True}, True, id="true of reasoning is any effort"),
    pytest.param({"reasoning": "high"}, True, id="an effort by its name"),
    pytest.param({"reasoning": ["low", "medium"]}, False, id="another effort"),
    pytest.param({"json": "schema"}, True, id="a value of a closed list"),
    pytest.param({"weekday": "s*"}, True, id="a pattern of weekdays"),
    pytest.param({"weekday": ["sat", "sun"]}, True, id="weekdays"),
    pytest.param({"hour": {"gte": 9, "lt": 24}}, True, id="lt may be one more than the last hour"),
    pytest.param({"bucket": {"lt": 100}}, True, id="every bucket"),
    pytest.param({"stream": True, "tags.team": "blue"}, False, id="the conditions on all facts must hold"),
    pytest.param({}, True, id="no condition holds"),
    # absent facts
    pytest.param({"function": "x"}, False, id="is does not hold for an absent fact"),
    pytest.param({"function": {"not": "x"}}, False, id="not does not hold for an absent fact"),
    pytest.param({"max_tokens": {"lt": 10}}, False, id="lt does not hold for an absent fact"),
    pytest.param({"tags.none": "*"}, False, id="the pattern * does not hold for an absent fact"),
    pytest.param({"function": {"exists": False}}, True, id="exists false holds for an absent fact"),
    pytest.param(
        {"function": {"exists": "false"}}, True, id="exists false as a text holds for an absent fact"
    ),
    pytest.param({"function": {"exists": True}}, False, id="exists true does not hold for an absent fact"),
    pytest.param({"user": {"exists": True}}, True, id="exists true holds for a present fact"),
    pytest.param({"user": {"exists": False}}, False, id="exists false does not hold for a present fact"),
]


@pytest.mark.parametrize(("when", "expected"), WHEN)
def test_a_condition_holds(when: dict[str, Any], expected: bool) -> None:
    assert all(condition.holds(FACTS) for condition in read_conditions(when)) is expected


def test_true_of_reasoning_does_not_hold_without_an_effort() -> None:
    assert not read_condition("reasoning", "is", True).holds(Facts(reasoning="none"))
    assert not read_condition("reasoning", "is", True).holds(Facts())


@pytest.mark.parametrize(
    ("when", "line", "outcome"),
    [
        pytest.param({"input_tokens": {"gt": "8000"}}, "input_tokens gt 8000", "got 10", id="a comparison"),
        pytest.param({"metadata.job": "batch"}, "metadata.job is 'batch'", "got 'interactive'", id="a value"),
        pytest.param({"metadata.x": "batch"}, "metadata.x is 'batch'", "got None", id="an absent fact"),
        pytest.param({"weekday": ["mon", "tue"]}, "weekday in ['mon', 'tue']", "got 'sat'", id="a list"),
        pytest.param({"model": "groq/*"}, "model like 'groq/*'", "got 'OpenAI/GPT-5'", id="a pattern"),
        pytest.param({"images": True}, "images is True", "got 0", id="a count"),
        pytest.param({"tools": {"not": 2}}, "tools not 2", "got 2", id="not with a number"),
    ],
)
def test_an_explanation_shows_the_failed_condition(when: dict[str, Any], line: str, outcome: str) -> None:
    (condition,) = read_conditions(when)
    assert str(condition) == line
    assert condition.explain_failure(condition.get_fact(FACTS)) == f"failed: {line}, {outcome}"


def test_an_explanation_shortens_a_long_fact() -> None:
    (condition,) = read_conditions({"user": "ann"})
    assert len(condition.explain_failure("x" * 10_000)) < 150


@pytest.mark.parametrize(
    ("when", "field", "problem"),
    [
        pytest.param({"input_token": 1}, "input_token", "did you mean `input_tokens`?", id="a misspelt fact"),
        pytest.param({"tag.team": "a"}, "tag.team", "did you mean `tags.team`?", id="a misspelt family"),
        pytest.param({"tags": {"team": "a"}}, "tags", "`tags.<name>`", id="a family as a map"),
        pytest.param({"nonsense": 1}, "nonsense", "unknown fact", id="an unknown fact"),
        pytest.param(
            {"temperature": {}}, "temperature", "unknown fact", id="an unknown fact without an operator"
        ),
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
        pytest.param(
            {"input_tokens": {"gt": True}}, "input_tokens.gt", "got true", id="a boolean is not a number"
        ),
        pytest.param({"max_tokens": True}, "max_tokens", "got true", id="a bare boolean is not a number"),
        pytest.param({"input_tokens": 1.5}, "input_tokens", "a whole number", id="half a token"),
        pytest.param({"input_tokens": [1, "x"]}, "input_tokens[1]", "'x'", id="one member of a list"),
        pytest.param(
            {"input_tokens": {"in": [1, "x"]}}, "input_tokens.in[1]", "'x'", id="one member of an in"
        ),
        pytest.param(
            {"input_tokens": {"gt": [1]}}, "input_tokens.gt", "got [1]", id="a comparison with a list"
        ),
        pytest.param(
            {"input_tokens": "1*"}, "input_tokens", "patterns are for texts", id="a pattern for a number"
        ),
        pytest.param(
            {"input_tokens": {"contains": 1}}, "input_tokens.contains", "for texts", id="contains a part"
        ),
        pytest.param({"input_tokens": []}, "input_tokens", "empty", id="an empty list"),
        pytest.param({"user": {"not": []}}, "user.not", "empty", id="not with an empty list"),
        pytest.param({"user": ""}, "user", "empty", id="an empty text"),
        pytest.param({"user": 5}, "user", "must be a text", id="a number for a text"),
        pytest.param({"user": True}, "user", "must be a text", id="a boolean for a text"),
        pytest.param({"user": None}, "user", "exists", id="null"),
        pytest.param({"user": [["a"]]}, "user[0]", "one value", id="a list in a list"),
        pytest.param({"user": {"is": {}}}, "user.is", "must be a text", id="a map as the value"),
        pytest.param({"user": {"gt": 5}}, "user.gt", "compares numbers", id="a comparison of texts"),
        pytest.param({"stream": 1}, "stream", "true or false", id="a number for a flag"),
        pytest.param({"stream": {"gt": 0}}, "stream.gt", "compares numbers", id="a comparison of flags"),
        pytest.param({"user": {"exists": "yes"}}, "user.exists", "true or false", id="exists with a word"),
        pytest.param({"weekday": "monday"}, "weekday", "mon | tue", id="an unknown weekday"),
        pytest.param(
            {"weekday": {"not": ["mon", "Tue"]}},
            "weekday.not[1]",
            "'Tue'",
            id="one unknown weekday of a list",
        ),
        pytest.param({"weekday": "x*"}, "weekday", "matches none of", id="a pattern that matches no weekday"),
        pytest.param({"json": "json_schema"}, "json", "text | object | schema", id="an unknown format"),
        pytest.param({"hour": 24}, "hour", "from 0 to 23", id="an hour out of range"),
        pytest.param({"hour": {"gt": 24}}, "hour.gt", "from 0 to 23", id="after an hour out of range"),
        pytest.param({"hour": {"lt": 25}}, "hour.lt", "from 0 to 24", id="before an hour out of range"),
        pytest.param({"bucket": -1}, "bucket", "from 0 to 99", id="a bucket out of range"),
        pytest.param({"reasoning": False}, "reasoning", '{"exists": false}', id="false of reasoning"),
        pytest.param({"input_tokens": "1e999"}, "input_tokens", "whole number", id="an infinite number"),
        pytest.param({"input_tokens": Decimal("1E+9999999")}, "input_tokens", "whole", id="a huge decimal"),
        pytest.param({"input_tokens": Decimal("sNaN")}, "input_tokens", "whole", id="a signalling NaN"),
        pytest.param({"input_tokens": 10**400}, "input_tokens", "whole number", id="an int beyond floats"),
        pytest.param(["hour"], "", "must be a map", id="a list of conditions"),
        pytest.param({"": 1}, "", "without a name", id="a fact without a name"),
    ],
)
def test_an_invalid_condition_is_refused(when: Any, field: str, problem: str) -> None:
    with pytest.raises(InvalidRecord) as caught:
        read_conditions(when)
    assert caught.value.field == field
    assert problem in caught.value.problem


def test_equal_conditions_are_equal() -> None:
    assert read_condition("hour", "is", "5") == read_condition("hour", "is", 5)
    assert len({read_condition("hour", "in", [1, 2]), read_condition("hour", "in", (1, 2))}) == 1


def test_the_operators_are_those_of_the_contract() -> None:
    assert set(OPERATORS) == {"is", "gt", "gte", "lt", "lte", "not", "in", "like", "contains", "exists"}
