"""What this gateway is, and how it is: the calls `session` and `status`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from handler import __version__
from handler.console.call import ConsoleCall
from handler.endpoints.health import state_of
from handler.errors import Json
from handler.gateway.policy import Policy
from handler.settings import Settings

NOT_SHOWN = Settings.hidden  # settings; credentials are in there


async def session(call: ConsoleCall) -> Json:
    """Return who asks, and the gateway's version, place and settings."""
    settings, key = call.gateway.settings, call.key
    names = (name for name in type(settings).field_names if name not in NOT_SHOWN)
    return {
        "key": {"id": key.id, "name": key.name, "project": key.project, "scopes": sorted(key.scopes)},
        "version": __version__,
        "function_name": settings.function_name,
        "region": settings.region,
        "settings": {f"SLUICE_{name.upper()}": _plain(getattr(settings, name)) for name in names},
    }


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    return list(value) if isinstance(value, tuple) else value


async def status(call: ConsoleCall) -> Json:
    """Return what /health tells a `manage` key, the providers, and in `notes` its problems in words."""
    policy = await call.gateway.policies.current()
    state = state_of(call.gateway, details=True)
    return {"cooling": {}, **state, "providers": [*_providers(policy)], "notes": [*_notes(state)]}


def _providers(policy: Policy) -> Iterator[Json]:
    """Yield every provider, the available ones first. `why`: the reason why it cannot be used."""
    available, why = policy.live.available, policy.live.unavailable
    for name in sorted(policy.rows, key=lambda name: (name not in available, name)):
        yield {"name": name, "available": name in available, "why": why.get(name)}


def _notes(state: Json) -> Iterator[str]:
    rules = state["rules"]
    if rules["stale"]:
        age = "an unknown time" if rules["age_s"] is None else f"{rules['age_s']:.0f} s"
        yield f"The rules were last read {age} ago: decisions go by old rules until the table can be read."
    for problem in state["problems"]:
        what = problem.get("what") or f"The record {problem['kind']}/{problem['id']} is not in force as saved"
        where = f" (`{problem['field']}`)" if problem.get("field") else ""
        yield f"{what[0].upper()}{what[1:]}{where}: {problem['problem']}."
    for model, left in state.get("cooling", {}).items():
        yield f"{model} failed repeatedly and is asked last for another {left:.0f} s."
