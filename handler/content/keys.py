"""The keys of the content log's objects in the bucket.

log/<days>/<day>/<project>/<request id>~<random>.json.gz    an entry, which stays for `days`
log/edits/<project>/<time>~<random>.json.gz                 an edit of tags

S3's lifecycle looks at the beginning of a key, so `days` comes first (template.yaml has a rule for each). Two
requests may have one id, which the client chose: the random part keeps the second from replacing the first.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import date, datetime
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

from rules import RETENTION

LONGEST = 300  # characters of a project's name in a key; S3 takes 1024 bytes for all of it
_ENTRY = re.compile(
    r"log/[0-9]+/([0-9]{4}-[0-9]{2}-[0-9]{2})/([^/]+)/([A-Za-z0-9._-]{1,128})~[0-9a-f]+\.json\.gz"
)


class EntryKey(NamedTuple):
    """What the key of an entry says. `project`: as in keys."""

    key: str
    day: str
    project: str
    request_id: str


def entry_key(days: int, at: datetime, project: str, request_id: str) -> str:
    """Return a new key for an entry. `at`: in UTC."""
    return entries_prefix(days, at, project_segment(project), request_id) + _ending()


def edit_key(project: str, at: datetime) -> str:
    """Return a new key for an edit; in their order edits are in the order of time."""
    return f"{edits_prefix(project_segment(project))}{at:%Y-%m-%dT%H:%M:%S.%fZ}~{_ending()}"


def edits_prefix(segment: str) -> str:
    """Return how the keys of a project's edits begin. `segment`: the project, as in keys."""
    return f"log/edits/{segment}/"


def entries_prefix(days: int, day: date, segment: str, request_id: str) -> str:
    """Return how the keys of entries with one request id begin. `segment`: the project, as in keys."""
    return f"log/{days}/{day:%Y-%m-%d}/{segment}/{request_id}~"


def days_prefixes(first: date) -> Iterable[tuple[str, str]]:
    """Return where entries of `first` and later days are: prefixes, each with the key to begin after."""
    return [(f"log/{days}/", f"log/{days}/{first:%Y-%m-%d}/") for days in RETENTION]


def read_entry_key(key: str) -> EntryKey | None:
    """Return what a key says; None if it is not the key of an entry."""
    match = _ENTRY.fullmatch(key)
    return EntryKey(key, *match.groups()) if match else None


def project_segment(project: str) -> str:
    """Return a project's name as one segment of a key; a very long one as its hash."""
    segment = quote(project, safe="", errors="surrogatepass").replace(".", "%2E")
    return segment if len(segment) <= LONGEST else sha256(segment.encode()).hexdigest()


def _ending() -> str:
    return f"{secrets.token_hex(4)}.json.gz"
