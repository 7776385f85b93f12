"""An agent on the official openai client: Chat Completions. https://github.com/openai/openai-python"""

import json

from openai import OpenAI
from tools import MODEL, PROMPT, STREAM, TOOLS, schema

client = OpenAI()
tools = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": tool.__doc__,
            "parameters": schema(name),
            "strict": True,  # the client streams calls of strict tools only
        },
    }
    for name, tool in TOOLS.items()
]
messages = [{"role": "user", "content": PROMPT}]


def ask():
    if not STREAM:
        return client.chat.completions.create(model=MODEL, messages=messages, tools=tools)
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=tools) as stream:
        for _ in stream:
            pass
        return stream.get_final_completion()


while True:
    completion = ask()
    message = completion.choices[0].message
    messages.append(message)
    if not message.tool_calls:
        break
    for call in message.tool_calls:
        result = TOOLS[call.function.name](**json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
print(message.content)
