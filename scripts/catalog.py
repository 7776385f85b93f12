"""Makes rules/catalog/catalog.json from two published price lists; catalog_overlay.toml settles differences.

    python scripts/catalog.py            write it, and report what to look at
    python scripts/catalog.py --check    write nothing; exit 1 when it would change

The same sources give the same bytes. What is read and how: catalog_sources.py.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from catalog_sources import GENAI, LITELLM, UNKNOWN, dollars, genai_prices, litellm_rows, matches, source

Row = dict[str, Any]

HERE = Path(__file__).parent
OUTPUT = HERE.parent / "rules" / "catalog" / "catalog.json"
OVERLAY = HERE / "catalog_overlay.toml"

COLUMNS = [
    "id", "pool", "context", "max_output", "input", "output", "cached_input",
    "can", "quality", "speed", "auto", "rules",
]  # fmt: skip
DATE = re.compile(r"-(20\d{6}|20\d\d-\d\d-\d\d)$")
FAST_HOSTS = {"groq", "cerebras", "sambanova"}
FAST_NAMES = re.compile(r"flash|mini|nano|lite|haiku|luna|instant|-small|[^0-9.][1-9]b\b")
DISAGREE = Decimal("0.2")


def main() -> int:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--check", action="store_true")
    check = arguments.parse_args().check
    overlay = tomllib.loads(OVERLAY.read_text())
    rows = dict(litellm_rows(json.loads(source(LITELLM)), overlay))
    notes = price(rows, genai_prices(source(GENAI).decode(), overlay), overlay)
    finish(rows, overlay)
    unused = {*overlay["pools"], *overlay["prices"], *overlay["speed"]} - set(rows)
    notes += [f"{model}: in the overlay, but not listed" for model in unused]
    text = rendered(rows, overlay)
    changed = not OUTPUT.exists() or OUTPUT.read_text() != text
    print(*sorted(notes), sep="\n")
    print(
        f"{len(rows)} models, {len(text)} bytes, {len(notes)} notes, {'changed' if changed else 'unchanged'}"
    )
    if not check:
        OUTPUT.write_text(text)
    return int(check and changed)


def price(rows: dict[str, Row], listed: dict[str, list[Row]], overlay: Row) -> list[str]:
    """genai-prices' price wins, unless the overlay has one. Gives a line for each large disagreement."""
    notes = []
    for known in listed["openrouter"]:
        model = f"openrouter/{known['id']}"
        if not any(fnmatchcase(model, pattern) for pattern in overlay["leave_out"]):
            rows[model] = {"can": UNKNOWN}
    for added in overlay["models"]:
        rows[added["id"]] = {"can": [], **{key: value for key, value in added.items() if key != "id"}}
    for model, row in rows.items():
        entry = listed_as(model, listed)
        if entry and model not in overlay["prices"]:
            row["context"] = row.get("context") or entry.get("context_window")
            notes += [f"{model}: {note}" for note in disagreements(row, entry["price"])]
            row.update({key: value for key, value in entry["price"].items() if value is not None})
        row.update({key: dollars(value) for key, value in overlay["prices"].get(model, {}).items()})
    return notes


def listed_as(model: str, listed: Mapping[str, list[Row]]) -> Row | None:
    """genai-prices' entry for it: the one of its id, else the first that matches, as that library does."""
    provider, name = model.split("/", 1)
    entries = listed.get(provider, [])
    same = [one for one in entries if one["id"] == name]
    return next(iter(same or (one for one in entries if matches(one["match"], name.lower()))), None)


def disagreements(row: Row, theirs: Row) -> Iterator[str]:
    for field in ("input", "output"):
        ours = row.get(field)
        if ours is not None and abs(ours - theirs[field]) > DISAGREE * max(ours, theirs[field]):
            yield f"{field} is {ours:f} in litellm, {theirs[field]:f} in genai-prices"


def finish(rows: dict[str, Row], overlay: Row) -> None:
    """Pools, tiers, and what each host and family wants."""
    for model, row in rows.items():
        row["pool"] = overlay["pools"].get(model, pool_of(model, rows))
        row["quality"] = next(
            (tier for name, tier in overlay["quality"].items() if fnmatchcase(row["pool"], name)), None
        )
        row["speed"] = overlay["speed"].get(model, speed_of(model))
        row["auto"] = int(model in overlay["auto"])
        row["rules"] = rules_of(model, row["pool"], overlay)
    know(rows)
    for feature, patterns in overlay["lacks"].items():
        for model, row in rows.items():
            if any(fnmatchcase(model, pattern) for pattern in patterns):
                row["can"] = [one for one in row["can"] if one != feature]
    pools = {row["pool"] for row in rows.values()}
    if lost := {name for name in overlay["successors"].values() if name not in pools}:
        sys.exit(f"no model is pooled under these successors: {', '.join(sorted(lost))}")
    for model in overlay["auto"]:
        if model not in rows or rows[model].get("input") is None or rows[model]["quality"] is None:
            sys.exit(f"{model} is on the auto list, but it is not listed, or has no price or no quality")


def rules_of(model: str, pool: str, overlay: Row) -> list[str]:
    """The rules of a model: those of its host, else those of its family at any host."""
    bare = model.rsplit("/", 1)[-1].lower()
    named = ((one, (model,)) for one in overlay["hosts"])
    families = ((one, (pool, bare)) for one in overlay["families"])
    found = (
        one["rules"]
        for one, names in (*named, *families)
        if any(fnmatchcase(name, pattern) for pattern in one["match"] for name in names)
    )
    return next(found, [])


def family_table(overlay: Row) -> list[list[str]]:
    """The families, for models that are not listed: patterns of bare names, and the rules."""
    return [[" ".join(one["match"]), " ".join(one["rules"])] for one in overlay["families"]]


def know(rows: Mapping[str, Row]) -> None:
    """Where nothing is known of a model's features, what is known of its pool, at whoever serves it."""
    known = {row["pool"]: row for _, row in sorted(rows.items()) if row["can"] != UNKNOWN}
    for row in rows.values():
        if row["can"] == UNKNOWN and row["pool"] in known:
            row["can"] = [feature for feature in known[row["pool"]]["can"] if feature != "prefill"]
            row["max_output"] = row.get("max_output") or known[row["pool"]].get("max_output")


def pool_of(model: str, rows: Mapping[str, Row]) -> str:
    """The bare name: docs/rules.md, "The catalogue", states the rule."""
    provider, name = model.split("/", 1)
    if ":" in name.removesuffix(":0") or (provider == "bedrock" and not pooled_on_bedrock(name, rows)):
        return ""
    bare = name.rsplit("/", 1)[-1].lower()
    if provider == "bedrock":
        bare = re.sub(r"(-v\d+)?(:\d+)?$", "", bare.removeprefix("global."))
        bare = bare.split(".", 1)[-1]
    if DATE.search(bare) and DATE.sub("", model) not in rows:
        bare = DATE.sub("", bare)
    if provider == "fireworks":
        bare = re.sub(r"(?<=\d)p(?=\d)", ".", bare)
    bare = re.sub(r"(-(instruct(-turbo)?|it|fp8|fp4|hf|versatile|latest))+$", "", bare)
    bare = re.sub(r"^(meta-)?llama-?v?(?=\d)", "llama-", bare)
    return bare.replace(".", "-") if bare.startswith("claude") else bare


def pooled_on_bedrock(name: str, rows: Mapping[str, Row]) -> bool:
    """The profile that every region has where there is one, else the model; never a region's profile."""
    return name.startswith("global.") or (
        f"bedrock/global.{name}" not in rows and not re.match(r"(us|us-gov|eu|jp|au|apac)\.", name)
    )


def speed_of(model: str) -> int:
    """A prior until it is measured: 5 for hosts with chips of their own, 4 for small models, else 3."""
    provider, name = model.split("/", 1)
    return 5 if provider in FAST_HOSTS else 4 if FAST_NAMES.search(name.lower()) else 3


def rendered(rows: Mapping[str, Row], overlay: Row) -> str:
    """One row a line, sorted, so that a diff shows what changed."""
    sources = [{"name": name, "version": version, "licence": "MIT"} for name, version, *_ in (LITELLM, GENAI)]
    head = {
        "as_of": overlay["as_of"],
        "sources": sources,
        "columns": COLUMNS,
        "successors": overlay["successors"],
        "families": family_table(overlay),
    }
    lines = [
        compact([cell({"id": model, **rows[model]}, column) for column in COLUMNS]) for model in sorted(rows)
    ]
    start = "".join(f"{compact(name)}:{compact(value)},\n" for name, value in head.items())
    return "{" + start + '"models":[\n' + ",\n".join(lines) + "\n]}\n"


def cell(row: Row, column: str) -> Any:
    value = row.get(column)
    if isinstance(value, list):
        return " ".join(value)
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    return value


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=isinstance(value, dict) and "name" not in value)


if __name__ == "__main__":
    sys.exit(main())
