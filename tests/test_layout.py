"""The boundaries of docs/design.md, read out of the source: who may import what, and how long things get."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("rules", "handler")
    for path in sorted((ROOT / package).rglob("*.py"))
}
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}

# Who may import each library. A trailing dot means everything below.
ONLY_IN = {
    "pydantic": ("rules.reading.", "handler.console.bodies"),
    "pydantic_core": ("rules.reading.",),
    "httpx": ("handler.upstream.httpx_transport",),
    "certifi": ("handler.upstream.trust",),
    "h11": (),  # what tests compare with
    "mcp": ("handler.mcp.session",),
    "mcp_types": ("handler.mcp.session",),
    "httpx2": ("handler.mcp.session", "handler.mcp.transport"),
    "jsonschema_rs": ("handler.structured.schema",),
    "botocore": (
        "handler.aws.sdk",
        "handler.aws.credentials",
        "handler.aws.endpoint",
        "handler.wire.eventstream",
    ),
    "starlette": ("handler.app", "handler.endpoints.", "handler.console."),
    "mangum": ("handler.runtime.",),
    "moto": ("handler.local.database",),
    "werkzeug": ("handler.local.database",),
    "uvicorn": ("handler.local.serve",),
    "yaml": ("handler.local.create_tables",),
}
LONGEST_FILE = 300
LONGEST_FUNCTION = 40
MOST_FILES = 14  # of one folder, `__init__` and `__main__` among them

# From the top down: a module imports only from rows below its own, and from its own room.
ROOMS = """
    handler.__main__
    handler.local handler.runtime
    handler.main
    handler.app
    handler.console
    handler.endpoints
    handler.mcp
    handler.gateway
    handler.relay
    handler.log handler.structured
    handler.upstream handler.answers handler.cli
    handler.manage
    handler.access handler.formats handler.providers
    handler.content
    handler.store
    handler.aws
    handler.wire
    handler.errors
    handler.settings handler.redact
    handler
    rules
"""
# The same for the parts of `handler.providers`. No wire format imports another: they are in one row.
PROVIDER_PARTS = """
    registry
    anthropic bedrock google openai responses
    content_blocks
    quirks
    credential_hosts failure translator
    rows addressing
    operations
    provider retry_after legacy_functions data_urls unsupported error_details malformed usage schemas
"""


def rows_of(order: str) -> dict[str, int]:
    """The row of each name, counted from the bottom."""
    return {name: row for row, names in enumerate(reversed(order.split("\n"))) for name in names.split()}


ROWS, PROVIDER_ROWS = rows_of(ROOMS), rows_of(PROVIDER_PARTS)


def room_of(module: str) -> str:
    """The room whose module it is: the package `handler` itself is one, for its version."""
    top, _, rest = module.partition(".")
    return f"{top}.{rest.partition('.')[0]}" if top == "handler" and rest else top


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield str(node.module)


def allowed(module: str, places: tuple[str, ...]) -> bool:
    return any(module == place or (place.endswith(".") and module.startswith(place)) for place in places)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_the_design_lets_it(module: str) -> None:
    for imported in imports(TREES[module]):
        top = imported.split(".")[0]
        if module.startswith("rules"):
            assert top in sys.stdlib_module_names | {"rules", "pydantic", "pydantic_core"}, imported
        elif top == "rules":
            assert imported == "rules" or imported.startswith("rules.review"), "rules has two front doors"
        if top in ONLY_IN:
            assert allowed(module, ONLY_IN[top]), f"{module} imports {imported}"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_its_own_room_and_those_below(module: str) -> None:
    own = room_of(module)
    for imported in project_imports(module):
        other = room_of(imported)
        assert other == own or ROWS[other] < ROWS[own], f"{module} imports {imported}"


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("handler.providers.")])
def test_a_module_of_providers_imports_from_its_own_part_and_those_below(module: str) -> None:
    own = part_of(module)
    for imported in project_imports(module):
        if imported.startswith("handler.providers."):
            other = part_of(imported)
            assert other == own or PROVIDER_ROWS[other] < PROVIDER_ROWS[own], f"{module} imports {imported}"


def part_of(module: str) -> str:
    """The folder or the module of `handler.providers` that it belongs to."""
    return module.removeprefix("handler.providers.").partition(".")[0]


def project_imports(module: str) -> set[str]:
    """The modules of ours that it imports, at its head, in a function or for the type checker."""
    found = set()
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            found |= {
                each if (each := f"{node.module}.{alias.name}") in MODULES else node.module
                for alias in node.names
            }
    return found - {module}


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("handler.providers.")])
def test_a_translator_does_no_input_or_output(module: str) -> None:
    awaits = (ast.Await, ast.AsyncFor, ast.AsyncFunctionDef)
    assert not [node for node in ast.walk(TREES[module]) if isinstance(node, awaits)]


def test_the_environment_is_read_in_settings_only() -> None:
    readers = {
        module
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    assert readers <= {"handler.settings"}


def test_modules_have_a_total_order() -> None:
    """No import cycle, not even one hidden in a function."""
    below = {
        module: {
            name
            for imported in imports(tree)
            for name in (imported, imported.rpartition(".")[0])
            if name in MODULES
        }
        - {module}
        for module, tree in TREES.items()
    }
    runtime = {
        module: {one for one in names if one not in typing_only(module)} for module, names in below.items()
    }
    placed: set[str] = set()
    while len(placed) < len(MODULES):
        ready = {module for module in MODULES if module not in placed and runtime[module] <= placed}
        assert ready, f"a cycle among {sorted(set(MODULES) - placed)}"
        placed |= ready


def typing_only(module: str) -> set[str]:
    """What a module imports for the type checker alone, and its own package's front door."""
    blocks = [
        node
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    found = {name for block in blocks for name in imports(block)}
    package = module.split(".")[0]
    return found | ({package} if module != package else set())


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_lives_there_and_stays_short(module: str) -> None:
    tree, lines = TREES[module], MODULES[module].read_text().count("\n")
    assert ast.get_docstring(tree)
    assert lines <= LONGEST_FILE
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name


def test_no_folder_holds_too_many_files() -> None:
    folders = [path.parent for path in MODULES.values()]
    assert {
        str(folder.relative_to(ROOT)) for folder in folders if folders.count(folder) > MOST_FILES
    } == set()


def test_nothing_is_read_from_the_world_when_a_module_is_imported() -> None:
    """Calls at module level that would read a file, the environment or the network."""
    for module, tree in TREES.items():
        if module.endswith("__main__"):
            continue
        for statement in tree.body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            names = {
                node.func.id
                for node in ast.walk(statement)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            assert not names & {"open", "read_settings", "load_catalog"}, module


INTERROGATIVES = ("What", "Who", "Which", "Whether", "Whose", "Those")
RETIRED = {
    *(
        "adopting",
        "amends",
        "amiss",
        "asked",
        "begun",
        "conduct",
        "goes_on",
        "heard",
        "held",
        "kept",
        "klass",
    ),
    *("let_go", "must_be_served", "retold", "said", "spelling", "told", "unless_left", "usable", "wanted"),
}


@pytest.mark.parametrize("module", MODULES)
def test_names_and_docstrings_are_plain(module: str) -> None:
    """A function's docstring begins with a verb or with what it returns; retired words name nothing."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert not (ast.get_docstring(node) or "").startswith(INTERROGATIVES), node.name
        assert names_of(node).isdisjoint(RETIRED), names_of(node) & RETIRED


def names_of(node: ast.AST) -> set[str]:
    """The identifiers that one node of a syntax tree introduces or uses."""
    fields = (getattr(node, field, None) for field in ("name", "id", "attr", "arg", "asname"))
    return {text.strip("_") for text in fields if isinstance(text, str)}
