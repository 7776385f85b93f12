"""`python -m tests.fault_injection` serves the faulty provider alone, and prints its faults and requests."""

from __future__ import annotations

import argparse
import asyncio
import json

from tests.fault_injection.faults import FALLBACKS, FAULTS
from tests.fault_injection.provider import FaultyProvider
from tests.support.gateways import provider
from tests.support.upstream import Request

POLL = 0.5  # seconds


def introduction(faulty: FaultyProvider) -> str:
    """The table of faults, and the provider records for them."""
    rows = {name: faulty.urls[name] for name in sorted({fault.provider for fault in FAULTS.values()})}
    records = [provider(url, name, credential="FAULTY_API_KEY") for name, url in rows.items()]
    return "\n".join(
        [
            *(f"{f'{fault.provider}/{name}':<28}{fault.summary}" for name, fault in FAULTS.items()),
            *(f"{f'faulty/{name}':<28}answers, as a fallback" for name in FALLBACKS),
            "",
            "Attempts are counted per `user`: send another one to start again.",
            "The gateway needs SLUICE_PRIVATE_UPSTREAMS=1, FAULTY_API_KEY=anything and these records:",
            "",
            *(json.dumps(record) for record in records),
            "",
        ]
    )


def describe(request: Request, number: int) -> str:
    body = request.json
    mode = "stream" if body.get("stream") else "whole"
    return f"{number:>5}  {request.at:10.3f}  {body.get('model')}  {mode}  user={body.get('user')}"


async def serve(port: int) -> None:
    async with FaultyProvider(port=port) as faulty:
        print(introduction(faulty))
        print(f"The provider is at {faulty.url}; stop it with ctrl-C.\n", flush=True)
        shown = gone = 0
        while True:
            for number, request in enumerate(faulty.requests[shown:], shown + 1):
                print(describe(request, number), flush=True)
            for request in faulty.hung_up[gone:]:
                print(f"       {'hung up':>10}  {request.json.get('model')}", flush=True)
            shown, gone = len(faulty.requests), len(faulty.hung_up)
            await asyncio.sleep(POLL)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fault_injection", description=__doc__)
    parser.add_argument("--port", type=int, default=8401)
    try:
        asyncio.run(serve(parser.parse_args().port))
    except KeyboardInterrupt:
        print("stopped")


if __name__ == "__main__":
    main()
