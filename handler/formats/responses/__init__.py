"""OpenAI's Responses as a client format: requests to chat, and chat to answers and events (docs/api.md).

https://platform.openai.com/docs/api-reference/responses
"""
