"""python -m rules: its output and its exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rules.__main__ import main

LONG = {
    "kind": "route",
    "id": "long",
    "when": {"input_tokens": {"gt": 8000}},
    "model": "gemini/gemini-2.5-pro",
}
SHORT = {"messages": [{"role": "user", "content": "hello"}]}
PROMPT = {"messages": [{"role": "user", "content": "x" * 40_000}]}


def expectation(**fields: Any) -> dict[str, Any]:
    return {"kind": "test", "id": "t", "request": SHORT, **fields}


def write(folder: Path, value: object, name: str = "rules.json") -> str:
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(path)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param([], ["0 records, 0 problems, 0 of 0 tests hold"], id="an empty set"),
        pytest.param([LONG], ["1 record, 0 problems, 0 of 0 tests hold"], id="a record without a test"),
        pytest.param(
            [LONG, expectation(request=PROMPT, expect={"rule": "long", "model": "gemini/gemini-2.5-pro"})],
            ["2 records, 0 problems, 1 of 1 tests hold"],
            id="a test that holds",
        ),
        pytest.param(
            [
                expectation(
                    request={"model": "gpt-5-mini"}, expect={"model": "gpt-5-mini", "reason": "requested"}
                )
            ],
            ["1 record, 0 problems, 1 of 1 tests hold"],
            id="a test that expects a pool",
        ),
        pytest.param(
            [expectation(request={"model": "gpt-5-mni"}, expect={"error": "model_not_found"})],
            ["1 of 1 tests hold"],
            id="a test that expects an error",
        ),
        pytest.param(
            [
                {"kind": "access", "id": "office", "when": {"hour": {"lt": 9}}, "models": []},
                expectation(
                    at="tue 08:30", request={"model": "gpt-5-mini"}, expect={"error": "model_not_allowed"}
                ),
            ],
            ["1 of 1 tests hold"],
            id="a test at another hour",
        ),
        pytest.param(
            [
                {"kind": "route", "id": "p", "scope": {"project": "p"}, "model": "gpt-5-mini"},
                expectation(**{"as": {"project": "p"}}, expect={"rule": "p"}),
            ],
            ["1 of 1 tests hold"],
            id="a test as another caller",
        ),
        pytest.param(
            [{"kind": "route", "id": "r", "model": "gpt-5-mni", "fallbacks": ["openai/any"]}],
            ["warning: route/r: `model`: there is no model 'gpt-5-mni', did you mean"],
            id="an unknown name is a warning",
        ),
        pytest.param(
            [
                {"kind": "alias", "id": "best", "models": ["gpt-5-mini", "gpt-5-mni"]},
                {"kind": "budget", "id": "b", "usd": 1, "per": "day", "then": {"model": "gpt-5-mni"}},
                {
                    "kind": "route",
                    "id": "s",
                    "split": [{"model": "gpt-5-mni", "weight": 1}],
                    "fallbacks": ["best"],
                },
            ],
            ["alias/best: `models`:", "budget/b: `then.model`:", "route/s: `split`:"],
            id="unknown names in every field",
        ),
        pytest.param(
            [
                {"kind": "alias", "id": "me", "models": ["me"]},
                {"kind": "alias", "id": "deep", "models": ["ME"]},
            ],
            [
                "warning: alias/me: `models`: there is no model 'me', and an alias may not name another",
                "warning: alias/deep: `models`: there is no model 'ME'",
            ],
            id="an alias among the members of an alias",
        ),
    ],
)
def test_check_passes(
    records: list[Any], expected: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", write(tmp_path, records)]) == 0
    out = capsys.readouterr().out
    assert all(line in out for line in expected), out


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param(
            [{"kind": "route", "id": "r", "prefers": "cheap"}, {"kind": "rout", "id": "s"}],
            ["route/r: `prefers`:", "did you mean `prefer`?", "rout/s: `kind`:", "2 problems"],
            id="every problem with kind, id and field",
        ),
        pytest.param(
            [LONG, expectation(expect={"rule": "long"})],
            [
                "test/t: expected rule long, got no rule",
                "route/long: failed: input_tokens gt 8000, got 6",
                "0 of 1 tests hold",
            ],
            id="the step that explains it: a condition failed",
        ),
        pytest.param(
            [LONG, expectation(expect={"model": "gemini/gemini-2.5-pro"})],
            ["expected model gemini/gemini-2.5-pro, got ", "route/long: failed: input_tokens gt 8000"],
            id="the step that explains it: the rule that names the model",
        ),
        pytest.param(
            [
                {"kind": "route", "id": "a", "model": "gpt-5-mini"},
                {"kind": "route", "id": "b", "model": "openai/gpt-4o", "priority": 5},
                expectation(expect={"rule": "a"}),
            ],
            ["expected rule a, got b", "route/a: matched, but route/b goes first (its priority is higher)"],
            id="the step that explains it: another rule went first",
        ),
        pytest.param(
            [
                {"kind": "access", "id": "eu", "deny": ["gemini/*"]},
                {**LONG, "fallbacks": ["openai/gpt-4o"]},
                expectation(request=PROMPT, expect={"model": "gemini/gemini-2.5-pro"}),
            ],
            ["got openai/gpt-4o", "gemini/gemini-2.5-pro was rejected: denied by access eu"],
            id="the step that explains it: the model was rejected",
        ),
        pytest.param(
            [LONG, expectation(request=PROMPT, expect={"model": "openai/gpt-4o"})],
            ["got gemini/gemini-2.5-pro", "route/long: applied; chosen by rule"],
            id="the step that explains it: a rule applied",
        ),
        pytest.param(
            [expectation(request={"model": "gpt-5-mini"}, expect={"reason": "preference"})],
            ["expected reason preference, got requested", "no route rule matched"],
            id="a request that names its model",
        ),
        pytest.param(
            [expectation(expect={"error": "model_not_allowed"})],
            ["expected error model_not_allowed, got "],
            id="an expected error that does not occur",
        ),
        pytest.param(
            [expectation(request={"model": "gpt-5-mni"}, expect={"model": "gpt-5-mini"})],
            ["got model_not_found (There is no model 'gpt-5-mni'. Did you mean gpt-5-mini"],
            id="an error that is not expected",
        ),
    ],
)
def test_check_fails(
    records: list[Any], expected: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", write(tmp_path, records)]) == 2
    out = capsys.readouterr().out
    assert all(line in out for line in expected), out


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(
            '{"kind": "route"}', "a JSON list of records, or an object with `records`", id="an object"
        ),
        pytest.param("null", "this is null", id="null"),
        pytest.param("3", "this is a number", id="a number"),
        pytest.param("[", "this is not JSON", id="a file that is not JSON"),
        pytest.param('[{"id": 1, "id": 2}]', "'id' is there twice", id="a duplicate key"),
        pytest.param("[NaN]", "NaN is not a number", id="NaN"),
        pytest.param("[" * 100_000, "this is not JSON", id="a list that is nested too deep"),
        pytest.param(
            json.dumps([{"kind": "alias", "id": str(n)} for n in range(1_001)]), "1001", id="too many records"
        ),
    ],
)
def test_a_file_without_a_rule_set_is_refused(
    content: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", write(tmp_path, content)]) == 2
    err = capsys.readouterr().err
    assert expected in err
    assert "Traceback" not in err


def test_a_missing_file_is_refused_with_a_suggestion(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, [])
    assert main(["check", str(tmp_path / "ruels.json")]) == 2
    assert f"No such file or directory, did you mean {tmp_path / 'rules.json'}?" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "no" / "such")]) == 2
    assert "did you mean" not in capsys.readouterr().err
    assert main(["check", str(tmp_path)]) == 2
    assert "directory" in capsys.readouterr().err


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules.json").write_bytes(b'["\xff"]')
    assert main(["check", str(tmp_path / "rules.json")]) == 2
    assert "this is not JSON" in capsys.readouterr().err


def explained(
    folder: Path, capsys: pytest.CaptureFixture[str], request: object, *options: str
) -> dict[str, Any]:
    records = [LONG, {"kind": "route", "id": "f", "model": "gpt-5-mini", "scope": {"function": "mail"}}]
    arguments = [write(folder, records), write(folder, request, "request.json"), *options]
    assert main(["explain", *arguments]) == 0
    explanation: dict[str, Any] = json.loads(capsys.readouterr().out)
    return explanation


def test_explain_prints_the_decision(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    explanation = explained(tmp_path, capsys, PROMPT)
    assert (explanation["reason"], explanation["rule"]) == ("rule", "long")
    assert explanation["candidates"][0]["model"] == "gemini/gemini-2.5-pro"


def test_explain_for_another_caller_and_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--project", "p", "--key", "k", "--function", "mail", "--at", "2026-01-31T09:30:00Z")
    explanation = explained(tmp_path, capsys, SHORT, *options)
    facts = explanation["facts"]
    assert (facts["project"], facts["key"], facts["function"]) == ("p", "k", "mail")
    assert (facts["weekday"], facts["hour"], explanation["rule"]) == ("sat", 9, "f")


def test_explain_shows_a_refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explained(tmp_path, capsys, {"model": "gpt-5-mni"})["error"]["code"] == "model_not_found"


def test_explain_prints_the_problems_of_the_set_and_exits_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records, request = write(tmp_path, [LONG, {"kind": "route"}]), write(tmp_path, SHORT, "request.json")
    assert main(["explain", records, request]) == 2
    printed = capsys.readouterr()
    assert json.loads(printed.out)["reason"] == "preference"
    assert "`id`" in printed.err


@pytest.mark.parametrize(
    ("request_", "options", "expected"),
    [
        pytest.param([], [], "a chat request is a JSON object", id="a request that is not an object"),
        pytest.param(SHORT, ["--at", "noon"], "--at: must be a time", id="an invalid time"),
    ],
)
def test_explain_refuses_invalid_arguments(
    request_: object, options: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [write(tmp_path, []), write(tmp_path, request_, "request.json")]
    assert main(["explain", *files, *options]) == 2
    assert expected in capsys.readouterr().err


def test_the_module_runs_as_a_program(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "rules", "check", write(tmp_path, [LONG])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_command_ends_quietly_when_its_output_is_closed(tmp_path: Path) -> None:
    many = [{"kind": "log", "id": f"l{n:04}", "sample": 1, "days": 1} for n in range(1_000)]
    for module, arguments in (("rules", ["check"]), ("handler", ["rules", "check"])):
        ran = subprocess.Popen(
            [sys.executable, "-m", module, *arguments, write(tmp_path, many)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert ran.stdout is not None
        ran.stdout.close()  # as `head` does, only sooner
        _, errors = ran.communicate(timeout=60)
        assert (ran.returncode, errors) == (141, b"")


@pytest.mark.parametrize("arguments", [[], ["chek", "x"], ["check"], ["explain", "x"]])
def test_wrong_usage_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage" in capsys.readouterr().err
