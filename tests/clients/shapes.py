"""Reads the answers of odd hosts through a gateway with the official openai client: a line per failure.

The cases are a JSON list on standard input, each with a model, `stream` and the expected answer.

Run from the repository's root in an environment that holds the client and nothing else:
    python -m tests.clients.shapes http://127.0.0.1:8080/v1 sk-sluice-... < cases.json
"""
# ruff: noqa: T201  (a command line prints)

from __future__ import annotations

import json
import sys
from typing import Any

import openai  # type: ignore[import-not-found]

from tests.clients.harness import same, that

Json = dict[str, Any]
HELLO = [{"role": "user", "content": "hello"}]


def check_case(client: Any, case: Json) -> None:
    request = {"model": case["model"], "messages": HELLO, "tools": case["tools"]}
    if case["stream"]:
        request["stream_options"] = {"include_usage": True}
        with client.chat.completions.stream(**request) as stream:
            done = [event.name for event in stream if event.type == "tool_calls.function.arguments.done"]
            answer = stream.get_final_completion()
        same(done, [name for name, _ in case["calls"]])
    else:
        answer = client.chat.completions.create(**request)
    (choice,) = answer.choices
    message, calls = choice.message, choice.message.tool_calls or []
    same((message.role, message.content or "", choice.index), ("assistant", case["text"], 0))
    same([[one.function.name, json.loads(one.function.arguments)] for one in calls], case["calls"])
    that(all(one.id and one.type == "function" for one in calls), f"calls without id or type: {calls}")
    same(choice.finish_reason, case["finish"])
    that(
        answer.id and answer.created and answer.object and answer.model,
        f"a head that lacks something: {answer}",
    )
    usage = answer.usage
    counts = usage and [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens]
    same(counts, case["usage"])


def main(base_url: str, key: str) -> int:
    client, failed = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=60), 0
    cases = json.load(sys.stdin)
    for case in cases:
        try:
            check_case(client, case)
        except Exception as error:  # of any kind: the next case still runs
            failed += 1
            print(f"FAIL  {case['name']}: {type(error).__name__}: {error}")
    print(f"{len(cases) - failed} of {len(cases)} held by openai {openai.__version__}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
