"""An agent on LiteLLM. https://docs.litellm.ai/docs/completion/function_call"""

import json
import os

import litellm
from tools import MODEL, PROMPT, STREAM, TOOLS, schema

tools = [
    {"type": "function", "function": {"name": name, "description": tool.__doc__, "parameters": schema(name)}}
    for name, tool in TOOLS.items()
]
messages = [{"role": "user", "content": PROMPT}]
request = {"model": f"{os.environ['FORMAT']}/{MODEL}", "tools": tools, "stream": STREAM}
while True:
    answer = litellm.completion(messages=messages, **request)
    if STREAM:
        answer = litellm.stream_chunk_builder(list(answer), messages=messages)
    message = answer.choices[0].message
    messages.append(message)
    if not message.tool_calls:
        break
    for call in message.tool_calls:
        result = TOOLS[call.function.name](**json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
print(message.content)
