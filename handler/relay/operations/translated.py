"""Asks a provider of another format than OpenAI's, in one or more requests, a few at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from handler.answers.answer import Answer
from handler.answers.usage import WastedUsage, estimated, is_given_up
from handler.errors import UpstreamError
from handler.providers.failure import error_from_body
from handler.providers.operations.format import Format, Part, Reply
from handler.relay.operations.exchange import (
    MAX_ANSWER,
    OperationAttempt,
    answer_of,
    build,
    check,
)
from handler.relay.operations.usage import usage_of_answer
from handler.relay.response import parse_object, read_at_most
from handler.upstream.client import UpstreamResponse
from handler.wire.splice import dump_unicode_bytes

PARALLEL = 8  # requests at the same time, of one attempt
_ONE_REQUESTS = frozenset({"idempotency-key"})  # headers that identify one request


async def translate(attempt: OperationAttempt, format: Format, wasted: list[WastedUsage]) -> Answer:
    call, model = attempt.call, attempt.candidate.model
    parts, dropped = format.request(call.body, model)
    headers = {name: value for name, value in call.headers.items() if name not in _ONE_REQUESTS}
    room, posted = asyncio.Semaphore(PARALLEL), asyncio.Event()
    tasks = [asyncio.create_task(_ask(attempt, part, headers, room, posted)) for part in parts]
    try:
        answers = await asyncio.gather(*tasks)
    except BaseException as error:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        done = sum(not task.cancelled() and task.exception() is None for task in tasks)
        if done or (posted.is_set() and is_given_up(error)):
            tokens = -(-attempt.input_tokens * max(done, 1) // len(tasks))
            wasted.append((attempt.candidate, estimated(input_tokens=tokens, output_bytes=0)))
        if isinstance(error, UpstreamError):
            error.dropped = dropped
        raise
    body = {**format.answer([reply for reply, _ in answers], call.body, model), "model": attempt.candidate.id}
    answer = answer_of(attempt, max((response for _, response in answers), key=lambda each: each.ms))
    answer.body, answer.dropped = dump_unicode_bytes("", body), dropped
    answer.used = usage_of_answer(call, None, body.get("usage") or {})
    return answer


async def _ask(
    attempt: OperationAttempt,
    part: Part,
    headers: Mapping[str, str],
    room: asyncio.Semaphore,
    posted: asyncio.Event,
) -> tuple[Reply, UpstreamResponse]:
    async with room:
        body = dump_unicode_bytes("", part.body)
        path = part.path or attempt.request.operation.path
        request = await build(attempt, path, body, "", headers if attempt.row.dialect == "openai" else {})
        response = await attempt.services.client.send(request, attempt.limits, attempt.stopwatch, posted.set)
        try:
            await check(attempt, response)
            _, found = parse_object(await read_at_most(response, MAX_ANSWER), response.status)
            if (error := error_from_body(found)) is not None:
                raise error
            return Reply(found, response.headers), response
        except UpstreamError as error:
            request.redact_credential(error)
            raise
        finally:
            await response.aclose()
