"""An agent on pydantic-ai. https://ai.pydantic.dev/models/overview/"""

import os

from pydantic_ai import Agent
from tools import MODEL, PROMPT, STREAM, TOOLS

agent = Agent(f"{os.environ['FORMAT']}:{MODEL}", tools=list(TOOLS.values()))


async def read_events(context, events):
    async for _ in events:
        pass


handler = read_events if STREAM else None
print(agent.run_sync(PROMPT, event_stream_handler=handler).output)
