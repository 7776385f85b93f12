"""An agent on google-genai. The client calls the tools itself. https://googleapis.github.io/python-genai/"""

from google import genai
from google.genai import types
from tools import MODEL, PROMPT, STREAM, TOOLS

client = genai.Client()
config = types.GenerateContentConfig(tools=list(TOOLS.values()))
chat = client.chats.create(model=MODEL, config=config)
assert client.models.count_tokens(model=MODEL, contents=PROMPT).total_tokens > 0
if STREAM:
    print("".join(chunk.text or "" for chunk in chat.send_message_stream(PROMPT)))
else:
    print(chat.send_message(PROMPT).text)
