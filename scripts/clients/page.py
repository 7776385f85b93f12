"""docs/clients.md: its table of results and its settings, both from the table of clients.

The console's page Connect has the same settings, in handler/console/static/pages/clients.js.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from scripts.clients.client import Client
from scripts.clients.gateway import MODELS
from scripts.clients.install import PACKAGES, version

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
MODULE = Path(__file__).parents[2] / "handler" / "console" / "static" / "pages" / "clients.js"
_MODULE = """// The settings of clients, which docs/clients.md has, too: `make clients` writes both.
//
// Texts have $origin, $key and $model in the place of their values.
export default {0};
"""
# The parts of the page between these comments are written by the script.
_PART = "<!-- {0} -->\n{1}\n<!-- end of {0} -->"
_SHOWN = {
    "origin": "http://127.0.0.1:8080",
    "key": "sk-sluice-...",
    "prompt": "...",
    "programs": "scripts/clients/programs",
}
_LANGUAGES = {".toml": "toml", ".json": "json", ".yaml": "yaml"}
# client and endpoint -> dialect -> result
Results = dict[tuple[str, str], dict[str, str]]


def write(clients: Sequence[Client], results: Results) -> None:
    """Writes results and settings of these clients into the page, and the settings into the console."""
    page = PAGE.read_text(encoding="utf-8")
    page = replace_part(page, "results", results_table(clients, results))
    PAGE.write_text(replace_part(page, "settings", settings_part(clients)), encoding="utf-8")
    MODULE.write_text(console_module(clients), encoding="utf-8")


def replace_part(page: str, name: str, text: str) -> str:
    pattern = re.escape(_PART.format(name, "\0")).replace("\0", ".*?")
    return re.sub(pattern, lambda _: _PART.format(name, text), page, flags=re.S)


def results_table(clients: Sequence[Client], results: Results) -> str:
    dialects = list(MODELS)
    rows = [["client", "version", "calls", *dialects], ["---"] * (3 + len(dialects))]
    for client in clients:
        found = results.get((client.name, client.endpoint), {})
        cells = [found.get(dialect, "not run") for dialect in dialects]
        rows.append([client.name, version(client.packages), f"`{client.endpoint}`", *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def read_results(clients: Sequence[Client]) -> Results:
    """The results in the page of the clients whose versions are still the same."""
    found: Results = {}
    versions = {(client.name, client.endpoint): version(client.packages) for client in clients}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        name, of, endpoint, *cells = [cell.strip(" `") for cell in line.strip("|").split("|")] + [""] * 3
        if versions.get((name, endpoint)) == of:
            found[name, endpoint] = dict(zip(MODELS, cells, strict=False))
    return found


def settings_part(clients: Iterable[Client]) -> str:
    return "\n".join(_settings(clients)).strip()


def _settings(clients: Iterable[Client]) -> Iterator[str]:
    """A section for each group of clients with the same settings."""
    groups: dict[str, list[Client]] = {}
    for client in clients:
        groups.setdefault("\n".join(_to_set(client)), []).append(client)
    for settings, group in groups.items():
        yield f"### {', '.join(dict.fromkeys(client.name for client in group))}\n"
        yield settings
        for command in dict.fromkeys(_command(client) for client in group):
            yield f"{command}"
        yield from (f"\n{client.note}" for client in group if client.note)
        yield ""


def console_module(clients: Iterable[Client]) -> str:
    """A JavaScript module with the clients by their settings, in the order and the groups of the page."""
    groups: dict[str, dict[str, Any]] = {}
    for client in clients:
        group = groups.setdefault(
            "\n".join(_to_set(client)),
            {
                "clients": [],
                "settings": list(client.settings.items()),
                "files": [
                    {"path": f"~/{path}", "language": _LANGUAGES[Path(path).suffix], "text": text.strip()}
                    for path, text in client.files.items()
                ],
                "model": client.model,
                "note": client.note,
            },
        )
        group["clients"].append({"name": client.name, "endpoint": client.endpoint})
        group["note"] = group["note"] or client.note
    return _MODULE.replace("{0}", json.dumps(list(groups.values()), indent=2))


def _to_set(client: Client) -> Iterator[str]:
    if client.settings:
        yield f"```sh\n{_exports(client.settings, client)}\n```\n"
    for path, text in client.files.items():
        yield f"`~/{path}`:\n\n```{_LANGUAGES[Path(path).suffix]}\n{_shown(text, client).strip()}\n```\n"


def _exports(variables: Mapping[str, str], client: Client) -> str:
    return "\n".join(f"export {name}={_shown(text, client)}" for name, text in variables.items())


def _command(client: Client) -> str:
    words = " ".join(_shown(word, client) for word in client.command)
    packages = ", ".join(f"`{package}`" for package in PACKAGES[client.packages])
    return f"- {packages}: `{words}`"


def _shown(text: str, client: Client) -> str:
    return Template(text).substitute(_SHOWN, model=client.model)
