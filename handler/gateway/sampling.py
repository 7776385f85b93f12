"""Takes a sample of a finished request, for replays of it under other rules."""

from __future__ import annotations

from handler.answers.usage import Usage
from handler.gateway.lifecycle import Gateway
from handler.log import RequestLog
from rules.review.samples import Sample, write_sample


def take_sample(gateway: Gateway, entry: RequestLog) -> None:
    """Write a sample of the request in the background, if it was decided and this instance may take one."""
    samples = gateway.samples
    gateway.next_sample = samples.pause_until  # so that the next requests do not come here
    if not samples.ready or not _was_decided(entry):
        return
    sample = write_sample(_sample_of(gateway, entry), gateway.settings.private_tags)
    if sample is not None:
        samples.start_write(sample)


def _was_decided(entry: RequestLog) -> bool:
    """Return True if a model was asked, or the rules refused the request; /explain does neither."""
    refused = entry.decision is not None and entry.decision.refusal is not None
    return entry.decision is not None and bool(entry.answer or entry.attempts or (refused and entry.failure))


def _sample_of(gateway: Gateway, entry: RequestLog) -> Sample:
    decision, usage, answer = entry.decision, entry.usage or Usage(), entry.answer
    assert decision is not None
    first_token = answer.first_token if answer else None
    return Sample(
        facts=decision.facts,
        at=int(gateway.now().timestamp()),
        request_id=entry.request_id,
        revision=decision.revision,
        reason=str(decision.reason),
        rule=decision.rule,
        model=decision.candidates[0].id if decision.candidates else None,
        served=answer.candidate.id if answer else None,
        refused=decision.refusal.code if decision.refusal else None,
        spent=tuple(limit.record.id for limit in decision.limits if limit.spent),
        available=tuple(sorted(gateway.policies.available)),
        default_access=gateway.settings.default_access,
        usage={part: count for part, count in usage.parts.items() if count},
        service_tier=usage.service_tier,
        longest_input=usage.largest_request,
        cost=entry.cost,
        first_token=None if first_token is None else round(first_token, 3),
    )
