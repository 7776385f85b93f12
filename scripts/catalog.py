"""Makes rules/catalog/catalog.json from two published price lists; catalog_overlay.toml resolves differences.

    python scripts/catalog.py            write it, and print notes to review
    python scripts/catalog.py --check    write nothing; exit 1 if it would change

The same sources give the same bytes. catalog_sources.py reads them.
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

from catalog_prices import BASE, merge_groups, more_prices
from catalog_sources import (
    GENAI,
    LITELLM,
    UNKNOWN,
    dollars,
    genai_prices,
    litellm_rows,
    matches,
    operation_rows,
    read_source,
)

Row = dict[str, Any]

HERE = Path(__file__).parent
OUTPUT = HERE.parent / "rules" / "catalog" / "catalog.json"
OVERLAY = HERE / "catalog_overlay.toml"

COLUMNS = [
    "id", "pool", "context", "max_output", "input", "output", "cached_input",
    "can", "quality", "speed", "auto", "rules", "more_prices",
]  # fmt: skip
DATE = re.compile(r"-(20\d{6}|20\d\d-\d\d-\d\d)$")
FAST_HOSTS = {"groq", "cerebras", "sambanova"}
FAST_NAMES = re.compile(r"flash|mini|nano|lite|haiku|luna|instant|-small|[^0-9.][1-9]b\b")
MAX_DIFFERENCE = Decimal("0.2")  # of two prices, as a share of the higher one


def main() -> int:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--check", action="store_true")
    check = arguments.parse_args().check
    overlay = tomllib.loads(OVERLAY.read_text())
    litellm = json.loads(read_source(LITELLM))
    rows = dict(litellm_rows(litellm, overlay))
    notes = price(rows, genai_prices(read_source(GENAI).decode(), overlay), overlay)
    complete_rows(rows, overlay)
    add_operations(rows, litellm, overlay)
    unused = {*overlay["pools"], *overlay["prices"], *overlay["speed"]} - set(rows)
    notes += [f"{model}: in the overlay, but not listed" for model in unused]
    text = render(rows, overlay)
    changed = not OUTPUT.exists() or OUTPUT.read_text() != text
    print(*sorted(notes), sep="\n")
    print(
        f"{len(rows)} models, {len(text)} bytes, {len(notes)} notes, {'changed' if changed else 'unchanged'}"
    )
    if not check:
        OUTPUT.write_text(text)
    return int(check and changed)


def price(rows: dict[str, Row], listed: dict[str, list[Row]], overlay: Row) -> list[str]:
    """Add prices: the overlay's, else those of genai-prices. Return a note for each large difference."""
    notes = []
    for known in listed["openrouter"]:
        model = f"openrouter/{known['id']}"
        if not any(fnmatchcase(model, pattern) for pattern in overlay["leave_out"]):
            rows[model] = {"can": UNKNOWN}
    for added in overlay["models"]:
        rows[added["id"]] = {"can": [], **{key: value for key, value in added.items() if key != "id"}}
    for model, row in rows.items():
        entry = find_listed(model, listed)
        if entry and model not in overlay["prices"]:
            row["context"] = row.get("context") or entry.get("context_window")
            notes += [f"{model}: {note}" for note in disagreements(row, entry["price"])]
            groups = merge_groups(row.get("groups", {BASE: {}}), entry["price"]["groups"])
            row.update({key: value for key, value in entry["price"].items() if value is not None})
            row["groups"] = groups
        if own := overlay["prices"].get(model):
            row.update({key: dollars(value) for key, value in own.items()}, groups={BASE: {}})
        row["more_prices"] = more_prices(model, row, row.get("groups", {BASE: {}}))
    return notes


def find_listed(model: str, listed: Mapping[str, list[Row]]) -> Row | None:
    """Return the genai-prices entry of a model: that of its id, else the first match, as in that library."""
    provider, name = model.split("/", 1)
    entries = listed.get(provider, [])
    same = [entry for entry in entries if entry["id"] == name]
    return next(iter(same or (entry for entry in entries if matches(entry["match"], name.lower()))), None)


def disagreements(row: Row, theirs: Row) -> Iterator[str]:
    for field in ("input", "output"):
        ours = row.get(field)
        if ours is not None and abs(ours - theirs[field]) > MAX_DIFFERENCE * max(ours, theirs[field]):
            yield f"{field} is {ours:f} in litellm, {theirs[field]:f} in genai-prices"


def complete_rows(rows: dict[str, Row], overlay: Row) -> None:
    """Add the pool, the tiers, the features and the family rules of each row."""
    for model, row in rows.items():
        row["pool"] = overlay["pools"].get(model, pool_of(model, rows))
        row["quality"] = next(
            (tier for name, tier in overlay["quality"].items() if fnmatchcase(row["pool"], name)), None
        )
        row["speed"] = overlay["speed"].get(model, speed_of(model))
        row["auto"] = int(model in overlay["auto"])
        row["rules"] = rules_of(model, row["pool"], overlay)
    fill_features(rows)
    for feature, patterns in overlay["lacks"].items():
        for model, row in rows.items():
            if any(fnmatchcase(model, pattern) for pattern in patterns):
                row["can"] = [each for each in row["can"] if each != feature]
    pools = {row["pool"] for row in rows.values()}
    if lost := {name for name in overlay["successors"].values() if name not in pools}:
        sys.exit(f"no model is in the pool of these successors: {', '.join(sorted(lost))}")
    for model in overlay["auto"]:
        if model not in rows or rows[model].get("input") is None or rows[model]["quality"] is None:
            sys.exit(f"{model} is on the auto list, but not listed, or without a price or quality")


def add_operations(rows: dict[str, Row], litellm: dict[str, Row], overlay: Row) -> None:
    """Add the models for other operations than chat, each with the operation as its only feature.

    Only exact names share a pool: texts that are embedded by two models cannot be compared.
    """
    for model, row in operation_rows(litellm, overlay).items():
        if own := overlay["prices"].get(model):
            row.update({key: dollars(value) for key, value in own.items()}, groups={BASE: {}})
        provider, name = model.split("/", 1)
        bare = name.rsplit("/", 1)[-1].lower()
        pool = re.sub(r"^(global\.)?[a-z]+\.|:\d+$", "", bare) if provider == "bedrock" else bare
        rows[model] = {
            **row,
            "pool": overlay["pools"].get(model, pool),
            "speed": 3,
            "auto": 0,
            "rules": [],
            "more_prices": more_prices(model, row, row["groups"]),
        }


def rules_of(model: str, pool: str, overlay: Row) -> list[str]:
    """Return the rules of a model: those of its host, else those of its family at any host."""
    bare = model.rsplit("/", 1)[-1].lower()
    hosts = ((entry, (model,)) for entry in overlay["hosts"])
    families = ((entry, (pool, bare)) for entry in overlay["families"])
    matching = (
        entry["rules"]
        for entry, names in (*hosts, *families)
        if any(fnmatchcase(name, pattern) for pattern in entry["match"] for name in names)
    )
    return next(matching, [])


def family_table(overlay: Row) -> list[list[str]]:
    """Return the families, for models that are not listed: patterns of bare names, and the rules."""
    return [[" ".join(entry["match"]), " ".join(entry["rules"])] for entry in overlay["families"]]


def fill_features(rows: Mapping[str, Row]) -> None:
    """Give models of unknown features those of their pool at another provider."""
    known = {row["pool"]: row for _, row in sorted(rows.items()) if row["can"] != UNKNOWN}
    for row in rows.values():
        if row["can"] == UNKNOWN and row["pool"] in known:
            row["can"] = [feature for feature in known[row["pool"]]["can"] if feature != "prefill"]
            row["max_output"] = row.get("max_output") or known[row["pool"]].get("max_output")


def pool_of(model: str, rows: Mapping[str, Row]) -> str:
    """Return the bare name, by the rules of docs/rules.md, "The catalogue"."""
    provider, name = model.split("/", 1)
    if ":" in name.removesuffix(":0") or (provider == "bedrock" and not is_pooled_on_bedrock(name, rows)):
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


def is_pooled_on_bedrock(name: str, rows: Mapping[str, Row]) -> bool:
    """Return True for a global profile, and for a model without one; not for the profile of a region."""
    return name.startswith("global.") or (
        f"bedrock/global.{name}" not in rows and not re.match(r"(us|us-gov|eu|jp|au|apac)\.", name)
    )


def speed_of(model: str) -> int:
    """Return the prior of the speed: 5 for hosts with their own chips, 4 for small models, else 3."""
    provider, name = model.split("/", 1)
    return 5 if provider in FAST_HOSTS else 4 if FAST_NAMES.search(name.lower()) else 3


def render(rows: Mapping[str, Row], overlay: Row) -> str:
    """Return the file: one row per line, sorted by id in lower case, so that a diff shows the changes."""
    sources = [{"name": name, "version": version, "licence": "MIT"} for name, version, *_ in (LITELLM, GENAI)]
    head = {
        "as_of": overlay["as_of"],
        "sources": sources,
        "columns": COLUMNS,
        "successors": overlay["successors"],
        "families": family_table(overlay),
    }
    lines = [compact(cells({"id": model, **rows[model]})) for model in sorted(rows, key=str.lower)]
    start = "".join(f"{compact(name)}:{compact(value)},\n" for name, value in head.items())
    return "{" + start + '"models":[\n' + ",\n".join(lines) + "\n]}\n"


def cells(row: Row) -> list[Any]:
    """Return the cells of a row, without the last one if it is empty."""
    last = [row["more_prices"]] if row["more_prices"] else []
    return [*(cell(row, column) for column in COLUMNS[:-1]), *last]


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
