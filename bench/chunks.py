"""Measures the processor time of a chunk, by the format of the provider: `python -m bench.chunks`.

Providers' events go in one by one, as a stream brings them, and the client's frames come out.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from handler.answers.client_stream import ClientStream
from handler.answers.native_stream import NativeStream
from handler.providers.provider import Quirks
from handler.providers.registry import TRANSLATORS

CHUNKS, ROUNDS = 2000, 5
TEXTS = ("Hello", " world,", " this is", r"\n\n", " longer", r" \"text\"", " é")

_HEAD = '"id":"c-1","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":"fp_1"'
_DELTA = '{"type":"content_block_delta","index":0,"delta":{"type":'


def _chat(delta: str, at: int) -> str:
    choice = f'{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":null}}'
    return f'{{{_HEAD},"choices":[{choice}],"usage":null,"obfuscation":"{"abcdefghi"[: at % 9]}"}}'


def _call(members: str) -> str:
    return f'{{"tool_calls":[{{"index":0,{members}}}]}}'


def _gemini(text: str, at: int) -> str:
    part = f'{{"content": {{"parts": [{{"text": "{text}"}}],"role": "model"}},"index": 0}}'
    counts = f'"promptTokenCount": 12,"candidatesTokenCount": {at},"totalTokenCount": {at + 12}'
    details = f'"candidatesTokensDetails": [{{"modality": "TEXT","tokenCount": {at}}}]'
    tail = '"modelVersion": "gemini-2.5-flash","responseId": "Gd5RaIr2"'
    return f'{{"candidates": [{part}],"usageMetadata": {{{counts},{details}}},{tail}}}'


def _response(text: str, at: int) -> str:
    item = f'"item_id":"m","logprobs":[],"obfuscation":"{"abcdefghi"[: at % 9]}","output_index":0'
    delta = f'"type":"response.output_text.delta","content_index":0,"delta":"{text}"'
    return f'{{{delta},{item},"sequence_number":{at}}}'


_MESSAGE = '{"type":"message_start","message":{"id":"m","model":"m","usage":{"input_tokens":25}}}'
_START = '{"type":"content_block_start","index":0,"content_block":{"type":'
_TEXT, _TOOL = _START + '"text","text":""}}', _START + '"tool_use","id":"t","name":"f","input":{}}}'
Case = tuple[str, list[str], Callable[[str, int], str]]  # dialect, first events, an event with a text
CASES: dict[str, Case] = {
    "OpenAI, text": ("openai", [], lambda text, at: _chat(f'{{"content":"{text}"}}', at)),
    "OpenAI, arguments": (
        "openai",
        [_chat(_call('"id":"c","type":"function","function":{"name":"f","arguments":""}'), 0)],
        lambda text, at: _chat(_call(f'"function":{{"arguments":"{text}"}}'), at),
    ),
    "Anthropic, text": (
        "anthropic",
        [_MESSAGE, _TEXT],
        lambda text, _: f'{_DELTA}"text_delta","text":"{text}"}}}}',
    ),
    "Anthropic, arguments": (
        "anthropic",
        [_MESSAGE, _TOOL],
        lambda text, _: f'{_DELTA}"input_json_delta","partial_json":"{text}"}}}}',
    ),
    "Gemini, text": ("google", [], _gemini),
    "Responses, text": ("responses", [], _response),
}


def measure(case: Case, stream: type[ClientStream]) -> float:
    """Return the microseconds of a chunk, in the shortest of ROUNDS streams."""
    dialect, first, event = case
    texts = [*first, *(event(TEXTS[at % len(TEXTS)], at) for at in range(CHUNKS))]
    datas, best = [f"data: {text}\n\n".encode() for text in texts], float("inf")
    for _ in range(ROUNDS):
        frames = stream(
            TRANSLATORS[dialect].stream(Quirks()), model="p/m", wants_usage=True, stateless_text=True
        )
        began = time.process_time()
        for data in datas:
            frames.feed(data)
        best = min(best, time.process_time() - began)
        assert frames.failure is None
    return best / len(datas) * 1e6


if __name__ == "__main__":
    for name, case in CASES.items():
        print(f"{name}: {measure(case, ClientStream):.1f} us")
        if case[0] != "openai":
            print(f"{name}, client of the same format: {measure(case, NativeStream):.1f} us")
