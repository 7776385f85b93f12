"""An agent on LlamaIndex. https://developers.llamaindex.ai/python/framework/understanding/agent/"""

import asyncio
import os

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai_like import OpenAILike
from tools import MODEL, PROMPT, STREAM, TOOLS

model = OpenAILike(
    model=MODEL,
    api_base=os.environ["OPENAI_BASE_URL"],
    api_key=os.environ["OPENAI_API_KEY"],
    is_chat_model=True,
    is_function_calling_model=True,
)
agent = FunctionAgent(tools=list(TOOLS.values()), llm=model, streaming=STREAM)


async def main():
    print(await agent.run(PROMPT))


asyncio.run(main())
