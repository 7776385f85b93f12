"""An agent on the OpenAI Agents SDK. https://openai.github.io/openai-agents-python/"""

import asyncio
import os

from agents import Agent, Runner, function_tool, set_default_openai_api, set_tracing_disabled
from tools import MODEL, PROMPT, STREAM, TOOLS

set_tracing_disabled(True)
set_default_openai_api(os.environ["FORMAT"])
agent = Agent("editor", model=MODEL, tools=[function_tool(tool) for tool in TOOLS.values()])


async def main():
    if not STREAM:
        return await Runner.run(agent, PROMPT)
    run = Runner.run_streamed(agent, PROMPT)
    async for _ in run.stream_events():
        pass
    return run


print(asyncio.run(main()).final_output)
