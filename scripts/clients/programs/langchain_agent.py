"""An agent on LangChain. https://docs.langchain.com/oss/python/langchain/agents"""

import os

from langchain.agents import create_agent
from langchain.chat_models import init_chat_model
from tools import MODEL, PROMPT, STREAM, TOOLS

provider, options = {
    "chat": ("openai", {}),
    "responses": ("openai", {"use_responses_api": True, "output_version": "responses/v1"}),
    "messages": ("anthropic", {"max_tokens": 4096}),
}[os.environ["FORMAT"]]
model = init_chat_model(MODEL, model_provider=provider, streaming=STREAM, **options)
agent = create_agent(model, tools=list(TOOLS.values()))
answer = agent.invoke({"messages": [{"role": "user", "content": PROMPT}]})
print(answer["messages"][-1].text)
