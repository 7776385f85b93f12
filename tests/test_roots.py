"""scripts/roots.py names the files of root certificates as OpenSSL looks for them: it verifies with each."""

from __future__ import annotations

import contextlib
import datetime
import importlib.util
import ssl
from pathlib import Path
from types import ModuleType

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from handler.settings import Settings
from handler.upstream.trust import create_tls_context

HOST = "provider.test"
KEY = ec.generate_private_key(ec.SECP256R1())
BUNDLE = Path(certifi.where())


def roots() -> ModuleType:
    path = Path(__file__).parent.parent / "scripts" / "roots.py"
    spec = importlib.util.spec_from_file_location("roots", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def certificate(subject: x509.Name, issuer: x509.Name, *, ca: bool) -> str:
    """A certificate in PEM form; all have the same key."""
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    identifier = x509.SubjectKeyIdentifier.from_public_key(KEY.public_key())
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    builder = (
        x509.CertificateBuilder(
            issuer, subject, KEY.public_key(), x509.random_serial_number(), now - day, now + day
        )
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(authority, critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
    )
    if ca:  # Python 3.13 asks for it
        builder = builder.add_extension(_signs_certificates(), critical=True)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def _signs_certificates() -> x509.KeyUsage:
    others = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(key_cert_sign=True, **dict.fromkeys(others, False))


def name(*values: tuple[x509.ObjectIdentifier, str, _ASN1Type]) -> x509.Name:
    return x509.Name([x509.NameAttribute(kind, value, _type=form) for kind, value, form in values])


ODD = [
    pytest.param(name((NameOID.COMMON_NAME, "Größe  No\t1 ", _ASN1Type.UTF8String)), id="spaces and umlauts"),
    pytest.param(name((NameOID.COMMON_NAME, "ÄÖ Root", _ASN1Type.BMPString)), id="a text in UTF-16"),
    pytest.param(name((NameOID.COMMON_NAME, "caf\xe9", _ASN1Type.T61String)), id="a text in T61"),
    pytest.param(name((NameOID.COMMON_NAME, "A" * 60, _ASN1Type.PrintableString)), id="one long text"),
    pytest.param(
        name(*((NameOID.COMMON_NAME, f"{at} {'u' * 60}", _ASN1Type.UTF8String) for at in range(9))),
        id="a name of more than 127 bytes",
    ),
    pytest.param(
        x509.Name([x509.RelativeDistinguishedName([
            x509.NameAttribute(NameOID.COMMON_NAME, "b"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "A"),
        ])]),
        id="two attributes in one part",
    ),
]  # fmt: skip


def is_trusted(client: ssl.SSLContext, certificates: Path) -> bool:
    """True if a client finishes a handshake with a server that has that certificate."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificates)
    wires = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(wires[0], wires[1], server_hostname=HOST),
        server.wrap_bio(wires[1], wires[0], server_side=True),
    )
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError:
                return False
    return True


def public_subjects() -> list[x509.Name]:
    """The subjects of the public roots, without the one or two that cryptography cannot read."""
    found = []
    for one in BUNDLE.read_text(encoding="utf-8").split("-----END CERTIFICATE-----")[:-1]:
        with contextlib.suppress(ValueError, CryptographyDeprecationWarning):
            found.append(x509.load_pem_x509_certificate(f"{one}-----END CERTIFICATE-----".encode()).subject)
    return found


def check(subject: x509.Name, directory: Path) -> None:
    leaf, bundle, folder = directory / "leaf.pem", directory / "roots.pem", directory / "roots"
    key = KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    host = name((NameOID.COMMON_NAME, HOST, _ASN1Type.UTF8String))
    leaf.write_text(certificate(host, subject, ca=False) + key)
    both = [certificate(subject, subject, ca=True) for _ in range(2)]
    bundle.write_text("# a comment\n".join(["", *both]))
    assert roots().split(bundle, folder) == 2
    (first, second) = sorted(folder.iterdir())
    assert (first.suffix, second.name) == (".0", f"{first.stem}.1")
    assert is_trusted(create_tls_context(Settings(), folder=str(folder)), leaf)
    wrong = folder.rename(directory / "wrong")
    first, second = wrong.iterdir()
    first.rename(wrong / "00000000.0")
    second.unlink()
    assert not is_trusted(create_tls_context(Settings(), folder=str(wrong)), leaf)


@pytest.mark.parametrize("subject", ODD)
def test_openssl_finds_a_root_of_an_odd_name(subject: x509.Name, tmp_path: Path) -> None:
    check(subject, tmp_path)


def test_openssl_finds_every_public_root(tmp_path: Path) -> None:
    subjects = public_subjects()
    assert len(subjects) > 100
    for at, subject in enumerate(subjects):  # a folder for each, because contexts are kept
        (directory := tmp_path / str(at)).mkdir()
        check(subject, directory)


def test_every_public_root_gets_a_file(tmp_path: Path) -> None:
    written = roots().split(BUNDLE, tmp_path)
    assert written == BUNDLE.read_text(encoding="utf-8").count("BEGIN CERT") == len(list(tmp_path.iterdir()))
    together = tmp_path / "together.pem"
    together.write_bytes(b"".join(path.read_bytes() for path in tmp_path.iterdir()))
    assert certificates(together) == certificates(BUNDLE)


def certificates(file: Path) -> set[bytes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(file)
    return set(context.get_ca_certs(binary_form=True))


def test_without_the_folder_the_public_roots_are_those_of_certifi(tmp_path: Path) -> None:
    assert create_tls_context(Settings(), folder=str(tmp_path / "none")).cert_store_stats()["x509_ca"] > 100
    assert (
        create_tls_context(Settings(), folder=str(tmp_path)).cert_store_stats()["x509_ca"] == 0
    )  # not yet read
