"""Background tasks: their names, their errors, and waiting for them."""

from __future__ import annotations

import asyncio

import pytest

from handler.store.background import BackgroundTasks, safe_message


def unexpected(error: BaseException) -> None:
    pytest.fail(f"{error!r}")


async def test_a_named_task_is_running_until_it_ends() -> None:
    tasks, gate = BackgroundTasks(), asyncio.Event()
    task = tasks.start(gate.wait(), unexpected, name="read")
    assert (tasks.running("read"), tasks.running("other"), len(tasks)) == (task, None, 1)
    gate.set()
    await tasks.settle(1)
    assert (tasks.running("read"), len(tasks)) == (None, 0)


async def test_an_exception_goes_to_the_callback() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    tasks, errors = BackgroundTasks(), list[BaseException]()
    tasks.start(fail(), errors.append)
    await tasks.settle(1)
    assert [str(error) for error in errors] == ["broken"]


async def test_after_cancelling_a_task_of_the_same_name_starts_at_once() -> None:
    tasks, gate = BackgroundTasks(), asyncio.Event()
    old = tasks.start(gate.wait(), unexpected, name="read")
    tasks.cancel()
    new = tasks.start(gate.wait(), unexpected, name="read")
    await asyncio.wait({old})
    assert (old.cancelled(), tasks.running("read")) == (True, new)
    gate.set()
    await tasks.settle(1)


async def test_settling_ends_at_the_time_limit() -> None:
    tasks, gate = BackgroundTasks(), asyncio.Event()
    tasks.start(gate.wait(), unexpected)
    await tasks.settle(0.01)
    assert len(tasks) == 1
    tasks.cancel()


def test_only_the_message_of_an_expected_exception_is_safe() -> None:
    assert safe_message(ValueError("text"), ValueError) == "text"
    assert safe_message(KeyError("secret"), ValueError) == "internal error (KeyError)"
