"""scripts/package.py builds Lambda's package: the right wheels, valid bytecode caches, nothing else."""

from __future__ import annotations

import importlib.util
import re
import struct
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.deployed import bare_python, package
from tests.support.event_stream import framed

pytestmark = pytest.mark.xdist_group("package")

ROOT = Path(__file__).parent.parent
LOCK = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
MOST = 40_000_000  # bytes, unpacked, with bytecode caches; Lambda takes 250 MB
AARCH64 = 183  # ELF's e_machine
UNCHECKED_HASH = 1  # the flags of a cache that ignores the date of its source


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("package", ROOT / "scripts" / "package.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_lock_needs_no_markers_of_versions() -> None:
    """pip evaluates markers for the Python that runs it, not for that of the package.

    Those that remain are true for every CPython on Linux and macOS, or for none.
    """
    markers = re.findall(r"^\S+ ; (.*) \\$", LOCK, re.MULTILINE)
    platforms = (
        r"(and |platform_python_implementation|implementation_name|sys_platform|[!=]= '[A-Za-z0-9]+'| )+"
    )
    unusual = [marker for marker in markers if not re.fullmatch(platforms, marker)]
    assert unusual == ["python_full_version >= '3.12' and sys_platform == 'emscripten'"]


def test_every_locked_version_has_hashes() -> None:
    pinned = re.findall(r"^([\w.-]+)==", LOCK, re.MULTILINE)
    hashed = re.findall(r"^([\w.-]+)==\S+(?: ; .*)? \\\n    --hash=sha256:", LOCK, re.MULTILINE)
    assert pinned == hashed
    assert {"pydantic-core", "jsonschema-rs"} <= set(pinned)


def test_unused_files_are_left_out(tmp_path: Path) -> None:
    kept = (
        "handler/bootstrap",
        "botocore/data/endpoints.json",
        "botocore/data/ssm/2014-11-06/service-2.json.gz",
        "botocore/data/s3/2006-03-01/service-2.json.gz",
    )
    dropped = (
        "bin/httpx",
        "httpx-0.28.dist-info/METADATA",
        "six/six.pyi",
        "six/__pycache__/six.pyc",
        "botocore/data/sqs/2012-11-05/service-2.json.gz",
        "botocore/data/dynamodb/2012-08-10/examples-1.json",
    )
    for name in (*kept, *dropped):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    script().prune(tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == set(kept)


def test_the_version_of_the_code_is_stored_and_changes_with_any_source_of_the_rules(tmp_path: Path) -> None:
    stored, sources = tmp_path / "rules" / "code_version.txt", tmp_path / "rules" / "reading"
    sources.mkdir(parents=True)
    versions = set()
    for text in ("x = 1", "x = 2"):
        (sources / "fields.py").write_text(text)
        script().write_version(tmp_path)
        versions.add(stored.read_text())
    assert len(versions) == 2


def test_the_interpreter_has_the_requested_version() -> None:
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = next(script().interpreters(own))
    answer = subprocess.run([found, "-V"], capture_output=True, text=True, check=True)
    assert answer.stdout.startswith(f"Python {own}.")


def test_without_that_python_there_are_no_caches_but_a_warning(tmp_path: Path) -> None:
    (tmp_path / "module.py").touch()
    assert script().compile_caches(tmp_path, python="3.99") is False
    assert not list(tmp_path.rglob("*.pyc"))
    assert "cold start" in script().NO_CACHES


@pytest.mark.slow
def test_the_package_for_lambda_holds_wheels_of_its_python_and_processor() -> None:
    libraries = list(package("aarch64", "3.13").rglob("*.so"))
    assert libraries
    for library in libraries:
        head = library.read_bytes()[:20]
        assert head[:4] == b"\x7fELF"
        assert struct.unpack_from("<H", head, 18) == (AARCH64,), library
        assert "cpython-313" in library.name or library.name.endswith(".abi3.so"), library


@pytest.mark.slow
def test_every_module_has_a_cache_that_ignores_dates() -> None:
    if not next(script().interpreters("3.13"), None):
        pytest.skip("no Python 3.13 on this machine")
    built = package("aarch64", "3.13")
    for source in built.rglob("*.py"):
        cache = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
        assert struct.unpack_from("<I", cache.read_bytes(), 4) == (UNCHECKED_HASH,), source


@pytest.mark.slow
def test_the_package_is_small_and_holds_no_tests_and_no_metadata() -> None:
    built = package("aarch64", "3.13")
    assert script().size(built) < MOST
    assert {path.name for path in built.iterdir()} >= {"handler", "rules", "botocore", "jsonschema_rs"}
    assert len(list((built / "handler" / "upstream" / "roots").glob("????????.?"))) > 100
    metadata = {path.name.partition("-")[0] for path in built.glob("*.dist-info")}
    assert metadata == {"httpx2", "opentelemetry_api"}
    assert not (built / "tests").exists()
    assert (built / "handler" / "bootstrap").stat().st_mode & 0o777 == 0o755


@pytest.mark.slow
def test_the_pruned_mcp_library_still_opens_a_session() -> None:
    program = """
import asyncio, json
import httpx
from handler.mcp.session import Session
from handler.mcp.transport import ServerTransport
from handler.upstream.client import Client, Stopwatch
def answer(request):
    message = json.loads(request.content)
    results = {
        "initialize": {"protocolVersion": "2025-06-18", "capabilities": {},
                       "serverInfo": {"name": "x", "version": "1"}},
        "tools/list": {"tools": [{"name": "find", "inputSchema": {"type": "object"}}]},
        "tools/call": {"content": [{"type": "text", "text": "found"}]},
    }
    if message["method"] not in results:
        return httpx.Response(404)
    result = results[message["method"]]
    return httpx.Response(200, json={"jsonrpc": "2.0", "id": message.get("id"), "result": result})
async def main():
    clock = asyncio.get_running_loop().time
    client = Client(httpx.MockTransport(answer), private_ok=True)
    transport = ServerTransport(client, credential=None, stopwatch=Stopwatch(clock), deadline=float("inf"))
    session = Session("http://tools/mcp", transport)
    print(await session.tools(), await session.call("find", {}))
    await session.aclose()
asyncio.run(main())
"""
    process = subprocess.run(
        [bare_python(), "-c", program], cwd=package(), env={}, capture_output=True, text=True, check=False
    )
    assert "find" in process.stdout, process.stderr
    assert "found" in process.stdout, process.stderr


@pytest.mark.slow
def test_the_pruned_botocore_still_signs_and_reads_event_streams() -> None:
    program = """
import asyncio
from handler.upstream.request import UpstreamRequest
from handler.upstream.signing import Signer
from handler.wire.eventstream import Decoder
url = "https://bedrock-runtime.eu-central-1.amazonaws.com/model/m/converse"
request = UpstreamRequest(url=url, headers=[], body=b"{}", dropped=(), secrets=())
print(dict(asyncio.run(Signer().sign(request)).headers)[b"authorization"].decode())
print(list(Decoder().feed(bytes.fromhex("%s"))))
"""
    process = subprocess.run(
        [bare_python(), "-c", program % framed({"messageStop": {}}).hex()],
        cwd=package(),
        env={"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.stdout.startswith("AWS4-HMAC-SHA256 Credential=x/"), process.stderr
    assert "messageStop" in process.stdout


@pytest.mark.slow
@pytest.mark.parametrize("service", ["dynamodb", "ssm", "s3", "sns"])
def test_the_pruned_botocore_still_makes_a_client(service: str) -> None:
    make = (
        "from handler.settings import read_settings; from handler.aws.sdk import create_client;"
        f"print(create_client(read_settings(), service={service!r}).meta.endpoint_url)"
    )
    process = subprocess.run(
        [bare_python(), "-c", make],
        cwd=package(),
        env={"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.stdout.strip() == f"https://{service}.eu-central-1.amazonaws.com", process.stderr
