"""Makes the folder that is deployed: our packages and the locked dependencies, for one Python and processor.

`sam build` runs it (scripts/Makefile); no Docker, on Linux or macOS, under any Python 3.11 or newer: wheels
are chosen by platform. Standard library only.

    python scripts/package.py --out DIR [--machine aarch64|x86_64] [--python 3.13]
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "runtime.txt"
PACKAGES = ("handler", "rules")
# For people at a command line, and for tests: httpx is not in the package.
NOT_DEPLOYED = ("__main__.py", "cli", "local", "httpx_transport.py")
TASK_ROOT = "/var/task"  # where Lambda puts the folder

# The operations that the function calls through botocore; the other 400 services are 25 MB. For DynamoDB and
# Parameter Store, which it calls itself, botocore only knows the addresses of unusual regions.
OPERATIONS = {
    "dynamodb": (),
    "ssm": (),
    "s3": ("GetObject", "ListObjectsV2", "PutObject"),
    "sns": ("Publish",),
}
BOTOCORE_DATA = set(OPERATIONS) | {
    "endpoints.json",
    "partitions.json",
    "sdk-default-configuration.json",
    "_retry.json",
}
UNUSED = (
    "bin",
    "*.dist-info",
    "**/*.pyi",
    "**/py.typed",
    "**/__pycache__",
    "*.dist-info/[!Me]*",
    "botocore/data/*/*/examples-1.json*",
    "botocore/data/*/*/paginators-1*.json*",
    "botocore/data/*/*/waiters-2.json*",
)
# Of each library: modules and folders that nothing here calls, or that are for other platforms.
UNCALLED = {
    "annotated_types": "test_cases",
    "anyio": (
        "_backends/_trio _core/_concurrency_utils _core/_fileio _core/_futures _core/_tempfile "
        "from_thread functools itertools pytest_plugin streams/file to_interpreter to_process"
    ),
    "botocore": "cacert.pem crt/auth docs/translator stub",
    "dateutil": "easter rrule tz/win tzwin zoneinfo",
    "httpx2": "_main websockets",
    "idna": "cli codec uts46data",
    "mcp": (
        "client/__main__ client/_memory client/caching client/sse client/stdio shared/auth shared/auth_utils "
        "shared/direct_dispatcher shared/path_security shared/tool_name_validation "
        "shared/uri_template"
    ),
    "opentelemetry": "_logs metrics",
    "pydantic": "color deprecated experimental/pipeline mypy v1",
    "starlette": (
        "applications authentication config endpoints middleware/authentication middleware/base "
        "middleware/gzip middleware/httpsredirect middleware/opentelemetry middleware/sessions "
        "middleware/trustedhost middleware/wsgi schemas staticfiles status templating testclient"
    ),
    "urllib3": "contrib/emscripten contrib/pyopenssl contrib/socks http2/connection",
}
# The server side of the `mcp` library, and what only that needs. The library's two packages import it when
# they are imported, so both are emptied; handler/mcp/session.py imports modules below them.
SERVER_SIDE = (
    *(
        "mcp/server",
        "mcp/cli",
        "mcp/os",
        "mcp/client/auth",
        "mcp/client/client.py",
        "mcp/client/session_group.py",
    ),
    *("click", "uvicorn", "sse_starlette", "python_multipart", "multipart", "jwt", "cryptography", "cffi"),
    *("_cffi_backend*", "pycparser", "attr", "attrs", "referencing", "rpds", "jsonschema"),
    *("jsonschema_specifications", "httpcore2", "truststore"),
)
# What can stand in for Sluice's own connections in a test or under another server.
CLIENT_SIDE = ("httpx", "httpcore", "h11")
# These libraries read their own metadata when they are imported.
METADATA = ("httpx2-*.dist-info", "opentelemetry_api-*.dist-info")
EMPTIED = ("mcp/__init__.py", "mcp/client/__init__.py")
# Their lazy imports are made of their own text.
READ_AS_SOURCE = ("anyio/__init__.py", "anyio/abc/__init__.py")
JSON_SCHEMA = "jsonschema_rs"  # half of the package, and of its zip; see docs/deploying.md
NO_CACHES = (
    "warning: no Python {0} on this machine, so the package has no compiled caches: each cold start will\n"
    "         compile what it imports and take twice as long. Put python{0} on the PATH and build again."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--machine", choices=("aarch64", "x86_64"), default="aarch64")
    parser.add_argument("--python", default="3.13", metavar="3.N", help="the function's Python (%(default)s)")
    parser.add_argument(
        "--without-json-schema", action="store_true", help="leave out jsonschema-rs, half of it"
    )
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    install(given.out, machine=given.machine, python=given.python)
    for package in PACKAGES:
        copy(package, given.out)
    write_version(given.out)
    prune(given.out)
    if given.without_json_schema:
        shutil.rmtree(given.out / JSON_SCHEMA)
    slim(given.out / "botocore" / "data")
    split_roots(given.out)
    compress_page(given.out)
    if not compile_caches(given.out, python=given.python):
        print(NO_CACHES.format(given.python), file=sys.stderr)
    print(f"{given.out}: {size(given.out) / 1e6:.1f} MB for Python {given.python} on {given.machine}")


def install(out: Path, *, machine: str, python: str) -> None:
    """The locked wheels. --no-deps: the lock is complete, and pip would read markers for its own Python."""
    platforms = (f"--platform=manylinux{tag}_{machine}" for tag in ("2014", "_2_17", "_2_28"))
    run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
        *("--target", str(out), "--upgrade", "--no-deps", "--require-hashes", "--only-binary=:all:"),
        *("--implementation=cp", f"--python-version={python}", *platforms),
        *("--requirement", str(LOCK)),
    )


def copy(package: str, out: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__", *NOT_DEPLOYED)
    shutil.copytree(ROOT / package, out / package, dirs_exist_ok=True, ignore=ignore)


def write_version(out: Path) -> None:
    """The version of the code that reads records, and of what it imports; see rules/records/compiled.py."""
    digest = hashlib.sha256(LOCK.read_bytes())
    for path in sorted((out / "rules").rglob("*.py")):
        digest.update(path.read_bytes())
    (out / "rules" / "code_version.txt").write_text(digest.hexdigest()[:32])


def prune(out: Path) -> None:
    data = (path for path in (out / "botocore" / "data").iterdir() if path.name not in BOTOCORE_DATA)
    uncalled = [f"{library}/{name}" for library, names in UNCALLED.items() for name in names.split()]
    patterns = (*UNUSED, *SERVER_SIDE, *CLIENT_SIDE, *uncalled, *(f"{name}.py" for name in uncalled))
    unused = (path for pattern in patterns for path in out.glob(pattern))
    needed = {path for pattern in METADATA for path in out.glob(pattern)}
    for path in {*data, *unused} - needed:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for emptied in map(out.joinpath, EMPTIED):
        if emptied.exists():
            emptied.write_text("")
    for metadata in out.glob("*.dist-info/METADATA"):  # without the README, which follows the fields
        metadata.write_text(
            metadata.read_text(encoding="utf-8").partition("\n\n")[0] + "\n", encoding="utf-8"
        )


def split_roots(out: Path) -> None:
    """Puts each of certifi's certificates into a file of its own; joined_roots.py takes certifi's place."""
    certifi, scripts = out / "certifi", ROOT / "scripts"
    roots = out / "handler" / "upstream" / "roots"
    run(sys.executable, str(scripts / "roots.py"), str(certifi / "cacert.pem"), str(roots))
    shutil.rmtree(certifi)
    shutil.copy(scripts / "joined_roots.py", out / "certifi.py")


def compress_page(out: Path) -> None:
    """Puts the console's files into gzip, as browsers take them; handler/console/page.py serves both."""
    for path in (out / "handler" / "console" / "static").rglob("*.*"):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        path.unlink()


def slim(data: Path) -> None:
    """Takes out of botocore's data what every client would parse for nothing: other calls, and prose."""
    endpoints = data / "endpoints.json"
    found = json.loads(endpoints.read_bytes())
    for partition in found["partitions"]:
        partition["services"] = {
            name: service for name, service in partition["services"].items() if name in OPERATIONS
        }
    endpoints.write_text(json.dumps(found, separators=(",", ":")))
    for path in data.glob("*/*/service-2.json.gz"):
        model = _without_prose(json.loads(gzip.decompress(path.read_bytes())))
        _keep(model, OPERATIONS[path.parent.parent.name])
        for parameter in model.get("clientContextParams", {}).values():
            parameter["documentation"] = ""  # botocore reads it
        path.write_bytes(gzip.compress(json.dumps(model, separators=(",", ":")).encode(), mtime=0))


def _keep(model: dict[str, Any], operations: Iterable[str]) -> None:
    """Leaves these operations in a service's model, with the shapes that they lead to."""
    model["operations"] = {name: model["operations"][name] for name in operations}
    shapes, found = {}, list(_shapes(model["operations"]))
    while found:
        if (name := found.pop()) not in shapes:
            shapes[name] = model["shapes"][name]
            found += _shapes(shapes[name])
    model["shapes"] = shapes


def _shapes(value: Any) -> Iterator[str]:
    """Yield the names of shapes that a part of a model refers to."""
    for name, member in value.items() if isinstance(value, dict) else enumerate(value):
        if name == "shape" and isinstance(member, str):
            yield member
        elif isinstance(member, dict | list):
            yield from _shapes(member)


def _without_prose(value: Any) -> Any:
    """Without the texts called `documentation`; a member of that name is a mapping, and stays."""
    if isinstance(value, list):
        return [_without_prose(one) for one in value]
    if not isinstance(value, dict):
        return value
    prose = {"documentation"} if isinstance(value.get("documentation"), str) else set()
    return {name: _without_prose(one) for name, one in value.items() if name not in prose}


def compile_caches(out: Path, *, python: str) -> bool:
    """Puts caches in the place of the sources; see caches.py. False: no such Python here."""
    interpreter = next(interpreters(python), None)
    if interpreter is None:
        return False
    caches = str(ROOT / "scripts" / "caches.py")
    run(interpreter, "-Xno_debug_ranges", caches, str(out), TASK_ROOT, *READ_AS_SOURCE)
    return True


def interpreters(python: str) -> Iterator[str]:
    """Pythons of that version on this machine: this one, on the PATH, where pyenv and uv keep theirs."""
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv"))
    kept = [
        *pyenv.glob(f"versions/{python}*/bin/python{python}"),
        *home.glob(f".local/share/uv/python/cpython-{python}*/bin/python{python}"),
    ]
    for path in filter(None, [sys.executable, shutil.which(f"python{python}"), *map(str, kept)]):
        asked = "import sys; print('%d.%d' % sys.version_info[:2])"
        answer = subprocess.run([path, "-c", asked], capture_output=True, text=True, check=False)
        if answer.stdout.strip() == python:  # a version manager's shim may stand for nothing
            yield path


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def run(*command: str) -> None:
    if code := subprocess.run(command, check=False).returncode:
        sys.exit(f"{' '.join(command[:4])} ... failed with exit code {code}")


if __name__ == "__main__":
    main()
