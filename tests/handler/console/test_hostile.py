"""Bodies that are made to break the console's API, or to hold up the gateway that serves it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handler.console.bodies import MAX_BODY
from rules.review.lint import MAX_WARNINGS
from tests.handler.console.operator import Operator
from tests.support.gateways import MANAGE

SAY = {"messages": [{"role": "user", "content": "hi"}]}


def number(text: str) -> str:
    """A set with a test whose request has this number."""
    return f'{{"records": [{{"kind": "test", "id": "a", "request": {{"n": {text}}}, "expect": {{}}}}]}}'


def request(text: str) -> str:
    return f'{{"request": {{"temperature": {text}, "messages": [{{"role": "user", "content": "\\ud800"}}]}}}}'


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        pytest.param("rules/try", request("0.5"), 200, "", id="a fraction in a request"),
        pytest.param(
            "rules/try", request("1e999999999999999999"), 400, "temperature", id="an infinity in it"
        ),
        pytest.param("rules/try", request("0." + "1" * 9999), 200, "", id="a number of many digits in it"),
        pytest.param("rules/check", number("0.5"), 200, "", id="a fraction in a record"),
        pytest.param("rules/check", number("1e9999999"), 200, "", id="a number that no table takes"),
        pytest.param(
            "rules/check",
            number("1e9999999999999999999"),
            400,
            "out of range",
            id="an exponent that no decimal has",
        ),
        pytest.param("rules/check", '{"records": [{}, 1, null, [], {"kind": {}}]}', 200, "", id="no records"),
        pytest.param("rules/check", '{"records": {"a": 1}}', 400, "records", id="an object of records"),
        pytest.param("rules/check", "[]", 400, "not a JSON object", id="a list as the body"),
        pytest.param(
            "rules/check", '{"records": ' + "[" * 200 + "]" * 200 + "}", 400, "100 deep", id="a deep body"
        ),
        pytest.param(
            "rules/check", '{"records": [], "records": []}', 400, "twice", id="a field that is there twice"
        ),
        pytest.param(
            "rules/check", json.dumps({"records": ["x" * MAX_BODY]}), 413, "larger than", id="a large body"
        ),
        pytest.param(
            "rules/check",
            json.dumps({"records": [], **dict.fromkeys(map(str, range(9999)))}),
            400,
            "0: unknown field",
            id="many unknown fields",
        ),
        pytest.param(
            "rules/try",
            json.dumps({"request": SAY, "as": dict.fromkeys(map(str, range(9999)))}),
            400,
            "as.0: unknown field",
            id="many unknown fields inside",
        ),
        pytest.param(
            "rules/try", '{"request": {}, "as": {"key": "\\ud800"}}', 400, "as.key", id="half a character"
        ),
        pytest.param(
            "rules/replay", '{"records": [], "since": "' + "9" * 5000 + 'd"}', 400, "since", id="a long since"
        ),
    ],
)
async def test_a_body_is_answered_or_refused_by_the_name_of_its_field(
    operator: Operator, path: str, body: str, status: int, says: str
) -> None:
    response = await operator.ask("POST", path, body.encode(), key=MANAGE)
    assert response.status == status, response.body[:300]
    assert status == 200 or says in response.error["message"]
    assert len(response.body) < 100_000, "an answer does not repeat what was sent"


PATTERNS = [{"kind": "access", "id": f"a{i}", "deny": [f"{i}-*{j}*" for j in range(100)]} for i in range(100)]
SCOPES = [
    {"kind": "access", "id": f"a{i}", "deny": ["gpt-*"], "scope": {"key": [f"k{i}-{j}" for j in range(100)]}}
    for i in range(20)
]


@pytest.mark.parametrize(
    "records", [pytest.param(PATTERNS, id="patterns"), pytest.param(SCOPES, id="keys that do not exist")]
)
async def test_a_set_with_many_mistakes_has_a_bounded_number_of_warnings(
    operator: Operator, records: list[Any]
) -> None:
    response = await operator.ask("POST", "rules/check", {"records": records}, key=MANAGE)
    assert len(response.json["warnings"]) == MAX_WARNINGS


async def test_the_list_of_the_history_names_a_few_of_many_changes(operator: Operator) -> None:
    records = [
        {"kind": "alias", "id": f"alias-{number:02}", "models": ["openai/gpt-5"]} for number in range(30)
    ]
    base = (await operator.get("rules"))["revision"]
    assert (await operator.ask("PUT", "rules", {"base": base, "records": records})).status == 200
    newest = (await operator.get("history"))["data"][0]
    assert (len(newest["changes"]["added"]), newest["more"]) == (20, 10)
    whole = await operator.get(f"history/{newest['number']}")
    assert (len(whole["changes"]["added"]), whole["more"]) == (30, 0)
