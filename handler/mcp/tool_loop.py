"""Answers a request whose tools Sluice runs: model calls and tool calls in turn, until the model is done.

Each model call is one `complete`, with the conversation so far: failover, limits and rescue hold for each.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any

from handler.answers.answer import Answer
from handler.content.completion import completion_of
from handler.errors import Json, UpstreamError
from handler.gateway.admission import AdmittedRequest, redecide
from handler.gateway.completion import call_of, complete, settle_step
from handler.gateway.lifecycle import Gateway
from handler.log import RequestLog
from handler.mcp import messages
from handler.mcp.servers import Servers
from handler.mcp.step_stream import Sent, StepStream
from handler.relay.timeouts import TOTAL
from handler.wire.splice import dump
from handler.wire.sse import DONE, KEEP_ALIVE
from rules import BYTES_PER_TOKEN

MAX_MODEL_CALLS = 9  # of one request
_TOO_LATE: dict[str, Any] = {"status": 504, "type": "timeout_error", "code": "deadline_exceeded"}
ALIVE = 15.0  # seconds between two comments in a silent stream


async def complete_with_tools(
    gateway: Gateway, admitted: AdmittedRequest, deadline: float, entry: RequestLog
) -> Answer:
    """Return the answer: whole, or a stream at its first content for the client. Raises GatewayError."""
    loop = ToolLoop(gateway, admitted, deadline, entry)
    try:
        await loop.open()
        if admitted.chat.stream:
            return await loop.stream()
        answer = await loop.whole()
    except BaseException:
        await loop.aclose()
        raise
    await loop.aclose()
    return answer


class ToolLoop:
    """The model calls and the tool calls of one request."""

    def __init__(
        self, gateway: Gateway, admitted: AdmittedRequest, deadline: float, entry: RequestLog
    ) -> None:
        total = admitted.decision.effects.timeouts.get("total", TOTAL)
        self._gateway = gateway
        self._admitted = admitted
        self._entry = entry
        self._deadline = min(deadline, gateway.clock() + total)
        self._servers = Servers(gateway, admitted.servers, self._deadline)
        self._steps = 0
        self._waited = 0.0  # seconds spent waiting before this model call
        self._new = list[Json]()  # messages after the client's
        self._texts = dict[str, str]()  # of earlier answers, by name
        self._details = list[Json]()  # `reasoning_details` of earlier answers
        self._answer: Answer | None = None  # of the last model call
        self._frames: AsyncGenerator[bytes, None] | None = None  # of a stream

    async def open(self) -> None:
        """Open a session with each server, and list its tools. Raises GatewayError."""
        began = self._gateway.clock()
        await self._servers.open(self._admitted.chat.body)
        self._waited = self._gateway.clock() - began

    async def whole(self) -> Answer:
        """Return the last answer, with the texts of those before it."""
        while True:
            answer = await self._ask()
            answer.waited += self._waited
            completion = json.loads(answer.body)
            message = messages.message_of(completion)
            calls = messages.calls_to_run(message, self._servers.tools)
            if not calls or self._steps == MAX_MODEL_CALLS:
                if message.get("tool_calls") or self._texts or self._details:
                    tools, earlier = self._servers.tools, self._texts
                    last = messages.handed_back(completion, tools, earlier, self._details)
                    answer.body = dump(last).encode()
                return answer
            await self._run(message, calls)

    async def stream(self) -> Answer:
        """Return the stream, once there is something for the client. Raises the error of a failure before."""
        frames = self._frames = self._all_frames()
        first = b""
        async for first in frames:
            if not first.startswith(b":"):
                break
        assert self._answer is not None
        if self._answer.failure is not None:
            raise self._answer.failure
        answer = self._answer
        return _Stream(
            candidate=answer.candidate,
            attempts=answer.attempts,
            waited=answer.waited,
            loop=self,
            drive=lambda whole: self._rest(whole, first, frames),
        )

    async def aclose(self) -> None:
        """End the sessions, and the model call that is under way."""
        if self._frames is not None:
            await self._frames.aclose()
        if self._answer is not None:
            await self._answer.aclose()
        await self._servers.aclose()

    async def _rest(
        self, whole: Answer, first: bytes, frames: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None]:
        yield first
        async with aclosing(frames):
            async for frame in frames:
                whole.failure = self._answer.failure if self._answer else None
                yield frame

    async def _all_frames(self) -> AsyncGenerator[bytes, None]:
        sent = Sent()
        while True:
            async with aclosing(_waiting(self._ask())) as comments:
                async for comment in comments:
                    yield comment
            answer, pieces = self._answer, list[bytes]()
            assert answer is not None
            step = StepStream(sent, self._servers.tools, holds_text=self._expects_json)
            async with aclosing(answer.frames()) as frames:
                async for data in frames:
                    pieces.append(data)
                    if visible := step.feed(data):
                        yield visible
            answer.waited += self._waited
            if answer.failure is not None:
                yield step.error()
                return
            if not step.runs_tools or self._steps == MAX_MODEL_CALLS:
                yield step.last() + DONE
                return
            message = messages.message_of(completion_of(b"".join(pieces)) or {})
            calls = messages.calls_to_run(message, self._servers.tools)
            yield f": {', '.join(map(messages.name_of, calls))}\n\n".encode()
            async with aclosing(_waiting(self._run(message, calls))) as comments:
                async for comment in comments:
                    yield comment

    async def _ask(self) -> Answer:
        """Make the next model call."""
        entry = self._entry
        if self._gateway.clock() >= self._deadline:
            raise UpstreamError("The tools took too long.", failure_class="timeout_total", **_TOO_LATE)
        if self._steps:
            settle_step(self._gateway, entry)
        self._steps += 1
        entry.model_calls = self._steps
        step = self._next()
        call = call_of(self._gateway, step, self._deadline)
        self._answer = answer = await complete(self._gateway, step, call, entry)
        entry.waited += self._waited
        return answer

    def _next(self) -> AdmittedRequest:
        """Decide again, because the conversation is longer. A request counts once, and is never cached."""
        decision = self._admitted.decision
        size = len(dump([*self._servers.functions, *self._new])) // BYTES_PER_TOKEN
        facts = decision.facts.replaced(input_tokens=decision.facts.input_tokens + size)
        step = self._admitted._replace(edit=self._edit, decision=decision.replaced(facts=facts))
        step = redecide(self._gateway, step, frozenset())
        limits = step.decision.limits
        if self._steps > 1:
            limits = tuple(limit for limit in limits if limit.record.unit != "requests")
        step = step._replace(decision=step.decision.replaced(cache=None, limits=limits))
        self._entry.decision = step.decision
        step.raise_if_refused()
        return step

    def _edit(self, body: Json) -> Json:
        """Return a body with the servers' tools as functions, and with the conversation so far."""
        own = [tool for tool in body.get("tools") or () if tool.get("type") != "mcp"]
        tools = [*own, *self._servers.functions]
        body = {**body, "messages": [*body["messages"], *self._new], "tools": tools}
        if not tools:
            return {name: value for name, value in body.items() if name not in ("tools", "tool_choice")}
        if self._steps == MAX_MODEL_CALLS:
            return {**body, "tool_choice": "none"}
        if self._new and body.get("tool_choice") not in (None, "none"):
            return {**body, "tool_choice": "auto"}  # what it asked for is done
        return body

    async def _run(self, message: Json, calls: list[Json]) -> None:
        """Run the calls of a message, and add it and the results to the conversation."""
        began = self._gateway.clock()
        self._entry.tool_calls += len(calls)
        results = await self._servers.run(calls)
        answer = self._answer
        self._waited = (answer.waited if answer else 0.0) + self._gateway.clock() - began
        self._new += [messages.sent_back(message), *results]
        self._details += messages.details_of(message)
        for name in () if self._expects_json else messages.TEXTS:
            if isinstance(text := message.get(name), str):
                self._texts[name] = messages.joined(self._texts.get(name, ""), text)

    @property
    def _expects_json(self) -> bool:
        body = self._admitted.chat.body
        output = body.get("response_format") or {}
        return body.get("output_schema") is not None or output.get("type") not in (None, "text")


class _Stream(Answer):
    """The stream of all model calls as one answer."""

    loop: ToolLoop

    async def aclose(self) -> None:
        await self.loop.aclose()


async def _waiting(work: Coroutine[Any, Any, Any]) -> AsyncGenerator[bytes, None]:
    """Wait for `work`, and yield a comment every ALIVE seconds. Raises what it raises."""
    task = asyncio.create_task(work)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=ALIVE)
            if not task.done():
                yield KEEP_ALIVE
        task.result()
    finally:
        task.cancel()
        await asyncio.wait({task})
