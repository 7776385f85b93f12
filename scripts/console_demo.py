"""A gateway with a busy day behind it, for the pictures of the console: providers, rules, keys and traffic.

The providers are one server on this machine that answers in the place of the real ones. What it answers, its
tokens and how long it takes are made up; prices, decisions and limits are the gateway's.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx

from handler.aws.sdk import call_aws, create_client
from handler.settings import read_settings
from handler.store.activity.counters import add_first_token, attributes_of, new_cell
from handler.store.activity.recorder import COUNTERS_LIVE, HOUR, counters_id
from handler.store.attributes import serialize_item
from tests.support.console_rules import ADMIN, call, put_rules, stored
from tests.support.serving import LocalRun, serve_locally

CREDENTIAL = "DEMO_API_KEY"
FAST, STRONG, SMALL = "groq/openai/gpt-oss-120b", "openai/gpt-5", "mistral/mistral-small-latest"
FIRST_WORD = {"gpt-oss-120b": 0.12, "gpt-5": 0.55, "mistral-small-latest": 0.3}  # seconds
BUSY, OVERLOADED = "deepseek", 0.4  # a provider, and its share of failures
ANSWER = (
    "A parcel that is late by more than five days counts as lost. I have opened a search with the carrier, "
    "and you will hear from us by tomorrow evening. If it is not found, we send a new one at no cost."
)
QUESTIONS = {
    "support": "My parcel is late. What can I do?",
    "search": "Rewrite this query: shoes for rain, size 42",
    "engineering": "Why does this test fail only on Mondays?",
    "research": "Summarise the report in three sentences.",
}
KEYS = [
    {
        "key": ADMIN,
        "id": "operator",
        "name": "Operator",
        "project": "operations",
        "scopes": ["admin", "chat"],
    },
    {"id": "support-desk", "name": "Support desk", "project": "support"},
    {"id": "search-index", "name": "Search index", "project": "search", "models": ["mistral/*", "groq/*"]},
    {"id": "ann", "name": "Ann, laptop", "project": "engineering", "expires_at": "2027-12-31T00:00:00Z"},
    {"id": "evaluation", "name": "Evaluation", "project": "research", "enabled": False},
]


def rules(address: str) -> list[dict[str, Any]]:
    def record(kind: str, id: str, **fields: Any) -> dict[str, Any]:
        return {"kind": kind, "id": id, **fields}

    support, search = {"project": "support"}, {"project": "search"}
    asked = {"messages": [{"role": "user", "content": QUESTIONS["support"]}]}
    night, cheap = {"hour": {"gte": 22}}, "Quotas are free at night."
    return [
        record("route", "long-prompts", when={"input_tokens": {"gt": 8000}}, model=FAST, priority=10),
        record("route", "support", scope=support, model="careful", note="Customers read these answers."),
        record("route", "search", scope=search, model=SMALL, fallbacks=[FAST]),
        record("route", "search-at-night", scope=search, when=night, model=FAST, priority=-5, note=cheap),
        record("access", "no-previews", deny=["*-preview"], note="Previews may vanish."),
        record("limit", "support-a-day", scope=support, requests=80, per="day"),
        record("budget", "ann", scope={"key": "ann"}, usd=2, per="month", then={"prefer": "cheap"}),
        record("alias", "careful", models=["deepseek/deepseek-v3.2", STRONG]),
        record("test", "support", request=asked, expect={"rule": "support"}, **{"as": support}),
        *(
            record("provider", name, base_url=f"{address}/{name}/v1", credential=CREDENTIAL)
            for name in ("groq", "openai", "mistral", BUSY)
        ),
    ]


class Provider(BaseHTTPRequestHandler):
    """Answers chats as OpenAI's API does."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path.startswith(f"/{BUSY}/") and random.random() < OVERLOADED:
            time.sleep(0.2)
            return self._send(503, json.dumps({"error": {"message": "Overloaded."}}).encode())
        time.sleep(FIRST_WORD.get(body["model"].rpartition("/")[2], 0.2) * random.uniform(0.7, 1.6))
        usage = {"prompt_tokens": random.randint(400, 2400), "completion_tokens": random.randint(80, 700)}
        head = {"id": "chatcmpl-1", "created": int(time.time()), "model": body["model"], "usage": usage}
        if body.get("stream"):
            return self._stream(head)
        message = {"role": "assistant", "content": ANSWER}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        return self._send(200, json.dumps({**head, "object": "chat.completion", "choices": choices}).encode())

    def _stream(self, head: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        deltas = [*({"content": f"{word} "} for word in ANSWER.split()), {}]
        for delta in deltas:
            choice = {"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}
            frame = {**head, "object": "chat.completion.chunk", "choices": [choice]}
            self.wfile.write(b"data: %s\n\n" % json.dumps(frame).encode())
            time.sleep(0.005)
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@contextmanager
def busy_gateway(folder: Path) -> Iterator[LocalRun]:
    random.seed(7)  # the same pictures each time, as far as the clock allows it
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    Thread(target=server.serve_forever, daemon=True).start()
    records = rules(f"http://127.0.0.1:{server.server_port}")
    keys = [{"key": f"sk-sluice-{(name['id'] * 43)[:43]}", **name} for name in KEYS]
    files = {"--rules": (folder / "rules.json", records), "--keys": (folder / "keys.json", keys)}
    for path, content in files.values():
        path.write_text(json.dumps(content))
    arguments = [text for name, (path, _) in files.items() for text in (name, str(path))]
    try:
        with serve_locally(folder, *arguments, environment={CREDENTIAL: "demo"}) as run:
            write_history(run, records)
            ask_all(run, {str(key["project"]): str(key["key"]) for key in keys})
            write_past_hours(run)
            yield run
    finally:
        server.shutdown()


def write_history(run: LocalRun, records: list[dict[str, Any]]) -> None:
    """Save the rules twice, so that the history has something to show."""
    put_rules(
        run, [one for one in records if one["id"] != "search-at-night"], "No night for search: quotas grew"
    )
    put_rules(run, records, "Search at night goes to Groq again")
    assert stored(run)["problems"] == [], stored(run)["problems"]


def ask_all(run: LocalRun, keys: dict[str, str], count: int = 90) -> None:
    """Ask as all projects do, and at the end until a request has been tried again."""

    def ask(place: int, project: str | None = None) -> str:
        project = project or random.choices(list(QUESTIONS), weights=(5, 6, 3, 0.4))[0]
        body = {"messages": [{"role": "user", "content": QUESTIONS[project]}], "stream": place % 3 > 0}
        if project == "engineering":
            body["model"] = STRONG
        if project == "search" and place % 9 == 0:
            body["model"] = STRONG  # which its key may not call
        sent = {"authorization": f"Bearer {keys[project]}"}
        answer = httpx.post(f"{run.base_url}/chat/completions", json=body, headers=sent, timeout=60)
        return answer.headers.get("x-sluice-attempts", "0")

    with ThreadPoolExecutor(6) as pool:
        [*pool.map(ask, range(count))]
    assert any(ask(1, "support") > "1" for _ in range(30))
    call(run, "GET", "models")


def write_past_hours(run: LocalRun) -> None:
    """Write the counters of the hours before this one: more by day than by night."""
    settings = read_settings({"AWS_ENDPOINT_URL_DYNAMODB": run.dynamodb, "AWS_REGION": "us-east-1"})
    client = create_client(settings)
    now = int(time.time() // HOUR)
    for hour in range(now - 23, now):
        load = 60 + 55 * math.sin((hour % 24 - 8) / 24 * 2 * math.pi)
        cells = {(kind, name): new_cell() for kind, name in [("t", ""), *SHARES]}
        for (kind, name), share in {("t", ""): 1.0, **SHARES}.items():
            _fill(cells[kind, name], round(load * share * random.uniform(0.85, 1.15)), timed=kind in "tm")
        item = {"id": counters_id(hour), "expires_at": hour * HOUR + COUNTERS_LIVE, **attributes_of(cells)}
        call_aws(client, "put_item", {"TableName": settings.state_table, "Item": serialize_item(item)})


SHARES = {
    ("p", "support"): 0.36,
    ("p", "search"): 0.42,
    ("p", "engineering"): 0.18,
    ("k", "support-desk"): 0.36,
    ("k", "search-index"): 0.42,
    ("k", "ann"): 0.18,
    ("m", STRONG): 0.46,
    ("m", SMALL): 0.36,
    ("m", FAST): 0.18,
}


def _fill(cell: list[int], requests: int, *, timed: bool) -> None:
    cell[:5] = requests, requests // 40, requests * 2_600_000, requests * 1300, requests * 390
    for _ in range(requests if timed else 0):
        add_first_token(cell, round(random.lognormvariate(5.9, 0.55)))
