"""An agent on the official anthropic client. https://github.com/anthropics/anthropic-sdk-python"""

from anthropic import Anthropic
from tools import MODEL, PROMPT, STREAM, TOOLS, schema

client = Anthropic()
tools = [
    {"name": name, "description": tool.__doc__, "input_schema": schema(name)} for name, tool in TOOLS.items()
]
request = {"model": MODEL, "tools": tools, "max_tokens": 4096, "thinking": {"type": "adaptive"}}
messages = [{"role": "user", "content": PROMPT}]


def ask():
    if not STREAM:
        return client.messages.create(messages=messages, **request)
    with client.messages.stream(messages=messages, **request) as stream:
        return stream.get_final_message()


assert client.messages.count_tokens(model=MODEL, messages=messages, tools=tools).input_tokens > 0
while True:
    message = ask()
    messages.append({"role": "assistant", "content": message.content})
    if message.stop_reason != "tool_use":
        break
    calls = [block for block in message.content if block.type == "tool_use"]
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": TOOLS[call.name](**call.input)}
        for call in calls
    ]
    messages.append({"role": "user", "content": results})
print(message.content[-1].text)
