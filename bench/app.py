"""The gateway as any ASGI server runs it, for measuring: `uvicorn bench.app:app`."""

from handler.main import build

app, gateway = build(log=lambda fields: None)
