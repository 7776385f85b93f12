"""Counts a request by its limits and budgets before a provider is asked, and refuses it if one is used up.

A candidate whose limits are used up is skipped. When a budget that has a `then` is used up, that chooses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from math import ceil

from handler.access.counters import Counter
from handler.access.ledger import Refused
from handler.access.reservation import Reservation, Use
from handler.answers.costs import cost_of
from handler.answers.usage import WastedUsage
from handler.errors import BudgetExceeded, GatewayError, LimitReached, RateLimited, Unavailable
from handler.gateway.admission import AdmittedRequest, redecide
from handler.gateway.lifecycle import Gateway
from handler.log import RequestLog
from handler.relay.call import Call
from rules import NANO, BudgetRecord, Candidate, Rejection


async def reserve(
    gateway: Gateway,
    admitted: AdmittedRequest,
    call: Call,
    entry: RequestLog,
    call_of: Callable[[AdmittedRequest], Call],
) -> Call:
    """Take from the limits and budgets of a call, and return the call that they leave.

    call_of: makes the call of another decision, for a budget's `then`. Raises RateLimited, BudgetExceeded,
    Unavailable if the store fails and a record refuses then, and what AdmittedRequest.raise_if_refused does.
    """
    ledger, spent = gateway.ledger, frozenset[str]()
    known_spent = ledger.known_spent(ledger.open(call.decision))
    while True:
        if known_spent:
            over = redecide(gateway, admitted, spent | known_spent)
            if over.decision.refusal is None:
                over.raise_if_refused()  # its provider may refuse a field that the first one takes
                gateway.cooldown.release(call.decision)
                spent |= known_spent
                admitted, call = over, call_of(over)
                entry.decision = admitted.decision
        reservation = entry.reservation = ledger.open(call.decision)
        try:
            return await _cover_first(gateway, reservation, call, entry)
        except Refused as refused:
            record = refused.counter.record
            error = refusal_error(refused, gateway.now())
            if not isinstance(record, BudgetRecord):
                raise error from refused
            if record.then is None or record.id in known_spent:
                raise error from refused
            known_spent = frozenset({record.id})


async def _cover_first(gateway: Gateway, reservation: Reservation, call: Call, entry: RequestLog) -> Call:
    """Take for the first candidate whose limits are not used up. Raises the first Refused if all are."""
    ledger, refused = gateway.ledger, list[Refused]()
    skipped: dict[str, Rejection] = {}
    for candidate in call.decision.candidates:
        if candidate.id in skipped:
            continue
        try:
            await ledger.cover(reservation, [candidate])
        except Refused as error:
            refused.append(error)
            skipped |= _rejections(reservation, error.counter, candidate, call)
        else:
            break
    else:
        raise refused[0]
    if skipped:
        left = tuple(each for each in call.decision.candidates if each.id not in skipped)
        rejections = (*call.decision.rejections, *skipped.values())
        gateway.cooldown.release(call.decision)  # the candidate that it would have probed is not asked
        entry.decision = call.decision.replaced(candidates=left, rejections=rejections)
        gateway.cooldown.probe(left[0].key, entry.decision)
        call = call.replaced(decision=entry.decision)

    async def cover(candidates: Sequence[Candidate], wasted: Sequence[WastedUsage]) -> None:
        try:
            await ledger.cover(reservation, candidates, uses_of(wasted[entry.settled :]))
        except (Refused, Unavailable) as error:
            refusal = error if isinstance(error, Unavailable) else refusal_error(error, gateway.now())
            raise LimitReached(
                refusal.message, status=refusal.status, type=refusal.type, code=refusal.code
            ) from error

    return call.replaced(reserve=cover)


def _rejections(
    reservation: Reservation, counter: Counter, refused: Candidate, call: Call
) -> dict[str, Rejection]:
    """Return by id the candidates that a counter refuses as well: all, if a `then` chooses instead."""
    record = counter.record
    limit = next(limit for other, limit in reservation.counters if other == counter)
    least = 0 if isinstance(record, BudgetRecord) and record.then is not None else counter.need(refused)
    return {
        each.id: Rejection(each.id, f"{record.kind} {record.id} is used up")
        for each in call.decision.candidates
        if each.id in limit.candidates and counter.need(each) >= least
    }


def uses_of(spent: Iterable[WastedUsage]) -> tuple[Use, ...]:
    """Return what attempts used, as counters count it. An unknown price counts as nothing."""
    return tuple(
        Use(candidate.id, usage.input + usage.output, cost_of([(candidate, usage)]) or 0)
        for candidate, usage in spent
    )


def refusal_error(refused: Refused, now: datetime) -> GatewayError:
    """Return the error of a request that a counter refuses."""
    counter, record, need = refused.counter, refused.counter.record, refused.need
    per = ("an " if record.per == "hour" else "a ") + record.per
    per += f" for each {record.each}" if record.each else ""
    final, headers = need > counter.limit, {"x-should-retry": "false"}
    if isinstance(record, BudgetRecord):
        cost = f"{Decimal(need) / NANO:f}"
        why = f"is less than this request may cost, ${cost}: lower max_tokens" if final else "is used up"
        return BudgetExceeded(f"The budget {record.id} of ${record.usd:f} {per} {why}.", headers=headers)
    limit = f"The limit {record.id} of {record.amount} {record.unit} {per}"
    if final:
        message = f"{limit} is less than this request may use, {need}: lower max_tokens."
        return RateLimited(message, headers=headers)
    wait = max(1, ceil(counter.ends - now.timestamp()))
    return RateLimited(f"{limit} is used up. It is renewed in {wait} s.", retry_after=wait)
