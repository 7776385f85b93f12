"""Sends the spans of finished requests to a collector, in batches and in the background.

The collector speaks OTLP over HTTP with JSON bodies. No request waits for it: spans that it does not take are
lost, which is reported once. https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from handler import __version__
from handler.errors import Json, UpstreamError
from handler.gateway.lifecycle import Gateway
from handler.gateway.tracing.spans import export_body, spans_of
from handler.log import RequestLog
from handler.settings import Settings
from handler.store.background import BackgroundTasks, safe_message
from handler.upstream.client import Client, Limits, Stopwatch
from handler.upstream.request import USER_AGENT, UpstreamRequest
from handler.wire.traceparent import Trace, trace_of

MOST = 2_000  # spans that wait to be sent; more are lost
BATCH = 500  # spans in one request
CONNECT, TOTAL = 2.0, 5.0  # seconds for one request
PAUSE = 30.0  # seconds without spans after a failure, so that no instance waits for a collector that is down
MAX_ANSWER = 100_000  # bytes
NOT_SENT = "traces not sent"  # in the log


def start_trace(gateway: Gateway, entry: RequestLog) -> Trace:
    """Return the trace of a request, which is the caller's if it sent one."""
    if entry.span is None:
        settings = gateway.settings
        entry.span = trace_of(
            entry.trace.get("traceparent"),
            record=settings.otlp_endpoint is not None,
            sample=lambda: gateway.random() < settings.otlp_sample,
        )
    return entry.span


class Tracer:
    """The spans of a process that wait to be sent. `clock`: monotonic seconds."""

    def __init__(
        self,
        settings: Settings,
        client: Client,
        *,
        report: Callable[[str, Mapping[str, Any]], None],
        clock: Callable[[], float],
    ) -> None:
        self._url = _traces_url(settings.otlp_endpoint or "")
        self._headers = [
            *((name.encode(), value.encode("latin-1")) for name, value in settings.otlp_headers),
            (b"content-type", b"application/json"),
            (b"user-agent", USER_AGENT.encode()),
        ]
        self._resource = {
            "service.name": settings.function_name or "sluice",
            "service.version": __version__,
            "faas.name": settings.function_name,
            "cloud.region": settings.region,
        }
        self._client = client
        self._report = report
        self._clock = clock
        self.most = MOST
        self._spans: list[Json] = []
        self._tasks = BackgroundTasks()
        self._failing = False  # and reported
        self._paused_until = float("-inf")

    def add(self, gateway: Gateway, entry: RequestLog, line: Json) -> None:
        """Take the spans of a finished request of a known key, unless its trace is not sampled."""
        if entry.key is None or entry.routine or self._clock() < self._paused_until:
            return
        trace = start_trace(gateway, entry)
        if not trace.recorded:
            return
        ahead = gateway.now().timestamp() - gateway.clock()
        spans = spans_of(entry, line, trace, lambda seconds: int((seconds + ahead) * 1e9))
        if len(self._spans) + len(spans) > self.most:
            self._note("too many spans wait for the collector")
            return
        self._spans += spans
        if self._tasks.running("send") is None:
            self._tasks.start(
                self._send(), lambda error: self._note(safe_message(error, UpstreamError)), name="send"
            )

    async def settle(self, seconds: float) -> None:
        """Wait at most `seconds` until all spans are sent."""
        await self._tasks.settle(seconds)

    async def _send(self) -> None:
        """Send all spans. If the collector does not take a batch, all are lost."""
        try:
            while self._spans:
                batch, self._spans = self._spans[:BATCH], self._spans[BATCH:]
                await self._post(batch)
        except BaseException:
            self._spans, self._paused_until = [], self._clock() + PAUSE
            raise
        self._failing = False

    async def _post(self, batch: list[Json]) -> None:
        body = json.dumps(export_body(batch, self._resource, __version__), separators=(",", ":")).encode()
        request = UpstreamRequest(url=self._url, headers=self._headers, body=body, dropped=(), secrets=())
        began = self._clock()
        end = (began + TOTAL, "timeout_total")
        limits = Limits(began=began, connect=CONNECT, first=end, idle=TOTAL, total=end)
        response = await self._client.send(request, limits, Stopwatch(self._clock))
        try:
            await response.whole(MAX_ANSWER)  # so that the connection can be reused
        finally:
            await response.aclose()
        if response.status >= 300:
            raise UpstreamError(f"The collector answered {response.status}.", failure_class="server")

    def _note(self, problem: str) -> None:
        if not self._failing:
            self._failing = True
            self._report(NOT_SENT, {"problem": problem})


def _traces_url(endpoint: str) -> str:
    """Return the address for traces of an endpoint, which may be that address already."""
    endpoint = endpoint.rstrip("/")
    return endpoint if endpoint.endswith("/v1/traces") else f"{endpoint}/v1/traces"
