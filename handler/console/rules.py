"""The console's calls that read, check, try and save the rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handler.access.keys import Key
from handler.aws.errors import StoreError
from handler.console.bodies import Caller, Check, Replay, Save, Try, body_of
from handler.console.call import Conflict, ConsoleCall, exact_json
from handler.endpoints.exchange.response import Response
from handler.errors import InvalidRequest, Json
from handler.formats.foreign_shapes import parse_chat
from handler.gateway.admission import facts_of
from handler.gateway.policy import Policy
from handler.manage.background_thread import in_thread
from handler.manage.changes import sort_records
from handler.manage.keys import list_keys, show_key
from handler.manage.replay import replay_rules
from handler.manage.rules import Review, RulesChanged, RulesRefused, StoredRules, push, read_rules, review
from handler.wire.splice import dump
from rules import Facts, InvalidRecord, RuleSet, RuleSetTooLarge, decide
from rules.review.check import warnings
from rules.review.command_line import InvalidInput
from rules.review.explain import explain_conditions, facts_at
from rules.review.lint import KnownKeys, RuleWarning
from rules.review.order import hidden_records

FUNCTION = "x-sluice-function"  # the header that rules take the function from


async def read(call: ConsoleCall) -> Response:
    """Return the table as it is stored, in the order in which records are asked, with what is wrong."""
    policy = await call.gateway.policies.current()
    stored, known = await read_rules(*call.tables), await _known_keys(call)
    found = await in_thread(_describe, stored, policy.ruleset, known)
    return exact_json(found)


def _describe(stored: StoredRules, in_force: RuleSet, known: KnownKeys | None) -> Json:
    table = {
        "revision": stored.revision,
        "in_force": in_force.revision,
        "records": sort_records(stored.items),
    }
    try:
        ruleset = RuleSet.read(stored.items, previous=in_force.items)
    except RuleSetTooLarge as error:  # its records can be removed until it is small enough
        empty = {"kind": "", "id": "", "field": "record"}
        problem = {**empty, "problem": str(error), "instead": "the rules in force"}
        return {**table, "order": [], "problems": [problem], "warnings": []}
    hidden = {(record.kind, record.id): first for record, first in hidden_records(ruleset)}
    return {
        **table,
        "order": [
            {
                "kind": record.kind,
                "id": record.id,
                "shadowed_by": [{"kind": first.kind, "id": first.id}] if first else [],
            }
            for record in ruleset.records
            for first in [hidden.get((record.kind, record.id))]
        ],
        "problems": [problem.as_json() for problem in ruleset.problems],
        "warnings": _warnings(warnings(ruleset, known)),
    }


async def check(call: ConsoleCall) -> Json:
    """Return what is wrong with a set of records, whether its tests hold, and what it would change."""
    body = await body_of(call, Check)
    stored, known = await read_rules(*call.tables), await _known_keys(call)
    return await in_thread(_check, stored, body.records, known)


def _check(stored: StoredRules, records: Sequence[Any], known: KnownKeys | None) -> Json:
    reviewed = review(stored.items, records, known)
    return {
        "revision": reviewed.revision,
        "table": stored.revision,
        **_findings(reviewed, records),
        "changes": reviewed.changes.as_json(),
    }


async def save(call: ConsoleCall) -> Json:
    """Make the table hold exactly these records, if it still has the revision `base`."""
    body = await body_of(call, Save)
    if not body.records:
        how = "`sluice rules push FILE --prune --yes-delete-everything`"
        raise InvalidRequest(
            f"records: an empty set would remove every rule. Only {how} does that.", param="records"
        )
    try:
        pushed = await push(*call.tables, body.base, body.records, message=body.message)
    except RulesChanged as error:
        written = f"{error.written} changes were written" if error.written else "nothing was written"
        message = f"The table of rules changed since you read it; {written}."
        metadata = {
            "revision": error.revision,
            "changes": error.changes.as_json(),
            "since_base": error.since_base,
            "written": error.written,
        }
        raise Conflict(message, code="rules_changed", metadata=metadata) from error
    except RulesRefused as error:
        raise _refusal(error.review, body.records) from error
    await call.gateway.policies.snapshot.adopt_revision(pushed.revision)
    return {"revision": pushed.revision, "changes": pushed.changes.as_json()}


async def replay(call: ConsoleCall) -> Json:
    """Return what these records would have changed for the requests of which samples are kept."""
    body = await body_of(call, Replay)
    policies, after = call.gateway.policies, await in_thread(RuleSet.read, body.records)
    if after.problems:
        raise await in_thread(lambda: _refusal(review((), body.records), body.records))
    before = (await policies.current()).ruleset
    return await replay_rules(
        *call.tables,
        before,
        after,
        since=body.since,
        now=call.gateway.now(),
        extra_rows=policies.extra_rows,
    )


async def schema(call: ConsoleCall) -> Json:
    """Return the JSON Schema of each kind of record, and of a file of records."""
    from rules.review.schema import record_schemas, rules_schema

    return {"kinds": record_schemas(), "file": rules_schema()}


async def try_request(call: ConsoleCall) -> Json:
    """Return the explanation of a request under these records, or under the rules in force."""
    body = await body_of(call, Try)
    policies = call.gateway.policies
    policy = await policies.current()
    if body.records is not None:
        policy = await in_thread(lambda: policies.trial(RuleSet.read(body.records or ())))
    facts, cooling = await _facts(call, body), call.gateway.cooldown.cooling()
    return await in_thread(_explain, facts, policy, cooling)


def _explain(facts: Facts, policy: Policy, cooling: Any) -> Json:
    decision = decide(facts, policy.ruleset, policy.catalog, policy.live.replaced(cooling=cooling))
    return {**decision.explain(), "conditions": explain_conditions(policy.ruleset, facts)}


async def _facts(call: ConsoleCall, body: Try) -> Facts:
    """Return the facts of a chat request, as the endpoint for chats finds them."""
    headers = {FUNCTION: body.as_.function} if body.as_.function else {}
    chat = parse_chat(dump(body.request).encode(), headers=headers, settings=call.gateway.settings)
    key = await _caller(call, body.as_)
    facts = facts_of(chat, key=key, headers=headers, now=call.gateway.now(), random=call.gateway.random())
    try:
        return facts_at(facts, body.at) if body.at else facts
    except InvalidRecord as error:
        raise InvalidRequest(f"at: {error.problem}", param="at") from error


async def _caller(call: ConsoleCall, caller: Caller) -> Key:
    if caller.key is None:
        return Key(id="", project=caller.project or "default")
    try:
        record = (await show_key(*call.tables, caller.key))[0]
    except InvalidInput as error:
        raise InvalidRequest(f"as.key: {error}", param="as.key") from error
    models = None if record["models"] in ("all", None) else tuple(record["models"])
    project = caller.project or record["project"] or "default"
    return Key(id=record["id"], project=project, models=models)


async def _known_keys(call: ConsoleCall) -> KnownKeys | None:
    """Return the keys that scopes may name; None where they cannot be read."""
    try:
        return KnownKeys.of(await list_keys(*call.tables))
    except StoreError:
        return None


def _findings(reviewed: Review, records: Sequence[Any]) -> Json:
    failed, places = {id: list[str]() for id in reviewed.tests}, _indexes(records)
    for failure in reviewed.failed:
        failed[failure.id].append(str(failure))
    return {
        "problems": [
            {**each.as_json(), "index": places.get((each.kind, each.id))} for each in reviewed.problems
        ],
        "warnings": _warnings(reviewed.warnings),
        "tests": [{"id": id, "ok": not failures, "failures": failures} for id, failures in failed.items()],
    }


def _warnings(found: Sequence[RuleWarning]) -> list[Json]:
    return [warning._asdict() for warning in found]


def _indexes(records: Sequence[Any]) -> dict[tuple[str, ...], int]:
    """Return the place of each record by its kind and id; of two with the same, that of the first."""
    found: dict[tuple[str, ...], int] = {}
    for number, record in enumerate(records):
        fields = record if isinstance(record, dict) else {}
        name = (text if isinstance(text := fields.get(field), str) else "" for field in ("kind", "id"))
        found.setdefault(tuple(name), number)
    return found


def _refusal(reviewed: Review, records: Sequence[Any]) -> InvalidRequest:
    """Return the error of records that are not written, which names the first field that is wrong."""
    metadata, param = _findings(reviewed, records), "records"
    if reviewed.new_problems:
        first = reviewed.new_problems[0]
        if (index := _indexes(records).get((first.kind, first.id))) is not None:
            param = f"records[{index}]" + ("" if first.field == "record" else f".{first.field}")
        message = f"{param}: {first.problem}"
    else:
        message = f"Nothing was written, because a test of the set fails. {reviewed.failed[0]}"
    return InvalidRequest(message, code="rules_refused", param=param, metadata=metadata)
