"""Checks a running gateway from outside: address, version, clock, key, health, models, providers, streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from handler import __version__
from handler.cli.doctor.finding import Finding, fault, limited, ok, skipped, warning
from handler.cli.doctor.probe import Answer, Probe, Unreachable
from handler.cli.doctor.streaming import check_streaming, choose_model
from handler.cli.doctor.tables import UPDATE
from handler.errors import Json

SKEW, WORST_SKEW = 30.0, 300.0  # seconds; AWS refuses signatures that are 5 minutes off
CHECKS_TIMEOUT = 150.0  # seconds for the gateway's calls of all providers
SET_CLOCK = "set this machine's clock: AWS refuses signatures that are more than 5 minutes off"
NEW_KEY = "`sluice keys list` shows the keys and their problems, `sluice keys create` makes one"
SEE_RULES = "`sluice rules list` shows the record: correct it, or disable it"


def check_gateway(probe: Probe, model: str | None) -> Iterator[Finding]:
    """Yield the findings about a running gateway. model: to ask for a stream; None: the cheapest."""
    try:
        root = probe.get("/")
        if signed := _refused_by_aws(root) and probe.sign_requests():
            root = probe.get("/")
        identity = _identify(root)
        how = "answers signed requests" if signed else "answers"
        yield identity or ok("url", f"{probe.base} {how} in {root.seconds * 1000:.0f} ms")
        if identity is None:
            yield _version(str(root.json.get("version")))
            yield check_clock(root.headers.get("date"), probe.now())
            yield from _check_with_key(probe, model)
    except Unreachable as error:
        yield fault("url", str(error), error.mend)


def _identify(root: Answer) -> Finding | None:
    """Return the fault of an address that is not a gateway's; None if it is one."""
    if root.json.get("name") == "sluice":
        return None
    if _refused_by_aws(root):
        mend = (
            "with UrlAuth=AWS_IAM, give this machine AWS credentials that may lambda:InvokeFunctionUrl and "
            f"lambda:InvokeFunction, or pass the distribution's domain as --url; with NONE, {UPDATE}"
        )
        return fault("url", "AWS refuses the call before it reaches the function", mend)
    error = root.json.get("error")
    if isinstance(error, dict) and error.get("code") == "edge_required":
        text = "it takes requests only through a distribution (EdgeSecret)"
        return fault("url", text, "pass the domain of the distribution as --url")
    if 300 <= root.status < 400:
        where = root.headers.get("location", "another address")
        return fault("url", f"it redirects to {where}", "give that address with --url")
    text = f"what answers is not this gateway (status {root.status})"
    return fault("url", text, "check the address: the base URL of clients, without /v1")


def _refused_by_aws(answer: Answer) -> bool:
    """Return True for the 403 of a function URL that needs a signature, a valid one, or a permission."""
    return answer.status == HTTPStatus.FORBIDDEN and not {"Message", "message"}.isdisjoint(answer.json)


def _version(version: str) -> Finding:
    if version == __version__:
        return ok("version", version)
    text = f"the gateway is {version}, this command line is {__version__}"
    return warning("version", text, "update the older one: `make update` deploys, `git pull` gets a checkout")


def check_clock(date: str | None, now: float) -> Finding:
    """Compare this machine's clock with the `date` of an answer."""
    try:
        moment = parsedate_to_datetime(date or "")
    except ValueError:
        return skipped("clock", "the answer has no date to compare with")
    skew = now - (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if abs(skew) < SKEW:
        return ok("clock", "this machine's clock is right")
    text = f"this machine's clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
    return (fault if abs(skew) >= WORST_SKEW else warning)("clock", text, SET_CLOCK)


def _check_with_key(probe: Probe, model: str | None) -> Iterator[Finding]:
    if probe.key is None:
        yield from _health(probe.get("/health"))
        yield skipped("key", "models, providers and streams were not checked", "pass --key, or --key -")
        return
    listed = probe.get("/v1/models")
    if listed.status != 200:
        mend = NEW_KEY if listed.status in (401, 403) else "see the findings about health"
        yield fault("key", f"the gateway refuses it: {listed.error}", mend)
        yield from _health(probe.get("/health"))
        return
    session = probe.get("/console/api/session")
    yield ok("key", f"it works; {_scopes(session)}")
    yield from _health(probe.get("/health"))
    models = [item for item in listed.json.get("data", ()) if isinstance(item, dict)]
    if not models:
        mend = "store a provider's credential, or allow the key models: `POST /explain` says why each is out"
        yield fault("models", "the key may use no model", mend)
        return
    yield ok("models", f"{len(models)} names that the key may use")
    yield from _providers(probe.get("/console/api/providers/check", timeout=CHECKS_TIMEOUT))
    chosen = model or choose_model(models)
    if chosen is not None:
        yield from check_streaming(probe, chosen, probe.fastest)


def _scopes(session: Answer) -> str:
    """Say which scopes a key has, by the answer to who asks."""
    if session.status == HTTPStatus.OK:
        return f"its scopes: {', '.join(session.json['key']['scopes'])}"
    if session.status == HTTPStatus.FORBIDDEN:
        return "it has no scope `manage`"
    return "its scopes are not known, because the console is off"


def _health(answer: Answer) -> Iterator[Finding]:
    state = answer.json
    if "rules" not in state:
        yield fault("health", f"/health answers {answer.error}", "see the function's log")
        return
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
        text = "no request can be served: rules or keys could not be read yet"
        yield fault("health", text, "check the tables and the role: `sluice doctor --stack NAME`")
    if state["rules"].get("stale"):
        text = "the rules could not be refreshed in time, and old ones are in force"
        yield fault("health", text, "check that DynamoDB answers, and the role: `sluice doctor --stack NAME`")
    found = list(_details(state))
    yield from limited(found, lambda more: warning("health", f"{more} further findings", "see /health"))
    if state.get("status") != "ok" and "problems" not in state:
        text = f"the gateway is {state.get('status')}"
        yield warning("health", text, "pass a key with scope `manage` to see why")
    elif not found and answer.status == 200:
        details = "" if "problems" in state else " (a key with scope `manage` would show more)"
        yield ok("health", f"revision {state['rules'].get('revision')}{details}")


def _details(state: Json) -> Iterator[Finding]:
    for problem in state.get("problems", ()):
        yield fault("health", _problem(problem), SEE_RULES if "kind" in problem else "see docs/operating.md")
    for name, why in state.get("unavailable", {}).items():
        yield warning("providers", f"{name} cannot be used: {why}", "store its credential, or disable it")
    for name, seconds in state.get("cooling", {}).items():
        text = f"{name} keeps failing, and is asked last for {seconds:.0f} s"
        yield warning("health", text, "see `attempts` in the log lines of its requests")
    for finding in state.get("warnings", ()):
        yield warning("rules", _problem(finding), SEE_RULES)


def _problem(problem: Mapping[str, Any]) -> str:
    where = "/".join(str(problem[name]) for name in ("kind", "id") if problem.get(name))
    field = f"`{problem['field']}`" if problem.get("field") else ""
    return ": ".join(filter(None, (problem.get("what"), where, field, str(problem.get("problem")))))


def _providers(answer: Answer) -> Iterator[Finding]:
    if answer.status != 200:
        mend = "pass a key with scope `admin`, of a gateway with the console on and of this version"
        yield skipped("providers", f"their credentials were not tried: {answer.error}", mend)
        return
    found: Iterable[Json] = answer.json.get("data", ())
    good = [str(each.get("name")) for each in found if each.get("ok") is True]
    if good:
        yield ok("providers", f"the credentials of {', '.join(dict.fromkeys(good))} work")
    for each in found:
        name, problem = each.get("name"), each.get("problem")
        if each.get("ok") is False:
            mend = f"store a new value of {each.get('credential')}, or see the provider's status page"
            yield fault("providers", f"{name}: {problem}", mend)
        elif each.get("ok") is None:
            yield skipped("providers", f"{name}: {problem}")
