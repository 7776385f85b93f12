"""A plan in the prompt decides the answers, and waits for what the client must return."""

from __future__ import annotations

import re

import pytest

from tests.provider_fakes.call import Refusal
from tests.provider_fakes.plans import Step, encode, next_step
from tests.provider_fakes.script import ChatRequest, Item, answer, call, result

STEPS = (Step("I read.", (("read", {"path": "a"}),), ("moon",)), Step("", (("edit", {}),)), Step("Done."))
PROMPT = Item("user", f"Edit it. {encode(STEPS)}")
READ = (Item("assistant", "I read."), call("read", {"path": "a"}))
EDIT = (Item("thought", "Hm."), call("edit", {}), result("edit", "edited"))


def request(*items: Item, tools: tuple[str, ...] = ("read", "edit")) -> ChatRequest:
    return ChatRequest(service="openai", items=items, tools={name: {} for name in tools})


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        pytest.param((PROMPT,), 0, id="the prompt gets the first step"),
        pytest.param((Item("assistant", "Hi."), PROMPT), 0, id="answers before the prompt do not count"),
        pytest.param((PROMPT, *READ, result("read", "the moon")), 1, id="text and a call are one answer"),
        pytest.param((Item("user", "the moon"), PROMPT, *READ), 1, id="a file may stand before the prompt"),
        pytest.param(
            (PROMPT, *READ, result("read", "moon"), *EDIT), 2, id="a thought and a call are one answer"
        ),
    ],
)
def test_the_conversation_decides_the_step(items: tuple[Item, ...], expected: int) -> None:
    assert next_step(request(*items)) == STEPS[expected]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        pytest.param(request(PROMPT, tools=("write",)), "the tool read is not offered", id="a missing tool"),
        pytest.param(request(PROMPT, *READ, result("read", "sun")), "'moon' is missing", id="no content"),
        pytest.param(
            request(
                PROMPT, *READ, result("read", "moon"), *EDIT, Item("assistant", "Done."), Item("user", "?")
            ),
            "asks for more",
            id="a request after the end",
        ),
    ],
)
def test_a_request_without_what_the_plan_needs_is_refused(given: ChatRequest, problem: str) -> None:
    with pytest.raises(Refusal, match=re.escape(problem)):
        next_step(given)


def test_a_request_without_tools_is_answered_as_usual() -> None:
    assert next_step(request(PROMPT, tools=())) is None


def test_the_answer_holds_the_text_and_the_calls_of_the_step() -> None:
    found = answer(request(PROMPT))
    assert (found.text, found.calls, found.finish) == ("I read.", (("read", {"path": "a"}),), "tool_calls")
