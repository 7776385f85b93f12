"""The gateway for any ASGI server, without a log: `uvicorn bench.app:app`."""

from handler.main import build

app, gateway = build(log=lambda fields: None)
