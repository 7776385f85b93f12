"""An agent on the official openai client: Responses. https://github.com/openai/openai-python"""

import json

from openai import OpenAI
from tools import MODEL, PROMPT, STREAM, TOOLS, schema

client = OpenAI()
tools = [
    {
        "type": "function",
        "name": name,
        "description": tool.__doc__,
        "parameters": schema(name),
        "strict": True,
    }
    for name, tool in TOOLS.items()
]
request = {"model": MODEL, "tools": tools, "store": False, "include": ["reasoning.encrypted_content"]}
items = [{"role": "user", "content": PROMPT}]


def ask():
    if not STREAM:
        return client.responses.create(input=items, **request)
    events = list(client.responses.create(input=items, stream=True, **request))
    assert events[-1].type == "response.completed", events[-1]
    return events[-1].response


while True:
    response = ask()
    items += response.output
    calls = [item for item in response.output if item.type == "function_call"]
    for call in calls:
        result = TOOLS[call.name](**json.loads(call.arguments))
        items.append({"type": "function_call_output", "call_id": call.call_id, "output": result})
    if not calls:
        break
print(response.output_text)
