"""The TLS context of a process: the root certificates that it trusts.

The package for Lambda has a folder of the public roots (scripts/roots.py), from which OpenSSL reads the one
that it needs. To read them all from a file takes 17 ms of a start, and `import certifi` 8 ms more.
"""

from __future__ import annotations

import os
import ssl
from functools import cache

from handler.settings import InvalidSetting, Settings

OF_PROVIDERS, OF_AWS = "SSL_CERT_FILE", "AWS_CA_BUNDLE"  # settings that name a file of certificates
ROOTS = os.path.join(os.path.dirname(__file__), "roots")


def create_tls_context(
    settings: Settings, *, name: str = OF_PROVIDERS, folder: str = ROOTS
) -> ssl.SSLContext:
    """Trust the certificates of a file, or else the public ones. Raises InvalidSetting.

    name: the setting that names the file. folder: has the public ones, named as by `openssl rehash`. Without
    it, they are those of certifi.
    """
    file = settings.environment.get(name)
    try:
        return _trusting(cafile=file) if file else _trusting_the_public(folder)
    except ssl.SSLError as error:
        raise InvalidSetting(f"{name}: {file} holds no certificates in PEM form") from error
    except OSError as error:
        raise InvalidSetting(f"{name}: {file} cannot be read: {error.strerror}") from error


@cache
def _trusting_the_public(folder: str) -> ssl.SSLContext:
    """Return one context for all pools of a process."""
    if os.path.isdir(folder):
        return _trusting(capath=folder)
    import certifi  # only where there is no folder

    return _trusting(cafile=certifi.where())


def _trusting(*, cafile: str | None = None, capath: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=cafile, capath=capath)
    context.set_alpn_protocols(["http/1.1"])
    return context
