"""Signatures, against botocore's signer."""

from __future__ import annotations

import calendar
import random
import string
import time
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from handler.aws.sigv4 import Keys, sign

TOKENS = (None, "token/+=")
QUERIES = ("", "?alt=sse", "?b=2&a=1&b=1%20x&c", "?a=")
PATHS = ("", "/", "/model/a.b-v1%3A0/converse", "/a b/%2F/é", "/model/arn%3Aaws%3Abedrock%3A%2F%2Fx")


def signed_by_botocore(
    url: str, headers: dict[str, str], body: bytes, keys: Keys, *, region: str, service: str
) -> dict[str, str]:
    request: Any = AWSRequest("POST", url, headers=headers, data=body)
    SigV4Auth(Credentials(*keys), service, region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


def random_text(chance: random.Random, most: int) -> str:
    return "".join(chance.choices(string.ascii_letters + string.digits + "/+-_. ", k=chance.randint(1, most)))


def test_a_thousand_random_requests_are_signed_as_botocore_signs_them() -> None:
    chance = random.Random(4)
    for _ in range(1000):
        keys = Keys("AKIDEXAMPLE", random_text(chance, 40), chance.choice(TOKENS))
        names = chance.sample(["content-type", "x-amz-target", "x-more", "a"], chance.randint(0, 4))
        headers = {name: random_text(chance, 30) for name in names}
        body = chance.randbytes(chance.choice((0, 1, 200)))
        port = chance.choice(("", ":8000"))
        scope = {
            "region": chance.choice(("eu-west-1", "us-gov-west-1")),
            "service": chance.choice(("dynamodb", "ssm", "bedrock")),
        }
        url = f"https://host.example{port}{chance.choice(PATHS)}{chance.choice(QUERIES)}"
        theirs = signed_by_botocore(url, headers, body, keys, **scope)
        now = calendar.timegm(time.strptime(theirs["x-amz-date"], "%Y%m%dT%H%M%SZ"))
        ours = sign(url, headers, body, keys, now=now + chance.random() * 0.9, **scope)
        assert ours == {name: value for name, value in theirs.items() if name not in headers}


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(Keys("AKID", "secret", "secret-token"))
