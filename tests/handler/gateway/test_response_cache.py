"""Equal requests at once, and a store that is slow or down, with providers that are scripted functions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from handler.answers.answer import Answer
from handler.answers.usage import Usage
from handler.aws.errors import StoreError
from handler.errors import UpstreamError
from handler.formats.options import CacheMode
from handler.gateway.response_cache import (
    JOIN_WAIT,
    MAX_TASKS,
    NOT_READ,
    NOT_WRITTEN,
    RETRY,
    ResponseCache,
)
from handler.log import RequestLog
from handler.relay.call import Call
from handler.store.answer_cache import ITEM_WAIT, AnswerCache
from rules import Candidate, read_record
from tests.support.canned_answers import chunk, completion, finish, sse
from tests.support.running_relay import call as relay_call
from tests.support.running_relay import model
from tests.support.state import MemoryItems
from tests.support.virtual_clock import clock, now
from tests.support.virtual_clock import timed as exactly_timed

RECORD: Any = read_record({"kind": "cache", "id": "c", "ttl": 60})
FRAMES = [sse(chunk("Hello")), sse(finish()), b"data: [DONE]\n\n"]


async def timed(work: Awaitable[Any]) -> tuple[float, Any]:
    """The tenths of seconds that `work` took, and its result. The clock runs while threads write."""
    seconds, result = await exactly_timed(work)
    return round(seconds, 1), result


def call(*, mode: CacheMode = CacheMode(), deadline: float = float("inf"), **fields: Any) -> Call:  # noqa: B008
    made = relay_call("one/m", "two/m", deadline=deadline, **fields)
    return made.replaced(chat=made.chat.replaced(cache=mode), decision=made.decision.replaced(cache=RECORD))


def entry() -> RequestLog:
    return RequestLog(request_id="r", method="POST", path="/", started=0.0)


@dataclass
class Provider:
    """Answers after `seconds`: the requests in turn with `outcomes`, of which the last one repeats."""

    seconds: float = 10.0
    outcomes: list[str] = field(default_factory=lambda: ["Hello"])
    count: int = 0

    def ask(self, entry: RequestLog, *, stream: bool = False) -> Callable[[], Awaitable[Answer]]:
        async def asking() -> Answer:
            outcome = self.outcomes[min(self.count, len(self.outcomes) - 1)]
            self.count += 1
            await asyncio.sleep(self.seconds)
            if outcome == "fail":
                raise UpstreamError("no", failure_class="server")
            candidate = Candidate(model("two/m" if outcome == "fallback" else "one/m"))
            entry.answer = answer = Answer(
                candidate=candidate, attempts=[], waited=self.seconds, used=Usage()
            )
            if stream:
                answer.drive = _frames
            else:
                answer.body = json.dumps(completion("" if outcome == "empty" else outcome)).encode()
            return answer

        return asking


async def _frames(_: Answer) -> AsyncGenerator[bytes, None]:
    for frame in FRAMES:
        await asyncio.sleep(0)  # a client that reads slowly
        yield frame


@dataclass
class Running:
    """A cache over items in memory, and what it reported."""

    items: MemoryItems = field(default_factory=MemoryItems)
    reported: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        def report(message: str, fields: Any) -> None:
            self.reported.append((message, fields["problem"]))

        self.cache = ResponseCache(AnswerCache(self.items), report=report, now=now, clock=clock)

    async def ask(self, provider: Provider, made: Call | None = None) -> str:
        """ "hit Hello", as a client gets it and the log says it."""
        made, log = made or call(), entry()
        answer = await self.cache.answer(made, log, provider.ask(log, stream=made.chat.stream))
        assert log.answer is answer
        if made.chat.stream:
            text = b"".join([frame async for frame in answer.frames()]).decode()
            content = "Hello" if "[DONE]" in text else ""
        else:
            content = json.loads(answer.body)["choices"][0]["message"]["content"]
        self.cache.store(answer)
        return f"{log.cache} {content}"

    async def together(self, provider: Provider, *calls: Call) -> list[Any]:
        return await asyncio.gather(*(self.ask(provider, one) for one in calls), return_exceptions=True)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_equal_requests_at_once_are_asked_once(stream: bool) -> None:
    running, provider = Running(), Provider()
    seconds, outcomes = await timed(running.together(provider, *(call(stream=stream) for _ in range(4))))
    assert outcomes == ["miss Hello", *["hit Hello"] * 3]
    assert (seconds, provider.count, running.items.reads) == (10.0, 1, 1)


async def test_a_request_that_waited_spent_that_time_on_the_provider() -> None:
    running, provider, log = Running(), Provider(), entry()
    first = asyncio.create_task(running.ask(provider))
    await asyncio.sleep(4)
    answer = await running.cache.answer(call(), log, provider.ask(log))
    await first
    assert (round(answer.waited, 1), answer.age, answer.cost, answer.attempts) == (6.0, 0, 0, [])
    assert log.waited == answer.waited


@pytest.mark.parametrize(
    ("outcomes", "expected", "count"),
    [
        pytest.param(["fail", "a"], ["error", "miss a", "miss a"], 3, id="a failure is not shared"),
        pytest.param(["fail"], ["error", "error", "error"], 3, id="each request has its own failure"),
        pytest.param(
            ["empty", "a"], ["miss ", "miss a", "miss a"], 3, id="an incomplete answer is not shared"
        ),
        pytest.param(
            ["fallback", "a"], ["miss fallback", "miss a", "miss a"], 3, id="nor is that of a fallback"
        ),
    ],
)
async def test_without_an_answer_to_share_each_request_goes_on_by_itself(
    outcomes: list[str], expected: list[str], count: int
) -> None:
    running, provider = Running(), Provider(outcomes=outcomes)
    seconds, found = await timed(running.together(provider, call(), call(), call()))
    assert ["error" if isinstance(one, UpstreamError) else one for one in found] == expected
    assert (seconds, provider.count) == (20.0, count), "the later ones are asked at the same time"


async def test_when_a_client_leaves_one_of_the_others_is_asked() -> None:
    running, provider = Running(), Provider()
    first, *others = (asyncio.create_task(running.ask(provider)) for _ in range(4))
    await asyncio.sleep(3)
    first.cancel()
    seconds, outcomes = await timed(asyncio.gather(*others))
    assert sorted(outcomes) == ["hit Hello", "hit Hello", "miss Hello"]
    assert (seconds, provider.count) == (10.0, 2)


async def test_a_client_that_leaves_while_it_waits_takes_nothing_with_it() -> None:
    running, provider = Running(), Provider()
    first, second, third = (asyncio.create_task(running.ask(provider)) for _ in range(3))
    await asyncio.sleep(3)
    second.cancel()
    assert await first == "miss Hello"
    assert await third == "hit Hello"
    assert second.cancelled()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(call(), call(body={"messages": [{"role": "user", "content": "x"}]}), id="another body"),
        pytest.param(call(mode=CacheMode(write=False)), call(), id="the first may not be stored"),
        pytest.param(call(), call(mode=CacheMode(read=False)), id="the second does not read"),
        pytest.param(call(), call(mode=CacheMode(read=False, write=False)), id="the second uses no cache"),
    ],
)
async def test_other_requests_do_not_wait(first: Call, second: Call) -> None:
    running, provider = Running(), Provider()
    seconds, outcomes = await timed(running.together(provider, first, second))
    assert [one.split()[1] for one in outcomes] == ["Hello", "Hello"]
    assert (seconds, provider.count) == (10.0, 2)


@pytest.mark.parametrize(
    ("deadline", "waits"),
    [
        pytest.param(float("inf"), JOIN_WAIT, id="the longest wait"),
        pytest.param(20.0, 20.0, id="the request's own deadline"),
    ],
)
async def test_a_wait_has_an_end(deadline: float, waits: float) -> None:
    running, provider = Running(), Provider(seconds=100.0)
    first = asyncio.create_task(running.ask(provider))
    await asyncio.sleep(0)
    seconds, outcome = await timed(running.ask(provider, call(deadline=deadline)))
    assert (seconds, outcome, await first) == (waits + 100.0, "miss Hello", "miss Hello")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(False, True, id="a whole answer serves a stream"),
        pytest.param(True, False, id="a stream serves a whole answer"),
    ],
)
async def test_what_was_stored_serves_the_next_request(first: bool, second: bool) -> None:
    running, provider = Running(), Provider()
    outcomes = []
    for form in (first, second):
        outcomes.append(await running.ask(provider, call(stream=form)))
        await running.cache.settle(1.0)
    assert outcomes == ["miss Hello", "hit Hello"]
    assert provider.count == 1


@pytest.mark.parametrize(
    ("mode", "outcomes"),
    [
        pytest.param(CacheMode(), ["miss Hello", "hit Hello"], id="read and write"),
        pytest.param(CacheMode(write=False), ["miss Hello", "miss Hello"], id="only read"),
        pytest.param(CacheMode(read=False), ["None Hello", "None Hello"], id="only write"),
        pytest.param(CacheMode(read=False, write=False), ["None Hello", "None Hello"], id="off"),
    ],
)
async def test_a_mode_is_kept_to(mode: CacheMode, outcomes: list[str]) -> None:
    running, provider = Running(), Provider()
    for expected in outcomes:
        assert await running.ask(provider, call(mode=mode)) == expected
        await running.cache.settle(1.0)
    assert bool(running.items.reads) is mode.read
    assert bool(running.items.items) is mode.write


async def test_a_slow_table_delays_one_request_in_a_while_and_is_reported_once() -> None:
    running, provider = Running(MemoryItems(seconds=9.0)), Provider(seconds=0.0)
    delays = [(await timed(running.ask(provider)))[0] for _ in range(3)]
    assert delays == [ITEM_WAIT, 0.0, 0.0]
    await asyncio.sleep(RETRY)
    assert (await timed(running.ask(provider)))[0] == ITEM_WAIT
    assert running.reported == [(NOT_READ, "no answer within 0.5 s")]
    assert running.items.reads == 2


async def test_a_problem_is_reported_again_after_it_was_over() -> None:
    running, provider = Running(), Provider(seconds=0.0)
    for down in (StoreError("throttled"), StoreError("throttled"), None, StoreError("denied")):
        running.items.down = down
        await running.ask(provider)
        await running.cache.settle(1.0)
        running.items.items.clear()
        await asyncio.sleep(RETRY)
    problems = [(what, problem) for problem in ("throttled", "denied") for what in (NOT_READ, NOT_WRITTEN)]
    assert running.reported == problems


async def test_a_stored_item_that_is_no_completion_is_a_miss() -> None:
    running, provider = Running(), Provider()
    await running.ask(provider)
    await running.cache.settle(1.0)
    (item,) = running.items.items.values()
    item["body"] = b"\x00"
    assert await running.ask(provider) == "miss Hello"


async def test_writes_that_hang_do_not_pile_up() -> None:
    running, provider, open_ = Running(), Provider(seconds=0.0), asyncio.Event()
    stored = 0

    async def put(item: Any) -> None:
        nonlocal stored
        await open_.wait()
        stored += 1

    running.items.put = put  # type: ignore[method-assign]
    for _ in range(MAX_TASKS + 5):
        await running.ask(provider)
    open_.set()
    await running.cache.settle(1.0)
    assert stored == MAX_TASKS
