"""`python -m tests.fault_injection` serves the faulty provider alone, and prints its faults and requests."""

from __future__ import annotations

import argparse
import asyncio
import json

from tests.fault_injection.faults import FALLBACKS, FAULTS
from tests.fault_injection.provider import Wall
from tests.support.gateways import provider
from tests.support.upstream import Request

WATCH = 0.5  # seconds between two looks at what came in


def introduction(wall: Wall) -> str:
    """The table of faults, and the records that lead a gateway to them."""
    rows = {name: wall.urls[name] for name in sorted({fault.provider for fault in FAULTS.values()})}
    records = [provider(url, name, credential="WALL_API_KEY") for name, url in rows.items()]
    return "\n".join(
        [
            *(f"{f'{fault.provider}/{name}':<28}{fault.what}" for name, fault in FAULTS.items()),
            *(f"{f'wall/{name}':<28}answers; for fallbacks" for name in FALLBACKS),
            "",
            "Attempts are counted for each `user`: send another one to begin anew.",
            "The gateway needs SLUICE_PRIVATE_UPSTREAMS=1, WALL_API_KEY=anything and these records:",
            "",
            *(json.dumps(record) for record in records),
            "",
        ]
    )


def told(request: Request, number: int) -> str:
    body = request.json
    how = "stream" if body.get("stream") else "whole"
    return f"{number:>5}  {request.at:10.3f}  {body.get('model')}  {how}  user={body.get('user')}"


async def serve(port: int) -> None:
    async with Wall(port=port) as wall:
        print(introduction(wall))
        print(f"The wall is at {wall.url}; ctrl-C ends it.\n", flush=True)
        shown = left = 0
        while True:
            for number, request in enumerate(wall.requests[shown:], shown + 1):
                print(told(request, number), flush=True)
            for request in wall.hung_up[left:]:
                print(f"       {'hung up':>10}  {request.json.get('model')}", flush=True)
            shown, left = len(wall.requests), len(wall.hung_up)
            await asyncio.sleep(WATCH)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fault_injection", description=__doc__)
    parser.add_argument("--port", type=int, default=8401)
    try:
        asyncio.run(serve(parser.parse_args().port))
    except KeyboardInterrupt:
        print("ended")


if __name__ == "__main__":
    main()
