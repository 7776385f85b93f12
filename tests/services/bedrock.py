"""Bedrock's Converse and ConverseStream: to be written when the gateway speaks them."""

from __future__ import annotations

from tests.services.call import Call, Reply, whole


def serve(call: Call) -> Reply:
    return whole({"message": "not here yet"}, 501)
