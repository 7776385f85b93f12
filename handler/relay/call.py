"""The data of the relay: the call that it answers, and the attempt that asks one candidate. No I/O."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from handler.answers.resume import Continuation
from handler.answers.usage import WastedUsage
from handler.errors import AttemptRecord, Json, UpstreamError
from handler.formats.chat.request import Chat
from handler.formats.client_format import Effect
from handler.formats.operations.operation import OperationRequest
from handler.providers.provider import Provider
from handler.providers.translator import Translator
from handler.upstream.client import Limits, Stopwatch
from handler.upstream.request import UpstreamRequest
from rules import EMPTY, Candidate, Decision, Frozen

if TYPE_CHECKING:
    from handler.structured.modes import OutputContract
    from handler.structured.schema_attempt import SchemaAttempt
    from handler.wire.traceparent import Trace


Reserve = Callable[[Sequence[Candidate], Sequence[WastedUsage]], Awaitable[None]]


class Call(Frozen):
    """One request, to be answered by the first of its candidates that can."""

    hidden = frozenset({"reserve"})

    chat: Chat
    decision: Decision
    body: Json  # the chat to send; shares its unchanged parts with chat.body
    native_body: Json | None = None  # to send to providers of the client's own format, if that is not chat
    native_effects: Mapping[str, Effect] = EMPTY  # on it, by a chat's parameter
    native_suffix: str = ""  # of the path: another endpoint, which only providers of the client's format have
    rows: Mapping[str, Provider] = EMPTY  # as they were at the decision
    deadline: float = float("inf")  # on the relay's clock
    headers: Mapping[str, str] = EMPTY  # the client's, for its own format
    explanation: Json | None = None  # goes into the answer as `sluice`
    operation: OperationRequest | None = None  # of a request that is no chat; `body` has its fields then
    output_contract: OutputContract | None = None  # what the answer has to be; None: text
    refused_modes: frozenset[str] = frozenset()  # by the candidate of this attempt
    # Takes from the limits of a candidate before it is asked. Arguments: all candidates that are being asked,
    # this one last; the usage of attempts that gave no answer. Raises LimitReached. None: no limit applies.
    reserve: Reserve | None = None
    trace: Trace | None = None  # that the attempts belong to


class Attempt(NamedTuple):
    """One request to one candidate, and how its response is to be read."""

    call: Call  # as it is sent to this candidate
    candidate: Candidate
    row: Provider
    translator: Translator
    request: UpstreamRequest
    continuation: Continuation | None  # of an answer that another candidate began
    schema: SchemaAttempt | None  # of structured output
    wasted: list[WastedUsage]  # gets the usage of attempts that give no answer
    limits: Limits
    stopwatch: Stopwatch
    native: bool = False  # relayed in the client's own format, which is not chat
    subcalls: int = 1  # the requests that this candidate gets at the same time, for one choice each

    @property
    def input_tokens(self) -> int:
        """The estimate, for a provider that reports no usage."""
        return self.call.decision.facts.input_tokens

    @property
    def wants_usage(self) -> bool:
        return self.call.chat.include_usage or self.call.chat.include_cost

    @property
    def legacy(self) -> bool:
        """True if tool calls go to the client in the legacy form of functions; never for a forced tool."""
        return self.call.chat.legacy and not (self.schema and self.schema.by_tool)

    @property
    def explanation(self) -> Json | None:
        explanation, schema = self.call.explanation, self.schema
        return {**explanation, "schema": schema.mode} if explanation is not None and schema else explanation

    @property
    def charged(self) -> Candidate | None:
        """The candidate, for a client that asked for the cost."""
        return self.candidate if self.call.chat.include_cost else None


def failure_record(
    candidate: Candidate, error: UpstreamError, ms: int, span: tuple[str, float] | None = None
) -> AttemptRecord:
    """Return the record of an attempt that failed after `ms` milliseconds."""
    return AttemptRecord(
        candidate.id,
        error.failure_class,
        error.upstream_status,
        ms,
        detail=error.detail,
        cause=error.cause,
        dropped=error.dropped,
        schema=error.schema,
        account=candidate.account,
        span=span,
    )
