"""scripts/package.py builds Lambda's package: the right wheels, valid bytecode caches, nothing else."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from tests.support.aws import aws_client
from tests.support.deployed import bare_python, package
from tests.support.event_stream import framed

pytestmark = pytest.mark.xdist_group("package")

ROOT = Path(__file__).parent.parent
LOCK = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
# Bytes without jsonschema-rs, which is one library of 12.5 MB (5.5 zipped); Lambda takes 250 MB.
MOST, MOST_ZIPPED = 12_500_000, 5 * 2**20
AARCH64 = 183  # ELF's e_machine
UNCHECKED_HASH = 1  # the flags of a cache that ignores the date of its source


def script(name: str = "package") -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
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


MODULE = b'''"""A docstring."""
from __future__ import annotations
from dataclasses import dataclass
@dataclass
class Point:
    x: int
class Named:
    """A class."""
    def method(self):
        """A method."""
def fail():
    """A function."""
    raise ValueError
'''


def test_a_cache_has_no_docstrings_and_the_same_lines(tmp_path: Path) -> None:
    for name in ("module.py", "kept.py"):
        (tmp_path / name).write_bytes(MODULE)
    command = [sys.executable, str(ROOT / "scripts" / "caches.py"), str(tmp_path), "/var/task", "kept.py"]
    subprocess.run(command, check=True)
    program = """
import traceback, module, kept
print(module.__doc__, module.Point.__doc__, module.Named.__doc__, module.Named.method.__doc__)
print(module.__file__.rpartition("/")[2], kept.__file__.rpartition("/")[2], module.Point(x=1))
for each in (module, kept):
    try:
        each.fail()
    except ValueError as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        print(frame.filename.rpartition("/")[2], frame.lineno)
print(module.fail.__code__.co_filename)
"""
    printed = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert printed.stdout.splitlines() == [
        "None - - None",
        "module.pyc kept.py Point(x=1)",
        "module.py 13",
        "kept.py 13",
        "/var/task/module.py",
    ]


def test_without_jsonschema_rs_a_schema_is_refused_with_a_reason() -> None:
    program = """
import sys
sys.modules["jsonschema_rs"] = None  # as if it were not installed
from handler.errors import InvalidRequest
from handler.structured.modes import output_contract
try:
    schema = {"schema": {"type": "object"}}
    output_contract({"response_format": {"type": "json_schema", "json_schema": schema}})
except InvalidRequest as error:
    print(error.status, error.message)
"""
    printed = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == (
        "400 response_format.json_schema.schema: this gateway was built without jsonschema-rs,"
        " so it cannot check answers against a schema"
    )


def test_a_service_keeps_the_called_operations_and_what_they_lead_to() -> None:
    publish = {"input": {"shape": "PublishInput"}, "errors": [{"shape": "NotFound"}]}
    input = {"type": "structure", "members": {"shape": {"shape": "Text"}, "next": {"shape": "PublishInput"}}}
    text = {"type": "string"}
    model = {
        "operations": {"Publish": publish, "Subscribe": {"input": {"shape": "Protocol"}}},
        "shapes": {"PublishInput": input, "NotFound": text, "Text": text, "Protocol": text},
    }
    script()._keep(model, ("Publish",))
    assert set(model["operations"]) == {"Publish"}
    assert set(model["shapes"]) == {"PublishInput", "NotFound", "Text"}


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
def test_caches_that_ignore_dates_take_the_place_of_sources() -> None:
    if not next(script().interpreters("3.13"), None):
        pytest.skip("no Python 3.13 on this machine")
    built = package("aarch64", "3.13")
    caches = list(built.rglob("*.pyc"))
    assert len(caches) > 600
    for cache in caches:
        assert struct.unpack_from("<I", cache.read_bytes(), 4) == (UNCHECKED_HASH,), cache
    sources = {path.relative_to(built).as_posix() for path in built.rglob("*.py")}
    assert sources == set(script().READ_AS_SOURCE)


@pytest.mark.slow
def test_the_package_is_small_and_holds_no_tests_and_no_metadata() -> None:
    built = package("aarch64", "3.13")
    schemas = built / script().JSON_SCHEMA
    assert script().size(built) - script().size(schemas) < MOST
    assert zipped(built, without=schemas) < MOST_ZIPPED
    assert {path.name for path in built.iterdir()} >= {"handler", "rules", "botocore", "jsonschema_rs"}
    assert len(list((built / "handler" / "upstream" / "roots").glob("????????.?"))) > 100
    metadata = {path.name.partition("-")[0] for path in built.glob("*.dist-info")}
    assert metadata == {"httpx2", "opentelemetry_api"}
    assert not (built / "tests").exists()
    assert (built / "handler" / "bootstrap").stat().st_mode & 0o777 == 0o755


def zipped(folder: Path, *, without: Path) -> int:
    """The bytes that `sam deploy` uploads."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.rglob("*"):
            if path.is_file() and without not in path.parents:
                archive.write(path, path.relative_to(folder))
    return len(written.getvalue())


@pytest.mark.slow
def test_the_pruned_mcp_library_still_opens_a_session() -> None:
    program = """
import asyncio, json
from handler.mcp.session import Session
from handler.mcp.transport import ServerTransport
from handler.upstream.client import Client, Stopwatch
from handler.wire.http import Response
class Body:
    def __init__(self, data):
        self.data = data
    async def __aiter__(self):
        yield self.data
    async def aclose(self):
        pass
class Server:
    async def send(self, request):
        message = json.loads(request.body)
        results = {
            "initialize": {"protocolVersion": "2025-06-18", "capabilities": {},
                           "serverInfo": {"name": "x", "version": "1"}},
            "tools/list": {"tools": [{"name": "find", "inputSchema": {"type": "object"}}]},
            "tools/call": {"content": [{"type": "text", "text": "found"}]},
        }
        if message["method"] not in results:
            return Response(404, {}, Body(b""))
        answer = {"jsonrpc": "2.0", "id": message.get("id"), "result": results[message["method"]]}
        return Response(200, {"content-type": "application/json"}, Body(json.dumps(answer).encode()))
async def main():
    clock = asyncio.get_running_loop().time
    client = Client(Server(), private_ok=True)
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
def test_the_package_signs_and_reads_event_streams() -> None:
    program = """
import asyncio, os
from handler.aws.credentials import AwsCredentials
from handler.upstream.request import UpstreamRequest
from handler.upstream.signing import Signer
from handler.wire.eventstream import Decoder
url = "https://bedrock-runtime.eu-central-1.amazonaws.com/model/m/converse"
request = UpstreamRequest(url=url, headers=[], body=b"{}", dropped=(), secrets=())
print(dict(asyncio.run(Signer(AwsCredentials(os.environ)).sign(request)).headers)[b"authorization"].decode())
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
@pytest.mark.parametrize(
    ("service", "region", "address"),
    [
        ("dynamodb", "us-iso-east-1", "https://dynamodb.us-iso-east-1.c2s.ic.gov"),
        ("ssm", "eusc-de-east-1", "https://ssm.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_the_pruned_botocore_still_knows_unusual_regions(service: str, region: str, address: str) -> None:
    find = (
        "from handler.settings import read_settings; from handler.aws.endpoint import find_endpoint;"
        f"print(find_endpoint(read_settings(), {service!r}).url)"
    )
    assert answer_of(find, {"AWS_REGION": region}) == address


@pytest.mark.slow
def test_the_pruned_botocore_still_calls_s3_and_sns_with_the_credentials_of_a_container() -> None:
    """SnapStart's credentials are not in the environment."""
    program = """
import asyncio, json
from handler.aws.errors import StoreError
from handler.aws.sdk import call_aws, create_client
from handler.settings import read_settings
from handler.store.bucket import open_bucket
settings = read_settings()
bucket, sns = open_bucket(settings), create_client(settings, service="sns")
async def main():
    await bucket.put("log/a", b"content")
    found = [await bucket.get("log/a"), await bucket.get("log/b"), await bucket.keys("log/")]
    topic = "arn:aws:sns:us-east-1:123456789012:"
    sent = call_aws(sns, "publish", {"TopicArn": topic + "alerts", "Subject": "x", "Message": "y"})
    try:
        call_aws(sns, "publish", {"TopicArn": topic + "none", "Subject": "x", "Message": "y"})
    except StoreError as error:
        print(found, bool(sent["MessageId"]), error)
asyncio.run(main())
"""
    with moto() as address, credentials() as (environment, asked):
        aws_client("s3", endpoint_url=address).create_bucket(Bucket="content")
        aws_client("sns", endpoint_url=address).create_topic(Name="alerts")
        variables = {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": address, "SLUICE_BUCKET": "content"}
        answer = answer_of(program, {**variables, **environment})
    assert answer == "[b'content', None, ['log/a']] True publish: NotFound"
    assert set(asked) == {"a token"}


@contextmanager
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def credentials() -> Iterator[tuple[dict[str, str], list[str]]]:
    """Variables that name a container's endpoint for credentials, and the tokens that it was sent."""
    tokens: list[str] = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(self.headers["authorization"])
            keys = {"AccessKeyId": "x", "SecretAccessKey": "y", "Token": "z"}
            body = json.dumps({**keys, "Expiration": "2099-01-01T00:00:00Z"}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/credentials"
    try:
        yield (
            {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": address,
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a token",
            },
            tokens,
        )
    finally:
        server.shutdown()
        server.server_close()


def answer_of(program: str, environment: dict[str, str]) -> str:
    """What a program prints that runs in the package."""
    command = [str(bare_python()), "-c", program]
    process = subprocess.run(
        command, cwd=package(), env=environment, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


@pytest.mark.slow
def test_botocore_finds_the_root_certificates_in_one_file() -> None:
    program = """
import os, ssl
from botocore.httpsession import get_cert_path
from handler.upstream.trust import ROOTS
trusted = ssl.create_default_context(cafile=get_cert_path(True))
print(trusted.cert_store_stats()["x509"], len(os.listdir(ROOTS)))
"""
    found, expected = answer_of(program, {}).split()
    assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize("service", ["s3", "sns"])
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
